//! What the log takes: it never holds a transaction that a reader would have to refuse.

use crate::datom::{Datom, FIRST_USER_META, META_DERIVED, META_RETRACTED};
use crate::error::{Error, Result};
use crate::value::Value;
use std::collections::HashSet;

/// Refuses a transaction that no reader would accept.
pub(super) fn accept(datoms: &mut [Datom], t: i64) -> Result<()> {
    datoms.iter_mut().try_for_each(|datom| check(datom, t))?;
    match contradiction(datoms) {
        None => Ok(()),
        Some(d) => Err(Error::internal(format!(
            "transaction {t} both asserts and retracts [{} {} {}]",
            d.e, d.a, d.v
        ))),
    }
}

/// Every NaN becomes the one that has canonical bytes.
fn check(datom: &mut Datom, t: i64) -> Result<()> {
    if let Value::Double(d) = &mut datom.v
        && d.is_nan()
    {
        *d = f64::NAN;
    }
    let named = datom.a.as_str().len() > 1;
    match op_agrees(datom.m, datom.added) && datom.t == t && named {
        true => Ok(()),
        false => Err(Error::internal(format!(
            "transaction {t} holds {datom} (added: {}), whose attribute, t or m is wrong",
            datom.added
        ))),
    }
}

/// Whether `m` may stand beside this op.
pub(super) fn op_agrees(m: i64, added: bool) -> bool {
    match m {
        META_RETRACTED => !added,
        1..=META_DERIVED => added,
        m => m >= FIRST_USER_META,
    }
}

/// A datom whose opposite is there, too. Only the rarer op is remembered: it is often absent, or one.
fn contradiction(datoms: &[Datom]) -> Option<&Datom> {
    let asserted = datoms.iter().filter(|d| d.added).count();
    let rarer = asserted * 2 <= datoms.len();
    let of = |added: bool| datoms.iter().filter(move |d| d.added == added);
    let said: HashSet<_> = of(rarer).map(|d| (d.e, &d.a, &d.v)).collect();
    if said.is_empty() {
        return None;
    }
    of(!rarer).find(|d| said.contains(&(d.e, &d.a, &d.v)))
}
