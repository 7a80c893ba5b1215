//! The seal of a log object: a checksum of all its other bytes, checked before any of them is believed.
//!
//! It lies between Parquet's leading magic and the first column, where no reader of Parquet looks: those find columns by
//! the offsets in the footer. So one flipped bit anywhere is found out, and damaged bytes never reach a Parquet decoder.

use super::object::LOST;
use crate::error::{Error, Result};
use object_store::path::Path;

const MAGIC: &[u8; 4] = b"PAR1";
const TAG: &[u8; 8] = b"daodblog";
const HASH_AT: usize = MAGIC.len() + TAG.len();
const END: usize = HASH_AT + 32;

/// What a writer puts right after the leading magic, to be filled by [`seal`].
pub(super) const SPACE: [u8; END - MAGIC.len()] = [0; END - MAGIC.len()];

/// Seals a finished object.
pub(super) fn seal(bytes: &mut [u8]) {
    bytes[MAGIC.len()..HASH_AT].copy_from_slice(TAG);
    let hash = checksum(bytes);
    bytes[HASH_AT..END].copy_from_slice(&hash);
}

/// An error says what is wrong with the object at `path`.
pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    let damage = if bytes.is_empty() {
        "the log object is empty"
    } else if bytes.len() < END || !bytes.starts_with(MAGIC) || bytes[MAGIC.len()..HASH_AT] != *TAG
    {
        "this is not a log object, or its beginning is damaged"
    } else if !bytes.ends_with(MAGIC) {
        "the log object is cut short, or its end is damaged"
    } else if bytes[HASH_AT..END] != checksum(bytes) {
        "the log object is damaged: its bytes do not match its checksum"
    } else {
        return Ok(());
    };
    Err(Error::data(path, damage).hint(LOST))
}

fn checksum(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..HASH_AT]).update(&bytes[END..]);
    *hasher.finalize().as_bytes()
}
