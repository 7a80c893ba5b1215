//! The functions that clauses call, of clojure.core and clojure.string, over values.
//!
//! One file a subject: [`compare`], [`math`], [`text`], [`patterns`], [`collection`], [`sequence`]. What needs a database (`get-else`, `missing?`) is no
//! function of values and stands with the clauses.

mod collection;
mod compare;
mod math;
mod patterns;
mod sequence;
mod text;

pub use compare::{number_order, to_double, truth};
pub use math::add;

use crate::value::{Cell, Kind};
use daodb_catalog::nearest::nearest;
use daodb_storage::{Value, ValueType};
use std::ops::RangeInclusive;

/// What a function makes of the kinds of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    Boolean,
    Long,
    Double,
    String,
    Instant,
    /// Longs of longs, doubles where a double is among them, else any.
    Number,
    Any,
}

pub struct Function {
    pub name: &'static str,
    pub arity: RangeInclusive<usize>,
    pub gives: Gives,
    eval: fn(&[Cell]) -> Result<Cell, String>,
}

/// There is one function of each name.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Deeper tuples, and values of more parts and bytes, are refused: calls of calls would double them each time.
const MAX_DEPTH: usize = 16;
const MAX_SIZE: usize = 16 << 20;
const TOO_LARGE: &str = "its value is too large, or too deep";

/// Refuses so many copies of so long a text, before they are made.
fn fits(copies: usize, length: usize) -> Result<(), String> {
    match copies.checked_mul(length).is_some_and(|size| size <= MAX_SIZE) {
        true => Ok(()),
        false => Err(TOO_LARGE.to_owned()),
    }
}

/// What is left of `size` after a value; None where it is too large.
fn room(v: &Cell, size: usize, depth: usize) -> Option<usize> {
    match v {
        Some(Value::Tuple(_)) if depth == MAX_DEPTH => None,
        Some(Value::Tuple(parts)) => {
            let size = size.checked_sub(parts.len())?;
            parts.iter().try_fold(size, |size, part| room(part, size, depth + 1))
        }
        Some(Value::String(s)) => size.checked_sub(s.len()),
        Some(Value::Bigint(n)) => size.checked_sub(usize::try_from(n.bits() / 8).ok()?),
        Some(Value::Bigdec(d)) => {
            size.checked_sub(usize::try_from(d.as_bigint_and_exponent().0.bits() / 8).ok()?)
        }
        _ => Some(size),
    }
}

impl Function {
    /// What it gives for these; an error says what is wrong with them.
    pub fn call(&self, args: &[Cell]) -> Result<Cell, String> {
        // Before, too: what is made of them is at most about as large, but where a function looks itself.
        if args.iter().try_fold(MAX_SIZE, |size, arg| room(arg, size, 0)).is_none() {
            return Err("its arguments are too large, or too deep".to_owned());
        }
        let value = (self.eval)(args)?;
        match room(&value, MAX_SIZE, 0) {
            Some(_) => Ok(value),
            None => Err(TOO_LARGE.to_owned()),
        }
    }

    pub fn kind(&self, args: &[Kind]) -> Kind {
        let double = Kind::Typed(ValueType::Double);
        match self.gives {
            Gives::Boolean => Kind::BOOLEAN,
            Gives::Long => Kind::LONG,
            Gives::Double => double,
            Gives::String => Kind::Typed(ValueType::String),
            Gives::Instant => Kind::Typed(ValueType::Instant),
            Gives::Number if args.iter().all(|k| *k == Kind::LONG) => Kind::LONG,
            Gives::Number
                if args.contains(&double)
                    && args.iter().all(|k| *k == Kind::LONG || *k == double) =>
            {
                double
            }
            _ => Kind::Any,
        }
    }
}

const MANY: usize = usize::MAX;

const fn function(
    name: &'static str,
    arity: RangeInclusive<usize>,
    gives: Gives,
    eval: fn(&[Cell]) -> Result<Cell, String>,
) -> Function {
    Function { name, arity, gives, eval }
}

fn all() -> impl Iterator<Item = &'static Function> {
    [compare::ALL, math::ALL, text::ALL, patterns::ALL, collection::ALL, sequence::ALL]
        .into_iter()
        .flatten()
}

/// The names of all that clauses may call.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|f| f.name)
}

/// A function by its name; `clojure.core/` before it changes nothing.
pub fn find(name: &str) -> Option<&'static Function> {
    let bare = name.strip_prefix("clojure.core/").unwrap_or(name);
    let bare = bare.strip_prefix("clojure.string/").unwrap_or(bare);
    all().find(|f| f.name == name).or_else(|| all().find(|f| f.name == bare))
}

/// One of those that clauses call, or one that only plans have.
pub fn internal(name: &str) -> Option<&'static Function> {
    collection::INTERNAL.iter().find(|f| f.name == name).or_else(|| find(name))
}

/// Whether it says something of a value that is not there (which is not nil).
pub fn takes_absent(function: &Function) -> bool {
    collection::INTERNAL.iter().any(|f| f == function)
}

/// The known name that is meant by an unknown one.
pub fn nearest_name<'a>(name: &str, more: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(name, all().map(|f| f.name).chain(more))
}

/// `2`, `1 to 3`, `at least 1`.
pub fn arity_text(arity: &RangeInclusive<usize>) -> String {
    match (*arity.start(), *arity.end()) {
        (a, b) if a == b => a.to_string(),
        (a, MANY) => format!("at least {a}"),
        (a, b) => format!("{a} to {b}"),
    }
}
