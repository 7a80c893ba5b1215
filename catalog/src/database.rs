//! A catalog of databases under one root, and a database: a stream, its transactor and its schema.

use crate::error::Result;
use crate::schema::Schema;
use crate::table::TableDef;
use crate::transact::{Op, TxReport};
use daodb_storage::{Snapshot, Stream, StreamOptions};
use datafusion::execution::runtime_env::RuntimeEnv;
use std::sync::Arc;

pub struct Catalog {}

#[derive(Clone)]
pub struct CatalogOptions {
    pub stream: StreamOptions,
    /// Memory that queries may take before they spill or fail, in bytes.
    pub memory_bytes: usize,
}

impl Catalog {
    /// A local folder, made where it is missing; takes its lock.
    pub async fn open_folder(
        _path: &std::path::Path,
        _options: CatalogOptions,
    ) -> Result<Arc<Catalog>> {
        unimplemented!()
    }
    /// Nothing outlives the process.
    pub async fn open_memory(_options: CatalogOptions) -> Result<Arc<Catalog>> {
        unimplemented!()
    }
    /// Sorted names.
    pub fn names(&self) -> Vec<String> {
        unimplemented!()
    }
    /// Error 3D000 where there is none, with the nearest name.
    pub async fn database(&self, _name: &str) -> Result<Arc<Database>> {
        unimplemented!()
    }
    /// Error 42P04 where there is one.
    pub async fn create(&self, _name: &str) -> Result<Arc<Database>> {
        unimplemented!()
    }
    /// One pool of memory and spill files for all sessions.
    pub fn runtime(&self) -> Arc<RuntimeEnv> {
        unimplemented!()
    }
    /// Finishes background work and writes what waits.
    pub async fn close(&self) -> Result<()> {
        unimplemented!()
    }
}

pub struct Database {}

impl Database {
    pub fn name(&self) -> &str {
        unimplemented!()
    }
    pub fn stream(&self) -> &Arc<Stream> {
        unimplemented!()
    }
    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        unimplemented!()
    }
    /// The schema at the snapshot's basis; cached.
    pub async fn schema(&self, _snapshot: &Snapshot) -> Result<Arc<Schema>> {
        unimplemented!()
    }
    /// The entity tables at the snapshot's basis, by name; cached.
    pub async fn tables(&self, _snapshot: &Snapshot) -> Result<Arc<Vec<Arc<TableDef>>>> {
        unimplemented!()
    }
    /// Durable when it returns. Calls that wait at the same time share one log object.
    pub async fn transact(&self, _ops: Vec<Op>) -> Result<TxReport> {
        unimplemented!()
    }
}
