//! `to_date` and `to_timestamp` of a text by a template.

use super::read::{Time, Wrong, read};
use super::template::{Part, parts};
use super::{refused, zone};
use chrono::TimeZone;
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, AsArray, Date32Array, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// `dao_time_of(text, template)`: an instant; `to_date(text, template)`: a date.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TimeOf {
    date: bool,
    signature: Signature,
}

pub const TIME_OF: &str = "dao_time_of";

impl TimeOf {
    pub fn new(date: bool) -> Self {
        TimeOf { date, signature: Signature::any(2, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for TimeOf {
    fn name(&self) -> &str {
        if self.date { "to_date" } else { TIME_OF }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.date {
            true => DataType::Date32,
            false => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        })
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone: Tz = zone(&args).parse()?;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [text, template] = arrays.as_slice() else {
            return plan_err!("{} takes a text and a template", self.name());
        };
        let (text, template) = (cast(text, &DataType::Utf8)?, cast(template, &DataType::Utf8)?);
        let (text, template) = (text.as_string::<i32>(), template.as_string::<i32>());
        // One template for all rows is the rule.
        let mut known: Option<(&str, Vec<Part>)> = None;
        let mut out = Vec::with_capacity(text.len());
        for (text, template) in text.iter().zip(template.iter()) {
            let (Some(text), Some(template)) = (text, template) else {
                out.push(None);
                continue;
            };
            let parts = match known.take() {
                Some((of, parts)) if of == template => parts,
                _ => parts(template),
            };
            out.push(Some(read(text, &parts).map_err(|wrong| told(wrong, text))?));
            known = Some((template, parts));
        }
        Ok(ColumnarValue::Array(match self.date {
            // A zone says nothing of a date.
            true => {
                let days = |t: Time| t.wall.date().to_epoch_days();
                Arc::new(Date32Array::from_iter(out.into_iter().map(|t| t.map(days))))
            }
            false => {
                let instants = out.into_iter().map(|t| t.map(|t| instant(&t, zone)).transpose());
                let instants = instants.collect::<Result<Vec<_>>>()?;
                Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC"))
            }
        }))
    }
}

/// A time without a zone is one of the session's.
fn instant(time: &Time, zone: Tz) -> Result<i64> {
    let wall = time.wall.and_utc().timestamp_micros();
    let instant = match time.offset {
        Some(offset) => wall.checked_sub(offset * 1_000_000),
        // Of two such times the first; one that no clock showed is as far after the gap as it says.
        None => match zone.from_local_datetime(&time.wall).earliest() {
            Some(instant) => Some(instant.timestamp_micros()),
            None => {
                let before = time.wall - chrono::TimeDelta::hours(3);
                let before = zone.from_local_datetime(&before).earliest();
                before.and_then(|t| t.timestamp_micros().checked_add(3 * 3_600_000_000))
            }
        },
    };
    instant.ok_or_else(|| refused("22008", "timestamp out of range"))
}

fn told(wrong: Wrong, text: &str) -> DataFusionError {
    match wrong {
        Wrong::Value(text) => refused("22007", text),
        Wrong::Range => refused("22008", format!("date/time field value out of range: \"{text}\"")),
        Wrong::Field(name) => {
            refused("0A000", format!("formatting field \"{name}\" is only supported in to_char"))
        }
    }
}
