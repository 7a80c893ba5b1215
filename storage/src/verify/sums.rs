//! Sums over facts and events that are equal for equal multisets, in whatever order they come.

use crate::datom::{Attr, Datom};
use crate::index::block::Kind;
use crate::index::rows::Rows;
use crate::index::stat::{Hashes, mix};
use crate::value::{Value, ValueColumn, ValueType};
use crate::{Error, Result};
use datafusion::arrow::array::Int64Array;
use std::collections::BTreeMap;

pub type Key = (Attr, ValueType);

/// How many there were, and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub count: u64,
    sum: u128,
}

impl Sum {
    pub fn add(&mut self, hash: u128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    pub fn merge(&mut self, other: &Sum) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The assertions and the retractions of one attribute and type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventSums {
    pub asserted: Sum,
    pub retracted: Sum,
}

impl EventSums {
    pub fn merge(&mut self, other: &EventSums) {
        self.asserted.merge(&other.asserted);
        self.retracted.merge(&other.retracted);
    }

    fn of(&mut self, added: bool) -> &mut Sum {
        if added { &mut self.asserted } else { &mut self.retracted }
    }

    pub fn count(&self) -> u64 {
        self.asserted.count + self.retracted.count
    }
}

/// The sums of a log's events, apart by attribute and type: about a hundred bytes each.
#[derive(Debug, Default)]
pub struct LogSums {
    pub sums: BTreeMap<Key, EventSums>,
    bytes: Vec<u8>,
}

impl LogSums {
    pub fn add(&mut self, datoms: &[Datom]) {
        for d in datoms {
            let hash = event_hash(&mut self.bytes, d.e, &d.v, d.t, d.m);
            let key = (d.a.clone(), d.v.value_type());
            self.sums.entry(key).or_default().of(d.added).add(hash);
        }
    }
}

/// Of an event of a known attribute and op. `bytes` is room to work in.
pub fn event_hash(bytes: &mut Vec<u8>, e: i64, v: &Value, t: i64, m: i64) -> u128 {
    bytes.clear();
    for part in [e, t, m] {
        bytes.extend_from_slice(&part.to_be_bytes());
    }
    v.write_canonical(bytes);
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    u128::from_be_bytes(half)
}

/// An event as a fact tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub e: i64,
    pub v: Value,
    pub t: i64,
    pub m: i64,
    pub added: bool,
}

/// All columns of facts, taken apart.
pub struct Facts<'a> {
    pub e: &'a [i64],
    pub v: ValueColumn,
    pub t_from: &'a [i64],
    pub m_from: &'a [i64],
    /// None for current facts.
    pub ends: Option<(&'a [i64], &'a [i64])>,
}

impl<'a> Facts<'a> {
    pub fn of(ty: ValueType, rows: &'a Rows) -> Result<Facts<'a>> {
        let (Some(v), Some(t_from), Some(m_from)) = (&rows.v, &rows.t_from, &rows.m_from) else {
            return Err(Error::internal("facts were read without their columns"));
        };
        let ends = match (&rows.t_to, &rows.m_to) {
            (Some(t), Some(m)) => Some((t.values().as_ref(), m.values().as_ref())),
            _ => None,
        };
        Ok(Facts {
            e: rows.e.values(),
            v: ValueColumn::new(ty, v)?,
            t_from: t_from.values(),
            m_from: m_from.values(),
            ends,
        })
    }

    pub fn value(&self, row: usize) -> Result<Value> {
        let missing = || Error::data(format!("row {row}"), "its value is missing");
        self.v.value(row)?.ok_or_else(missing)
    }

    /// Calls `each` with every event that facts of this kind tell.
    pub fn events(&self, kind: Kind, mut each: impl FnMut(Event)) -> Result<()> {
        for row in 0..self.e.len() {
            let (e, v) = (self.e[row], self.value(row)?);
            if let Some((t, m)) = self.ends {
                each(Event { e, v: v.clone(), t: t[row], m: m[row], added: false });
            }
            if kind != Kind::Closings {
                each(Event { e, v, t: self.t_from[row], m: self.m_from[row], added: true });
            }
        }
        Ok(())
    }

    /// The sums of all events that facts of this kind tell.
    pub fn event_sums(&self, kind: Kind) -> Result<EventSums> {
        let (mut sums, mut bytes) = (EventSums::default(), Vec::new());
        self.events(kind, |event| {
            let Event { e, v, t, m, added } = &event;
            let hash = event_hash(&mut bytes, *e, v, *t, *m);
            sums.of(*added).add(hash);
        })?;
        Ok(sums)
    }
}

/// The sum of whole facts, over their stored columns: for two orders of the same facts.
pub fn fact_sum(rows: &Rows) -> Sum {
    let mut sum = Sum::default();
    let values = rows.v.as_ref().map(Hashes::new);
    let column = |c: &Option<Int64Array>, row: usize| {
        c.as_ref().map_or(0, |c| mix(c.value(row) as u64 ^ 0x9e37_79b9_7f4a_7c15))
    };
    for row in 0..rows.len() {
        let mut parts = mix(rows.e.value(row) as u64);
        parts = mix(parts ^ values.as_ref().map_or(0, |v| v.hash(row)));
        for c in [&rows.t_from, &rows.m_from, &rows.t_to, &rows.m_to] {
            parts = mix(parts.rotate_left(7) ^ column(c, row));
        }
        let high = mix(parts ^ 0x6a09_e667_f3bc_c908);
        sum.add(u128::from(high) << 64 | u128::from(parts));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_the_order_and_see_every_part() {
        let datom =
            |e, v, t, m| Datom { e, a: Attr::new(":a"), v: Value::Long(v), t, m, added: m != 0 };
        let sums = |datoms: &[Datom]| {
            let mut sums = LogSums::default();
            sums.add(datoms);
            sums.sums
        };
        let (x, y) = (datom(1, 2, 1000, 1), datom(1, 2, 1001, 0));
        let both = sums(&[x.clone(), y.clone()]);
        assert_eq!(both, sums(&[y.clone(), x.clone()]));
        for other in [datom(2, 2, 1000, 1), datom(1, 3, 1000, 1), datom(1, 2, 1002, 1)] {
            assert_ne!(both, sums(&[other, y.clone()]));
        }
        assert_ne!(both, sums(&[datom(1, 2, 1000, 2), y.clone()]));
        assert_ne!(both, sums(&[x.clone(), x, y]));
    }
}
