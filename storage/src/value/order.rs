//! One total order over all values: first the type, then the value; the order of every index.

use super::Value;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        use Value::*;
        match (self, other) {
            (Boolean(a), Boolean(b)) => a.cmp(b),
            (Long(a), Long(b)) | (Instant(a), Instant(b)) | (Ref(a), Ref(b)) => a.cmp(b),
            (Bigint(a), Bigint(b)) => a.cmp(b),
            // The order of IEEE 754: NaN has a place (there is one, as in canonical bytes), and -0.0 stands before 0.0.
            (Double(a), Double(b)) => one_nan(*a).total_cmp(&one_nan(*b)),
            // Equal numbers of another scale (1.0, 1.00) are other values, as in Clojure's `=` and java.math.
            (Bigdec(a), Bigdec(b)) => a
                .cmp(b)
                .then_with(|| a.as_bigint_and_exponent().1.cmp(&b.as_bigint_and_exponent().1)),
            (String(a), String(b))
            | (Keyword(a), Keyword(b))
            | (Symbol(a), Symbol(b))
            | (Uri(a), Uri(b)) => a.cmp(b),
            (Uuid(a), Uuid(b)) => a.cmp(b),
            (Bytes(a), Bytes(b)) => a.cmp(b),
            (Tuple(a), Tuple(b)) => a.cmp(b),
            _ => self.value_type().cmp(&other.value_type()),
        }
    }
}

/// Every NaN as the one that values keep.
pub(super) fn one_nan(d: f64) -> f64 {
    if d.is_nan() { f64::NAN } else { d }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = Vec::with_capacity(16);
        self.write_canonical(&mut bytes);
        bytes.hash(state);
    }
}
