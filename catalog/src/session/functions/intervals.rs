//! Arithmetic of intervals and times, as in Postgres.

use super::moment::Moment;
use super::refused;
use super::rowwise::RowWise;
use super::times::moments;
use chrono::{Datelike, NaiveDate};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const WALL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const DAY: i64 = 86_400_000_000_000;

pub fn functions() -> Vec<ScalarUDF> {
    let int = || DataType::Int64;
    vec![
        times(),
        divided(),
        RowWise::udf("age", Err(2), INTERVAL, age),
        RowWise::udf("justify_days", Ok(vec![INTERVAL]), INTERVAL, |a, _| {
            interval(&a[0]).map(|v| of(months_of_days(v)))
        }),
        RowWise::udf("justify_hours", Ok(vec![INTERVAL]), INTERVAL, |a, _| {
            interval(&a[0]).map(|v| of(days_of_hours(v)))
        }),
        RowWise::udf("justify_interval", Ok(vec![INTERVAL]), INTERVAL, |a, _| {
            interval(&a[0]).map(|v| of(justified(v)))
        }),
        RowWise::udf(
            "make_timestamp",
            Ok(vec![int(), int(), int(), int(), int(), DataType::Float64]),
            WALL,
            make_timestamp,
        ),
    ]
}

/// `interval * number`
pub fn times() -> ScalarUDF {
    let args = Ok(vec![INTERVAL, DataType::Float64]);
    RowWise::udf("dao_interval_times", args, INTERVAL, |a, _| scaled(a, |x, by| x * by))
}

/// `interval / number`
pub fn divided() -> ScalarUDF {
    let args = Ok(vec![INTERVAL, DataType::Float64]);
    RowWise::udf("dao_interval_divided", args, INTERVAL, |a, _| match &a[1] {
        ScalarValue::Float64(Some(0.0)) => Err(refused("22012", "division by zero")),
        _ => scaled(a, |x, by| x / by),
    })
}

/// A part of an interval, by its name, whole.
pub fn part_of() -> ScalarUDF {
    RowWise::udf("dao_interval_part", Err(2), DataType::Int32, part)
}

/// The seconds of an interval, with their fraction.
pub fn epoch_of() -> ScalarUDF {
    RowWise::udf("dao_interval_epoch", Err(1), DataType::Float64, |a, _| {
        let v = between(&a[0])?;
        let (years, months) = (f64::from(v.months / 12), f64::from(v.months % 12));
        let days = years * 365.25 + months * 30.0 + f64::from(v.days);
        Ok(ScalarValue::Float64(Some(days * 86_400.0 + v.nanoseconds as f64 / 1e9)))
    })
}

fn part(args: &[ScalarValue], _: &str) -> Result<ScalarValue> {
    let (name, v) = (args[0].try_as_str().flatten().unwrap_or_default(), between(&args[1])?);
    let (years, micros) = (i64::from(v.months / 12), v.nanoseconds / 1000);
    let seconds = micros / 1_000_000;
    let n = match name.strip_suffix('s').unwrap_or(name) {
        "millennium" | "millennia" => years / 1000,
        "century" | "centurie" => years / 100,
        "decade" => years / 10,
        "year" => years,
        "quarter" => i64::from(v.months % 12) / 3 + 1,
        "month" => i64::from(v.months % 12),
        "day" => i64::from(v.days),
        "hour" => seconds / 3600,
        "minute" => seconds / 60 % 60,
        "second" => seconds % 60,
        "millisecond" => micros % 60_000_000 / 1000,
        "microsecond" => micros % 60_000_000,
        _ => {
            let text = format!("unit \"{name}\" not supported for type interval");
            return Err(refused("0A000", text));
        }
    };
    let n = i32::try_from(n).map_err(|_| refused("22008", "interval out of range"))?;
    Ok(ScalarValue::Int32(Some(n)))
}

/// An interval; what lies between two times in days and what is left.
fn between(v: &ScalarValue) -> Result<IntervalMonthDayNano> {
    match v {
        ScalarValue::IntervalMonthDayNano(_) => interval(v),
        v => interval(&v.cast_to(&INTERVAL)?).map(days_of_hours),
    }
}

fn interval(v: &ScalarValue) -> Result<IntervalMonthDayNano> {
    match v {
        ScalarValue::IntervalMonthDayNano(Some(v)) => Ok(*v),
        other => exec_err!("{other} is no interval"),
    }
}

fn of(v: IntervalMonthDayNano) -> ScalarValue {
    ScalarValue::IntervalMonthDayNano(Some(v))
}

/// What is no whole month goes to the days, 30 a month, and what is no whole day to the time.
fn scaled(args: &[ScalarValue], by: fn(f64, f64) -> f64) -> Result<ScalarValue> {
    let [v, ScalarValue::Float64(Some(factor))] = args else {
        return exec_err!("an interval and a number are needed");
    };
    let v = interval(v)?;
    let (months, days) = (by(v.months.into(), *factor), by(v.days.into(), *factor));
    let time = by(v.nanoseconds as f64, *factor);
    // Six places, so that a third of three is one.
    let rounded = |x: f64| (x * 1e6).round() / 1e6;
    let more_days = rounded((months - months.trunc()) * 30.0);
    let mut seconds = rounded((days.fract() + more_days.fract()) * 86_400.0);
    let mut days = days.trunc() + more_days.trunc();
    if seconds.abs() >= 86_400.0 {
        let whole = (seconds / 86_400.0).trunc();
        (days, seconds) = (days + whole, seconds - whole * 86_400.0);
    }
    let nanoseconds = time + seconds * 1e9;
    let fits = |x: f64, most: f64| x.is_finite() && x.abs() < most;
    if !(fits(months, 2e9) && fits(days, 2e9) && fits(nanoseconds, 9e18)) {
        return Err(refused("22008", "interval out of range"));
    }
    // Postgres counts microseconds.
    let nanoseconds = (nanoseconds / 1000.0).round() as i64 * 1000;
    Ok(of(IntervalMonthDayNano::new(months.trunc() as i32, days as i32, nanoseconds)))
}

