//! Ends of facts that stand in newer sources than the facts themselves.

use super::span::seek;
use crate::error::{Error, Result};
use crate::index::order::Values;
use crate::index::rows::Rows;
use crate::value::ValueType;
use std::ops::RangeInclusive;

/// Closings of one attribute and type, sorted by (e, v, t_from).
pub struct Closings {
    rows: Rows,
    values: Values,
}

/// A row of a part whose fact ended.
pub struct Ended {
    pub row: usize,
    pub t_to: i64,
    pub m_to: i64,
}

/// Whether a loaded part has all rows of its source about its entities.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shared {
    /// The entities of its first and last rows, where they have further rows in other parts.
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// Rows were picked by their value, so any entity may have further ones.
    pub all: bool,
}

impl Shared {
    fn has(self, e: i64) -> bool {
        self.all || self.first == Some(e) || self.last == Some(e)
    }
}

impl Closings {
    /// `rows` have all columns.
    pub fn new(ty: ValueType, rows: Rows) -> Result<Closings> {
        let Some(v) = &rows.v else { return Err(missing()) };
        let values = Values::new(ty, v)?;
        Ok(Closings { rows, values })
    }

    /// Which rows of a source's part ended. A source's facts are those asserted at `ts`. None: to tell, the values of the
    /// part are needed and were not loaded. An entity with one row is known without them.
    pub fn of(
        &self,
        ty: ValueType,
        part: &Rows,
        ts: &RangeInclusive<i64>,
        shared: Shared,
    ) -> Result<Option<Vec<Ended>>> {
        let e = part.e.values();
        let (Some(first), Some(last)) = (e.first(), e.last()) else { return Ok(Some(vec![])) };
        let (Some(t_from), Some(t_to), Some(m_to)) =
            (&self.rows.t_from, &self.rows.t_to, &self.rows.m_to)
        else {
            return Err(missing());
        };
        let mine = self.rows.e.values();
        let mut have = None;
        let (mut at, mut ended) = (0, Vec::new());
        let start = mine.partition_point(|x| x < first);
        for i in start..mine.len() {
            let entity = mine[i];
            if entity > *last {
                break;
            }
            if !ts.contains(&t_from.value(i)) {
                continue;
            }
            at = seek(e, at, entity);
            let rows = e[at..].iter().take_while(|x| **x == entity).count();
            let alone = rows == 1 && !shared.has(entity);
            let row = if alone {
                Some(at)
            } else if rows > 0 {
                let Some(v) = &part.v else { return Ok(None) };
                if have.is_none() {
                    have = Some(Values::new(ty, v)?);
                }
                let same = |row: &usize| {
                    have.as_ref().is_some_and(|have| self.values.cmp(i, have, *row).is_eq())
                };
                (at..at + rows).find(same)
            } else {
                None
            };
            ended.extend(row.map(|row| Ended { row, t_to: t_to.value(i), m_to: m_to.value(i) }));
        }
        ended.sort_by_key(|x| x.row);
        Ok(Some(ended))
    }
}

fn missing() -> Error {
    Error::internal("closings were read without their columns")
}
