//! Canonical bytes: one encoding per value, the input of the transaction hash and of tuple columns.
//!
//! A type byte, then: integers and instants as 8 bytes big-endian, doubles as their IEEE bits (one NaN), everything of
//! variable length with an 8-byte length before it. A tuple's absent component is the type byte 0.

use super::order::one_nan;
use super::{Value, ValueType};
use crate::error::{Error, Result};
use bigdecimal::{BigDecimal, num_bigint::BigInt};
use std::sync::Arc;

/// Deeper tuples are refused: a reader must not overflow its stack on hostile bytes.
const MAX_DEPTH: usize = 16;

impl Value {
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        out.push(self.value_type() as u8);
        match self {
            Value::Boolean(b) => out.push(u8::from(*b)),
            Value::Long(n) | Value::Instant(n) | Value::Ref(n) => {
                out.extend_from_slice(&n.to_be_bytes())
            }
            Value::Double(d) => {
                out.extend_from_slice(&one_nan(*d).to_bits().to_be_bytes());
            }
            Value::Bigint(n) => write_sized(out, &n.to_signed_bytes_be()),
            Value::Bigdec(d) => {
                let (digits, scale) = d.as_bigint_and_exponent();
                out.extend_from_slice(&scale.to_be_bytes());
                write_sized(out, &digits.to_signed_bytes_be());
            }
            Value::String(s) | Value::Keyword(s) | Value::Symbol(s) | Value::Uri(s) => {
                write_sized(out, s.as_bytes())
            }
            Value::Uuid(u) => out.extend_from_slice(u.as_bytes()),
            Value::Bytes(b) => write_sized(out, b),
            Value::Tuple(parts) => {
                out.extend_from_slice(&(parts.len() as u64).to_be_bytes());
                for part in parts.iter() {
                    match part {
                        Some(v) => v.write_canonical(out),
                        None => out.push(0),
                    }
                }
            }
        }
    }

    /// The inverse of [`Value::write_canonical`]; all bytes must be used.
    pub fn from_canonical(bytes: &[u8]) -> Result<Value> {
        let mut rest = bytes;
        match read(&mut rest, 0)? {
            Some(v) if rest.is_empty() => Ok(v),
            _ => Err(Error::data("value", "not one canonical value")),
        }
    }
}

fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    let (head, tail) = rest
        .split_at_checked(n)
        .ok_or_else(|| Error::data("value", "canonical bytes end too early"))?;
    *rest = tail;
    Ok(head)
}

fn read_u64(rest: &mut &[u8]) -> Result<u64> {
    let mut b = [0; 8];
    b.copy_from_slice(take(rest, 8)?);
    Ok(u64::from_be_bytes(b))
}

fn read_sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let n = read_u64(rest)?;
    take(rest, usize::try_from(n).unwrap_or(usize::MAX))
}

fn read_text(rest: &mut &[u8]) -> Result<Arc<str>> {
    let text = std::str::from_utf8(read_sized(rest)?).map_err(|e| Error::data("value", e))?;
    Ok(text.into())
}

fn read(rest: &mut &[u8], depth: usize) -> Result<Option<Value>> {
    let tag = take(rest, 1)?[0];
    if tag == 0 {
        return Ok(None);
    }
    let ty = ValueType::ALL
        .into_iter()
        .find(|t| *t as u8 == tag)
        .ok_or_else(|| Error::data("value", format!("unknown type byte {tag}")))?;
    Ok(Some(match ty {
        ValueType::Boolean => Value::Boolean(take(rest, 1)?[0] != 0),
        ValueType::Long => Value::Long(read_u64(rest)? as i64),
        ValueType::Instant => Value::Instant(read_u64(rest)? as i64),
        ValueType::Ref => Value::Ref(read_u64(rest)? as i64),
        ValueType::Double => Value::Double(f64::from_bits(read_u64(rest)?)),
        ValueType::Bigint => {
            Value::Bigint(Arc::new(BigInt::from_signed_bytes_be(read_sized(rest)?)))
        }
        ValueType::Bigdec => {
            let scale = read_u64(rest)? as i64;
            Value::Bigdec(Arc::new(BigDecimal::new(
                BigInt::from_signed_bytes_be(read_sized(rest)?),
                scale,
            )))
        }
        ValueType::String => Value::String(read_text(rest)?),
        ValueType::Keyword => Value::Keyword(read_text(rest)?),
        ValueType::Symbol => Value::Symbol(read_text(rest)?),
        ValueType::Uri => Value::Uri(read_text(rest)?),
        ValueType::Uuid => {
            let mut b = [0; 16];
            b.copy_from_slice(take(rest, 16)?);
            Value::Uuid(uuid::Uuid::from_bytes(b))
        }
        ValueType::Bytes => Value::Bytes(read_sized(rest)?.into()),
        ValueType::Tuple => {
            if depth >= MAX_DEPTH {
                return Err(Error::data("value", "tuples nested too deep"));
            }
            let n = read_u64(rest)?;
            if n > rest.len() as u64 {
                return Err(Error::data("value", "tuple longer than its bytes"));
            }
            Value::Tuple((0..n).map(|_| read(rest, depth + 1)).collect::<Result<_>>()?)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(v: Value) {
        let mut bytes = Vec::new();
        v.write_canonical(&mut bytes);
        assert_eq!(Value::from_canonical(&bytes).ok(), Some(v));
        assert!(Value::from_canonical(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn round_trip() {
        check(Value::Boolean(true));
        check(Value::Long(-5));
        check(Value::Double(-0.0));
        check(Value::Bigint(Arc::new(BigInt::from(-129))));
        check(Value::Bigdec(Arc::new(BigDecimal::new(BigInt::from(100), 2))));
        check(Value::string("naïve \u{1F600}"));
        check(Value::keyword("a/b"));
        check(Value::Uuid(uuid::Uuid::from_u128(7)));
        check(Value::Tuple([Some(Value::Long(1)), None, Some(Value::string("x"))].into()));
    }
}