/// With one sign for both, as far as can be.
fn carried(large: i64, small: i64, of: i64) -> (i64, i64) {
    let (mut large, mut small) = (large + small / of, small % of);
    if large > 0 && small < 0 {
        (large, small) = (large - 1, small + of);
    } else if large < 0 && small > 0 {
        (large, small) = (large + 1, small - of);
    }
    (large, small)
}

fn months_of_days(v: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let (months, days) = carried(v.months.into(), v.days.into(), 30);
    IntervalMonthDayNano::new(saturated(months), saturated(days), v.nanoseconds)
}

fn days_of_hours(v: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let (days, nanoseconds) = carried(v.days.into(), v.nanoseconds, DAY);
    IntervalMonthDayNano::new(v.months, saturated(days), nanoseconds)
}

/// Hours to days to months, and then one sign for all.
fn justified(v: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let (mut days, mut time) = (i64::from(v.days) + v.nanoseconds / DAY, v.nanoseconds % DAY);
    let mut months = i64::from(v.months) + days / 30;
    days %= 30;
    if months > 0 && (days < 0 || (days == 0 && time < 0)) {
        (days, months) = (days + 30, months - 1);
    } else if months < 0 && (days > 0 || (days == 0 && time > 0)) {
        (days, months) = (days - 30, months + 1);
    }
    if days > 0 && time < 0 {
        (time, days) = (time + DAY, days - 1);
    } else if days < 0 && time > 0 {
        (time, days) = (time - DAY, days + 1);
    }
    IntervalMonthDayNano::new(saturated(months), saturated(days), time)
}

fn saturated(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX })
}

/// From the second to the first, in years, months and days of the calendar.
fn age(args: &[ScalarValue], zone: &str) -> Result<ScalarValue> {
    let moment = |v: &ScalarValue| -> Result<Moment> {
        // A text is a time as it is in a cast.
        let array = match v.data_type().is_temporal() {
            true => v.to_array()?,
            false => v.cast_to(&WALL)?.to_array()?,
        };
        match moments(&array, zone)?.pop().flatten() {
            Some(moment) => Ok(moment),
            None => exec_err!("age takes two times"),
        }
    };
    let (to, from) = (moment(&args[0])?, moment(&args[1])?);
    let fields = |m: &Moment| {
        let time = ((m.hour * 60 + m.minute) * 60 + m.second) * 1_000_000 + m.micros;
        [m.year, m.month, m.day, time]
    };
    let back = fields(&to) < fields(&from);
    let (later, earlier) = if back { (&from, &to) } else { (&to, &from) };
    let (a, b) = (fields(later), fields(earlier));
    let [mut years, mut months, mut days, mut time] =
        [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]];
    if time < 0 {
        (time, days) = (time + DAY / 1000, days - 1);
    }
    // A month is as long as the one that the earlier of both is in.
    while days < 0 {
        (days, months) = (days + days_of_month(earlier), months - 1);
    }
    if months < 0 {
        (months, years) = (months + 12, years - 1);
    }
    let sign = if back { -1 } else { 1 };
    let months = saturated((years * 12 + months) * sign);
    Ok(of(IntervalMonthDayNano::new(months, saturated(days * sign), time * sign * 1000)))
}

fn days_of_month(m: &Moment) -> i64 {
    let (year, month) = (i32::try_from(m.year), u32::try_from(m.month));
    let first = year.ok().zip(month.ok()).and_then(|(y, m)| NaiveDate::from_ymd_opt(y, m, 1));
    first.map_or(30, |d| i64::from(d.num_days_in_month()))
}

fn make_timestamp(args: &[ScalarValue], _: &str) -> Result<ScalarValue> {
    let int = |i: usize| match &args[i] {
        ScalarValue::Int64(Some(n)) => Some(*n),
        _ => None,
    };
    let made = || {
        let date = NaiveDate::from_ymd_opt(
            i32::try_from(int(0)?).ok()?,
            u32::try_from(int(1)?).ok()?,
            u32::try_from(int(2)?).ok()?,
        )?;
        let ScalarValue::Float64(Some(second)) = &args[5] else { return None };
        let (hour, minute) = (u32::try_from(int(3)?).ok()?, u32::try_from(int(4)?).ok()?);
        let micros = (second * 1e6).round();
        let micros = (0.0..=6e7).contains(&micros).then_some(micros as i64)?;
        let whole = date.and_hms_opt(hour, minute, 0)?;
        Some(whole.and_utc().timestamp_micros() + micros)
    };
    match made() {
        Some(micros) => Ok(ScalarValue::TimestampMicrosecond(Some(micros), None)),
        None => Err(refused("22008", "date/time field value out of range")),
    }
}
