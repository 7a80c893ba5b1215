//! Which chunks a scan reads: bounds on `_id`, entities found by a unique value, else the ranges of the largest run.

use super::super::scan::bounds::{Bounds, bounds, integer_points, points};
use super::super::scan::filter::Filter;
use super::super::{ColumnDef, TableDef};
use super::chunk::Chunk;
use daodb_storage::value::ValueColumn;
use daodb_storage::{Attr, Snapshot, Value, ValueType};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::sync::Arc;

/// Rows of a chunk: enough to make the work per chunk small beside its rows, few enough to keep it in the cache of a core.
const CHUNK_ROWS: usize = 131_072;

/// The chunks of the table that may hold rows that pass the filters, ascending. Column 0 of the filters is `_id`.
pub async fn chunks(
    def: &TableDef,
    snapshot: &Snapshot,
    filters: &[Arc<Filter>],
) -> Result<Vec<Chunk>> {
    match named_entities(def, snapshot, filters).await? {
        Some(es) => Ok(named(es, bounds(filters, 0))),
        None => ranges(def, snapshot, filters, CHUNK_ROWS).await,
    }
}

/// The same for versions: a value of one version does not name the entity's other versions, but `_id` does.
pub async fn chunks_of_history(
    def: &TableDef,
    snapshot: &Snapshot,
    filters: &[Arc<Filter>],
    rows: usize,
) -> Result<Vec<Chunk>> {
    match integer_points(filters, 0) {
        Some(es) => Ok(named(es, bounds(filters, 0))),
        None => ranges(def, snapshot, filters, rows).await,
    }
}

fn named(es: Vec<i64>, within: Bounds) -> Vec<Chunk> {
    let es: Vec<i64> = es.into_iter().filter(|e| within.low <= *e && *e <= within.high).collect();
    if es.is_empty() { vec![] } else { vec![Chunk::Entities(es.into())] }
}

async fn ranges(
    def: &TableDef,
    snapshot: &Snapshot,
    filters: &[Arc<Filter>],
    rows: usize,
) -> Result<Vec<Chunk>> {
    let within = bounds(filters, 0);
    let attributes: Vec<Attr> = def.columns.iter().map(|c| c.a.clone()).collect();
    let ranges = snapshot.ranges(&attributes, within.range(), rows).await?;
    Ok(ranges.into_iter().map(Chunk::Range).collect())
}

/// The few entities that a row can be about, ascending; None: not known.
async fn named_entities(
    def: &TableDef,
    snapshot: &Snapshot,
    filters: &[Arc<Filter>],
) -> Result<Option<Vec<i64>>> {
    if let Some(es) = integer_points(filters, 0) {
        return Ok(Some(es));
    }
    for (i, column) in def.columns.iter().enumerate().filter(|(_, c)| c.indexed && !c.many) {
        let Some(values) = points(filters, i + 1).and_then(|p| stored_values(column, &p)) else {
            continue;
        };
        let es = snapshot.entities_with(&column.a, &values).await?;
        // Many entities of one value are read faster in whole ranges.
        if es.len() <= 1024 {
            return Ok(Some(es));
        }
    }
    Ok(None)
}

/// Values as a column shows them as the stored ones that are looked up; None: a value that is shown may be stored in several
/// ways, or in another form. What is no value of the type is equal to none.
fn stored_values(column: &ColumnDef, points: &[ScalarValue]) -> Option<Vec<Value>> {
    let [ty] = column.stored.as_slice() else { return None };
    if points.is_empty() {
        return Some(vec![]);
    }
    let shown = ScalarValue::iter_to_array(points.iter().cloned()).ok()?;
    let (from, to) = (shown.data_type().clone(), ty.arrow());
    let alike = from == to
        || from.is_string() && to.is_string()
        || from.is_binary() && to.is_binary()
        || matches!(
            (ty, &from),
            (ValueType::Instant, DataType::Timestamp(TimeUnit::Microsecond, _))
                | (ValueType::Bigint, DataType::Decimal128(_, 0))
        );
    let shown = if from == to { shown } else { alike.then(|| cast(&shown, &to).ok()).flatten()? };
    let shown = ValueColumn::new(*ty, &shown).ok()?;
    let values = (0..points.len()).filter_map(|i| shown.value(i).ok().flatten());
    let values: Vec<Value> = values.collect();
    // There are two zeros, and several that are no number.
    let one = |v: &Value| !matches!(v, Value::Double(d) if *d == 0.0 || d.is_nan());
    values.iter().all(one).then_some(values)
}
