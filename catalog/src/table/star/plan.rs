//! Which chunks a scan reads: bounds on `_id`, entities found by a unique value, else the ranges of the largest run.

use super::super::scan::bounds::{Bounds, bounds, integer_points, points};
use super::super::scan::filter::Filter;
use super::super::{ColumnDef, TableDef};
use super::chunk::Chunk;
use daodb_storage::{Attr, Snapshot, Value, ValueType};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::collections::BTreeSet;
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
        let found = snapshot.lookup(&column.a, &values).await?;
        let es: BTreeSet<i64> = found.iter().map(|f| f.e).collect();
        // Many entities of one value are read faster in whole ranges.
        if es.len() <= 1024 {
            return Ok(Some(es.into_iter().collect()));
        }
    }
    Ok(None)
}

/// SQL values as the stored values that a column shows so; None: there is no one stored value for each.
fn stored_values(column: &ColumnDef, points: &[ScalarValue]) -> Option<Vec<Value>> {
    let [ty] = column.stored.as_slice() else { return None };
    points.iter().map(|p| stored_value(*ty, p)).collect()
}

fn stored_value(ty: ValueType, v: &ScalarValue) -> Option<Value> {
    let text = match v {
        ScalarValue::Utf8(s) | ScalarValue::Utf8View(s) | ScalarValue::LargeUtf8(s) => s.as_deref(),
        _ => None,
    };
    Some(match (ty, v) {
        (ValueType::String, _) => Value::string(text?),
        (ValueType::Keyword, _) => Value::Keyword(text?.into()),
        (ValueType::Symbol, _) => Value::Symbol(text?.into()),
        (ValueType::Uri, _) => Value::Uri(text?.into()),
        (ValueType::Long, ScalarValue::Int64(Some(n))) => Value::Long(*n),
        (ValueType::Ref, ScalarValue::Int64(Some(n))) => Value::Ref(*n),
        (ValueType::Boolean, ScalarValue::Boolean(Some(b))) => Value::Boolean(*b),
        (ValueType::Instant, ScalarValue::TimestampMicrosecond(Some(us), _)) => Value::Instant(*us),
        _ => return None,
    })
}
