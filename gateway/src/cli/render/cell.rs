//! One value as Postgres prints it.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use std::fmt::Write;

const OPTIONS: FormatOptions<'static> = FormatOptions::new()
    .with_display_error(false)
    .with_duration_format(DurationFormat::Pretty)
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f+00"));

/// The values of a batch.
pub struct Cells<'a>(Vec<Column<'a>>);

struct Column<'a> {
    array: &'a dyn Array,
    formatter: ArrayFormatter<'a>,
}

impl<'a> Cells<'a> {
    pub fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        batch.columns().iter().map(|c| Column::of(c.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// None for an absent value.
    pub fn text(&self, column: usize, row: usize) -> Result<Option<String>, ArrowError> {
        self.0[column].text(row)
    }
}

impl<'a> Column<'a> {
    fn of(array: &'a dyn Array) -> Result<Self, ArrowError> {
        Ok(Self { array, formatter: ArrayFormatter::try_new(array, &OPTIONS)? })
    }

    fn text(&self, row: usize) -> Result<Option<String>, ArrowError> {
        if self.array.is_null(row) || self.array.data_type() == &DataType::Null {
            return Ok(None);
        }
        Ok(Some(match self.array.data_type() {
            DataType::Boolean => if self.array.as_boolean().value(row) { "t" } else { "f" }.into(),
            DataType::List(_) => list(self.array.as_list::<i32>().value(row).as_ref())?,
            DataType::LargeList(_) => list(self.array.as_list::<i64>().value(row).as_ref())?,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                format!("\\x{}", self.formatter.value(row).try_to_string()?)
            }
            DataType::Float64 | DataType::Float32 => {
                let text = self.formatter.value(row).try_to_string()?;
                text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
            }
            DataType::Timestamp(..) => short_fraction(self.formatter.value(row).try_to_string()?),
            _ => self.formatter.value(row).try_to_string()?,
        }))
    }
}

/// `{a,"b c",NULL}`
fn list(items: &dyn Array) -> Result<String, ArrowError> {
    let items = Column::of(items)?;
    let mut out = String::from("{");
    for row in 0..items.array.len() {
        if row > 0 {
            out.push(',');
        }
        match items.text(row)? {
            None => out.push_str("NULL"),
            Some(text) if matches!(items.array.data_type(), DataType::List(_)) => {
                out.push_str(&text);
            }
            Some(text) => match needs_quotes(&text) {
                false => out.push_str(&text),
                true => {
                    let _ = write!(out, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
                }
            },
        }
    }
    out.push('}');
    Ok(out)
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.contains(|c: char| c.is_whitespace() || "{},\"\\".contains(c))
}

/// Postgres drops the zeros at the end of a second's fraction.
fn short_fraction(text: String) -> String {
    let Some((whole, rest)) = text.split_once('.') else { return text };
    let (digits, zone) = rest.split_at(rest.find('+').unwrap_or(rest.len()));
    format!("{whole}.{}{zone}", digits.trim_end_matches('0'))
}

/// Printed to the right.
pub fn is_number(ty: &DataType) -> bool {
    ty.is_numeric()
}
