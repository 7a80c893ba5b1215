//! The order of facts within an attribute and value type, and merging by it.

use super::rows::Rows;
use crate::error::Result;
use crate::value::{Value, ValueColumn, ValueType};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, StringViewArray,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// How the facts of one attribute and value type are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By (e, v, t_from).
    Aevt,
    /// By (v, e, t_from): for looking values up, and references backwards.
    Avet,
}

impl Order {
    pub const ALL: [Order; 2] = [Order::Aevt, Order::Avet];

    pub fn name(self) -> &'static str {
        match self {
            Order::Aevt => "aevt",
            Order::Avet => "avet",
        }
    }
}

/// A column of values that can be compared by [`Value`]'s order without making values.
pub enum Values {
    Boolean(BooleanArray),
    Integer(ScalarBuffer<i64>),
    Double(ScalarBuffer<f64>),
    Text(StringViewArray),
    Binary(BinaryViewArray),
    /// Types whose stored form does not sort as the value does.
    Other(Vec<Option<Value>>),
}

impl Values {
    /// From row `at` on.
    fn after(&self, at: usize) -> Values {
        match self {
            Values::Boolean(a) => Values::Boolean(a.slice(at, a.len() - at)),
            Values::Integer(a) => Values::Integer(a.slice(at, a.len() - at)),
            Values::Double(a) => Values::Double(a.slice(at, a.len() - at)),
            Values::Text(a) => Values::Text(a.slice(at, a.len() - at)),
            Values::Binary(a) => Values::Binary(a.slice(at, a.len() - at)),
            Values::Other(a) => Values::Other(a[at..].to_vec()),
        }
    }

    pub fn new(ty: ValueType, array: &ArrayRef) -> Result<Values> {
        Ok(match ty {
            ValueType::Boolean => Values::Boolean(array.as_boolean().clone()),
            ValueType::Long | ValueType::Ref => {
                Values::Integer(array.as_primitive::<Int64Type>().values().clone())
            }
            ValueType::Instant => {
                Values::Integer(array.as_primitive::<TimestampMicrosecondType>().values().clone())
            }
            ValueType::Double => {
                Values::Double(array.as_primitive::<Float64Type>().values().clone())
            }
            ValueType::Bytes => Values::Binary(array.as_binary_view().clone()),
            ValueType::Bigint | ValueType::Bigdec | ValueType::Tuple => {
                let column = ValueColumn::new(ty, array)?;
                Values::Other((0..array.len()).map(|i| column.value(i)).collect::<Result<_>>()?)
            }
            // A uuid's text sorts as its bytes do.
            _ => Values::Text(array.as_string_view().clone()),
        })
    }

    pub fn cmp(&self, i: usize, other: &Values, j: usize) -> Ordering {
        match (self, other) {
            (Values::Boolean(a), Values::Boolean(b)) => a.value(i).cmp(&b.value(j)),
            (Values::Integer(a), Values::Integer(b)) => a[i].cmp(&b[j]),
            (Values::Double(a), Values::Double(b)) => a[i].total_cmp(&b[j]),
            (Values::Text(a), Values::Text(b)) => a.value(i).cmp(b.value(j)),
            (Values::Binary(a), Values::Binary(b)) => a.value(i).cmp(b.value(j)),
            (Values::Other(a), Values::Other(b)) => a[i].cmp(&b[j]),
            _ => Ordering::Equal,
        }
    }
}

/// What rows are sorted by.
pub struct Keys {
    e: ScalarBuffer<i64>,
    v: Option<Values>,
    t_from: Option<ScalarBuffer<i64>>,
    order: Order,
}

impl Keys {
    pub fn new(order: Order, ty: ValueType, rows: &Rows) -> Result<Keys> {
        let v = match &rows.v {
            Some(v) => Some(Values::new(ty, v)?),
            None => None,
        };
        let t_from = rows.t_from.as_ref().map(|t| t.values().clone());
        Ok(Keys { e: rows.e.values().clone(), v, t_from, order })
    }

    pub fn len(&self) -> usize {
        self.e.len()
    }

    /// From row `at` on.
    pub fn after(&self, at: usize) -> Keys {
        let rest = |column: &ScalarBuffer<i64>| column.slice(at, column.len() - at);
        Keys {
            e: rest(&self.e),
            v: self.v.as_ref().map(|v| v.after(at)),
            t_from: self.t_from.as_ref().map(rest),
            order: self.order,
        }
    }

    pub fn cmp(&self, i: usize, other: &Keys, j: usize) -> Ordering {
        let e = || self.e[i].cmp(&other.e[j]);
        let v = || match (&self.v, &other.v) {
            (Some(a), Some(b)) => a.cmp(i, b, j),
            _ => Ordering::Equal,
        };
        let first = match self.order {
            Order::Aevt => e().then_with(v),
            Order::Avet => v().then_with(e),
        };
        first.then_with(|| match (&self.t_from, &other.t_from) {
            (Some(a), Some(b)) => a[i].cmp(&b[j]),
            _ => Ordering::Equal,
        })
    }
}

