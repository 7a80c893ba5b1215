//! A snapshot's attributes as tables: an attribute namespace is a table, each attribute of it a column.

use crate::database::Database;
use crate::error::Result;
use crate::schema::Schema;
use daodb_storage::{Attr, Snapshot, ValueType};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use std::sync::Arc;

/// One column of an entity table.
#[derive(Debug, Clone)]
pub struct ColumnDef {
    /// As SQL names it: `last_name` of `:person/last-name`.
    pub name: String,
    pub a: Attr,
    /// The stored types that it joins; one, as a rule.
    pub stored: Vec<ValueType>,
    /// As SQL shows it: a List for cardinality many.
    pub data_type: DataType,
    pub many: bool,
    pub unique: bool,
    pub doc: Option<String>,
}

/// An entity table: `_id` (Int64, the entity) and one column an attribute.
#[derive(Debug, Clone)]
pub struct TableDef {
    /// `person` of `:person/...`.
    pub name: String,
    /// Without `_id`, sorted by name.
    pub columns: Vec<ColumnDef>,
    /// An estimate for planners and `reltuples`.
    pub rows: u64,
}

impl TableDef {
    /// All columns with their types, `_id` first.
    pub fn schema(&self) -> datafusion::arrow::datatypes::SchemaRef {
        unimplemented!()
    }
}

/// Which versions of rows a range form asks for, as bounds on their intervals; both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    pub t_from: (i64, i64),
    /// `i64::MAX` is the end of a version that still holds.
    pub t_to: (i64, i64),
}

impl VersionRange {
    pub const ALL: VersionRange =
        VersionRange { t_from: (i64::MIN, i64::MAX), t_to: (i64::MIN, i64::MAX) };
}

/// The tables of a snapshot, sorted by name, by the schema at its basis.
pub fn tables(_snapshot: &Snapshot, _schema: &Schema) -> Vec<Arc<TableDef>> {
    unimplemented!()
}

/// The rows of an entity table at the snapshot's basis.
pub fn entity_table(_def: Arc<TableDef>, _snapshot: &Snapshot) -> Arc<dyn TableProvider> {
    unimplemented!()
}

/// The versions of the rows of an entity table: its columns, then `_t_from`, `_t_to` (Int64, null while it holds),
/// `_valid_from`, `_valid_to` (instants).
pub fn history_table(
    _def: Arc<TableDef>,
    _snapshot: &Snapshot,
    _range: VersionRange,
) -> Arc<dyn TableProvider> {
    unimplemented!()
}

/// The relations of schema `dao`.
pub const DAO_RELATIONS: [&str; 6] =
    ["datoms", "transactions", "changes", "attributes", "segments", "streams"];

/// One relation of schema `dao` at the snapshot's basis.
pub fn dao_table(
    _name: &str,
    _database: &Arc<Database>,
    _snapshot: &Snapshot,
) -> Result<Option<Arc<dyn TableProvider>>> {
    unimplemented!()
}
