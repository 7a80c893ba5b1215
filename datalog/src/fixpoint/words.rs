//! Values as numbers from 0 on, so that rows are small, and compared, hashed and counted by without looking into values.

use crate::value::Cell;
use crate::value::any::encoded;
use daodb_storage::Value;
use std::collections::HashMap;

#[derive(Default)]
pub struct Words {
    longs: Longs,
    others: HashMap<Box<[u8]>, u32>,
    /// By word.
    cells: Vec<Cell>,
    bytes: usize,
}

/// The words of longs: open addressing, a word + 1 a place, 0 where free. Its length is a power of two or 0.
#[derive(Default)]
struct Longs {
    places: Vec<(i64, u32)>,
    len: usize,
}

impl Longs {
    /// Where a long is, or would be.
    fn place(&self, n: i64) -> usize {
        let mask = self.places.len() - 1;
        let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (mixed ^ (mixed >> 32)) as usize & mask;
        while self.places[at].1 != 0 && self.places[at].0 != n {
            at = (at + 1) & mask;
        }
        at
    }

    /// The word of a long, `next` where it has none yet; and whether it had none.
    fn word(&mut self, n: i64, next: u32) -> (u32, bool) {
        if (self.len + 1) * 2 > self.places.len() {
            let size = (self.places.len() * 2).max(16);
            let before = std::mem::replace(&mut self.places, vec![(0, 0); size]);
            for entry in before.into_iter().filter(|(_, word)| *word != 0) {
                let at = self.place(entry.0);
                self.places[at] = entry;
            }
        }
        let at = self.place(n);
        match self.places[at].1 {
            0 => {
                self.places[at] = (n, next + 1);
                self.len += 1;
                (next, true)
            }
            word => (word - 1, false),
        }
    }
}

impl Words {
    /// The caller sees to it that there are not too many for 32 bits ([`len`](Words::len)).
    pub fn word(&mut self, cell: &Cell) -> u32 {
        let next = self.cells.len() as u32;
        if let Some(Value::Long(n)) = cell {
            return self.long(*n);
        }
        let bytes = encoded(cell.as_ref()).into_boxed_slice();
        if let Some(word) = self.others.get(&bytes) {
            return *word;
        }
        self.bytes += 2 * bytes.len() + 64;
        self.others.insert(bytes, next);
        self.cells.push(cell.clone());
        next
    }

    pub fn long(&mut self, n: i64) -> u32 {
        let (word, new) = self.longs.word(n, self.cells.len() as u32);
        if new {
            self.cells.push(Some(Value::Long(n)));
        }
        word
    }

    pub fn cell(&self, word: u32) -> &Cell {
        self.cells.get(word as usize).unwrap_or(&None)
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// About what the values take.
    pub fn memory(&self) -> usize {
        self.bytes
            + self.longs.places.capacity() * size_of::<(i64, u32)>()
            + self.cells.capacity() * size_of::<Cell>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_are_equal_for_equal_values() {
        let mut words = Words::default();
        let mut cells = vec![
            None,
            Some(Value::Long(-5)),
            Some(Value::Long(0)),
            Some(Value::Long(i64::MAX)),
            Some(Value::Long(i64::MIN)),
            Some(Value::string("x")),
            Some(Value::keyword("x")),
            Some(Value::Double(1.0)),
        ];
        cells.extend((1..1000).map(|n| Some(Value::Long(n * 4096))));
        let first: Vec<u32> = cells.iter().map(|c| words.word(c)).collect();
        let again: Vec<u32> = cells.iter().map(|c| words.word(c)).collect();
        assert_eq!(first, again);
        for (cell, word) in cells.iter().zip(&first) {
            assert_eq!(words.cell(*word), cell);
        }
        let distinct: std::collections::BTreeSet<u32> = first.iter().copied().collect();
        assert_eq!(distinct.len(), cells.len());
        assert_eq!(words.len(), cells.len());
    }
}
