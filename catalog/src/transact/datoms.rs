//! A column compared with what is known: what is new is kept, what is replaced is retracted, what contradicts is refused.

use super::op::{Column, Row, Swap, refused};
use super::pending::Db;
use super::{Op, lookups};
use crate::error::{Error, Result, SqlState};
use crate::schema::{Attribute, Cardinality};
use daodb_storage::{Attr, Value};

/// What changes, and the op that changes it.
#[derive(Debug)]
pub struct Event {
    pub op: u32,
    pub e: i64,
    pub v: Value,
    pub added: bool,
}

/// What changes of one attribute, sorted by (e, v).
pub struct Change {
    pub a: Attr,
    pub events: Vec<Event>,
}

/// What a transaction says of one attribute of one entity, and what is known; all sorted by v.
struct Said<'a> {
    adds: &'a [Row],
    retracts: &'a [Row],
    cleared: Option<u32>,
    swaps: &'a [Swap],
    known: &'a [(i64, Value)],
}

/// An error and the op that it is about.
type AtOp<T> = Result<T, (u32, Error)>;

/// Entities that are not among `old` have no facts yet and are not asked for.
pub async fn compare(
    db: &mut Db,
    ops: &[Op],
    column: Column,
    old: impl Fn(i64) -> bool,
) -> Result<Change> {
    let Column { attribute, mut adds, mut retracts, mut clears, mut swaps, free } = column;
    swaps.sort_by_key(|swap| swap.e);
    adds.sort_by(|x, y| x.e.cmp(&y.e).then_with(|| x.v.cmp(&y.v)));
    retracts.sort_by(|x, y| x.e.cmp(&y.e).then_with(|| x.v.cmp(&y.v)));
    clears.sort_by_key(|(op, e)| (*e, *op));
    let mut entities: Vec<i64> = adds.iter().chain(&retracts).map(|row| row.e).collect();
    entities.extend(clears.iter().map(|(_, e)| *e));
    entities.sort_unstable();
    entities.dedup();
    let asked: Vec<i64> = entities.iter().copied().filter(|e| old(*e)).collect();
    let known = match asked.is_empty() {
        true => Vec::new(),
        false => db.facts(&attribute.ident, &asked).await?,
    };
    let mut events = Vec::with_capacity(adds.len());
    let (mut adds, mut retracts) = (adds.as_slice(), retracts.as_slice());
    let (mut clears, mut known) = (clears.as_slice(), known.as_slice());
    let mut swaps = swaps.as_slice();
    for e in entities {
        let cleared = clears.iter().take_while(|(_, x)| *x == e).count();
        let said = Said {
            adds: take(&mut adds, |row| row.e == e),
            retracts: take(&mut retracts, |row| row.e == e),
            cleared: clears.get(..cleared).and_then(|all| all.first()).map(|(op, _)| *op),
            swaps: take(&mut swaps, |swap| swap.e == e),
            known: take(&mut known, |fact| fact.0 == e),
        };
        clears = &clears[cleared..];
        said.events(&attribute, &mut events).map_err(|(op, e)| refused(ops, op, e))?;
    }
    if attribute.unique.is_some() {
        check_unique(db, ops, &attribute, &events, &free).await?;
    }
    Ok(Change { a: attribute.ident, events })
}

/// The rows at the front that fit, taken off.
fn take<'a, T>(rows: &mut &'a [T], fits: impl Fn(&T) -> bool) -> &'a [T] {
    let count = rows.iter().take_while(|row| fits(row)).count();
    let (front, rest) = rows.split_at(count);
    *rows = rest;
    front
}

