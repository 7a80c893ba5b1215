//! The instants of transactions, looked up in bulk.

use daodb_storage::{Attr, Slice, Snapshot};
use datafusion::arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const TX_INSTANT: &str = ":db/txInstant";

/// The Arrow type of an instant.
pub fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The instants (µs) of the transactions within bounds, both inclusive.
pub struct Instants(BTreeMap<i64, i64>);

impl Instants {
    pub async fn between(snapshot: &Snapshot, first: i64, last: i64) -> Result<Instants> {
        let slice = Slice {
            a: Attr::new(TX_INSTANT),
            e: first..last.saturating_add(1),
            values: true,
            times: false,
            touched: None,
        };
        let mut instants = BTreeMap::new();
        for part in snapshot.slice(&slice).await? {
            let Some(v) =
                part.v.as_ref().and_then(|v| v.as_primitive_opt::<TimestampMicrosecondType>())
            else {
                continue;
            };
            let e = part.e.as_primitive::<Int64Type>();
            instants.extend(e.values().iter().copied().zip(v.values().iter().copied()));
        }
        Ok(Instants(instants))
    }

    /// For any of these transactions, null standing for none.
    pub async fn of(
        snapshot: &Snapshot,
        ts: impl Iterator<Item = i64> + Clone,
    ) -> Result<Instants> {
        match (ts.clone().min(), ts.max()) {
            (Some(first), Some(last)) => Instants::between(snapshot, first, last).await,
            _ => Ok(Instants::none()),
        }
    }

    pub fn none() -> Instants {
        Instants(BTreeMap::new())
    }

    /// Ascending.
    pub fn ts(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.keys().copied()
    }

    pub fn column(&self, ts: impl Iterator<Item = Option<i64>>) -> ArrayRef {
        let instants: TimestampMicrosecondArray =
            ts.map(|t| t.and_then(|t| self.0.get(&t).copied())).collect();
        Arc::new(instants.with_timezone("UTC"))
    }
}
