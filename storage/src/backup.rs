//! stub
use crate::error::Result;
use object_store::path::Path;
pub(crate) fn check_manifest(_path: &Path, _bytes: &[u8]) -> Result<()> {
    Ok(())
}