impl Said<'_> {
    fn is_known(&self, v: &Value) -> bool {
        self.known.binary_search_by(|(_, known)| known.cmp(v)).is_ok()
    }

    fn retracted_by(&self, v: &Value) -> Option<u32> {
        let row = self.retracts.binary_search_by(|row| row.v.cmp(v)).ok();
        row.map(|i| self.retracts[i].op).or(self.cleared.filter(|_| self.is_known(v)))
    }

    fn events(&self, attribute: &Attribute, out: &mut Vec<Event>) -> AtOp<()> {
        let held = self.known.first().map(|(_, v)| v);
        if let Some(swap) = self.swaps.iter().find(|swap| swap.old.as_ref().cmp(&held).is_ne()) {
            return Err((swap.op, not_held(attribute, swap, held)));
        }
        let one = attribute.cardinality == Cardinality::One;
        let start = out.len();
        let mut replaced_by = None;
        let mut before: Option<&Row> = None;
        for row in self.adds {
            if before.is_some_and(|before| before.v == row.v) {
                continue;
            }
            if let Some(op) = self.retracted_by(&row.v) {
                return Err((row.op.max(op), contradiction(attribute, row, row.op.min(op))));
            }
            if let Some(before) = before.filter(|_| one) {
                return Err((row.op.max(before.op), two_values(attribute, before, row)));
            }
            before = Some(row);
            if !self.is_known(&row.v) {
                replaced_by = Some(row.op);
                out.push(Event { op: row.op, e: row.e, v: row.v.clone(), added: true });
            }
        }
        for (e, v) in self.known {
            let replaced = || replaced_by.filter(|_| one);
            if let Some(op) = self.retracted_by(v).or_else(replaced) {
                out.push(Event { op, e: *e, v: v.clone(), added: false });
            }
        }
        if out.len() > start + 1 {
            out[start..].sort_by(|x, y| x.v.cmp(&y.v));
        }
        Ok(())
    }
}

fn contradiction(attribute: &Attribute, row: &Row, other: u32) -> Error {
    let (e, a, v) = (row.e, &attribute.name, &row.v);
    let text = format!("[{e} {a} {v}] is added and retracted, the other by op {}", other + 1);
    Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
        .hint("a transaction has no order within: say one of the two, or use two transactions")
}

fn not_held(attribute: &Attribute, swap: &Swap, held: Option<&Value>) -> Error {
    let shown = |v: Option<&Value>| v.map_or_else(|| "nil".to_owned(), Value::to_string);
    let (e, a) = (swap.e, &attribute.name);
    let (held, old) = (shown(held), shown(swap.old.as_ref()));
    Error::new(SqlState::COMPARE_FAILED, format!("{a} of entity {e} is {held}, not {old}"))
        .hint("read it again and decide anew: somebody else changed it")
}

fn two_values(attribute: &Attribute, x: &Row, y: &Row) -> Error {
    let (e, a) = (x.e, &attribute.name);
    let other = x.op.min(y.op) + 1;
    let text = format!("{a} has one value, entity {e} gets {} and {} (see op {other})", x.v, y.v);
    Error::new(SqlState::CARDINALITY_VIOLATION, text)
        .hint(format!("give one value, or declare {a} :db.cardinality/many first"))
}

