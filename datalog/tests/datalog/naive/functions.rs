//! The functions that random queries call. None: the row goes, because nil binds nothing.

use super::Cell;
use daodb_storage::Value;
use std::cmp::Ordering;

/// Values of one type, or two numbers; others have no order.
fn order(x: &Cell, y: &Cell) -> Option<Ordering> {
    match (x.as_ref()?, y.as_ref()?) {
        (Value::Long(a), Value::Double(b)) => (*a as f64).partial_cmp(b),
        (Value::Double(a), Value::Long(b)) => a.partial_cmp(&(*b as f64)),
        (a, b) if a.value_type() == b.value_type() => Some(a.cmp(b)),
        _ => None,
    }
}

pub fn call(name: &str, args: &[Cell]) -> Cell {
    let boolean = |b: bool| Some(Value::Boolean(b));
    let compare =
        |holds: fn(Ordering) -> bool| boolean(order(&args[0], &args[1]).is_some_and(holds));
    let long = |i: usize| match &args[i] {
        Some(Value::Long(n)) => *n,
        other => panic!("{other:?} is no long"),
    };
    match name {
        "=" => boolean(args[0] == args[1]),
        "!=" => boolean(args[0] != args[1]),
        "<" => compare(Ordering::is_lt),
        "<=" => compare(Ordering::is_le),
        ">" => compare(Ordering::is_gt),
        ">=" => compare(Ordering::is_ge),
        "string?" => boolean(matches!(args[0], Some(Value::String(_)))),
        "int?" => boolean(matches!(args[0], Some(Value::Long(_)))),
        "keyword?" => boolean(matches!(args[0], Some(Value::Keyword(_)))),
        "+" => Some(Value::Long(long(0) + long(1))),
        "-" => Some(Value::Long(long(0) - long(1))),
        "*" => Some(Value::Long(long(0) * long(1))),
        "even?" => boolean(long(0) % 2 == 0),
        "identity" | "ground" | "untuple" => args[0].clone(),
        "tuple" | "vector" => Some(Value::Tuple(args.into())),
        other => panic!("the naive evaluator has no function {other}"),
    }
}

pub fn truth(c: &Cell) -> bool {
    !matches!(c, None | Some(Value::Boolean(false)))
}
