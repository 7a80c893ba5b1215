//! Numbers. As in Clojure: a double makes a double, then a decimal a decimal, then a bigint a bigint; a long that overflows is
//! an error. `/` of two integers is their quotient, as in Datomic.

use super::compare::{number_order, to_decimal, to_double};
use super::{Function, Gives, MANY, function};
use crate::value::Cell;
use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};
use daodb_storage::Value;
use std::sync::Arc;

pub const ALL: &[Function] = &[
    function("+", 0..=MANY, Gives::Number, |a| fold(a, Value::Long(0), &ADD)),
    function("*", 0..=MANY, Gives::Number, |a| fold(a, Value::Long(1), &MULTIPLY)),
    function("-", 1..=MANY, Gives::Number, |a| match a {
        [x] => binary(&Some(Value::Long(0)), x, &SUBTRACT),
        [first, rest @ ..] => rest.iter().try_fold(first.clone(), |s, x| binary(&s, x, &SUBTRACT)),
        [] => Err("there is nothing to subtract from".to_owned()),
    }),
    function("/", 1..=MANY, Gives::Number, |a| match a {
        [x] => binary(&Some(Value::Long(1)), x, &DIVIDE),
        [first, rest @ ..] => rest.iter().try_fold(first.clone(), |s, x| binary(&s, x, &DIVIDE)),
        [] => Err("there is nothing to divide".to_owned()),
    }),
    function("quot", 2..=2, Gives::Number, |a| binary(&a[0], &a[1], &QUOT)),
    function("rem", 2..=2, Gives::Number, |a| binary(&a[0], &a[1], &REM)),
    function("mod", 2..=2, Gives::Number, |a| binary(&a[0], &a[1], &MOD)),
    function("inc", 1..=1, Gives::Number, |a| binary(&a[0], &Some(Value::Long(1)), &ADD)),
    function("dec", 1..=1, Gives::Number, |a| binary(&a[0], &Some(Value::Long(1)), &SUBTRACT)),
    function("min", 1..=MANY, Gives::Number, |a| extreme(a, false)),
    function("max", 1..=MANY, Gives::Number, |a| extreme(a, true)),
    function("abs", 1..=1, Gives::Number, absolute),
    function("zero?", 1..=1, Gives::Boolean, |a| sign(&a[0], |o| o.is_eq())),
    function("pos?", 1..=1, Gives::Boolean, |a| sign(&a[0], |o| o.is_gt())),
    function("neg?", 1..=1, Gives::Boolean, |a| sign(&a[0], |o| o.is_lt())),
    function("even?", 1..=1, Gives::Boolean, |a| parity(&a[0], false)),
    function("odd?", 1..=1, Gives::Boolean, |a| parity(&a[0], true)),
    function("Math/abs", 1..=1, Gives::Number, absolute),
    function("Math/sqrt", 1..=1, Gives::Double, |a| doubles(a, |d| d[0].sqrt())),
    function("Math/pow", 2..=2, Gives::Double, |a| doubles(a, |d| d[0].powf(d[1]))),
    function("Math/floor", 1..=1, Gives::Double, |a| doubles(a, |d| d[0].floor())),
    function("Math/ceil", 1..=1, Gives::Double, |a| doubles(a, |d| d[0].ceil())),
    function("Math/round", 1..=1, Gives::Long, |a| {
        // A double beyond the longs is the nearest long: Java's saturates, too.
        let half_up = |d: f64| if d - d.floor() >= 0.5 { d.floor() + 1.0 } else { d.floor() };
        let rounded = doubles(a, |d| half_up(d[0]))?;
        Ok(rounded.and_then(|v| to_double(&v)).map(|d| Value::Long(d as i64)))
    }),
    function("bit-and", 2..=MANY, Gives::Long, |a| bits(a, |x, y| x & y)),
    function("bit-or", 2..=MANY, Gives::Long, |a| bits(a, |x, y| x | y)),
    function("bit-xor", 2..=MANY, Gives::Long, |a| bits(a, |x, y| x ^ y)),
    function("parse-long", 1..=1, Gives::Any, |a| {
        Ok(super::text::string(&a[0])?.parse().ok().map(Value::Long))
    }),
    function("parse-double", 1..=1, Gives::Any, |a| {
        let text = super::text::string(&a[0])?;
        // Rust reads more names of what is no number than Java.
        let plain = !text.contains(['i', 'n'])
            || matches!(text.trim_start_matches(['-', '+']), "NaN" | "Infinity");
        Ok(text.parse().ok().filter(|_| plain).map(Value::Double))
    }),
    function("bigint", 1..=1, Gives::Any, |a| {
        let whole = a[0].as_ref().and_then(to_decimal_or_double);
        let whole =
            whole.map(|d| d.with_scale_round(0, RoundingMode::Down).into_bigint_and_scale().0);
        whole.map(|n| Some(Value::Bigint(Arc::new(n)))).ok_or_else(|| no_number(&a[0]))
    }),
    function("bigdec", 1..=1, Gives::Any, |a| {
        let decimal = a[0].as_ref().and_then(to_decimal_or_double);
        decimal.map(|d| Some(Value::Bigdec(Arc::new(d)))).ok_or_else(|| no_number(&a[0]))
    }),
    function("double", 1..=1, Gives::Double, |a| {
        a[0].as_ref()
            .and_then(to_double)
            .map(|d| Some(Value::Double(d)))
            .ok_or_else(|| no_number(&a[0]))
    }),
    function("Long/parseLong", 1..=1, Gives::Long, |a| {
        let text = super::text::string(&a[0])?;
        text.parse().map(|n| Some(Value::Long(n))).map_err(|_| format!("{text:?} is no long"))
    }),
    function("long", 1..=1, Gives::Long, |a| match &a[0] {
        Some(Value::Double(d)) if d.is_finite() && d.abs() < 9.3e18 => {
            Ok(Some(Value::Long(d.trunc() as i64)))
        }
        Some(v) => {
            let n = to_decimal(v).and_then(|d| d.with_scale_round(0, RoundingMode::Down).to_i64());
            n.map(|n| Some(Value::Long(n))).ok_or_else(|| no_number(&a[0]))
        }
        None => Err(no_number(&a[0])),
    }),
];