/// No other entity may have a value that is added, after this transaction. `events` are sorted by (e, v); nobody has the values
/// that are `free`.
pub async fn check_unique(
    db: &mut Db,
    ops: &[Op],
    attribute: &Attribute,
    events: &[Event],
    free: &[Value],
) -> Result<()> {
    let a = &attribute.ident;
    let conflict = |event: &Event, holder: i64| {
        let text = format!(
            "{a} is unique, and entity {holder} has {} too (here entity {})",
            event.v, event.e
        );
        let hint = match attribute.unique {
            Some(crate::schema::Unique::Identity) => {
                format!("to change that entity, name it [{a} {}] or use a tempid", event.v)
            }
            _ => "use another value, or retract that one in the same transaction".to_owned(),
        };
        refused(ops, event.op, Error::new(SqlState::UNIQUE_VIOLATION, text).hint(hint))
    };
    let mut added: Vec<&Event> = events.iter().filter(|event| event.added).collect();
    added.sort_by(|x, y| x.v.cmp(&y.v).then(x.op.cmp(&y.op)));
    for pair in added.windows(2) {
        if pair[0].v == pair[1].v && pair[0].e != pair[1].e {
            return Err(conflict(pair[1], pair[0].e));
        }
    }
    let asked: Vec<Value> = added
        .iter()
        .filter(|event| free.binary_search(&event.v).is_err())
        .map(|event| event.v.clone())
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let found = db.lookup(a, &asked).await?;
    for event in added {
        let Some(holder) = lookups::holder(&found, &event.v).filter(|e| *e != event.e) else {
            continue;
        };
        let given_up = events
            .binary_search_by(|x| x.e.cmp(&holder).then_with(|| x.v.cmp(&event.v)))
            .is_ok_and(|i| !events[i].added);
        if !given_up {
            return Err(conflict(event, holder));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(many: bool, adds: &[i64], retracts: &[i64], cleared: bool, known: &[i64]) -> String {
        let cardinality = if many { Cardinality::Many } else { Cardinality::One };
        let attribute = Attribute { cardinality, ..Attribute::undeclared(":a/b".into()) };
        let rows = |op, vs: &[i64]| -> Vec<Row> {
            vs.iter().map(|v| Row { op, e: 7, v: Value::Long(*v) }).collect()
        };
        let (adds, retracts) = (rows(0, adds), rows(1, retracts));
        let known: Vec<(i64, Value)> = known.iter().map(|v| (7, Value::Long(*v))).collect();
        let cleared = cleared.then_some(1);
        let said = Said { adds: &adds, retracts: &retracts, cleared, swaps: &[], known: &known };
        let mut out = Vec::new();
        match said.events(&attribute, &mut out) {
            Ok(()) => {
                let shown = |x: &Event| format!("{}{}", if x.added { '+' } else { '-' }, x.v);
                out.iter().map(shown).collect::<Vec<_>>().join(" ")
            }
            Err((_, e)) => e.state.as_str().to_owned(),
        }
    }

    #[test]
    fn one_value() {
        assert_eq!(check(false, &[1], &[], false, &[]), "+1");
        assert_eq!(check(false, &[1], &[], false, &[1]), "");
        assert_eq!(check(false, &[1], &[], false, &[2]), "+1 -2");
        assert_eq!(check(false, &[1, 1], &[], false, &[]), "+1");
        assert_eq!(check(false, &[1, 2], &[], false, &[]), "21000");
        assert_eq!(check(false, &[1], &[2], false, &[2]), "+1 -2");
        assert_eq!(check(false, &[1], &[1], false, &[]), "22023");
        assert_eq!(check(false, &[], &[3], false, &[2]), "");
        assert_eq!(check(false, &[], &[], true, &[2]), "-2");
        assert_eq!(check(false, &[2], &[], true, &[2]), "22023");
        assert_eq!(check(false, &[1], &[], true, &[2]), "+1 -2");
    }

    #[test]
    fn a_swap_asks_what_holds() {
        let check = |old: Option<i64>, known: Option<i64>, expect: &str| {
            let attribute = Attribute::undeclared(":a/b".into());
            let adds = [Row { op: 0, e: 7, v: Value::Long(9) }];
            let swaps = [Swap { op: 0, e: 7, old: old.map(Value::Long) }];
            let known: Vec<(i64, Value)> = known.into_iter().map(|v| (7, Value::Long(v))).collect();
            let (retracts, cleared) = (&[][..], None);
            let said = Said { adds: &adds, retracts, cleared, swaps: &swaps, known: &known };
            let mut out = Vec::new();
            let done = said.events(&attribute, &mut out).map(|()| out.len());
            let shown = done.map_or_else(|(_, e)| e.state.as_str().to_owned(), |n| n.to_string());
            assert_eq!(shown, expect, "{old:?} {known:?}");
        };
        check(None, None, "1");
        check(Some(1), Some(1), "2");
        check(Some(9), Some(9), "0");
        check(None, Some(1), "40001");
        check(Some(1), None, "40001");
        check(Some(1), Some(2), "40001");
    }

    #[test]
    fn many_values() {
        assert_eq!(check(true, &[1, 2], &[], false, &[2, 3]), "+1");
        assert_eq!(check(true, &[1], &[3], false, &[2, 3]), "+1 -3");
        assert_eq!(check(true, &[1], &[], true, &[2, 3]), "+1 -2 -3");
    }
}
