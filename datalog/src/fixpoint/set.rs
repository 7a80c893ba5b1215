//! Which rows are there already: what a recursion asks most often.
//!
//! Words are numbers from 0 on, so sets of one column are bits; sets of two columns have, for each first word, what few second
//! words there are in a table, and bits once those take no more. Wider rows are found by their hash.

/// Rows of one width that are there.
pub enum Set {
    /// Of no columns: whether the one row is there.
    Unit(bool),
    One(Vec<u32>),
    /// By the first word.
    Two {
        seconds: Vec<Seconds>,
        /// The largest second word + 1.
        span: usize,
        bytes: usize,
    },
    /// Open addressing: a row's number + 1, 0 where free. Its length is a power of two.
    Wide(Vec<u32>),
}

/// The second words of one first word.
#[derive(Default)]
pub enum Seconds {
    #[default]
    None,
    One(u32),
    /// Open addressing: a word + 1, 0 where free; how many there are. Its length is a power of two.
    Few(Vec<u32>, usize),
    /// A bit a word.
    Many(Vec<u32>, usize),
}

pub fn hash(words: impl Iterator<Item = u32>) -> usize {
    let mixed = words.fold(0x9e37_79b9_7f4a_7c15u64, |h, w| {
        (h.rotate_left(23) ^ u64::from(w)).wrapping_mul(0xff51_afd7_ed55_8ccd)
    });
    (mixed ^ (mixed >> 32)) as usize
}

impl Set {
    pub fn new(width: usize) -> Set {
        match width {
            0 => Set::Unit(false),
            1 => Set::One(Vec::new()),
            2 => Set::Two { seconds: Vec::new(), span: 0, bytes: 0 },
            _ => Set::Wide(vec![0; 16]),
        }
    }

    /// About what it takes, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Set::Unit(_) => 0,
            Set::One(bits) => 4 * bits.capacity(),
            Set::Two { seconds, bytes, .. } => bytes + seconds.capacity() * size_of::<Seconds>(),
            Set::Wide(table) => 4 * table.capacity(),
        }
    }

    /// Whether the row was not there yet. `rows` are all before it, `number` how many those are (below 2^32 - 1).
    #[inline]
    pub fn insert(&mut self, row: &[u32], rows: &[u32], number: usize) -> bool {
        match (self, row) {
            (Set::Two { seconds, span, bytes }, [x, y]) => {
                let x = *x as usize;
                if x >= seconds.len() {
                    seconds.resize_with((x + 1).next_power_of_two(), Seconds::default);
                }
                *span = (*span).max(*y as usize + 1);
                seconds[x].insert(*y, *span, bytes)
            }
            (Set::One(bits), [x]) => set(bits, *x),
            (Set::Unit(there), _) => !std::mem::replace(there, true),
            (Set::Wide(table), row) => {
                if (number + 1) * 2 > table.len() {
                    *table = rehashed(table.len() * 2, row.len(), rows);
                }
                let at = place(table, row, rows);
                let new = table[at] == 0;
                if new {
                    table[at] = number as u32 + 1;
                }
                new
            }
            _ => false,
        }
    }

    #[cfg(test)]
    pub fn contains(&self, row: &[u32], rows: &[u32]) -> bool {
        match (self, row) {
            (Set::Two { seconds, .. }, [x, y]) => {
                seconds.get(*x as usize).is_some_and(|seconds| seconds.contains(*y))
            }
            (Set::One(bits), [x]) => is_set(bits, *x),
            (Set::Unit(there), _) => *there,
            (Set::Wide(table), row) => table[place(table, row, rows)] != 0,
            _ => false,
        }
    }
}

/// Where a row is, or would be.
fn place(table: &[u32], row: &[u32], rows: &[u32]) -> usize {
    let (mask, width) = (table.len() - 1, row.len());
    let mut at = hash(row.iter().copied()) & mask;
    while table[at] != 0 {
        let number = table[at] as usize - 1;
        if rows[number * width..(number + 1) * width] == *row {
            break;
        }
        at = (at + 1) & mask;
    }
    at
}

