//! Declarations from a snapshot, types from its statistics.

use super::builtin::{DOC, IDENT, SCHEMA_ATTRIBUTES};
use super::{Declaration, Schema};
use crate::error::Result;
use daodb_storage::{Attr, Fact, Snapshot, ValueType};
use std::collections::{BTreeMap, BTreeSet};

impl Schema {
    /// Reads the schema at the snapshot's basis, whether it shows history or not.
    pub async fn read(snapshot: &Snapshot) -> Result<Schema> {
        let t = snapshot.t();
        let mut declared: BTreeMap<i64, Declaration> = BTreeMap::new();
        for (a, facts) in schema_facts(snapshot).await? {
            if a.as_str() == IDENT {
                read_names(snapshot, &a, &mut declared).await?;
                continue;
            }
            for fact in facts.iter().filter(|f| f.holds_at(t)) {
                declared.entry(fact.e).or_default().set(&a, &fact.v, true);
            }
        }
        Schema::build(declared, observed(snapshot))
    }
}

/// The names of entities, with those that they had before: an attribute's datoms have the first one.
async fn read_names(
    snapshot: &Snapshot,
    a: &Attr,
    declared: &mut BTreeMap<i64, Declaration>,
) -> Result<()> {
    let mut facts = snapshot.history().all(a).await?;
    facts.retain(|fact| fact.t_from <= snapshot.t());
    facts.sort_by_key(|fact| (fact.e, fact.t_from));
    for names in facts.chunk_by(|x, y| x.e == y.e) {
        let mut declaration = Declaration::default();
        let mut until = None;
        for fact in names {
            // Where there was no name for a while, the next one is a first one.
            if until.is_some_and(|until| until != fact.t_from) {
                declaration.names.clear();
            }
            declaration.set(a, &fact.v, true);
            until = Some(fact.t_to);
        }
        if until.is_some_and(|until| until <= snapshot.t()) {
            declaration.ident = None;
            declaration.settle();
        }
        let into = declared.entry(names[0].e).or_default();
        (into.ident, into.names) = (declaration.ident, declaration.names);
        into.former = declaration.former;
    }
    Ok(())
}

/// The types that values of each attribute had.
fn observed(snapshot: &Snapshot) -> BTreeMap<Attr, Vec<ValueType>> {
    let mut types: BTreeMap<Attr, Vec<ValueType>> = BTreeMap::new();
    for stat in snapshot.attributes() {
        types.entry(stat.a.clone()).or_default().push(stat.value_type);
    }
    types
}

/// The facts of all schema attributes; those of `:db/doc` only for entities with a name.
async fn schema_facts(snapshot: &Snapshot) -> Result<Vec<(Attr, Vec<Fact>)>> {
    let mut all = Vec::with_capacity(SCHEMA_ATTRIBUTES.len());
    let mut named: BTreeSet<i64> = BTreeSet::new();
    for name in SCHEMA_ATTRIBUTES {
        let a = Attr::new(name);
        let facts = if name == DOC {
            let named: Vec<i64> = named.iter().copied().collect();
            snapshot.facts(&a, &named).await?
        } else {
            snapshot.all(&a).await?
        };
        if name == IDENT {
            named.extend(facts.iter().map(|f| f.e));
        }
        all.push((a, facts));
    }
    Ok(all)
}

/// Every t up to the snapshot's at which the schema changed: a declaration, a new attribute, a new type. Sorted.
pub async fn change_points(snapshot: &Snapshot) -> Result<Vec<i64>> {
    let mut points = BTreeSet::new();
    for (_, facts) in schema_facts(&snapshot.history()).await? {
        for fact in facts {
            points.insert(fact.t_from);
            if !fact.is_open() {
                points.insert(fact.t_to);
            }
        }
    }
    points.extend(snapshot.attributes().map(|stat| stat.first_t));
    Ok(points.into_iter().collect())
}
