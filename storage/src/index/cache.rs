//! Decoded columns and footers of segments, kept while they are used and there is room.

use super::row_group::Column;
use super::segment::Footer;
use ahash::RandomState;
use datafusion::arrow::array::{Array, ArrayRef};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    Column {
        segment: Uuid,
        row_group: u32,
        column: Column,
    },
    /// Some rows, from the first up to, not including, the second.
    Page {
        segment: Uuid,
        row_group: u32,
        column: Column,
        rows: (u32, u32),
    },
    /// A column of facts that were put together from several sources; `of` names them and the view.
    Merged {
        of: u128,
        values: bool,
    },
    /// A column of entities, the same one for all attributes that are about the same entities.
    Entities {
        fingerprint: u128,
        rows: u32,
    },
}

/// A number that nothing else in this process has.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What can be kept.
pub trait Kept: Clone {
    /// About the bytes that it takes.
    fn bytes(&self) -> usize;
}

/// Whether entities ascend, each with one row: found out by the first one who has to know, for all who have the same column.
pub type Ascends = Arc<OnceLock<bool>>;

/// A decoded column.
#[derive(Debug, Clone)]
pub struct Decoded {
    pub array: ArrayRef,
    /// Of entities.
    pub ascends: Ascends,
}

impl From<ArrayRef> for Decoded {
    fn from(array: ArrayRef) -> Decoded {
        Decoded { array, ascends: Ascends::default() }
    }
}

impl Kept for Decoded {
    fn bytes(&self) -> usize {
        self.array.get_array_memory_size()
    }
}

impl Kept for Arc<Footer> {
    fn bytes(&self) -> usize {
        let checksums = self.checksums.blocks() as usize * size_of::<u64>();
        self.parquet.metadata().memory_size() + size_of_val(self.row_groups.as_slice()) + checksums
    }
}

/// Two generations: what is used moves to the young one; where that is full, the old one goes.
pub struct Cache<K = Key, V = Decoded> {
    limit: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    young_bytes: usize,
}

impl<K: Copy + Eq + Hash, V: Kept> Cache<K, V> {
    /// `limit`: bytes.
    pub fn new(limit: usize) -> Cache<K, V> {
        let (young, old) = (HashMap::default(), HashMap::default());
        Cache { limit, generations: Mutex::new(Generations { young, old, young_bytes: 0 }) }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    pub fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.generations.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let value = generations.old.remove(key)?;
        self.keep(&mut generations, *key, value.clone());
        Some(value)
    }

    pub fn put(&self, key: K, value: &V) {
        self.keep(&mut self.generations.lock(), key, value.clone());
    }

    fn keep(&self, generations: &mut Generations<K, V>, key: K, value: V) {
        let bytes = value.bytes();
        let half = self.limit / 2;
        if bytes > half {
            return;
        }
        if generations.young_bytes + bytes > half {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        if generations.young.insert(key, value).is_none() {
            generations.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Int64Array;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let key = |n| Key::Entities { fingerprint: n, rows: 0 };
        let array: ArrayRef = Arc::new(Int64Array::from(vec![0; 100]));
        let array = Decoded::from(array);
        let size = array.bytes();
        let cache = Cache::new(size * 20);
        for n in 0..1000 {
            cache.put(key(n), &array);
            assert!(cache.get(&key(0)).is_some(), "0 was used all the time, and went at {n}");
        }
        let kept = (0..1000).filter(|n| cache.get(&key(*n)).is_some()).count();
        assert!((10..=20).contains(&kept), "{kept} are kept");
    }
}
