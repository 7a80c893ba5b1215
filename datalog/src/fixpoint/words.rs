//! Values as words, so that rows are compared and hashed without looking into them: a long is its own word, any other value
//! the number that it got when it was first seen.

use crate::value::Cell;
use crate::value::any::encoded;
use daodb_storage::Value;
use std::collections::HashMap;

#[derive(Default)]
pub struct Words {
    known: HashMap<Box<[u8]>, u64>,
    cells: Vec<Cell>,
    bytes: usize,
}

/// Longs within are their own words.
const SMALL: std::ops::Range<i64> = -(1 << 62)..(1 << 62);

/// The word of a long, where it is its own.
pub fn of_long(n: i64) -> Option<u64> {
    SMALL.contains(&n).then_some(((n as u64) << 1) | 1)
}

/// The long that a word is.
pub fn to_long(word: u64) -> Option<i64> {
    (word & 1 == 1).then_some(word as i64 >> 1)
}

impl Words {
    pub fn word(&mut self, cell: &Cell) -> u64 {
        if let Some(Value::Long(n)) = cell
            && let Some(word) = of_long(*n)
        {
            return word;
        }
        let bytes = encoded(cell.as_ref()).into_boxed_slice();
        if let Some(word) = self.known.get(&bytes) {
            return *word;
        }
        let word = (self.cells.len() as u64) << 1;
        self.bytes += 2 * bytes.len() + 64;
        self.known.insert(bytes, word);
        self.cells.push(cell.clone());
        word
    }

    pub fn cell(&self, word: u64) -> Cell {
        match to_long(word) {
            Some(n) => Some(Value::Long(n)),
            None => self.cells.get((word >> 1) as usize).cloned().flatten(),
        }
    }

    /// About what the values take.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_are_equal_for_equal_values() {
        let mut words = Words::default();
        let cells = [
            None,
            Some(Value::Long(-5)),
            Some(Value::Long(i64::MAX)),
            Some(Value::Long(i64::MIN)),
            Some(Value::string("x")),
            Some(Value::keyword("x")),
            Some(Value::Double(1.0)),
        ];
        let first: Vec<u64> = cells.iter().map(|c| words.word(c)).collect();
        let again: Vec<u64> = cells.iter().map(|c| words.word(c)).collect();
        assert_eq!(first, again);
        for (cell, word) in cells.iter().zip(&first) {
            assert_eq!(words.cell(*word), *cell);
        }
        let distinct: std::collections::BTreeSet<u64> = first.iter().copied().collect();
        assert_eq!(distinct.len(), cells.len());
    }
}
