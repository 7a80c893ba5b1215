//! The text of bytea, as Postgres reads it; a cast would take the text's own bytes.

use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Value};

/// `\x0102`, or the older form: bytes as they are, `\\` and `\nnn`.
pub fn decode(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => decode_hex(hex),
        None => decode_escapes(text),
    }
}

fn decode_hex(hex: &str) -> Result<Vec<u8>> {
    let digit = |c: char| {
        c.to_digit(16).ok_or_else(|| {
            let message = format!("invalid hexadecimal digit: \"{c}\"");
            Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })
    };
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut digits = hex.chars().filter(|c| !c.is_ascii_whitespace());
    while let Some(high) = digits.next() {
        let low = digits.next().ok_or_else(|| {
            let message = "invalid hexadecimal data: odd number of digits";
            Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })?;
        out.push((digit(high)? * 16 + digit(low)?) as u8);
    }
    Ok(out)
}

fn decode_escapes(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                out.push(b'\\');
                after
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            (b'\\', _) => {
                return Err(Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea",
                ));
            }
            (byte, after) => {
                out.push(*byte);
                after
            }
        };
    }
    Ok(out)
}

/// `'\x0102'::bytea` as the bytes that it stands for; None: it is something else.
pub fn literal(e: &Expr) -> Option<Result<Expr>> {
    let Expr::Cast { kind, expr, data_type: DataType::Bytea, .. } = e else { return None };
    let Expr::Value(v) = expr.as_ref() else { return None };
    let Value::SingleQuotedString(text) = &v.value else { return None };
    if matches!(kind, CastKind::TryCast | CastKind::SafeCast) {
        return None;
    }
    Some(decode(text).map(|bytes| {
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Expr::Value(Value::HexStringLiteral(hex).with_span(v.span))
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_forms() {
        let check = |text: &str, expect: &[u8]| assert_eq!(decode(text).unwrap(), expect, "{text}");
        check("", b"");
        check("\\x", b"");
        check("\\x01fF 02", &[1, 255, 2]);
        check("a\\\\\\001ä", b"a\\\x01\xc3\xa4");
        for (bad, state) in
            [("\\x0", "22023"), ("\\x0g", "22023"), ("\\9", "22P02"), ("a\\", "22P02")]
        {
            assert_eq!(decode(bad).unwrap_err().state.as_str(), state, "{bad}");
        }
    }
}
