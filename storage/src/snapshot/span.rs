//! Which facts of an attribute a reader asks for.

use crate::error::Result;
use crate::index::rows::{Rows, Want};
use datafusion::arrow::array::{ArrayRef, UInt32Array};
use std::ops::Range;

#[derive(Debug, Clone)]
pub enum Span<'a> {
    /// Entities within bounds.
    Range(Range<i64>),
    /// These entities, ascending and distinct.
    Points(&'a [i64]),
    /// About whomever, with one of these values.
    Values(&'a ArrayRef),
}

/// Rows of a sorted column of entities.
pub enum Picked {
    Slice(Range<usize>),
    Rows(Vec<u32>),
}

impl Picked {
    pub fn of(&self, rows: &Rows, want: Want) -> Result<Rows> {
        let slice = |at, len| Ok(rows.slice(at, len).select(want));
        match self {
            Picked::Slice(range) => slice(range.start, range.len()),
            // As the facts of one entity do, which a small transaction reads: nothing is copied.
            Picked::Rows(picked) if adjoin(picked) => {
                slice(picked.first().map_or(0, |row| *row as usize), picked.len())
            }
            Picked::Rows(picked) => {
                rows.clone().select(want).take(&UInt32Array::from(picked.clone()))
            }
        }
    }
}

/// Whether ascending rows follow each other without a gap.
fn adjoin(rows: &[u32]) -> bool {
    match rows {
        [first, .., last] => (last - first) as usize + 1 == rows.len(),
        _ => true,
    }
}

/// The first row from `at` on that is not below `e`; near rows are found fast.
pub fn seek(column: &[i64], at: usize, e: i64) -> usize {
    let (mut low, mut step) = (at, 1);
    while column.get(low + step - 1).is_some_and(|x| *x < e) {
        low += step;
        step *= 2;
    }
    let high = (low + step - 1).min(column.len());
    low + column[low..high].partition_point(|x| *x < e)
}

/// The rows about the entities of a span (which is not one of values).
pub fn pick(span: &Span<'_>, e: &[i64]) -> Picked {
    match span {
        Span::Range(range) => {
            let start = e.partition_point(|x| *x < range.start);
            let end = start + e[start..].partition_point(|x| *x < range.end);
            Picked::Slice(start..end)
        }
        Span::Points(points) => {
            let mut rows = Vec::with_capacity(points.len());
            let mut at = 0;
            for point in *points {
                at = seek(e, at, *point);
                while e.get(at) == Some(point) {
                    rows.push(at as u32);
                    at += 1;
                }
            }
            Picked::Rows(rows)
        }
        Span::Values(_) => Picked::Slice(0..0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking() {
        let column: Vec<i64> = (0..100).map(|i| i * 2).collect();
        for at in [0, 1, 50] {
            for e in -1..205 {
                let expect = column[at..].partition_point(|x| *x < e) + at;
                assert_eq!(seek(&column, at, e), expect, "{e} from {at}");
            }
        }
        assert_eq!(seek(&[], 0, 5), 0);
    }

    #[test]
    fn points_with_several_rows() {
        let Picked::Rows(rows) = pick(&Span::Points(&[0, 3, 4, 9]), &[1, 3, 3, 3, 4, 8]) else {
            unreachable!("points give rows");
        };
        assert_eq!(rows, [1, 2, 3, 4]);
    }

    #[test]
    fn rows_that_adjoin() {
        assert!(adjoin(&[]) && adjoin(&[7]) && adjoin(&[7, 8]) && adjoin(&[0, 1, 2]));
        assert!(!adjoin(&[7, 9]) && !adjoin(&[0, 1, 3]));
    }
}
