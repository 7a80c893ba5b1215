//! Rows of words, each once, in the order in which they came; and chains of those that agree in some columns.

/// A set of rows of one width. The rows of earlier rounds stand before those of the last.
pub struct Rows {
    pub width: usize,
    words: Vec<u64>,
    len: usize,
    /// Open addressing: a row's number + 1, 0 where free. Its length is a power of two.
    table: Vec<u32>,
    indexes: Vec<Index>,
}

/// The rows that agree in `columns`, newest first.
struct Index {
    columns: Vec<usize>,
    /// By hash: the newest row + 1 of a chain.
    heads: Vec<u32>,
    /// By row: the one before it in its chain, + 1.
    next: Vec<u32>,
}

fn hash(words: impl Iterator<Item = u64>) -> u64 {
    let mixed = words.fold(0x9e37_79b9_7f4a_7c15u64, |h, w| {
        (h.rotate_left(23) ^ w).wrapping_mul(0xff51_afd7_ed55_8ccd)
    });
    mixed ^ (mixed >> 32)
}

impl Rows {
    pub fn new(width: usize) -> Rows {
        Rows { width, words: Vec::new(), len: 0, table: vec![0; 16], indexes: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn row(&self, i: usize) -> &[u64] {
        &self.words[i * self.width..(i + 1) * self.width]
    }

    /// About what it takes, in bytes.
    pub fn memory(&self) -> usize {
        let indexes: usize = self.indexes.iter().map(|x| 4 * (x.heads.len() + x.next.len())).sum();
        8 * self.words.capacity() + 4 * self.table.len() + indexes
    }

    /// False where the row is there already, or there are too many to be numbered.
    pub fn insert(&mut self, row: &[u64]) -> bool {
        if (self.len + 1) * 2 > self.table.len() {
            self.grow();
        }
        let mask = self.table.len() - 1;
        let mut at = hash(row.iter().copied()) as usize & mask;
        while self.table[at] != 0 {
            if self.row(self.table[at] as usize - 1) == row {
                return false;
            }
            at = (at + 1) & mask;
        }
        let Ok(number) = u32::try_from(self.len + 1) else { return false };
        self.table[at] = number;
        self.words.extend_from_slice(row);
        self.len += 1;
        true
    }

    fn grow(&mut self) {
        let size = self.table.len() * 2;
        let mut table = vec![0u32; size];
        for i in 0..self.len {
            let mut at = hash(self.row(i).iter().copied()) as usize & (size - 1);
            while table[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            table[at] = i as u32 + 1;
        }
        self.table = table;
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

    pub fn contains(&self, row: &[u64]) -> bool {
        let mask = self.table.len() - 1;
        let mut at = hash(row.iter().copied()) as usize & mask;
        while self.table[at] != 0 {
            if self.row(self.table[at] as usize - 1) == row {
                return true;
            }
            at = (at + 1) & mask;
        }
        false
    }

    /// Calls `f` with the number of each row whose columns of an index are `key`.
    pub fn probe(&self, index: usize, key: &[u64], mut f: impl FnMut(usize)) {
        let index = &self.indexes[index];
        if index.heads.is_empty() {
            return;
        }
        let mut at = index.heads[hash(key.iter().copied()) as usize & (index.heads.len() - 1)];
        while at != 0 {
            let i = at as usize - 1;
            let row = self.row(i);
            if index.columns.iter().zip(key).all(|(c, k)| row[*c] == *k) {
                f(i);
            }
            at = index.next[i];
        }
    }
}

impl Index {
    fn refresh(&mut self, rows: &Rows) {
        if rows.len() == 0 {
            return;
        }
        if rows.len() * 2 > self.heads.len() {
            self.heads = vec![0; (rows.len() * 4).next_power_of_two()];
            self.next.clear();
        }
        let mask = self.heads.len() - 1;
        for i in self.next.len()..rows.len() {
            let row = rows.row(i);
            let at = hash(self.columns.iter().map(|c| row[*c])) as usize & mask;
            self.next.push(self.heads[at]);
            self.heads[at] = i as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_row_once_and_all_of_a_key() {
        let mut rows = Rows::new(2);
        let index = rows.index(&[1]);
        let mut expect = BTreeSet::new();
        for i in 0..5_000u64 {
            let row = [i * 7 % 300, i * 13 % 11];
            assert_eq!(rows.contains(&row), expect.contains(&row));
            assert_eq!(rows.insert(&row), expect.insert(row));
            if i % 700 == 0 {
                rows.refresh();
            }
        }
        rows.refresh();
        assert_eq!(rows.len(), expect.len());
        for key in 0..12u64 {
            let mut found = BTreeSet::new();
            rows.probe(index, &[key], |i| {
                assert!(found.insert([rows.row(i)[0], rows.row(i)[1]]), "a row twice");
            });
            let of_key: BTreeSet<[u64; 2]> =
                expect.iter().filter(|r| r[1] == key).copied().collect();
            assert_eq!(found, of_key, "{key}");
        }
    }
}
