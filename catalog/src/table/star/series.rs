//! One attribute's facts within a chunk as one sorted column, and its alignment to the entities of the chunk.

use super::super::{ColumnDef, types};
use daodb_storage::{Ascends, FactColumns};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::{DataFusionError, Result};
use std::sync::Arc;

/// The values of one column, by ascending entity, one row an entity.
#[derive(Debug, Clone)]
pub struct Series {
    pub e: Int64Array,
    /// Of the column's SQL type; None where values were not asked for.
    pub v: Option<ArrayRef>,
}

/// What became of a slice: a cardinality-one attribute that holds several values for an entity needs their times to choose.
pub enum Normal {
    Done(Series),
    NeedsTimes,
}

impl Series {
    pub fn empty(column: &ColumnDef) -> Series {
        Series {
            e: Int64Array::from(Vec::<i64>::new()),
            v: Some(new_null_array(&column.data_type, 0)),
        }
    }

    /// Joins the stored types of an attribute and gives each entity one row.
    pub fn normal(column: &ColumnDef, parts: Vec<FactColumns>) -> Result<Normal> {
        let parts: Vec<FactColumns> = parts.into_iter().filter(|p| !p.e.is_empty()).collect();
        let joined = match parts.as_slice() {
            [] => return Ok(Normal::Done(Series::empty(column))),
            [one] => Facts::one(column, one)?,
            _ => Facts::join(column, &parts)?,
        };
        joined.by_entity(column)
    }

    /// The column for these entities (ascending), null where there is no value.
    pub fn align(&self, entities: &Int64Array, column: &ColumnDef) -> Result<ArrayRef> {
        let Some(v) = &self.v else {
            return Err(DataFusionError::Internal(format!("{} was read without values", column.a)));
        };
        if same(&self.e, entities) {
            return Ok(Arc::clone(v));
        }
        if self.e.is_empty() {
            return Ok(new_null_array(&column.data_type, entities.len()));
        }
        Ok(take(v, &positions(self.e.values(), entities.values()), None)?)
    }
}

/// Whether both, which ascend, are the same entities; at once where they share memory, or are all that lie between their bounds.
pub fn same(a: &Int64Array, b: &Int64Array) -> bool {
    let (a, b) = (a.values(), b.values());
    a.len() == b.len() && (a.ptr_eq(b) || both_are_all_between(a, b) || a == b)
}

/// Of as many in each.
fn both_are_all_between(a: &[i64], b: &[i64]) -> bool {
    let (Some(first), Some(last)) = (a.first(), a.last()) else { return true };
    let between = last.abs_diff(*first) == a.len() as u64 - 1;
    between && b.first() == Some(first) && b.last() == Some(last)
}

pub fn ascending(e: &[i64]) -> bool {
    /// Compared several at a time, without a way out between them.
    const BLOCK: usize = 512;
    let mut blocks = e.chunks(BLOCK).zip(e.get(1..).unwrap_or_default().chunks(BLOCK));
    blocks.all(|(a, b)| a.iter().zip(b).fold(true, |all, (a, b)| all & (a < b)))
}

/// For each wanted entity its row among `have`; null where it is not there. Both ascend.
fn positions(have: &[i64], wanted: &[i64]) -> UInt32Array {
    let mut at = 0;
    let sparse = wanted.len() * 16 < have.len();
    wanted
        .iter()
        .map(|e| {
            if sparse {
                at += have[at..].partition_point(|h| h < e);
            } else {
                while at < have.len() && have[at] < *e {
                    at += 1;
                }
            }
            (have.get(at) == Some(e)).then_some(at as u32)
        })
        .collect()
}

/// The entities of all of these, ascending; shares memory where one holds all.
pub fn union(all: &[Int64Array]) -> Int64Array {
    let mut distinct: Vec<&Int64Array> = Vec::new();
    for e in all.iter().filter(|e| !e.is_empty()) {
        if !distinct.iter().any(|d| same(d, e)) {
            distinct.push(e);
        }
    }
    distinct.sort_by_key(|e| std::cmp::Reverse(e.len()));
    let Some((largest, others)) = distinct.split_first() else {
        return Int64Array::from(Vec::<i64>::new());
    };
    let mut union: Option<Vec<i64>> = None;
    for other in others {
        let so_far = union.as_deref().unwrap_or(largest.values());
        let merged = merge(so_far, other.values());
        if merged.len() > so_far.len() {
            union = Some(merged);
        }
    }
    union.map_or_else(|| (*largest).clone(), Int64Array::from)
}

