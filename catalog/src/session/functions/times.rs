//! Times by their fields, where they are read and made: in the session's zone.

use super::moment::Moment;
use chrono::{DateTime, Offset, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;

/// What clocks and calendars say at these instants, timestamps or dates.
pub fn moments(x: &ArrayRef, zone: &str) -> Result<Vec<Option<Moment>>> {
    let zoned = match x.data_type() {
        DataType::Timestamp(_, Some(_)) => Some(zone.parse::<Tz>()?),
        DataType::Time32(_) | DataType::Time64(_) => {
            let micros = cast(x, &DataType::Time64(TimeUnit::Microsecond))?;
            let micros = cast(&micros, &DataType::Int64)?;
            let of_day = |v: i64| {
                DateTime::from_timestamp_micros(v).map(|t| Moment {
                    year: 0,
                    date: None,
                    interval: true,
                    ..Moment::of(t.naive_utc())
                })
            };
            let micros = micros.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
            return Ok(micros.iter().map(|v| v.and_then(of_day)).collect());
        }
        _ => None,
    };
    let to = match zoned {
        Some(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        None => DataType::Timestamp(TimeUnit::Microsecond, None),
    };
    let x = cast(x, &to)?;
    let x = x.as_primitive::<TimestampMicrosecondType>();
    let mut out = Vec::with_capacity(x.len());
    for v in x.iter() {
        let Some(v) = v else {
            out.push(None);
            continue;
        };
        let Some(utc) = DateTime::from_timestamp_micros(v).map(|t| t.naive_utc()) else {
            return Err(super::refused("22008", "timestamp out of range"));
        };
        out.push(Some(match &zoned {
            None => Moment::of(utc),
            Some(tz) => {
                let offset = tz.offset_from_utc_datetime(&utc);
                let seconds = offset.fix().local_minus_utc();
                let local = utc + chrono::TimeDelta::seconds(seconds.into());
                let zone = if zone == "UTC" { zone.to_owned() } else { offset.to_string() };
                Moment { offset: seconds.into(), zone, ..Moment::of(local) }
            }
        }));
    }
    Ok(out)
}
