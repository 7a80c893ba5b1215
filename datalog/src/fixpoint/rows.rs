//! Rows of words, each once, in the order in which they came; and chains of those that agree in some columns.

use super::set::{Set, hash};
use std::ops::Range;

/// A set of rows of one width. The rows of earlier rounds stand before those of the last.
pub struct Rows {
    pub width: usize,
    words: Vec<u32>,
    len: usize,
    set: Set,
    indexes: Vec<Index>,
}

/// The rows that agree in `columns`, newest first.
struct Index {
    columns: Vec<usize>,
    /// By the word of one column, or by the hash of many: the newest row + 1 of a chain.
    heads: Vec<u32>,
    /// By row: the one before it in its chain, + 1.
    next: Vec<u32>,
}

/// Rows still to be gone through.
pub enum Cursor {
    Range(Range<usize>),
    /// The row + 1 to come next, in the chain of an index, and the rows that count.
    Chain {
        index: usize,
        at: u32,
        within: Range<usize>,
    },
}

impl Rows {
    pub fn new(width: usize) -> Rows {
        Rows { width, words: Vec::new(), len: 0, set: Set::new(width), indexes: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn row(&self, i: usize) -> &[u32] {
        &self.words[i * self.width..(i + 1) * self.width]
    }

    /// About what it takes, in bytes.
    pub fn memory(&self) -> usize {
        let indexes = self.indexes.iter().map(|x| x.heads.capacity() + x.next.capacity());
        4 * (self.words.capacity() + indexes.sum::<usize>()) + self.set.memory()
    }

    /// False where the row is there already, or there are too many to be numbered.
    #[inline]
    pub fn insert(&mut self, row: &[u32]) -> bool {
        let new = self.len < u32::MAX as usize - 1 && self.set.insert(row, &self.words, self.len);
        if new {
            self.words.extend_from_slice(row);
            self.len += 1;
        }
        new
    }

    /// The number of the index over these columns, made where it is missing.
    pub fn index(&mut self, columns: &[usize]) -> usize {
        match self.indexes.iter().position(|x| x.columns == columns) {
            Some(known) => known,
            None => {
                self.indexes.push(Index { columns: columns.to_vec(), heads: vec![], next: vec![] });
                self.indexes.len() - 1
            }
        }
    }

    /// Takes the rows that were inserted since into all indexes.
    pub fn refresh(&mut self) {
        let mut indexes = std::mem::take(&mut self.indexes);
        indexes.iter_mut().for_each(|index| index.refresh(self));
        self.indexes = indexes;
    }

    /// Of the rows `within`, as of the last [`refresh`](Rows::refresh), those whose columns of an index are `key`.
    #[inline]
    pub fn probe(&self, index: usize, key: &[u32], within: Range<usize>) -> Cursor {
        let of = &self.indexes[index];
        let at = match key {
            [word] => of.heads.get(*word as usize).copied().unwrap_or(0),
            _ if of.heads.is_empty() => 0,
            words => of.heads[hash(words.iter().copied()) & (of.heads.len() - 1)],
        };
        Cursor::Chain { index, at, within }
    }

    /// The next row of a cursor that was made with this key.
    #[inline]
    pub fn next(&self, cursor: &mut Cursor, key: &[u32]) -> Option<usize> {
        match cursor {
            Cursor::Range(range) => range.next(),
            Cursor::Chain { index, at, within } => {
                let index = &self.indexes[*index];
                while *at as usize > within.start {
                    let i = *at as usize - 1;
                    *at = index.next[i];
                    // A chain of one column has no others in it.
                    if i < within.end && (key.len() == 1 || index.is(self.row(i), key)) {
                        return Some(i);
                    }
                }
                None
            }
        }
    }
}

impl Index {
    fn is(&self, row: &[u32], key: &[u32]) -> bool {
        self.columns.iter().zip(key).all(|(c, k)| row[*c] == *k)
    }

    fn refresh(&mut self, rows: &Rows) {
        let new = self.next.len()..rows.len();
        if let [c] = self.columns.as_slice() {
            for i in new {
                let word = rows.row(i)[*c] as usize;
                if word >= self.heads.len() {
                    self.heads.resize((word + 1).next_power_of_two(), 0);
                }
                self.next.push(std::mem::replace(&mut self.heads[word], i as u32 + 1));
            }
            return;
        }
        if rows.len() * 2 > self.heads.len() {
            self.heads = vec![0; (rows.len() * 4).next_power_of_two()];
            self.next.clear();
        }
        let mask = self.heads.len() - 1;
        for i in self.next.len()..rows.len() {
            let row = rows.row(i);
            let at = hash(self.columns.iter().map(|c| row[*c])) & mask;
            self.next.push(std::mem::replace(&mut self.heads[at], i as u32 + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Rows of a width, drawn below `bound`; those that agree in the last column, and in the last two.
    fn each_once(width: usize, bound: u64, draws: u64) {
        let mut rows = Rows::new(width);
        let last = rows.index(&[width - 1]);
        let two = rows.index(&[0, width - 1]);
        let (mut expect, mut seed) = (BTreeSet::new(), 7u64);
        let mut draw = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((seed >> 33) % bound) as u32
        };
        for i in 0..draws {
            let row: Vec<u32> = (0..width).map(|_| draw()).collect();
            assert_eq!(rows.set.contains(&row, &rows.words), expect.contains(&row));
            assert_eq!(rows.insert(&row), expect.insert(row));
            if i % 700 == 0 {
                rows.refresh();
            }
        }
        rows.refresh();
        assert_eq!(rows.len(), expect.len());
        let check = |index, columns: &[usize], key: &[u32], within: Range<usize>| {
            let (mut found, mut cursor) = (BTreeSet::new(), rows.probe(index, key, within.clone()));
            while let Some(i) = rows.next(&mut cursor, key) {
                assert!(within.contains(&i) && found.insert(i), "a row twice, or not asked for");
            }
            let of_key =
                within.filter(|i| columns.iter().zip(key).all(|(c, k)| rows.row(*i)[*c] == *k));
            assert_eq!(found, of_key.collect(), "{key:?}");
        };
        for key in 0..20 {
            check(last, &[width - 1], &[key], 0..rows.len());
            check(last, &[width - 1], &[key], rows.len() / 3..rows.len() / 2);
            check(two, &[0, width - 1], &[key / 2, key], 0..rows.len());
        }
    }

    #[test]
    fn each_row_once_and_all_of_a_key() {
        for width in 1..=4 {
            for bound in [3, 60, 700, 1 << 20] {
                each_once(width, bound, 5_000);
            }
        }
    }

    #[test]
    fn a_row_without_columns_is_there_once() {
        let mut rows = Rows::new(0);
        assert!(rows.insert(&[]));
        assert!(!rows.insert(&[]));
        assert_eq!(rows.len(), 1);
    }

    /// Second words of one first word, dense at first, then far away, then dense again.
    #[test]
    fn bits_do_not_grow_for_few_words() {
        let mut rows = Rows::new(2);
        let words: Vec<u32> =
            (0..500).chain((0..50).map(|i| i * 40_000_000)).chain(500..2000).collect();
        let mut expect = BTreeSet::new();
        for (i, y) in words.iter().enumerate() {
            assert_eq!(rows.insert(&[3, *y]), expect.insert(*y), "{y}");
            assert!(rows.memory() < 2000 + 64 * (i + 1), "{} bytes after {i}", rows.memory());
        }
        assert!(words.iter().all(|y| !rows.insert(&[3, *y])));
    }
}
