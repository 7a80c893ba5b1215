//! Decimals: the digits of an integer and how many of them stand after the point.

use datafusion::arrow::datatypes::i256;
use std::io::Write;

/// An exact decimal. Digits without a sign and without leading zeros (empty: zero).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decimal {
    pub negative: bool,
    digits: Digits,
    /// Digits after the point, zero or more.
    pub scale: usize,
}

/// The digits of an i256 are 77 at most; a negative scale adds zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits {
    bytes: [u8; 208],
    length: usize,
}

impl Default for Digits {
    fn default() -> Self {
        Self { bytes: [b'0'; 208], length: 0 }
    }
}

impl Decimal {
    pub fn from_i128(value: i128, scale: i8) -> Self {
        Self::from_text(value.unsigned_abs(), value < 0, scale)
    }

    pub fn from_i256(value: i256, scale: i8) -> Self {
        match value.to_i128() {
            Some(value) => Self::from_i128(value, scale),
            None => {
                let text = value.to_string();
                Self::from_text(text.trim_start_matches('-'), value.is_negative(), scale)
            }
        }
    }

    fn from_text(magnitude: impl std::fmt::Display, negative: bool, scale: i8) -> Self {
        let mut digits = Digits::default();
        let mut rest = digits.bytes.as_mut_slice();
        let room = rest.len();
        // Never full: 78 digits and 128 zeros at most.
        let _ = write!(rest, "{magnitude}");
        digits.length = room - rest.len();
        if digits.bytes.first() == Some(&b'0') {
            digits.length = 0;
        }
        if scale < 0 && digits.length > 0 {
            let zeros = usize::from(scale.unsigned_abs());
            let end = digits.length + zeros;
            if let Some(tail) = digits.bytes.get_mut(digits.length..end) {
                tail.fill(b'0');
                digits.length = end;
            }
        }
        Self { negative, digits, scale: usize::try_from(scale).unwrap_or(0) }
    }

    pub fn digits(&self) -> &[u8] {
        self.digits.bytes.get(..self.digits.length).unwrap_or_default()
    }

    /// Without zeros at its end after the point.
    pub fn trimmed(mut self) -> Self {
        if self.digits.length == 0 {
            self.scale = 0;
        }
        while self.scale > 0 && self.digits().last() == Some(&b'0') {
            self.digits.length -= 1;
            self.scale -= 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_scale() {
        let check = |d: Decimal, digits: &str, scale| {
            assert_eq!((std::str::from_utf8(d.digits()), d.scale), (Ok(digits), scale));
        };
        check(Decimal::from_i128(-1234, 2), "1234", 2);
        check(Decimal::from_i128(0, 5), "", 5);
        check(Decimal::from_i128(0, 5).trimmed(), "", 0);
        check(Decimal::from_i128(12, -3), "12000", 0);
        check(Decimal::from_i128(1_500, 3).trimmed(), "15", 1);
        check(Decimal::from_i128(100, 2).trimmed(), "1", 0);
        let least = "170141183460469231731687303715884105728";
        check(Decimal::from_i128(i128::MIN, 0), least, 0);
        let min = i256::MIN.to_string();
        check(Decimal::from_i256(i256::MIN, 76), min.trim_start_matches('-'), 76);
    }
}
