//! Numbers: `1`, `-1`, `1N`, `1.5`, `1e9`, `1.50M`. A whole number that is no long is a bigint, as Clojure reads it.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use daodb_storage::Value;
use std::str::FromStr;
use std::sync::Arc;

/// Reading digits takes time that grows with their square.
const DIGITS: usize = 10_000;
/// A decimal of a few letters must not be gigabytes written out.
const EXPONENT: u32 = 100_000;

/// Why a token that begins as a number is none.
pub(super) fn number(token: &str) -> Result<Value, String> {
    if token.len() > DIGITS {
        return Err(format!("a number of more than {DIGITS} digits"));
    }
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let wrong = || format!("{token} is no number");
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(digits);
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(format!("{token} begins with a zero"));
    }
    let token = token.strip_prefix('+').unwrap_or(token);
    match rest {
        "" => match token.parse() {
            Ok(n) => Ok(Value::Long(n)),
            Err(_) => bigint(token).ok_or_else(wrong),
        },
        "N" => bigint(token.trim_end_matches('N')).ok_or_else(wrong),
        "M" => bigdec(token.trim_end_matches('M')).ok_or_else(wrong),
        _ => {
            let exact = rest.ends_with('M');
            let rest = rest.strip_suffix('M').unwrap_or(rest);
            let exponent = fraction_and_exponent(rest).ok_or_else(wrong)?;
            if exact {
                return match exponent <= EXPONENT {
                    true => bigdec(token.trim_end_matches('M')).ok_or_else(wrong),
                    false => Err(format!("{token} has an exponent beyond {EXPONENT}")),
                };
            }
            token.parse().map(Value::Double).map_err(|_| wrong())
        }
    }
}

/// The exponent's size of `.5e-3`; None where it is not what may follow digits.
fn fraction_and_exponent(text: &str) -> Option<u32> {
    let text = match text.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => text,
    };
    if text.is_empty() {
        return Some(0);
    }
    let exponent = text.strip_prefix(['e', 'E'])?;
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if exponent.is_empty() || !exponent.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // More digits than a u32 has are large as well.
    Some(exponent.parse().unwrap_or(u32::MAX))
}

fn bigint(text: &str) -> Option<Value> {
    BigInt::from_str(text).ok().map(|n| Value::Bigint(Arc::new(n)))
}

fn bigdec(text: &str) -> Option<Value> {
    // `1.M` is one for Clojure.
    let text = text.strip_suffix('.').unwrap_or(text);
    BigDecimal::from_str(text).ok().map(|d| Value::Bigdec(Arc::new(d)))
}
