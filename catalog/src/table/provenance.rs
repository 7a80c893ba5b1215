//! Who made transactions, from where and why, looked up in bulk.

use crate::schema::builtin;
use daodb_storage::{Attr, Slice, Snapshot, ValueType};
use datafusion::arrow::array::{ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// The columns that show it, and what they show.
pub const COLUMNS: [(&str, &str); 3] = [
    ("author", builtin::TX_AUTHOR),
    ("client", builtin::TX_CLIENT),
    ("reason", builtin::TX_REASON),
];

/// What one of these attributes says of transactions.
pub struct Said(HashMap<i64, String>);

impl Said {
    /// `ts` are any of the transactions; `snapshot` shows no history, so that what was mended is seen mended.
    pub async fn of(
        snapshot: &Snapshot,
        a: &str,
        ts: impl Iterator<Item = i64> + Clone,
    ) -> Result<Said> {
        let mut said = HashMap::new();
        let (Some(first), Some(last)) = (ts.clone().min(), ts.max()) else {
            return Ok(Said(said));
        };
        let e = first..last.saturating_add(1);
        let slice = Slice { a: Attr::new(a), e, values: true, times: false, touched: None };
        for part in snapshot.slice(&slice).await? {
            if part.value_type != ValueType::String {
                continue;
            }
            let Some(texts) = part.v.as_ref().and_then(|v| v.as_string_view_opt()) else {
                continue;
            };
            let e = part.e.as_primitive::<Int64Type>();
            let pairs = e.values().iter().zip(texts.iter());
            said.extend(pairs.filter_map(|(e, text)| Some((*e, text?.to_owned()))));
        }
        Ok(Said(said))
    }

    pub fn none() -> Said {
        Said(HashMap::new())
    }

    pub fn column(&self, ts: impl Iterator<Item = i64>) -> ArrayRef {
        Arc::new(ts.map(|t| self.0.get(&t).map(String::as_str)).collect::<StringViewArray>())
    }
}
