//! Decoded columns of segments, kept while they are used and there is room.

use datafusion::arrow::array::{Array, ArrayRef};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    Column {
        segment: Uuid,
        row_group: u32,
        column: u32,
    },
    /// Some rows, from the first up to, not including, the second.
    Page {
        segment: Uuid,
        row_group: u32,
        column: u32,
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

/// Two generations: what is used moves to the young one; where that is full, the old one goes.
pub struct Cache {
    limit: usize,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Key, ArrayRef>,
    old: HashMap<Key, ArrayRef>,
    young_bytes: usize,
}

impl Cache {
    pub fn new(limit: usize) -> Cache {
        Cache { limit, generations: Mutex::default() }
    }

    pub fn get(&self, key: &Key) -> Option<ArrayRef> {
        let mut generations = self.generations.lock();
        if let Some(array) = generations.young.get(key) {
            return Some(array.clone());
        }
        let array = generations.old.remove(key)?;
        self.keep(&mut generations, *key, array.clone());
        Some(array)
    }

    pub fn put(&self, key: Key, array: &ArrayRef) {
        self.keep(&mut self.generations.lock(), key, array.clone());
    }

    fn keep(&self, generations: &mut Generations, key: Key, array: ArrayRef) {
        let bytes = array.get_array_memory_size();
        let half = self.limit / 2;
        if bytes > half {
            return;
        }
        if generations.young_bytes + bytes > half {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        if generations.young.insert(key, array).is_none() {
            generations.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Int64Array;
    use std::sync::Arc;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let key = |n| Key::Entities { fingerprint: n, rows: 0 };
        let array: ArrayRef = Arc::new(Int64Array::from(vec![0; 100]));
        let size = array.get_array_memory_size();
        let cache = Cache::new(size * 20);
        for n in 0..1000 {
            cache.put(key(n), &array);
            assert!(cache.get(&key(0)).is_some(), "0 was used all the time, and went at {n}");
        }
        let kept = (0..1000).filter(|n| cache.get(&key(*n)).is_some()).count();
        assert!((10..=20).contains(&kept), "{kept} are kept");
    }
}