fn merge(a: &[i64], b: &[i64]) -> Vec<i64> {
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        out.push(x.min(y));
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

/// Facts of one attribute, all types shown as one, sorted by e; several rows an entity.
struct Facts {
    e: Int64Array,
    v: Option<ArrayRef>,
    t_from: Option<Int64Array>,
    /// As [`FactColumns::ascends`].
    ascends: Option<Ascends>,
}

impl Facts {
    fn one(column: &ColumnDef, part: &FactColumns) -> Result<Facts> {
        let e = part.e.as_primitive::<Int64Type>().clone();
        let shown = types::shown(&column.stored);
        let v = match &part.v {
            Some(v) => Some(types::convert(part.value_type, v, shown, e.values())?),
            None => None,
        };
        let t_from = part.times.as_ref().map(|t| t.t_from.as_primitive::<Int64Type>().clone());
        Ok(Facts { e, v, t_from, ascends: part.ascends.clone() })
    }

    fn join(column: &ColumnDef, parts: &[FactColumns]) -> Result<Facts> {
        let parts = parts.iter().map(|p| Facts::one(column, p)).collect::<Result<Vec<_>>>()?;
        let es: Vec<&dyn Array> = parts.iter().map(|p| &p.e as &dyn Array).collect();
        let e = concat(&es)?;
        let e = e.as_primitive::<Int64Type>();
        let mut order: Vec<u32> = (0..e.len() as u32).collect();
        // Stable: within an entity the order of types, then of values, stays.
        order.sort_by_key(|i| e.value(*i as usize));
        let order = UInt32Array::from(order);
        let sorted = |columns: Option<Vec<&dyn Array>>| -> Result<Option<ArrayRef>> {
            Ok(match columns {
                Some(columns) => Some(take(&concat(&columns)?, &order, None)?),
                None => None,
            })
        };
        let v = sorted(parts.iter().map(|p| p.v.as_deref()).collect())?;
        let t = sorted(parts.iter().map(|p| p.t_from.as_ref().map(|t| t as &dyn Array)).collect())?;
        let e = take(e, &order, None)?.as_primitive::<Int64Type>().clone();
        let t_from = t.map(|t| t.as_primitive::<Int64Type>().clone());
        Ok(Facts { e, v, t_from, ascends: None })
    }

    fn by_entity(self, column: &ColumnDef) -> Result<Normal> {
        if column.many {
            return self.lists(column).map(Normal::Done);
        }
        let ascends = || ascending(self.e.values());
        if self.ascends.as_ref().map_or_else(ascends, |known| *known.get_or_init(ascends)) {
            return Ok(Normal::Done(Series { e: self.e, v: self.v }));
        }
        self.newest()
    }

    /// Rows at which another entity begins, and the end.
    fn starts(&self) -> Vec<usize> {
        let e = self.e.values();
        let mut starts: Vec<usize> =
            (0..e.len()).filter(|i| *i == 0 || e[*i] != e[*i - 1]).collect();
        starts.push(e.len());
        starts
    }

    fn lists(self, column: &ColumnDef) -> Result<Series> {
        let starts = self.starts();
        let firsts: Vec<i64> =
            starts[..starts.len() - 1].iter().map(|i| self.e.value(*i)).collect();
        let v = match self.v {
            Some(v) => {
                let offsets: Vec<i32> = starts.iter().map(|i| *i as i32).collect();
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let item = Arc::new(types::item_field(v.data_type().clone()));
                Some(Arc::new(ListArray::try_new(item, offsets, v, None)?) as ArrayRef)
            }
            None => None,
        };
        debug_assert!(v.as_ref().is_none_or(|v| v.data_type() == &column.data_type));
        Ok(Series { e: Int64Array::from(firsts), v })
    }

    /// Cardinality one is a rule of reading: where an entity has several values, the newest stands; of the same
    /// transaction, the greatest.
    fn newest(self) -> Result<Normal> {
        let starts = self.starts();
        let Some(v) = &self.v else {
            let firsts = starts[..starts.len() - 1].iter().map(|i| self.e.value(*i));
            return Ok(Normal::Done(Series { e: firsts.collect::<Vec<i64>>().into(), v: None }));
        };
        let Some(t) = &self.t_from else { return Ok(Normal::NeedsTimes) };
        let pick = |w: &[usize]| (w[0]..w[1]).max_by_key(|i| t.value(*i)).unwrap_or(w[0]) as u32;
        let rows: UInt32Array = starts.windows(2).map(pick).collect::<Vec<u32>>().into();
        let e = take(&self.e, &rows, None)?.as_primitive::<Int64Type>().clone();
        Ok(Normal::Done(Series { e, v: Some(take(v, &rows, None)?) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entities() {
        let check = |a: &[i64], b: &[i64], expect: bool| {
            assert_eq!(same(&a.to_vec().into(), &b.to_vec().into()), expect, "{a:?} {b:?}");
        };
        check(&[], &[], true);
        check(&[7], &[7], true);
        check(&[7], &[8], false);
        check(&[4, 5, 6], &[4, 5, 6], true);
        check(&[4, 5, 6], &[3, 5, 6], false);
        check(&[4, 6, 9], &[4, 6, 9], true);
        check(&[4, 6, 9], &[4, 7, 9], false);
        check(&[4, 5], &[4, 5, 6], false);
        check(&[i64::MIN, i64::MAX], &[i64::MIN, i64::MAX], true);
    }

    #[test]
    fn unions() {
        let check = |all: &[&[i64]], expect: &[i64]| {
            let arrays: Vec<Int64Array> = all.iter().map(|a| a.to_vec().into()).collect();
            assert_eq!(union(&arrays).values(), expect);
        };
        check(&[], &[]);
        check(&[&[], &[1, 2]], &[1, 2]);
        check(&[&[1, 3, 5], &[1, 3, 5], &[3]], &[1, 3, 5]);
        check(&[&[1, 3], &[2, 3], &[0, 9]], &[0, 1, 2, 3, 9]);
    }

    #[test]
    fn ascending_across_blocks() {
        for len in [0, 1, 2, 511, 512, 513, 1024, 1025, 3000_i64] {
            let mut e: Vec<i64> = (0..len).collect();
            assert!(ascending(&e), "{len}");
            for at in 1..e.len() {
                e[at] = e[at - 1];
                assert!(!ascending(&e), "{at} of {len}");
                e[at] = at as i64;
            }
        }
    }

    #[test]
    fn positions_in_both_ways() {
        let have: Vec<i64> = (0..100).map(|i| i * 2).collect();
        assert_eq!(
            positions(&have, &[1, 4, 198, 300]),
            UInt32Array::from(vec![None, Some(2), Some(99), None])
        );
        assert_eq!(
            positions(&[2, 4], &[1, 2, 3, 4]),
            UInt32Array::from(vec![None, Some(0), None, Some(1)])
        );
    }
}
