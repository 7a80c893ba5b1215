//! A snapshot's attributes as tables: an attribute namespace is a table, each attribute of it a column.

mod dao;
mod history;
mod instants;
pub mod isolated;
mod names;
mod provenance;
pub mod scan;
pub mod star;
pub mod types;

pub use dao::{DAO_RELATIONS, dao_table};
pub use names::{HISTORY_SUFFIX, hidden, tables};

use daodb_storage::{Attr, Snapshot, ValueType};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use star::StarTable;
use std::collections::HashMap;
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
    /// Unique, and names the entity in upserts.
    pub identity: bool,
    /// Equal values are found without a scan.
    pub indexed: bool,
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
    /// All columns with their types, `_id` first. Metadata: `daodb:type`, the value type shown, where the column's own does not
    /// tell it.
    pub fn schema(&self) -> SchemaRef {
        let id = Field::new("_id", DataType::Int64, false);
        let columns = self.columns.iter().map(ColumnDef::field);
        Arc::new(Schema::new(std::iter::once(id).chain(columns).collect::<Vec<_>>()))
    }
}

impl ColumnDef {
    fn field(&self) -> Field {
        let field = Field::new(&self.name, self.data_type.clone(), true);
        tagged(field, types::shown(&self.stored))
    }
}

/// A field that says which value type it shows, where several are of one type to SQL. More would be in the way: the planner wants
/// the columns that make one to be alike.
fn tagged(field: Field, ty: ValueType) -> Field {
    use ValueType::{Bigdec, Bigint, Keyword, Ref, Symbol, Tuple, Uri, Uuid};
    match ty {
        Bigdec | Bigint | Keyword | Ref | Symbol | Tuple | Uri | Uuid => {
            field.with_metadata(HashMap::from([("daodb:type".to_owned(), ty.name().to_owned())]))
        }
        _ => field,
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
    /// No transaction is that old.
    pub const NONE: VersionRange =
        VersionRange { t_from: (i64::MIN, i64::MIN), t_to: (i64::MIN, i64::MIN) };
}

/// Without metadata.
fn bare(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_metadata(HashMap::new()));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of an entity table at the snapshot's basis. `bare`: without the metadata of [`TableDef::schema`].
pub fn entity_table(def: Arc<TableDef>, snapshot: &Snapshot, bare: bool) -> Arc<StarTable> {
    let schema = if bare { self::bare(&def.schema()) } else { def.schema() };
    Arc::new(StarTable { def, snapshot: snapshot.clone(), schema })
}

/// The versions of the rows of an entity table: its columns, then `_t_from`, `_t_to` (Int64, null while it holds),
/// `_valid_from`, `_valid_to` (instants).
pub fn history_table(
    def: Arc<TableDef>,
    snapshot: &Snapshot,
    range: VersionRange,
    bare: bool,
) -> Arc<dyn TableProvider> {
    Arc::new(history::HistoryTable::new(def, snapshot.history(), range, bare))
}
