//! The predicates that `:db.attr/preds` may name. Datomic calls any function of the class path; here nobody's code runs within
//! the transactor, so that there is this list: Clojure's own under their names, and a few of ours.
//!
//! A predicate is asked of each value that is added, also of one that is there already. What it is not made for it refuses.

use crate::error::{Error, SqlState};
use bigdecimal::Zero;
use bigdecimal::num_bigint::{BigInt, Sign};
use daodb_storage::{Attr, Value};
use std::cmp::Ordering;
use std::fmt;

type Test = fn(&Value) -> bool;

const ALL: [(&str, Test); 13] = [
    ("clojure.core/pos?", |v| sign(v) == Some(Ordering::Greater)),
    ("clojure.core/neg?", |v| sign(v) == Some(Ordering::Less)),
    ("clojure.core/zero?", |v| sign(v) == Some(Ordering::Equal)),
    ("clojure.core/even?", |v| even(v) == Some(true)),
    ("clojure.core/odd?", |v| even(v) == Some(false)),
    ("clojure.core/true?", |v| matches!(v, Value::Boolean(true))),
    ("clojure.core/simple-keyword?", |v| keyword(v) == Some(false)),
    ("clojure.core/qualified-keyword?", |v| keyword(v) == Some(true)),
    ("dao.preds/not-negative?", |v| sign(v).is_some_and(Ordering::is_ge)),
    ("dao.preds/not-blank?", |v| text(v).is_some_and(|s| !s.trim().is_empty())),
    ("dao.preds/trimmed?", |v| text(v).is_some_and(|s| s.trim() == s)),
    ("dao.preds/one-line?", |v| text(v).is_some_and(|s| !s.contains(['\n', '\r']))),
    ("dao.preds/finite?", |v| matches!(v, Value::Double(d) if d.is_finite())),
];

/// One of the list.
#[derive(Clone, Copy)]
pub struct Predicate {
    pub name: &'static str,
    test: Test,
}

impl Predicate {
    pub fn named(name: &str) -> Option<Predicate> {
        let found = ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(name, test)| Predicate { name, test })
    }

    /// The error of a declaration that names another one.
    pub fn unknown(a: &Attr, name: &str) -> Error {
        let text = format!("{a} is declared to pass {name}, and there is no such predicate");
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint(format!("there are {}", names.join(", ")))
    }

    pub fn passes(self, v: &Value) -> bool {
        (self.test)(v)
    }
}

impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Predicate {}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn sign(v: &Value) -> Option<Ordering> {
    let of = |sign: Sign| match sign {
        Sign::Minus => Ordering::Less,
        Sign::NoSign => Ordering::Equal,
        Sign::Plus => Ordering::Greater,
    };
    match v {
        Value::Long(n) => Some(n.cmp(&0)),
        Value::Double(d) => d.partial_cmp(&0.0),
        Value::Bigint(n) => Some(of(n.sign())),
        Value::Bigdec(d) => Some(of(d.sign())),
        _ => None,
    }
}

fn even(v: &Value) -> Option<bool> {
    match v {
        Value::Long(n) => Some(n % 2 == 0),
        Value::Bigint(n) => Some((&**n % BigInt::from(2)).is_zero()),
        _ => None,
    }
}

/// Whether a keyword has a namespace.
fn keyword(v: &Value) -> Option<bool> {
    match v {
        Value::Keyword(k) => Some(Attr::new(k).namespace().is_some()),
        _ => None,
    }
}

fn text(v: &Value) -> Option<&str> {
    match v {
        Value::String(s) => Some(s),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bigdecimal::BigDecimal;
    use std::sync::Arc;

    #[test]
    fn what_passes() {
        let check = |name: &str, passes: &[Value], fails: &[Value]| {
            let predicate = Predicate::named(name).unwrap();
            assert!(passes.iter().all(|v| predicate.passes(v)), "{name} {passes:?}");
            assert!(!fails.iter().any(|v| predicate.passes(v)), "{name} {fails:?}");
        };
        let long = Value::Long;
        let big = |n: i64| Value::Bigint(Arc::new(n.into()));
        let dec = |n: i64| Value::Bigdec(Arc::new(BigDecimal::from(n)));
        let text = |s: &str| Value::string(s);
        check(
            "clojure.core/pos?",
            &[long(1), Value::Double(0.5), big(1), dec(1)],
            &[long(0), long(-1), Value::Double(f64::NAN), dec(-1), text("1")],
        );
        check("clojure.core/neg?", &[long(-1), big(-1)], &[long(0)]);
        check("clojure.core/zero?", &[long(0), Value::Double(-0.0), dec(0)], &[long(1)]);
        check("clojure.core/even?", &[long(-2), big(0)], &[long(3), Value::Double(2.0)]);
        check("clojure.core/odd?", &[long(-3), big(1)], &[long(2), text("1")]);
        check("clojure.core/true?", &[Value::Boolean(true)], &[Value::Boolean(false), long(1)]);
        check("clojure.core/simple-keyword?", &[Value::keyword("a")], &[Value::keyword("a/b")]);
        check("clojure.core/qualified-keyword?", &[Value::keyword("a/b")], &[Value::keyword("a")]);
        check("dao.preds/not-negative?", &[long(0), dec(2)], &[long(-1), text("0")]);
        check("dao.preds/not-blank?", &[text(" a ")], &[text(""), text(" \n"), long(1)]);
        check("dao.preds/trimmed?", &[text("a b"), text("")], &[text(" a"), text("a\n")]);
        check("dao.preds/one-line?", &[text("a\tb")], &[text("a\nb"), text("\r")]);
        check("dao.preds/finite?", &[Value::Double(1.0)], &[Value::Double(f64::INFINITY), long(1)]);
    }

    #[test]
    fn each_is_documented() {
        let doc = include_str!("../../../docs/transactions.md");
        for (name, _) in ALL {
            assert!(doc.contains(&format!("`{name}`")), "{name}");
        }
        let hint = Predicate::unknown(&Attr::new(":a/b"), "x/y").hint.unwrap();
        assert!(hint.contains("clojure.core/pos?, clojure.core/neg?"), "{hint}");
    }
}
