//! Instants, dates and times of day, in ISO 8601 as Postgres writes it.

use super::values;
use crate::pg::encode::Write;
use crate::pg::encode::calendar::{DAY, Zone, civil, micros};
use crate::pg::errors;
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::*;

/// With a zone: an instant, shown as of there; without: a date and time of day.
pub fn timestamp(array: &ArrayRef, unit: TimeUnit, zone: Option<Zone>) -> Write {
    let micros = timestamps(array, unit);
    Box::new(move |row, out| {
        let value = micros(row).ok_or_else(|| errors::error("22008", "timestamp out of range"))?;
        write_timestamp(value, zone.as_ref(), out);
        Ok(())
    })
}

/// Microseconds since 1970; None: out of range.
pub fn timestamps(
    array: &ArrayRef,
    unit: TimeUnit,
) -> impl Fn(usize) -> Option<i64> + Send + Sync + use<> {
    let to_micros = micros(unit);
    let array = match unit {
        TimeUnit::Second => values::<TimestampSecondType>(array).values().clone(),
        TimeUnit::Millisecond => values::<TimestampMillisecondType>(array).values().clone(),
        TimeUnit::Microsecond => values::<TimestampMicrosecondType>(array).values().clone(),
        TimeUnit::Nanosecond => values::<TimestampNanosecondType>(array).values().clone(),
    };
    move |row| array.get(row).copied().and_then(to_micros)
}

pub fn write_timestamp(value: i64, zone: Option<&Zone>, out: &mut BytesMut) {
    match value {
        i64::MAX => return out.put_slice(b"infinity"),
        i64::MIN => return out.put_slice(b"-infinity"),
        _ => {}
    }
    let offset = zone.map(|zone| zone.offset(value));
    let local = value.saturating_add(offset.unwrap_or(0) * 1_000_000);
    let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let bc = put_date(days, out);
    out.put_u8(b' ');
    put_time(of_day, out);
    if let Some(offset) = offset {
        put_offset(offset, out);
    }
    if bc {
        out.put_slice(b" BC");
    }
}

pub fn date(array: &ArrayRef) -> Write {
    let days: Box<dyn Fn(usize) -> i64 + Send + Sync> = match array.data_type() {
        DataType::Date32 => {
            let array = values::<Date32Type>(array);
            Box::new(move |row| array.value(row).into())
        }
        _ => {
            let array = values::<Date64Type>(array);
            Box::new(move |row| array.value(row).div_euclid(86_400_000))
        }
    };
    Box::new(move |row, out| {
        if put_date(days(row), out) {
            out.put_slice(b" BC");
        }
        Ok(())
    })
}

pub fn time(array: &ArrayRef) -> Write {
    let of_day = time_of_day(array);
    Box::new(move |row, out| {
        put_time(of_day(row), out);
        Ok(())
    })
}

/// Microseconds since midnight.
pub fn time_of_day(array: &ArrayRef) -> Box<dyn Fn(usize) -> i64 + Send + Sync> {
    match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            let array = values::<Time32SecondType>(array);
            Box::new(move |row| i64::from(array.value(row)) * 1_000_000)
        }
        DataType::Time32(_) => {
            let array = values::<Time32MillisecondType>(array);
            Box::new(move |row| i64::from(array.value(row)) * 1000)
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            let array = values::<Time64NanosecondType>(array);
            Box::new(move |row| array.value(row).div_euclid(1000))
        }
        _ => {
            let array = values::<Time64MicrosecondType>(array);
            Box::new(move |row| array.value(row))
        }
    }
}

/// True: before the year 1, which is said at the end.
fn put_date(days: i64, out: &mut BytesMut) -> bool {
    let (year, month, day) = civil(days);
    let bc = year <= 0;
    let year = if bc { 1 - year } else { year };
    match u32::try_from(year) {
        Ok(year) if year < 10_000 => {
            put2(year / 100, out);
            put2(year % 100, out);
        }
        _ => out.put_slice(itoa::Buffer::new().format(year).as_bytes()),
    }
    out.put_u8(b'-');
    put2(month, out);
    out.put_u8(b'-');
    put2(day, out);
    bc
}

