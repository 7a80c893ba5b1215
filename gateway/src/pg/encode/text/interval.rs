//! Intervals in IntervalStyle `postgres`: `1 year 2 mons -3 days +04:05:06.7`.

use super::time::{put_fraction, put2};
use super::values;
use crate::pg::encode::Write;
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::*;

/// Postgres's interval: three parts that do not carry into each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

const DAY: i64 = 86_400_000_000;

/// The n-th interval of an interval or duration column.
pub fn intervals(array: &ArrayRef) -> Box<dyn Fn(usize) -> Interval + Send + Sync> {
    // A difference of two timestamps, which Postgres counts in days and hours.
    fn of(micros: i64) -> Interval {
        // At most 106,751,992 days in 64 bits.
        Interval { months: 0, days: (micros / DAY) as i32, micros: micros % DAY }
    }
    match array.data_type() {
        DataType::Interval(IntervalUnit::YearMonth) => {
            let array = values::<IntervalYearMonthType>(array);
            Box::new(move |row| Interval { months: array.value(row), ..Interval::default() })
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let array = values::<IntervalDayTimeType>(array);
            Box::new(move |row| {
                let v = array.value(row);
                Interval { days: v.days, micros: i64::from(v.milliseconds) * 1000, months: 0 }
            })
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let array = values::<IntervalMonthDayNanoType>(array);
            Box::new(move |row| {
                let v = array.value(row);
                Interval { months: v.months, days: v.days, micros: v.nanoseconds / 1000 }
            })
        }
        DataType::Duration(TimeUnit::Second) => {
            let array = values::<DurationSecondType>(array);
            Box::new(move |row| of(array.value(row).saturating_mul(1_000_000)))
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            let array = values::<DurationMillisecondType>(array);
            Box::new(move |row| of(array.value(row).saturating_mul(1000)))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            let array = values::<DurationMicrosecondType>(array);
            Box::new(move |row| of(array.value(row)))
        }
        _ => {
            let array = values::<DurationNanosecondType>(array);
            Box::new(move |row| of(array.value(row) / 1000))
        }
    }
}

pub fn writer(array: &ArrayRef) -> Write {
    let interval = intervals(array);
    Box::new(move |row, out| {
        interval(row).write(out);
        Ok(())
    })
}

impl Interval {
    pub fn write(self, out: &mut BytesMut) {
        let start = out.len();
        let mut negative_before = false;
        for (value, unit) in
            [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")]
        {
            if value == 0 {
                continue;
            }
            if out.len() > start {
                out.put_u8(b' ');
            }
            if negative_before && value > 0 {
                out.put_u8(b'+');
            }
            out.put_slice(itoa::Buffer::new().format(value).as_bytes());
            out.put_u8(b' ');
            out.put_slice(unit.as_bytes());
            if value != 1 {
                out.put_u8(b's');
            }
            negative_before = value < 0;
        }
        if self.micros != 0 || out.len() == start {
            if out.len() > start {
                out.put_u8(b' ');
            }
            if self.micros < 0 {
                out.put_u8(b'-');
            } else if negative_before {
                out.put_u8(b'+');
            }
            put_clock(self.micros.unsigned_abs(), out);
        }
    }
}

/// Hours may have more than two digits.
fn put_clock(micros: u64, out: &mut BytesMut) {
    let seconds = micros / 1_000_000;
    let hours = seconds / 3600;
    match u32::try_from(hours) {
        Ok(hours) => put2(hours, out),
        Err(_) => out.put_slice(itoa::Buffer::new().format(hours).as_bytes()),
    }
    out.put_u8(b':');
    put2((seconds / 60 % 60) as u32, out);
    out.put_u8(b':');
    put2((seconds % 60) as u32, out);
    put_fraction((micros % 1_000_000) as u32, out);
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use datafusion::arrow::array::*;

    #[test]
    fn intervals_as_postgres_prints_them() {
        let check = |months, days, micros, expect: &str| {
            let mut out = BytesMut::new();
            Interval { months, days, micros }.write(&mut out);
            assert_eq!(out, expect.as_bytes());
        };
        check(0, 0, 0, "00:00:00");
        check(14, 3, 14_706_789_000, "1 year 2 mons 3 days 04:05:06.789");
        check(-14, 3, -14_706_000_000, "-1 years -2 mons +3 days -04:05:06");
        check(-12, 0, 1_000_000, "-1 years +00:00:01");
        check(1, 1, 0, "1 mon 1 day");
        check(0, -1, 0, "-1 days");
        check(0, 0, 360_000_000_000 * 10, "1000:00:00");
        check(0, 0, -1, "-00:00:00.000001");
    }

    #[test]
    fn every_arrow_type_of_them() {
        check(IntervalYearMonthArray::from(vec![13]), &["1 year 1 mon"]);
        check(
            IntervalDayTimeArray::from(vec![IntervalDayTimeType::make_value(1, 1500)]),
            &["1 day 00:00:01.5"],
        );
        check(
            IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNanoType::make_value(1, 2, 3000)]),
            &["1 mon 2 days 00:00:00.000003"],
        );
        check(DurationSecondArray::from(vec![-90]), &["-00:01:30"]);
        check(
            DurationSecondArray::from(vec![90_000, -90_000]),
            &["1 day 01:00:00", "-1 days -01:00:00"],
        );
        check(DurationNanosecondArray::from(vec![1000]), &["00:00:00.000001"]);
    }
}
