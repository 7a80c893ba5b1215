//! Columns that were put together from several sources, kept for the next reader of the same range in the same view.

use super::read::Sight;
use super::source::Group;
use crate::index::cache::{Cache, Key};
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
        let e = self.cache.get(&self.key(false))?.as_primitive::<Int64Type>().clone();
        let v = match self.values {
            true => Some(self.cache.get(&self.key(true))?),
            false => None,
        };
        let values = v.as_ref().map_or(0, |v| v.get_array_memory_size());
        reads::from_memory(e.get_array_memory_size() + values);
        Some(Rows { e, v, t_from: None, m_from: None, t_to: None, m_to: None })
    }

    /// Keeps the rows; their entities become the column that others share, where it is known.
    pub fn put(&self, mut rows: Rows) -> Rows {
        if rows.len() < FEW {
            return rows;
        }
        rows.e = self.shared(&rows.e);
        let e: ArrayRef = Arc::new(rows.e.clone());
        self.cache.put(self.key(false), &e);
        if let Some(v) = rows.v.as_ref().filter(|_| self.values) {
            self.cache.put(self.key(true), v);
        }
        rows
    }

    fn shared(&self, e: &Int64Array) -> Int64Array {
        let key = Key::Entities { fingerprint: fingerprint(e.values()), rows: e.len() as u32 };
        match self.cache.get(&key) {
            Some(known) => known.as_primitive::<Int64Type>().clone(),
            None => e.clone(),
        }
    }
}
