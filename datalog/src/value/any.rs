//! `any`: a value of whatever type as bytes whose order is that of values: the type, then the value.
//!
//! | type | bytes after the type's |
//! |---|---|
//! | boolean | 0 or 1 |
//! | long, instant | 8, big-endian, the sign turned |
//! | double | 8, IEEE 754's total order |
//! | bigint | sign, length, magnitude; those of negative ones turned |
//! | bigdec | sign, place of the first digit, digits; then the scale |
//! | text, bytes | as they are |
//! | uuid | 16 |
//! | tuple | each component, 0 doubled as 0 255, ended by 0 0 |
//!
//! nil is the single byte 0. A reference is a long.

use super::Cell;
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::{BigInt, Sign};
use daodb_storage::{Value, ValueType};
use std::sync::Arc;

/// Deeper tuples are refused.
const MAX_DEPTH: usize = 16;

pub fn encode(cell: Option<&Value>, out: &mut Vec<u8>) {
    let Some(v) = cell else { return out.push(0) };
    let ty = match v.value_type() {
        ValueType::Ref => ValueType::Long,
        ty => ty,
    };
    out.push(ty as u8);
    match v {
        Value::Boolean(b) => out.push(u8::from(*b)),
        Value::Long(n) | Value::Ref(n) | Value::Instant(n) => out.extend(integer(*n)),
        Value::Double(d) => out.extend(double(*d)),
        Value::Bigint(n) => bigint(n, out),
        Value::Bigdec(d) => bigdec(d, out),
        Value::String(s) | Value::Keyword(s) | Value::Symbol(s) | Value::Uri(s) => {
            out.extend_from_slice(s.as_bytes());
        }
        Value::Uuid(u) => out.extend_from_slice(u.as_bytes()),
        Value::Bytes(b) => out.extend_from_slice(b),
        Value::Tuple(parts) => tuple(parts, out),
    }
}

pub fn encoded(cell: Option<&Value>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    encode(cell, &mut out);
    out
}

fn integer(n: i64) -> [u8; 8] {
    ((n as u64) ^ (1 << 63)).to_be_bytes()
}

fn double(d: f64) -> [u8; 8] {
    let bits = if d.is_nan() { f64::NAN.to_bits() } else { d.to_bits() };
    let turned = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    turned.to_be_bytes()
}

/// 0 negative, 1 zero, 2 positive.
fn sign(sign: Sign) -> u8 {
    match sign {
        Sign::Minus => 0,
        Sign::NoSign => 1,
        Sign::Plus => 2,
    }
}

/// Appends bytes, each turned where the number is negative.
fn push(out: &mut Vec<u8>, negative: bool, bytes: impl IntoIterator<Item = u8>) {
    out.extend(bytes.into_iter().map(|b| if negative { !b } else { b }));
}

fn bigint(n: &BigInt, out: &mut Vec<u8>) {
    let (s, magnitude) = n.to_bytes_be();
    out.push(sign(s));
    let negative = s == Sign::Minus;
    push(out, negative, (magnitude.len() as u64).to_be_bytes());
    push(out, negative, magnitude);
}

fn bigdec(d: &BigDecimal, out: &mut Vec<u8>) {
    let (n, scale) = d.as_bigint_and_exponent();
    out.push(sign(n.sign()));
    let negative = n.sign() == Sign::Minus;
    if n.sign() != Sign::NoSign {
        let digits = n.magnitude().to_string();
        push(out, negative, integer(digits.len() as i64 - scale));
        push(out, negative, digits.trim_end_matches('0').bytes().chain([0]));
    }
    out.extend(integer(scale));
}

fn tuple(parts: &[Cell], out: &mut Vec<u8>) {
    let mut inner = Vec::new();
    for part in parts {
        inner.clear();
        encode(part.as_ref(), &mut inner);
        // 1 before each, so that a shorter tuple stands before what it begins.
        out.push(1);
        for b in &inner {
            out.push(*b);
            if *b == 0 {
                out.push(255);
            }
        }
        out.extend([0, 0]);
    }
}

/// None where the bytes are none that [`encode`] made.
pub fn decode(bytes: &[u8]) -> Option<Cell> {
    decode_at(bytes, 0)
}

/// The type that the bytes say; None: nil.
pub fn type_of(bytes: &[u8]) -> Option<ValueType> {
    let tag = *bytes.first()?;
    ValueType::ALL.into_iter().find(|t| *t as u8 == tag)
}

fn decode_at(bytes: &[u8], depth: usize) -> Option<Cell> {
    let (tag, rest) = bytes.split_first()?;
    if *tag == 0 {
        return rest.is_empty().then_some(None);
    }
    let text = || std::str::from_utf8(rest).ok().map(Arc::<str>::from);
    Some(Some(match type_of(bytes)? {
        ValueType::Boolean => Value::Boolean(*rest.first()? != 0),
        ValueType::Long | ValueType::Ref => Value::Long(read_integer(rest)?),
        ValueType::Instant => Value::Instant(read_integer(rest)?),
        ValueType::Double => {
            let bits = u64::from_be_bytes(rest.try_into().ok()?);
            let bits = if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits };
            Value::Double(f64::from_bits(bits))
        }
        ValueType::Bigint => Value::Bigint(Arc::new(read_bigint(rest)?)),
        ValueType::Bigdec => Value::Bigdec(Arc::new(read_bigdec(rest)?)),
        ValueType::String => Value::String(text()?),
        ValueType::Keyword => Value::Keyword(text()?),
        ValueType::Symbol => Value::Symbol(text()?),
        ValueType::Uri => Value::Uri(text()?),
        ValueType::Uuid => Value::Uuid(uuid::Uuid::from_slice(rest).ok()?),
        ValueType::Bytes => Value::Bytes(rest.into()),
        ValueType::Tuple => Value::Tuple(read_tuple(rest, depth)?.into()),
    }))
}