/// One operation at each of the levels of numbers.
struct Operation {
    long: fn(i64, i64) -> Result<i64, String>,
    double: fn(f64, f64) -> f64,
    big: fn(&BigInt, &BigInt) -> Result<BigInt, String>,
    decimal: fn(&BigDecimal, &BigDecimal) -> Result<BigDecimal, String>,
}

const ADD: Operation = Operation {
    long: |a, b| a.checked_add(b).ok_or_else(overflow),
    double: |a, b| a + b,
    big: |a, b| Ok(a + b),
    decimal: |a, b| Ok(a + b),
};
const SUBTRACT: Operation = Operation {
    long: |a, b| a.checked_sub(b).ok_or_else(overflow),
    double: |a, b| a - b,
    big: |a, b| Ok(a - b),
    decimal: |a, b| Ok(a - b),
};
const MULTIPLY: Operation = Operation {
    long: |a, b| a.checked_mul(b).ok_or_else(overflow),
    double: |a, b| a * b,
    big: |a, b| Ok(a * b),
    decimal: |a, b| Ok(a * b),
};
const DIVIDE: Operation = Operation {
    long: quot_long,
    double: |a, b| a / b,
    big: quot_big,
    decimal: |a, b| if b.is_zero() { Err(by_zero()) } else { Ok(a / b) },
};
const QUOT: Operation = Operation {
    long: quot_long,
    double: |a, b| (a / b).trunc(),
    big: quot_big,
    decimal: |a, b| match b.is_zero() {
        true => Err(by_zero()),
        false => Ok((a / b).with_scale_round(0, RoundingMode::Down)),
    },
};
const REM: Operation = Operation {
    long: |a, b| if b == 0 { Err(by_zero()) } else { Ok(a.wrapping_rem(b)) },
    double: |a, b| a % b,
    big: |a, b| if b.is_zero() { Err(by_zero()) } else { Ok(a % b) },
    decimal: |a, b| if b.is_zero() { Err(by_zero()) } else { Ok(a % b) },
};
const MOD: Operation = Operation {
    long: |a, b| match b {
        0 => Err(by_zero()),
        b => {
            let r = a.wrapping_rem(b);
            Ok(if r != 0 && (r < 0) != (b < 0) { r + b } else { r })
        }
    },
    double: |a, b| {
        let r = a % b;
        if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
    },
    big: |a, b| match b.is_zero() {
        true => Err(by_zero()),
        false => {
            let r = a % b;
            let other_side = r.sign() != Sign::NoSign && r.is_negative() != b.is_negative();
            Ok(if other_side { r + b } else { r })
        }
    },
    decimal: |a, b| match b.is_zero() {
        true => Err(by_zero()),
        false => {
            let r = a % b;
            let other_side = !r.is_zero() && r.is_negative() != b.is_negative();
            Ok(if other_side { r + b } else { r })
        }
    },
};

fn quot_long(a: i64, b: i64) -> Result<i64, String> {
    match b {
        0 => Err(by_zero()),
        b => a.checked_div(b).ok_or_else(overflow),
    }
}

fn quot_big(a: &BigInt, b: &BigInt) -> Result<BigInt, String> {
    if b.is_zero() { Err(by_zero()) } else { Ok(a / b) }
}

fn overflow() -> String {
    "the result does not fit a long".to_owned()
}

fn by_zero() -> String {
    "divide by zero".to_owned()
}

