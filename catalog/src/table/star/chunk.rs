//! Reading attributes within one chunk of entities.

use super::super::ColumnDef;
use super::series::{Normal, Series};
use daodb_storage::{Attr, FactColumns, Slice, Snapshot};
use datafusion::error::{DataFusionError, Result};
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

    /// The part of it about some of these entities (ascending, distinct), where they are few beside its `rows`; else all of it. None:
    /// it is about none of them.
    pub fn among(&self, es: Option<&[i64]>, rows: usize) -> Option<Chunk> {
        /// So many rows are read in one go in the time that it takes to find one.
        const AT_ONCE: usize = 16;
        /// Of fewer rows it is all one.
        const SMALL: usize = 256;
        let Some(es) = es else { return Some(self.clone()) };
        let mine: Vec<i64> = match self {
            Chunk::Range(range) => {
                let first = es.partition_point(|e| *e < range.start);
                let end = es.partition_point(|e| *e < range.end);
                es.get(first..end).unwrap_or_default().to_vec()
            }
            Chunk::Entities(mine) => {
                mine.iter().copied().filter(|e| es.binary_search(e).is_ok()).collect()
            }
        };
        match self {
            _ if mine.is_empty() => None,
            Chunk::Range(_) if rows.max(SMALL) < mine.len().saturating_mul(AT_ONCE) => {
                Some(self.clone())
            }
            _ => Some(Chunk::Entities(mine.into())),
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
            Chunk::Entities(es) => Ok(snapshot.pick(a, es, values, times).await?),
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