fn read_integer(bytes: &[u8]) -> Option<i64> {
    Some((u64::from_be_bytes(bytes.try_into().ok()?) ^ (1 << 63)) as i64)
}

fn read_bigint(bytes: &[u8]) -> Option<BigInt> {
    let (s, rest) = bytes.split_first()?;
    let magnitude: Vec<u8> = rest.get(8..)?.iter().map(|b| if *s == 0 { !b } else { *b }).collect();
    let s = [Sign::Minus, Sign::NoSign, Sign::Plus].get(usize::from(*s)).copied()?;
    Some(BigInt::from_bytes_be(s, &magnitude))
}

fn read_bigdec(bytes: &[u8]) -> Option<BigDecimal> {
    let (s, rest) = bytes.split_first()?;
    let (rest, scale) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
    let scale = read_integer(scale)?;
    if *s == 1 {
        return Some(BigDecimal::new(BigInt::from(0), scale));
    }
    let turned: Vec<u8> = rest.iter().map(|b| if *s == 0 { !b } else { *b }).collect();
    let (place, digits) = turned.split_at_checked(8)?;
    let digits = std::str::from_utf8(digits.strip_suffix(&[0])?).ok()?;
    let zeros = (read_integer(place)? + scale).checked_sub(digits.len() as i64)?;
    let n: BigInt = digits.parse().ok()?;
    let n = n * BigInt::from(10).pow(u32::try_from(zeros).ok()?);
    Some(BigDecimal::new(if *s == 0 { -n } else { n }, scale))
}

fn read_tuple(bytes: &[u8], depth: usize) -> Option<Vec<Cell>> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let (mut parts, mut inner, mut i) = (Vec::new(), Vec::new(), 0);
    while i < bytes.len() {
        if bytes[i] != 1 {
            return None;
        }
        i += 1;
        inner.clear();
        loop {
            match (bytes.get(i)?, bytes.get(i + 1)) {
                (0, Some(255)) => {
                    inner.push(0);
                    i += 2;
                }
                (0, Some(0)) => {
                    i += 2;
                    break;
                }
                (0, _) => return None,
                (b, _) => {
                    inner.push(*b);
                    i += 1;
                }
            }
        }
        parts.push(decode_at(&inner, depth + 1)?);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn dec(text: &str) -> Value {
        Value::Bigdec(Arc::new(text.parse().unwrap()))
    }

    fn big(text: &str) -> Value {
        Value::Bigint(Arc::new(text.parse().unwrap()))
    }

    /// Ascending in the order of values.
    fn values() -> Vec<Cell> {
        let tuple = |parts: &[Cell]| Value::Tuple(parts.into());
        let long = |n| Some(Value::Long(n));
        let mut all = vec![
            Value::Boolean(false),
            Value::Boolean(true),
            Value::Long(i64::MIN),
            Value::Long(-1),
            Value::Long(0),
            Value::Long(i64::MAX),
            big("-100000000000000000000"),
            big("-99"),
            big("0"),
            big("7"),
            big("100000000000000000000"),
            Value::Double(f64::NEG_INFINITY),
            Value::Double(-1.5),
            Value::Double(-0.0),
            Value::Double(0.0),
            Value::Double(2.5),
            Value::Double(f64::NAN),
            dec("-12.5"),
            dec("-1.25"),
            dec("-0.001"),
            dec("0"),
            dec("0.00"),
            dec("0.09"),
            dec("1"),
            dec("1.00"),
            dec("1.01"),
            dec("10"),
            dec("99.9"),
            dec("1e30"),
            Value::Instant(-5),
            Value::Instant(5),
            Value::string(""),
            Value::string("a"),
            Value::string("a\u{0}"),
            Value::string("b"),
            Value::keyword("a"),
            Value::Symbol("x".into()),
            Value::Uri("u".into()),
            Value::Uuid(uuid::Uuid::from_u128(3)),
            Value::Bytes([0, 0].as_slice().into()),
            Value::Bytes([0, 255].as_slice().into()),
        ];
        all.push(tuple(&[]));
        all.push(tuple(&[None]));
        all.push(tuple(&[None, long(3)]));
        all.push(tuple(&[long(0)]));
        all.push(tuple(&[long(0), Some(Value::string("a\u{0}b"))]));
        all.push(tuple(&[long(0), Some(tuple(&[long(1), None]))]));
        std::iter::once(None).chain(all.into_iter().map(Some)).collect()
    }

    #[test]
    fn every_value_comes_back_in_its_order() {
        let all = values();
        let bytes: Vec<_> = all.iter().map(|v| encoded(v.as_ref())).collect();
        for (v, b) in all.iter().zip(&bytes) {
            assert_eq!(decode(b).as_ref(), Some(v), "{b:?}");
        }
        for pair in bytes.windows(2) {
            assert!(pair[0] < pair[1], "{:?} and {:?}", decode(&pair[0]), decode(&pair[1]));
        }
    }

    #[test]
    fn a_reference_is_a_long() {
        assert_eq!(encoded(Some(&Value::Ref(5))), encoded(Some(&Value::Long(5))));
    }

    #[test]
    fn hostile_bytes_are_none() {
        for bytes in [&[][..], &[2, 1], &[14, 1], &[14, 2, 0, 0], &[99], &[5, 2], &[8, 255]] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