fn rehashed(size: usize, width: usize, rows: &[u32]) -> Vec<u32> {
    let mut table = vec![0u32; size];
    for (number, row) in rows.chunks_exact(width).enumerate() {
        let mut at = hash(row.iter().copied()) & (size - 1);
        while table[at] != 0 {
            at = (at + 1) & (size - 1);
        }
        table[at] = number as u32 + 1;
    }
    table
}

#[inline]
fn set(bits: &mut Vec<u32>, word: u32) -> bool {
    let (at, bit) = ((word / 32) as usize, 1 << (word % 32));
    if at >= bits.len() {
        bits.resize((at + 1).next_power_of_two(), 0);
    }
    let new = bits[at] & bit == 0;
    bits[at] |= bit;
    new
}

#[cfg(test)]
fn is_set(bits: &[u32], word: u32) -> bool {
    bits.get((word / 32) as usize).is_some_and(|b| b & (1 << (word % 32)) != 0)
}

fn words_of(bits: &[u32]) -> impl Iterator<Item = u32> {
    (0u32..)
        .zip(bits)
        .flat_map(|(i, b)| (0..32).filter(move |k| b & (1 << k) != 0).map(move |k| i * 32 + k))
}

/// The place of a word in a table of words + 1, or where it would be.
#[inline]
fn slot(slots: &[u32], word: u32) -> usize {
    let mask = slots.len() - 1;
    let mut at = (word.wrapping_mul(0x9e37_79b1) >> 7) as usize & mask;
    while slots[at] != 0 && slots[at] != word + 1 {
        at = (at + 1) & mask;
    }
    at
}

/// Slots of the smallest table.
const FEW: usize = 8;
/// Bits are for sets that have one of so many at least: a table takes 64 bits or more a word.
const SPARSE: usize = 64;

impl Seconds {
    #[inline]
    fn insert(&mut self, y: u32, span: usize, bytes: &mut usize) -> bool {
        match self {
            Seconds::Many(bits, len) if (y as usize) < bits.len() * 32 => {
                let new = set(bits, y);
                *len += usize::from(new);
                new
            }
            Seconds::Few(slots, len) if (*len + 1) * 2 <= slots.len() => {
                let at = slot(slots, y);
                let new = slots[at] == 0;
                if new {
                    slots[at] = y + 1;
                    *len += 1;
                }
                new
            }
            Seconds::None => {
                *self = Seconds::One(y);
                true
            }
            Seconds::One(x) if *x == y => false,
            _ => {
                // Its shape is full: another one, then again.
                if self.contains(y) {
                    return false;
                }
                self.reshape(span, bytes);
                self.insert(y, span, bytes)
            }
        }
    }

    fn contains(&self, y: u32) -> bool {
        match self {
            Seconds::None => false,
            Seconds::One(x) => *x == y,
            Seconds::Few(slots, _) => slots[slot(slots, y)] != 0,
            Seconds::Many(bits, _) => {
                bits.get((y / 32) as usize).is_some_and(|b| b & (1 << (y % 32)) != 0)
            }
        }
    }

    /// Room for one more, below `span`: bits where they are no larger than a table.
    #[cold]
    fn reshape(&mut self, span: usize, bytes: &mut usize) {
        let (words, size): (Vec<u32>, usize) = match std::mem::take(self) {
            Seconds::None => (vec![], 0),
            Seconds::One(x) => (vec![x], 0),
            Seconds::Few(slots, _) => {
                let words = slots.iter().filter(|s| **s != 0).map(|s| s - 1).collect();
                (words, slots.len())
            }
            Seconds::Many(bits, _) => (words_of(&bits).collect(), bits.len()),
        };
        *bytes -= 4 * size;
        let len = words.len();
        if (len + 1) * SPARSE >= span {
            let mut bits = vec![0u32; span.div_ceil(32).next_power_of_two()];
            words.into_iter().for_each(|w| bits[(w / 32) as usize] |= 1 << (w % 32));
            *bytes += 4 * bits.len();
            *self = Seconds::Many(bits, len);
        } else {
            let mut slots = vec![0u32; ((len + 1) * 4).next_power_of_two().max(FEW)];
            for word in words {
                let at = slot(&slots, word);
                slots[at] = word + 1;
            }
            *bytes += 4 * slots.len();
            *self = Seconds::Few(slots, len);
        }
    }
}
