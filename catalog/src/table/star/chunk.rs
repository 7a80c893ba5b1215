//! Reading attributes within one chunk of entities.

use super::super::{ColumnDef, types};
use super::series::{Normal, Series};
use daodb_storage::{Attr, Fact, FactColumns, Slice, Snapshot, Times, ValueType};
use datafusion::arrow::array::{ArrayRef, Int64Array};
use datafusion::error::{DataFusionError, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Which entities a chunk is about.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// All within these bounds.
    Range(Range<i64>),
    /// These, ascending: found by a unique value, or named by the query.
    Entities(Arc<[i64]>),
}

impl Chunk {
    /// The part of it between two entities, both inclusive.
    pub fn narrowed(&self, first: i64, last: i64) -> Chunk {
        match self {
            Chunk::Range(_) => Chunk::Range(first..last.saturating_add(1)),
            Chunk::Entities(_) => self.clone(),
        }
    }

    /// The facts of one attribute.
    pub async fn facts(
        &self,
        snapshot: &Snapshot,
        a: &Attr,
        values: bool,
        times: bool,
    ) -> Result<Vec<FactColumns>> {
        match self {
            Chunk::Range(e) => {
                let slice = Slice { a: a.clone(), e: e.clone(), values, times, touched: None };
                Ok(snapshot.slice(&slice).await?)
            }
            Chunk::Entities(es) => Ok(columns(&snapshot.facts(a, es).await?)),
        }
    }

    /// One column of a table.
    pub async fn series(
        &self,
        snapshot: &Snapshot,
        column: &ColumnDef,
        values: bool,
    ) -> Result<Series> {
        let parts = self.facts(snapshot, &column.a, values, false).await?;
        if let Normal::Done(series) = Series::normal(column, parts)? {
            return Ok(series);
        }
        let parts = self.facts(snapshot, &column.a, values, true).await?;
        match Series::normal(column, parts)? {
            Normal::Done(series) => Ok(series),
            Normal::NeedsTimes => {
                Err(DataFusionError::Internal(format!("{} came without times", column.a)))
            }
        }
    }
}

/// Facts sorted by (e, v, t_from) as columns, apart by type.
fn columns(facts: &[Fact]) -> Vec<FactColumns> {
    let mut by_type: BTreeMap<ValueType, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        by_type.entry(fact.v.value_type()).or_default().push(fact);
    }
    let column = |facts: &[&Fact], part: fn(&Fact) -> i64| -> ArrayRef {
        Arc::new(facts.iter().map(|f| part(f)).collect::<Int64Array>())
    };
    by_type
        .into_iter()
        .map(|(value_type, facts)| FactColumns {
            value_type,
            e: column(&facts, |f| f.e),
            v: Some(types::stored_column(value_type, facts.iter().map(|f| &f.v))),
            times: Some(Times {
                t_from: column(&facts, |f| f.t_from),
                m_from: column(&facts, |f| f.m_from),
                t_to: column(&facts, |f| f.t_to),
                m_to: column(&facts, |f| f.m_to),
            }),
        })
        .collect()
}
