//! Comparison. Values of types that have no common order are not compared: the answer is false, never an error, so that the
//! order of clauses does not matter.

use super::{Function, Gives, MANY, function};
use crate::value::Cell;
use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, ToPrimitive};
use daodb_storage::Value;
use std::cmp::Ordering;

pub const ALL: &[Function] = &[
    function("=", 1..=MANY, Gives::Boolean, |a| pairs(a, clojure_equal)),
    function("==", 1..=MANY, Gives::Boolean, |a| {
        pairs(a, |x, y| order(x, y) == Some(Ordering::Equal))
    }),
    function("!=", 1..=MANY, Gives::Boolean, not_equal),
    function("not=", 1..=MANY, Gives::Boolean, not_equal),
    function("<", 1..=MANY, Gives::Boolean, |a| {
        pairs(a, |x, y| order(x, y).is_some_and(Ordering::is_lt))
    }),
    function("<=", 1..=MANY, Gives::Boolean, |a| {
        pairs(a, |x, y| order(x, y).is_some_and(Ordering::is_le))
    }),
    function(">", 1..=MANY, Gives::Boolean, |a| {
        pairs(a, |x, y| order(x, y).is_some_and(Ordering::is_gt))
    }),
    function(">=", 1..=MANY, Gives::Boolean, |a| {
        pairs(a, |x, y| order(x, y).is_some_and(Ordering::is_ge))
    }),
    function("compare", 2..=2, Gives::Long, |a| {
        let order = match (&a[0], &a[1]) {
            (None, None) => Some(Ordering::Equal),
            (None, _) => Some(Ordering::Less),
            (_, None) => Some(Ordering::Greater),
            (x, y) => order(x, y),
        };
        match order {
            Some(o) => Ok(Some(Value::Long(o as i64))),
            None => Err("they have no common order".to_owned()),
        }
    }),
    function("not", 1..=1, Gives::Boolean, |a| boolean(!truth(&a[0]))),
    function("and", 0..=MANY, Gives::Any, |a| {
        let first = a.iter().find(|v| !truth(v)).or(a.last());
        Ok(first.cloned().unwrap_or(Some(Value::Boolean(true))))
    }),
    function("or", 0..=MANY, Gives::Any, |a| {
        Ok(a.iter().find(|v| truth(v)).or(a.last()).cloned().flatten())
    }),
    function("if", 2..=3, Gives::Any, |a| match truth(&a[0]) {
        true => Ok(a[1].clone()),
        false => Ok(a.get(2).cloned().flatten()),
    }),
    function("identity", 1..=1, Gives::Any, |a| Ok(a[0].clone())),
    function("boolean", 1..=1, Gives::Boolean, |a| boolean(truth(&a[0]))),
    function("nil?", 1..=1, Gives::Boolean, |a| boolean(a[0].is_none())),
    function("some?", 1..=1, Gives::Boolean, |a| boolean(a[0].is_some())),
    function("true?", 1..=1, Gives::Boolean, |a| boolean(a[0] == Some(Value::Boolean(true)))),
    function("false?", 1..=1, Gives::Boolean, |a| boolean(a[0] == Some(Value::Boolean(false)))),
    function("string?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::String(_))))),
    function("keyword?", 1..=1, Gives::Boolean, |a| {
        boolean(matches!(a[0], Some(Value::Keyword(_))))
    }),
    function("symbol?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::Symbol(_))))),
    function("boolean?", 1..=1, Gives::Boolean, |a| {
        boolean(matches!(a[0], Some(Value::Boolean(_))))
    }),
    function("int?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::Long(_))))),
    function("integer?", 1..=1, Gives::Boolean, |a| {
        boolean(matches!(a[0], Some(Value::Long(_) | Value::Bigint(_))))
    }),
    function("double?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::Double(_))))),
    function("decimal?", 1..=1, Gives::Boolean, |a| {
        boolean(matches!(a[0], Some(Value::Bigdec(_))))
    }),
    function("number?", 1..=1, Gives::Boolean, |a| boolean(a[0].as_ref().is_some_and(is_number))),
    function("inst?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::Instant(_))))),
    function("uuid?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::Uuid(_))))),
    function("coll?", 1..=1, Gives::Boolean, |a| boolean(matches!(a[0], Some(Value::Tuple(_))))),
];

pub fn boolean(b: bool) -> Result<Cell, String> {
    Ok(Some(Value::Boolean(b)))
}

/// All but nil and false.
pub fn truth(v: &Cell) -> bool {
    !matches!(v, None | Some(Value::Boolean(false)))
}

fn pairs(args: &[Cell], holds: impl Fn(&Cell, &Cell) -> bool) -> Result<Cell, String> {
    boolean(args.windows(2).all(|pair| holds(&pair[0], &pair[1])))
}

fn not_equal(args: &[Cell]) -> Result<Cell, String> {
    boolean(!args.windows(2).all(|pair| clojure_equal(&pair[0], &pair[1])))
}

fn is_number(v: &Value) -> bool {
    matches!(v, Value::Long(_) | Value::Bigint(_) | Value::Double(_) | Value::Bigdec(_))
}

/// Clojure's `=`: 1 equals 1N, but no 1.0; 0.0 equals -0.0, and no NaN equals itself.
pub fn clojure_equal(x: &Cell, y: &Cell) -> bool {
    match (x, y) {
        (Some(Value::Double(a)), Some(Value::Double(b))) => a == b,
        (Some(Value::Long(a)), Some(Value::Bigint(b)))
        | (Some(Value::Bigint(b)), Some(Value::Long(a))) => **b == BigInt::from(*a),
        (Some(Value::Tuple(a)), Some(Value::Tuple(b))) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| clojure_equal(x, y))
        }
        (x, y) => x == y,
    }
}

/// The order of two values of one type, or of two numbers; None where there is none.
fn order(x: &Cell, y: &Cell) -> Option<Ordering> {
    match (x.as_ref()?, y.as_ref()?) {
        (a, b) if is_number(a) && is_number(b) => number_order(a, b),
        (a, b) if a.value_type() == b.value_type() => Some(a.cmp(b)),
        _ => None,
    }
}

/// None where one of them is NaN or no number.
pub fn number_order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Long(a), Value::Long(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(d), other) => d.partial_cmp(&to_double(other)?),
        (other, Value::Double(d)) => to_double(other)?.partial_cmp(d),
        (a, b) => Some(to_decimal(a)?.cmp(&to_decimal(b)?)),
    }
}

pub fn to_double(v: &Value) -> Option<f64> {
    match v {
        Value::Long(n) => Some(*n as f64),
        Value::Double(d) => Some(*d),
        Value::Bigint(n) => n.to_f64(),
        Value::Bigdec(d) => d.to_f64(),
        _ => None,
    }
}

pub fn to_decimal(v: &Value) -> Option<BigDecimal> {
    match v {
        Value::Long(n) => Some(BigDecimal::from(*n)),
        Value::Bigint(n) => Some(BigDecimal::from(n.as_ref().clone())),
        Value::Bigdec(d) => Some(d.as_ref().clone()),
        _ => None,
    }
}
