//! Which columns tell the rows of a relation apart: a set of rows needs no second look where they are all kept.

use super::estimate::shared;
use super::{Column, Datoms, Node, Place, Plan, Star};
use crate::query::Var;
use crate::resolve::{AttrSlot, Slot};
use crate::source::Source;
use daodb_storage::ValueType::{Instant, Keyword, Long, Ref, String, Symbol, Uuid};
use std::collections::BTreeSet;

/// Variables of which no two rows have the same values.
type Key = BTreeSet<Var>;

/// Keys of one relation that are kept: those of joins multiply.
const MOST: usize = 8;

impl Plan {
    /// Whether each row stands once, if only the columns that `keep` says are looked at.
    pub fn is_set(&self, sources: &[Source], keep: impl Fn(&Var) -> bool) -> bool {
        keys(self, sources).iter().any(|key| key.iter().all(&keep))
    }
}

fn vars(columns: &[Column]) -> Key {
    columns.iter().map(|c| c.var.clone()).collect()
}

fn keys(plan: &Plan, sources: &[Source]) -> Vec<Key> {
    let mut out = match &plan.node {
        Node::Unit | Node::Empty { .. } => vec![Key::new()],
        Node::Values { rows } if rows.len() <= 1 => vec![Key::new()],
        Node::Values { .. }
        | Node::Table(_)
        | Node::Union { .. }
        | Node::Each { .. }
        | Node::Nested { .. } => vec![],
        Node::Star(star) if is_one(star, sources) => vec![Key::new()],
        // An entity has one row.
        Node::Star(star) => vec![star.e.var().cloned().into_iter().collect()],
        Node::Datoms(datoms) => of_datoms(datoms, sources),
        Node::Join { left, right, outer } => of_join(left, right, *outer, sources),
        Node::Anti { left, .. } => keys(left, sources),
        Node::Filter { input, .. } | Node::Extend { input, .. } => keys(input, sources),
        Node::Distinct { input } => {
            let kept = vars(&plan.columns);
            let mut of_input = keys(input, sources);
            of_input.retain(|key| key.is_subset(&kept));
            of_input.push(kept);
            of_input
        }
        Node::Rule { .. } => vec![vars(&plan.columns)],
    };
    out.truncate(MOST);
    out
}

/// Whether a unique value names the entity.
fn is_one(star: &Star, sources: &[Source]) -> bool {
    let Some(Source::Database(db)) = sources.get(star.source) else { return false };
    let names = |place: &Place| {
        !place.optional
            && matches!(place.v, Slot::Const(_))
            // Equal values of other types may be several, as 3M and 3.00M are.
            && matches!(place.ty, Long | Ref | String | Keyword | Symbol | Uuid | Instant)
            && db.attribute(&place.a).is_some_and(|a| a.unique.is_some())
    };
    // What was unique at a basis was not at each of the times before it.
    !db.snapshot.view().history && star.places.iter().any(names)
}

/// A fact is told by its entity, attribute and value; over a history also by when, and by which of its ends it is.
fn of_datoms(datoms: &Datoms, sources: &[Source]) -> Vec<Key> {
    let p = &datoms.pattern;
    let Some(Source::Database(db)) = sources.get(p.source) else { return vec![] };
    // A reference and a long of one attribute would look the same.
    if datoms.attributes.iter().any(|(_, types)| types.len() != 1) {
        return vec![];
    }
    let mut tell = vec![&p.e, &p.v];
    match &p.a {
        AttrSlot::Any(a) => tell.push(a),
        AttrSlot::Attr(_) => {}
    }
    if db.snapshot.view().history {
        tell.extend([&p.t, &p.added]);
    }
    if tell.iter().any(|slot| slot.is_blank()) {
        return vec![];
    }
    vec![tell.into_iter().filter_map(Slot::var).cloned().collect()]
}

fn of_join(left: &Plan, right: &Plan, outer: bool, sources: &[Source]) -> Vec<Key> {
    let (of_left, of_right) = (keys(left, sources), keys(right, sources));
    let one_row = |keys: &[Key]| keys.iter().any(Key::is_empty);
    // A product gives rows without a pause in which a query could be ended: a second look at them is bounded by the memory.
    if shared(left, right).is_empty() && !one_row(&of_left) && !one_row(&of_right) {
        return vec![];
    }
    // A row has at most one partner where the other side's key is among what they are joined on.
    let at_most_one =
        |keys: &[Key], other: &Plan| keys.iter().any(|key| key.iter().all(|v| other.has(v)));
    let mut out = Vec::new();
    if at_most_one(&of_right, left) {
        out.extend(of_left.iter().cloned());
    }
    if !outer && at_most_one(&of_left, right) {
        out.extend(of_right.iter().cloned());
    }
    for l in &of_left {
        out.extend(of_right.iter().map(|r| l | r));
    }
    out
}
