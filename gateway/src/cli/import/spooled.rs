//! What comes by a pipe, in a file: an import reads its rows three times.

use crate::cli::Failure;
use std::fs::OpenOptions;
use std::path::PathBuf;
use uuid::Uuid;

/// Removed with this.
pub struct Spooled {
    pub path: PathBuf,
}

impl Spooled {
    pub fn stdin() -> Result<Spooled, Failure> {
        let path = std::env::temp_dir().join(format!("daodb-import-{}", Uuid::new_v4()));
        let mut options = OpenOptions::new();
        // Nobody else's file, and nobody else's business.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |e: std::io::Error| {
            Failure::failed(format!("cannot keep stdin in {}: {e}", path.display()))
                .hint("TMPDIR names another folder")
        };
        let mut file = options.open(&path).map_err(failed)?;
        let spooled = Spooled { path: path.clone() };
        std::io::copy(&mut std::io::stdin().lock(), &mut file).map_err(failed)?;
        Ok(spooled)
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
