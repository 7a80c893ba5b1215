//! Object stores: a durable local folder with one owner, and memory; all through object_store's traits.

use crate::error::Result;
use object_store::{ObjectStore, path::Path};
use std::sync::Arc;

/// A place where databases lie. Clones share it; the folder's lock is held until the last one is dropped.
#[derive(Clone)]
pub struct Store {
    pub objects: Arc<dyn ObjectStore>,
    /// The prefix under which everything lies (empty for a folder).
    pub root: Path,
}

impl Store {
    /// A local folder, made where it is missing. Creates are atomic and durable when they return; one process owns it
    /// (`Fenced` where another does).
    pub fn folder(_path: &std::path::Path) -> Result<Store> {
        unimplemented!()
    }
    /// Nothing outlives the process.
    pub fn memory() -> Store {
        unimplemented!()
    }
}
