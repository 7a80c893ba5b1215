//! `dao.transactions`: a row a transaction up to the basis: its t, its entity `_id` (the same number, to join with entity
//! tables by), when it was, who made it, how many datoms it has and its hash. What else is said of
//! a transaction (`:git/commit`) stands in the entity tables, with `_id` = t.
//!
//! Datoms and hash are read from the log, and only where they are asked for: with bounds on t, from there on.

use super::super::instants::{Instants, instant_type};
use super::super::provenance::{COLUMNS, Said};
use super::super::scan::bounds::Bounds;
use super::schema_of;
use crate::database::Database;
use daodb_storage::{FIRST_T, Snapshot};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use futures::TryStreamExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Both are t.
pub const T: [usize; 2] = [0, 1];
const AUTHOR: usize = 3;
const DATOMS: usize = 6;
const HASH: usize = 7;

pub fn schema() -> SchemaRef {
    let mut columns =
        vec![("t", DataType::Int64), ("_id", DataType::Int64), ("instant", instant_type())];
    columns.extend(COLUMNS.map(|(name, _)| (name, DataType::Utf8View)));
    columns.extend([("datoms", DataType::Int64), ("hash", DataType::Utf8View)]);
    schema_of(&columns)
}

/// The rows within the bounds on t. Columns that are not wanted are null.
pub async fn rows(
    database: &Database,
    snapshot: &Snapshot,
    within: Bounds,
    wanted: impl Fn(usize) -> bool,
) -> Result<RecordBatch> {
    let (first, last) = (within.low.max(FIRST_T), within.high.min(snapshot.t()));
    let instants = match first > last {
        true => Instants::none(),
        false => Instants::between(snapshot, first, last).await?,
    };
    let ts: Vec<i64> = instants.ts().collect();
    let column: ArrayRef = Arc::new(Int64Array::from(ts.clone()));
    let mut columns =
        vec![Arc::clone(&column), column, instants.column(ts.iter().copied().map(Some))];
    for (at, (_, a)) in COLUMNS.into_iter().enumerate() {
        let said = match wanted(AUTHOR + at) {
            true => Said::of(snapshot, a, ts.iter().copied()).await?,
            false => Said::none(),
        };
        columns.push(said.column(ts.iter().copied()));
    }
    let logged = match wanted(DATOMS) || wanted(HASH) {
        true => logged(database, snapshot, &ts).await?,
        false => HashMap::new(),
    };
    let logged = |t: &i64| logged.get(t);
    let datoms: Int64Array = ts.iter().map(|t| logged(t).map(|l| l.datoms)).collect();
    let hashes: StringViewArray = ts.iter().map(|t| logged(t).map(|l| l.hash.as_str())).collect();
    columns.push(Arc::new(datoms));
    columns.push(Arc::new(hashes));
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// What only the log says of a transaction.
struct Logged {
    datoms: i64,
    hash: String,
}

/// `ts` ascending. A what-if is in no log: another transaction may have taken its place there.
async fn logged(
    database: &Database,
    snapshot: &Snapshot,
    ts: &[i64],
) -> Result<HashMap<i64, Logged>> {
    let mut found = HashMap::new();
    let (Some(first), Some(last)) = (ts.first(), ts.last()) else { return Ok(found) };
    let mut log = database.stream().log().read_from(*first);
    while let Some(transaction) = log.try_next().await? {
        let header = transaction.header;
        let newest = snapshot.newest();
        if header.t > *last || (header.t == newest.t && header.hash != newest.hash) {
            break;
        }
        let hash: String = header.hash.iter().map(|b| format!("{b:02x}")).collect();
        let datoms = i64::try_from(transaction.datoms.len()).unwrap_or(i64::MAX);
        found.insert(header.t, Logged { datoms, hash });
    }
    Ok(found)
}
