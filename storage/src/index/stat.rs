//! What is known of the facts of one attribute and value type, mergeable over sources.

use super::order::Values;
use super::rows::Rows;
use crate::error::Result;
use crate::value::{Value, ValueColumn, ValueType};
use datafusion::arrow::array::{Array, ArrayRef};

/// Hashes that a sketch keeps: the estimate of a count is then within about a tenth.
const SKETCH: usize = 64;
/// Of longer texts a bound keeps the begin.
const BOUND_BYTES: usize = 128;
/// Values that a sample keeps.
const SAMPLE: usize = 32;

/// The lowest hashes of what was seen: a set's size follows from how close together they lie.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch {
    /// Ascending, distinct.
    pub lowest: Vec<u64>,
}

impl Sketch {
    pub fn of(hashes: impl Iterator<Item = u64>) -> Sketch {
        let mut lowest: Vec<u64> = Vec::new();
        let mut bound = u64::MAX;
        for hash in hashes.filter(|h| *h != u64::MAX) {
            if hash >= bound {
                continue;
            }
            lowest.push(hash);
            if lowest.len() >= 4 * SKETCH {
                bound = cut(&mut lowest);
            }
        }
        cut(&mut lowest);
        Sketch { lowest }
    }

    pub fn merge(&mut self, other: &Sketch) {
        self.lowest.extend_from_slice(&other.lowest);
        cut(&mut self.lowest);
    }

    /// How many distinct things were seen, about.
    pub fn estimate(&self) -> u64 {
        match self.lowest.last() {
            Some(last) if self.lowest.len() == SKETCH => {
                ((SKETCH - 1) as f64 * (u64::MAX as f64 / (*last).max(1) as f64)) as u64
            }
            _ => self.lowest.len() as u64,
        }
    }
}

/// Keeps the lowest distinct ones; below the returned bound a further hash would count.
fn cut(hashes: &mut Vec<u64>) -> u64 {
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(SKETCH);
    if hashes.len() == SKETCH { hashes.last().copied().unwrap_or(u64::MAX) } else { u64::MAX }
}

/// Mixes all bits (the finalizer of splitmix64).
pub fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The facts that one source asserted, and how many it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stat {
    pub facts: u64,
    /// Facts of this source or an older one that this source ended.
    pub ended: u64,
    /// i64::MAX where nothing was asserted.
    pub first_t: i64,
    pub min: Option<Value>,
    pub max: Option<Value>,
    pub entities: Sketch,
    pub values: Sketch,
    /// A few of the values, spread over the entities.
    pub sample: Vec<Value>,
}

impl Stat {
    pub fn of(ty: ValueType, open: &Rows, closed: &Rows, closings: &Rows) -> Result<Stat> {
        let mut stat = Stat {
            facts: (open.len() + closed.len()) as u64,
            ended: (closed.len() + closings.len()) as u64,
            first_t: i64::MAX,
            ..Stat::default()
        };
        for rows in [open, closed] {
            let (Some(v), Some(t_from)) = (&rows.v, &rows.t_from) else { continue };
            if rows.is_empty() {
                continue;
            }
            stat.first_t = t_from.values().iter().copied().fold(stat.first_t, i64::min);
            stat.entities.merge(&Sketch::of(rows.e.values().iter().map(|e| mix(*e as u64))));
            let hashes = Hashes::new(v);
            stat.values.merge(&Sketch::of((0..v.len()).map(|i| hashes.hash(i))));
            stat.add_values(ty, v)?;
        }
        Ok(stat)
    }

    fn add_values(&mut self, ty: ValueType, v: &ArrayRef) -> Result<()> {
        let compare = Values::new(ty, v)?;
        let (mut low, mut high) = (0, 0);
        for i in 1..v.len() {
            if compare.cmp(i, &compare, low).is_lt() {
                low = i;
            } else if compare.cmp(i, &compare, high).is_gt() {
                high = i;
            }
        }
        let column = ValueColumn::new(ty, v)?;
        let (low, high) = (column.value(low)?, column.value(high)?);
        self.extend(low.map(|v| shortened(v, false)), high.map(|v| shortened(v, true)));
        for row in (0..v.len()).step_by(v.len().div_ceil(SAMPLE)) {
            self.sample.extend(column.value(row)?.map(|v| shortened(v, false)));
        }
        self.thin();
        Ok(())
    }