pub fn no_number(v: &Cell) -> String {
    match v {
        Some(v) => format!("{v} is no number"),
        None => "nil is no number".to_owned(),
    }
}

fn absolute(args: &[Cell]) -> Result<Cell, String> {
    match &args[0] {
        Some(Value::Long(n)) => n.checked_abs().map(|n| Some(Value::Long(n))).ok_or_else(overflow),
        Some(Value::Double(d)) => Ok(Some(Value::Double(d.abs()))),
        Some(Value::Bigint(n)) => Ok(Some(Value::Bigint(Arc::new(n.abs())))),
        Some(Value::Bigdec(d)) => Ok(Some(Value::Bigdec(Arc::new(d.abs())))),
        other => Err(no_number(other)),
    }
}

fn doubles(args: &[Cell], f: impl Fn(&[f64]) -> f64) -> Result<Cell, String> {
    let of = |v: &Cell| v.as_ref().and_then(to_double).ok_or_else(|| no_number(v));
    let args: Vec<f64> = args.iter().map(of).collect::<Result<_, _>>()?;
    Ok(Some(Value::Double(f(&args))))
}

fn bits(args: &[Cell], f: fn(i64, i64) -> i64) -> Result<Cell, String> {
    let long = |v: &Cell| match v {
        Some(Value::Long(n)) => Ok(*n),
        other => Err(no_number(other)),
    };
    let longs = args.iter().map(long).collect::<Result<Vec<_>, _>>()?;
    Ok(longs.into_iter().reduce(f).map(Value::Long))
}

/// A double as the decimal that shows it.
fn to_decimal_or_double(v: &Value) -> Option<BigDecimal> {
    match v {
        Value::Double(d) => d.to_string().parse().ok(),
        v => to_decimal(v),
    }
}

fn fold(args: &[Cell], first: Value, operation: &Operation) -> Result<Cell, String> {
    args.iter().try_fold(Some(first), |sum, x| binary(&sum, x, operation))
}

pub fn add(a: &Cell, b: &Cell) -> Result<Cell, String> {
    binary(a, b, &ADD)
}

fn binary(x: &Cell, y: &Cell, operation: &Operation) -> Result<Cell, String> {
    let (Some(a), Some(b)) = (x, y) else {
        return Err(no_number(if x.is_none() { x } else { y }));
    };
    let bad = || no_number(if to_double(a).is_none() { x } else { y });
    Ok(Some(match (a, b) {
        (Value::Long(a), Value::Long(b)) => Value::Long((operation.long)(*a, *b)?),
        (Value::Double(_), _) | (_, Value::Double(_)) => {
            let (a, b) = (to_double(a).ok_or_else(bad)?, to_double(b).ok_or_else(bad)?);
            Value::Double((operation.double)(a, b))
        }
        (Value::Bigdec(_), _) | (_, Value::Bigdec(_)) => {
            let (a, b) = (to_decimal(a).ok_or_else(bad)?, to_decimal(b).ok_or_else(bad)?);
            Value::Bigdec(Arc::new((operation.decimal)(&a, &b)?))
        }
        _ => {
            let (a, b) = (to_big(a).ok_or_else(bad)?, to_big(b).ok_or_else(bad)?);
            Value::Bigint(Arc::new((operation.big)(&a, &b)?))
        }
    }))
}

fn to_big(v: &Value) -> Option<BigInt> {
    match v {
        Value::Long(n) => Some(BigInt::from(*n)),
        Value::Bigint(n) => Some(n.as_ref().clone()),
        _ => None,
    }
}

fn extreme(args: &[Cell], largest: bool) -> Result<Cell, String> {
    let mut best: Option<&Value> = None;
    for arg in args {
        let v = arg.as_ref().filter(|v| to_double(v).is_some()).ok_or_else(|| no_number(arg))?;
        let better = best.is_none_or(|b| match number_order(v, b) {
            Some(o) => {
                if largest {
                    o.is_gt()
                } else {
                    o.is_lt()
                }
            }
            // NaN wins, as in Clojure.
            None => matches!(v, Value::Double(d) if d.is_nan()),
        });
        if better {
            best = Some(v);
        }
    }
    Ok(best.cloned())
}

fn sign(v: &Cell, holds: fn(std::cmp::Ordering) -> bool) -> Result<Cell, String> {
    match v {
        Some(n) if to_double(n).is_some() => {
            let o = number_order(n, &Value::Long(0));
            super::compare::boolean(o.is_some_and(holds))
        }
        other => Err(no_number(other)),
    }
}

fn parity(v: &Cell, odd: bool) -> Result<Cell, String> {
    match v {
        Some(Value::Long(n)) => super::compare::boolean((n & 1 == 1) == odd),
        Some(Value::Bigint(n)) => super::compare::boolean(n.bit(0) == odd),
        other => Err(format!("{} is no integer", crate::value::told(other))),
    }
}