fn put_time(of_day: i64, out: &mut BytesMut) {
    let seconds = of_day / 1_000_000;
    put2((seconds / 3600) as u32, out);
    out.put_u8(b':');
    put2((seconds / 60 % 60) as u32, out);
    out.put_u8(b':');
    put2((seconds % 60) as u32, out);
    put_fraction((of_day % 1_000_000) as u32, out);
}

/// Microseconds after the point, without zeros at the end.
pub fn put_fraction(micros: u32, out: &mut BytesMut) {
    if micros == 0 {
        return;
    }
    let (mut left, mut digits) = (micros, 6);
    while left % 10 == 0 {
        left /= 10;
        digits -= 1;
    }
    let mut text = [b'0'; 7];
    text[0] = b'.';
    for place in text.iter_mut().take(digits + 1).skip(1).rev() {
        *place = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.put_slice(text.get(..=digits).unwrap_or_default());
}

/// `+01`, `-03:30`, `+00:53:28`.
fn put_offset(offset: i64, out: &mut BytesMut) {
    out.put_u8(if offset < 0 { b'-' } else { b'+' });
    let offset = offset.unsigned_abs() as u32;
    let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
    put2(hours, out);
    if minutes != 0 || seconds != 0 {
        out.put_u8(b':');
        put2(minutes, out);
    }
    if seconds != 0 {
        out.put_u8(b':');
        put2(seconds, out);
    }
}

/// At least two digits.
pub fn put2(n: u32, out: &mut BytesMut) {
    if n < 100 {
        out.put_slice(&[b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]);
    } else {
        out.put_slice(itoa::Buffer::new().format(n).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{
        Style,
        tests::{check, texts},
    };
    use super::*;
    use datafusion::arrow::array::*;
    use std::sync::Arc;

    #[test]
    fn timestamps() {
        let of = |micros: i64, expect: &str| {
            check(TimestampMicrosecondArray::from(vec![micros]), &[expect]);
        };
        of(0, "1970-01-01 00:00:00");
        of(1_767_225_600_000_000, "2026-01-01 00:00:00");
        of(-1, "1969-12-31 23:59:59.999999");
        of(1_500_000, "1970-01-01 00:00:01.5");
        of(10, "1970-01-01 00:00:00.00001");
        of(253_402_300_800_000_000, "10000-01-01 00:00:00");
        of(-62_135_596_800_000_001, "0001-12-31 23:59:59.999999 BC");
        of(i64::MAX, "infinity");
        check(TimestampNanosecondArray::from(vec![-1]), &["1969-12-31 23:59:59.999999"]);
        check(TimestampSecondArray::from(vec![1]), &["1970-01-01 00:00:01"]);
    }

    #[test]
    fn instants_in_the_zone_of_the_session() {
        let of = |zone: &str, micros: i64, expect: &str| {
            let array: ArrayRef =
                Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"));
            let style = Style { zone: Zone::parse(zone).unwrap(), ..Style::default() };
            assert_eq!(texts(array, &style), [Some(expect.to_owned())]);
        };
        of("UTC", 1_767_225_600_000_000, "2026-01-01 00:00:00+00");
        of("Europe/Berlin", 1_767_225_600_000_000, "2026-01-01 01:00:00+01");
        of("Europe/Berlin", 1_782_864_000_000_000, "2026-07-01 02:00:00+02");
        of("-03:30", 0, "1969-12-31 20:30:00-03:30");
        of("Europe/Berlin", -4_000_000_000_000_000, "1843-03-31 17:46:48+00:53:28");
        of("UTC", -62_135_596_800_000_001, "0001-12-31 23:59:59.999999+00 BC");
    }

    #[test]
    fn dates_and_times() {
        check(
            Date32Array::from(vec![0, 20_454, -719_163]),
            &["1970-01-01", "2026-01-01", "0001-12-31 BC"],
        );
        check(Date64Array::from(vec![-1]), &["1969-12-31"]);
        check(Time64MicrosecondArray::from(vec![0, 45_296_789_000]), &["00:00:00", "12:34:56.789"]);
        check(Time32SecondArray::from(vec![86_399]), &["23:59:59"]);
    }
}