    fn extend(&mut self, low: Option<Value>, high: Option<Value>) {
        if self.min.is_none() || low < self.min {
            self.min = low.or_else(|| self.min.take());
        }
        if high > self.max {
            self.max = high;
        }
    }

    fn thin(&mut self) {
        if self.sample.len() > SAMPLE {
            let step = self.sample.len().div_ceil(SAMPLE);
            self.sample = self.sample.iter().step_by(step).cloned().collect();
        }
    }

    pub fn merge(&mut self, other: &Stat) {
        self.facts += other.facts;
        self.ended += other.ended;
        self.first_t = self.first_t.min(other.first_t);
        if other.min.is_some() {
            self.extend(other.min.clone(), other.max.clone());
        }
        self.entities.merge(&other.entities);
        self.values.merge(&other.values);
        self.sample.extend(other.sample.iter().cloned());
        self.thin();
    }
}

/// Of a long text its begin, as a bound: not above it, or not below it.
fn shortened(v: Value, above: bool) -> Value {
    let Some(text) = v.as_str().filter(|s| s.len() > BOUND_BYTES) else { return v };
    let mut short = text[..text.floor_char_boundary(BOUND_BYTES)].to_owned();
    if above {
        short.push(char::MAX);
    }
    match v {
        Value::Keyword(_) => Value::Keyword(short.into()),
        Value::Symbol(_) => Value::Symbol(short.into()),
        Value::Uri(_) => Value::Uri(short.into()),
        _ => Value::String(short.into()),
    }
}

/// Hashes of stored values, equal for equal values of one type.
pub enum Hashes<'a> {
    Integer(&'a [i64]),
    Double(&'a [f64]),
    Boolean(&'a datafusion::arrow::array::BooleanArray),
    Text(&'a datafusion::arrow::array::StringViewArray),
    Binary(&'a datafusion::arrow::array::BinaryViewArray),
}

impl<'a> Hashes<'a> {
    pub fn new(v: &'a ArrayRef) -> Hashes<'a> {
        use datafusion::arrow::array::AsArray;
        use datafusion::arrow::datatypes::{
            DataType, Float64Type, Int64Type, TimestampMicrosecondType,
        };
        match v.data_type() {
            DataType::Boolean => Hashes::Boolean(v.as_boolean()),
            DataType::Float64 => Hashes::Double(v.as_primitive::<Float64Type>().values()),
            DataType::Timestamp(_, _) => {
                Hashes::Integer(v.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Utf8View => Hashes::Text(v.as_string_view()),
            DataType::BinaryView => Hashes::Binary(v.as_binary_view()),
            _ => Hashes::Integer(v.as_primitive::<Int64Type>().values()),
        }
    }

    pub fn hash(&self, row: usize) -> u64 {
        match self {
            Hashes::Integer(a) => mix(a[row] as u64),
            Hashes::Double(a) => mix(a[row].to_bits()),
            Hashes::Boolean(a) => mix(u64::from(a.value(row))),
            Hashes::Text(a) => hash_bytes(a.value(row).as_bytes()),
            Hashes::Binary(a) => hash_bytes(a.value(row)),
        }
    }
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = mix(bytes.len() as u64 ^ 0x9e37_79b9_7f4a_7c15);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut b = [0; 8];
        b.copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(b));
    }
    let mut b = [0; 8];
    b[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(hash ^ u64::from_le_bytes(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_near_and_merge() {
        for n in [0u64, 5, 200, 10_000, 300_000] {
            let mut sketch = Sketch::of((0..n / 2).map(mix));
            sketch.merge(&Sketch::of((n / 3..n).map(mix)));
            let got = sketch.estimate() as f64;
            assert!((got - n as f64).abs() <= n as f64 * 0.4, "{n} was estimated as {got}");
        }
    }
}
