//! The facts of one attribute and value type within one source of a snapshot.

use super::cache::unique;
use super::order::{Keys, Order, Place, Values, merged_order};
use super::rows::{Rows, Want};
use super::stat::{Hashes, Stat};
use crate::error::Result;
use crate::value::ValueType;
use datafusion::arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::OnceLock;

/// What became of a fact within its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Asserted here, and not ended here.
    Current,
    /// Asserted and ended here.
    History,
    /// Ended here, asserted in an older source, where it stands as current.
    Closings,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Current, Kind::History, Kind::Closings];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Current => "current",
            Kind::History => "history",
            Kind::Closings => "closings",
        }
    }
}

/// Facts in memory, sorted by (e, v, t_from).
pub struct Block {
    pub open: Rows,
    pub closed: Rows,
    /// Whole facts, as they stand in an older source, with their ends.
    pub closings: Rows,
    pub stat: Stat,
    pub id: u64,
    by_value: [OnceLock<ByValue>; 2],
}

impl Block {
    pub fn new(ty: ValueType, open: Rows, closed: Rows, closings: Rows) -> Result<Block> {
        let stat = Stat::of(ty, &open, &closed, &closings)?;
        Ok(Block { open, closed, closings, stat, id: unique(), by_value: Default::default() })
    }

    pub fn rows(&self, kind: Kind) -> &Rows {
        match kind {
            Kind::Current => &self.open,
            Kind::History => &self.closed,
            Kind::Closings => &self.closings,
        }
    }

    pub fn len(&self) -> usize {
        self.open.len() + self.closed.len() + self.closings.len()
    }

    /// Rows of a kind that hold one of these values (of the block's type), ascending.
    pub fn places_of(&self, ty: ValueType, kind: Kind, values: &ArrayRef) -> Result<Vec<u32>> {
        /// Fewer rows are compared one by one.
        const FEW: usize = 32;
        let rows = self.rows(kind);
        let Some(v) = &rows.v else { return Ok(Vec::new()) };
        let (have, wanted) = (Values::new(ty, v)?, Values::new(ty, values)?);
        let mut found = Vec::new();
        if rows.len() <= FEW {
            for row in 0..rows.len() {
                if (0..values.len()).any(|i| wanted.cmp(i, &have, row).is_eq()) {
                    found.push(row as u32);
                }
            }
            return Ok(found);
        }
        let index = self.by_value[usize::from(kind != Kind::Current)]
            .get_or_init(|| ByValue::new(&Hashes::new(v), rows.len()));
        let hashes = Hashes::new(values);
        for i in 0..values.len() {
            let rows = index.rows(hashes.hash(i));
            found.extend(rows.filter(|row| wanted.cmp(i, &have, *row as usize).is_eq()));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Several blocks, oldest first, as one.
    pub fn merge(ty: ValueType, blocks: &[&Block]) -> Result<Block> {
        let parts: Vec<(Kind, Rows)> = blocks
            .iter()
            .flat_map(|b| Kind::ALL.map(|kind| (kind, b.rows(kind).clone())))
            .filter(|(_, rows)| !rows.is_empty())
            .collect();
        let [open, closed, closings] = resolve(Order::Aevt, ty, parts)?;
        let mut stat = Stat { first_t: i64::MAX, ..Stat::default() };
        blocks.iter().for_each(|b| stat.merge(&b.stat));
        Ok(Block { open, closed, closings, stat, id: unique(), by_value: Default::default() })
    }
}

/// Sorted parts, oldest source first, as current, history and closings: where a closing meets its fact, that is history.
pub fn resolve(order: Order, ty: ValueType, parts: Vec<(Kind, Rows)>) -> Result<[Rows; 3]> {
    let (kinds, parts): (Vec<Kind>, Vec<Rows>) = parts.into_iter().unzip();
    let keys = parts.iter().map(|p| Keys::new(order, ty, p)).collect::<Result<Vec<Keys>>>()?;
    let places = merged_order(&keys);
    let mut out: [Vec<Place>; 3] = Default::default();
    let same = |a: &Place, b: &Place| keys[a.0].cmp(a.1, &keys[b.0], b.1).is_eq();
    let mut i = 0;
    while let Some(place) = places.get(i) {
        i += 1;
        let kind = kinds[place.0];
        match places.get(i).filter(|next| kinds[next.0] == Kind::Closings) {
            Some(next) if kind == Kind::Current && same(place, next) => {
                out[Kind::History as usize].push(*next);
                i += 1;
            }
            _ => out[kind as usize].push(*place),
        }
    }
    let rows = |kind: Kind| -> Result<Rows> {
        let want = if kind == Kind::Current { Want::OPEN } else { Want::ALL };
        match out[kind as usize].as_slice() {
            [] => Ok(Rows::empty(ty, want)),
            places => {
                // First: closed facts have ends, and the open ones would have none to give.
                let parts: Vec<Rows> = parts.iter().map(|p| Rows::clone(p).select(want)).collect();
                Rows::interleave(&parts, places)
            }
        }
    };
    Ok([rows(Kind::Current)?, rows(Kind::History)?, rows(Kind::Closings)?])
}

/// Rows by the hash of their value.
struct ByValue {
    first: HashMap<u64, u32>,
    /// The next row of the same hash; u32::MAX where there is none.
    next: Vec<u32>,
}

impl ByValue {
    fn new(hashes: &Hashes<'_>, len: usize) -> ByValue {
        let mut first = HashMap::with_capacity(len);
        let next = (0..len)
            .map(|row| first.insert(hashes.hash(row), row as u32).unwrap_or(u32::MAX))
            .collect();
        ByValue { first, next }
    }

    fn rows(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first.get(&hash).copied(), |row| {
            self.next.get(*row as usize).copied().filter(|next| *next != u32::MAX)
        })
    }
}
