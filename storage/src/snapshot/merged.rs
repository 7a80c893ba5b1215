//! Columns that were put together from several sources, kept for the next reader of the same range in the same view.

use super::read::Sight;
use super::source::Group;
use crate::index::cache::{Ascends, Cache, Decoded, Key};
use crate::index::rows::Rows;
use crate::index::segment::fingerprint;
use crate::store::reads;
use crate::value::ValueType;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::Int64Type;
use std::ops::Range;
use std::sync::Arc;

/// Fewer rows are put together again.
const FEW: usize = 4096;

/// What a reading without times is known by.
pub struct Merged<'a> {
    cache: &'a Cache,
    of: u128,
    values: bool,
}

impl<'a> Merged<'a> {
    pub fn new(
        cache: &'a Cache,
        groups: &[Group<'_>],
        ty: ValueType,
        range: &Range<i64>,
        sight: &Sight,
        values: bool,
    ) -> Merged<'a> {
        let mut hasher = blake3::Hasher::new();
        groups.iter().for_each(|g| {
            hasher.update(&g.id().to_le_bytes());
        });
        let bound = |t: Option<i64>| {
            t.map_or([0; 9], |t| {
                let mut b = [1; 9];
                b[1..].copy_from_slice(&t.to_le_bytes());
                b
            })
        };
        hasher.update(&[ty as u8, u8::from(sight.history)]);
        hasher.update(&bound(sight.as_of)).update(&bound(sight.since));
        hasher.update(&range.start.to_le_bytes()).update(&range.end.to_le_bytes());
        let mut of = [0; 16];
        of.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Merged { cache, of: u128::from_le_bytes(of), values }
    }

    fn key(&self, values: bool) -> Key {
        Key::Merged { of: self.of, values }
    }

    pub fn get(&self) -> Option<Rows> {
        let entities = self.cache.get(&self.key(false))?;
        let e = entities.array.as_primitive::<Int64Type>().clone();
        let v = match self.values {
            true => Some(self.cache.get(&self.key(true))?.array),
            false => None,
        };
        let values = v.as_ref().map_or(0, |v| v.get_array_memory_size());
        reads::from_memory(e.get_array_memory_size() + values);
        let ascends = Some(entities.ascends);
        Some(Rows { e, v, t_from: None, m_from: None, t_to: None, m_to: None, ascends })
    }

    /// Keeps the rows; their entities become the column that others share, where it is known.
    pub fn put(&self, mut rows: Rows) -> Rows {
        if rows.len() < FEW {
            return rows;
        }
        let entities = self.shared(&rows.e, rows.ascends.take());
        rows.e = entities.array.as_primitive::<Int64Type>().clone();
        rows.ascends = Some(Arc::clone(&entities.ascends));
        self.cache.put(self.key(false), &entities);
        if let Some(v) = rows.v.as_ref().filter(|_| self.values) {
            self.cache.put(self.key(true), &Decoded::from(Arc::clone(v)));
        }
        rows
    }

    fn shared(&self, e: &Int64Array, ascends: Option<Ascends>) -> Decoded {
        let key = Key::Entities { fingerprint: fingerprint(e.values()), rows: e.len() as u32 };
        let own = || {
            let array: ArrayRef = Arc::new(e.clone());
            Decoded { array, ascends: ascends.unwrap_or_default() }
        };
        self.cache.get(&key).unwrap_or_else(own)
    }
}