/// (part, row), as arrow's `interleave` takes it.
pub type Place = (usize, usize);

/// The rows of all sorted parts in order; of equal ones those of the earlier part first.
pub fn merged_order(keys: &[Keys]) -> Vec<Place> {
    let mut lists: Vec<Vec<Place>> = lists(keys);
    while lists.len() > 1 {
        let mut next = Vec::with_capacity(lists.len().div_ceil(2));
        let mut rest = lists.into_iter();
        while let Some(a) = rest.next() {
            next.push(match rest.next() {
                Some(b) => merge_two(keys, a, b),
                None => a,
            });
        }
        lists = next;
    }
    lists.pop().unwrap_or_default()
}

/// The same where there are no equal rows, or their order does not matter: small parts first, so that a large one is
/// walked through once.
pub fn merged_order_of_distinct(keys: &[Keys]) -> Vec<Place> {
    let mut lists = lists(keys);
    lists.sort_by_key(|list| std::cmp::Reverse(list.len()));
    while let (Some(a), Some(b)) = (lists.pop(), lists.pop()) {
        let merged = merge_two(keys, b, a);
        let at = lists.partition_point(|list| list.len() > merged.len());
        if lists.is_empty() {
            return merged;
        }
        lists.insert(at, merged);
    }
    lists.pop().unwrap_or_default()
}

fn lists(keys: &[Keys]) -> Vec<Vec<Place>> {
    let list = |(part, k): (usize, &Keys)| (0..k.len()).map(|row| (part, row)).collect();
    keys.iter().enumerate().map(list).collect()
}

/// Whether `x` comes after `y`.
fn after(keys: &[Keys], x: &Place, y: &Place) -> bool {
    let (a, b) = (&keys[x.0], &keys[y.0]);
    match a.order == Order::Aevt && a.e[x.1] != b.e[y.1] {
        // Mostly that decides, without a look at values.
        true => a.e[x.1] > b.e[y.1],
        false => a.cmp(x.1, b, y.1).is_gt(),
    }
}

/// Takes stretches of one list at a time, found by steps that double: a few rows into many cost few comparisons.
fn merge_two(keys: &[Keys], a: Vec<Place>, b: Vec<Place>) -> Vec<Place> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let end = stretch(&a, i, |x| !after(keys, x, &b[j]));
        out.extend_from_slice(&a[i..end]);
        i = end;
        let Some(next) = a.get(i) else { break };
        let end = stretch(&b, j, |y| after(keys, next, y));
        out.extend_from_slice(&b[j..end]);
        j = end;
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

/// The end of the places from `at` on that all pass.
fn stretch(list: &[Place], at: usize, passes: impl Fn(&Place) -> bool) -> usize {
    let (mut low, mut step) = (at, 1);
    while list.get(low + step - 1).is_some_and(&passes) {
        low += step;
        step *= 2;
    }
    let high = (low + step - 1).min(list.len());
    low + list[low..high].partition_point(passes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::Int64Array;
    use std::sync::Arc;

    fn keys(facts: &[(i64, i64)]) -> Keys {
        let column = |f: fn(&(i64, i64)) -> i64| Int64Array::from_iter_values(facts.iter().map(f));
        let mut rows = Rows::empty(ValueType::Long, super::super::rows::Want::default());
        rows.e = column(|f| f.0);
        rows.v = Some(Arc::new(column(|f| f.1)));
        Keys::new(Order::Aevt, ValueType::Long, &rows).unwrap()
    }

    fn check(parts: &[&[(i64, i64)]], expect: &[Place]) {
        let keys: Vec<Keys> = parts.iter().map(|p| keys(p)).collect();
        assert_eq!(merged_order(&keys), expect);
        let mut sorted = merged_order_of_distinct(&keys);
        let at = |p: &Place| (parts[p.0][p.1], *p);
        assert!(sorted.windows(2).all(|w| at(&w[0]).0 <= at(&w[1]).0), "{sorted:?}");
        sorted.sort_by_key(at);
        assert_eq!(sorted, expect);
    }

    #[test]
    fn merging() {
        check(&[], &[]);
        check(&[&[(1, 1), (2, 1)], &[]], &[(0, 0), (0, 1)]);
        check(&[&[(3, 0)], &[(1, 0), (2, 0)]], &[(1, 0), (1, 1), (0, 0)]);
        // Values decide, and of equal ones the earlier part comes first.
        check(&[&[(1, 5)], &[(1, 4), (1, 5)], &[(1, 5)]], &[(1, 0), (0, 0), (1, 1), (2, 0)]);
        let many: Vec<(i64, i64)> = (0..50).map(|e| (e, 0)).collect();
        let expect: Vec<Place> = (0..50)
            .flat_map(|e| if e % 20 == 7 { vec![(0, e), (1, e / 20)] } else { vec![(0, e)] })
            .collect();
        check(&[&many, &[(7, 1), (27, 1), (47, 1)]], &expect);
    }
}
