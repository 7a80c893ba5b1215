//! Rows as psql prints them: written apart from the wire's own encoder, so that each is a check of the other.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::arrow::util::display::array_value_to_string;

/// Each row's values; `NULL` for none.
pub fn rows(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let value = |column: &ArrayRef| value(column, row).unwrap_or_else(|| "NULL".into());
            out.push(batch.columns().iter().map(value).collect());
        }
    }
    out
}

/// One value; None for null.
pub fn value(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Null => return None,
        DataType::Boolean => boolean(array.as_boolean().value(row)).to_owned(),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => float32(array.as_primitive::<Float32Type>().value(row)),
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Microsecond => std::sync::Arc::clone(array),
                _ => cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).ok()?,
            };
            let us = micros.as_primitive::<TimestampMicrosecondType>().value(row);
            timestamp(us, zone.is_some())
        }
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Decimal128(_, _) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let binary = cast(array, &DataType::LargeBinary).ok()?;
            bytes(binary.as_binary::<i64>().value(row))
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Dictionary(_, of) => return value(&cast(array, of).ok()?, row),
        _ => array_value_to_string(array, row).ok()?,
    })
}

pub fn boolean(b: bool) -> &'static str {
    if b { "t" } else { "f" }
}

/// As float8out: the shortest text that reads back the same.
pub fn float(d: f64) -> String {
    if d.is_nan() {
        return "NaN".into();
    }
    if d.is_infinite() {
        return if d > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    exponent(format!("{d:e}"), d.to_string(), d == 0.0)
}

fn float32(d: f32) -> String {
    if d.is_finite() {
        exponent(format!("{d:e}"), d.to_string(), d == 0.0)
    } else {
        float(d.into())
    }
}

/// Postgres writes an exponent below -4 and from 15 digits on (float8): `1e+20`, `1e-05`.
fn exponent(scientific: String, plain: String, zero: bool) -> String {
    let Some((digits, exp)) = scientific.split_once('e') else { return plain };
    let exp: i32 = exp.parse().unwrap_or(0);
    if zero || (-4..15).contains(&exp) {
        return plain;
    }
    format!("{digits}e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs())
}

/// ISO, as `timestamptz` or `timestamp` prints; the session's time zone is UTC.
pub fn timestamp(us: i64, zone: bool) -> String {
    let Some(at) = chrono::DateTime::from_timestamp_micros(us) else { return format!("{us}us") };
    let mut text = at.format("%Y-%m-%d %H:%M:%S").to_string();
    let micros = us.rem_euclid(1_000_000);
    if micros > 0 {
        text.push_str(format!(".{micros:06}").trim_end_matches('0'));
    }
    if zone {
        text.push_str("+00");
    }
    text
}

pub fn date(days: i32) -> String {
    let at = chrono::DateTime::from_timestamp(i64::from(days) * 86_400, 0);
    at.map_or_else(|| format!("{days} days"), |at| at.format("%Y-%m-%d").to_string())
}

/// `\x0102`
pub fn bytes(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |text, b| text + &format!("{b:02x}"))
}

fn list(items: &ArrayRef) -> String {
    let texts = (0..items.len()).map(|i| value(items, i));
    match items.data_type() {
        DataType::List(_) | DataType::LargeList(_) => {
            let inner: Vec<String> = texts.map(|t| t.unwrap_or_else(|| "NULL".into())).collect();
            format!("{{{}}}", inner.join(","))
        }
        _ => array(texts),
    }
}

/// As `array_out` writes it.
pub fn array(items: impl Iterator<Item = Option<String>>) -> String {
    let items: Vec<String> = items
        .map(|item| match item {
            None => "NULL".into(),
            Some(text) if plain(&text) => text,
            Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

fn plain(text: &str) -> bool {
    let special = |c: char| "{}\",\\".contains(c) || c.is_ascii_whitespace() || c == '\u{b}';
    !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.contains(special)
}
