//! An `or` whose branches ask of one entity alone: one access to what any of them asks for, and which of them holds.
//!
//! ```text
//! (or-join [?e] [?e :age 10] (and [?e :sex :male] [?e :salary ?s] [(< ?s 5000)]))
//!     becomes a star of ?e with age, sex and salary where there are any, filtered by
//!         age = 10, or sex = :male and salary < 5000
//! ```

use super::{Column, Node, Place, Plan, Planner, Star, Test};
use crate::query::Var;
use crate::resolve::Slot;
use crate::source::{DbSource, Source};
use crate::value::Kind;
use daodb_storage::{Attr, ValueType};
use std::collections::BTreeMap;

/// A branch: a star, what else must hold, and which columns are kept.
struct Branch<'a> {
    star: &'a Star,
    entity: &'a Var,
    tests: Vec<&'a Test>,
    kept: &'a [Column],
    rows: f64,
}

impl<'a> Branch<'a> {
    /// None: it is no star, or one that reads few entities by themselves.
    fn of(plan: &'a Plan, sources: &[Source]) -> Option<Branch<'a>> {
        let Node::Distinct { input } = &plan.node else { return None };
        let (mut tests, mut below) = (Vec::new(), input);
        while let Node::Filter { input, test } = &below.node {
            tests.push(test);
            below = input;
        }
        let Node::Star(star) = &below.node else { return None };
        let Slot::Var(entity) = &star.e else { return None };
        let Some(Source::Database(db)) = sources.get(star.source) else { return None };
        let fits = star.places.iter().all(|p| !p.optional && !found_by_value(db, p));
        let kept = plan.columns.as_slice();
        (fits && plan.has(entity)).then_some(Branch { star, entity, tests, kept, rows: plan.rows })
    }

    /// The attribute whose value a variable is.
    fn attribute(&self, var: &Var) -> Option<(&Attr, ValueType)> {
        let is = |p: &&Place| p.v.var() == Some(var);
        self.star.places.iter().find(is).map(|p| (&p.a, p.ty))
    }
}

/// A constant by which its few entities are found without a scan.
fn found_by_value(db: &DbSource, place: &Place) -> bool {
    matches!(place.v, Slot::Const(_)) && (place.ty == ValueType::Ref || db.is_indexed(&place.a))
}

impl Planner<'_> {
    /// The branches of an `or` as one star; None: they are not about one entity alone.
    pub(super) fn one_star(&mut self, branches: &[Plan]) -> Option<Plan> {
        let all: Vec<Branch<'_>> =
            branches.iter().map(|b| Branch::of(b, self.sources)).collect::<Option<_>>()?;
        let (first, others) = all.split_first()?;
        let same = |b: &Branch<'_>| b.star.source == first.star.source && b.entity == first.entity;
        if others.is_empty() || !others.iter().all(same) {
            return None;
        }
        // What is kept beside the entity is the value of one attribute, in each branch.
        let mut columns: BTreeMap<(Attr, ValueType), Var> = BTreeMap::new();
        for column in first.kept.iter().filter(|c| c.var != *first.entity) {
            let of_first = first.attribute(&column.var)?;
            if !others.iter().all(|b| b.attribute(&column.var) == Some(of_first)) {
                return None;
            }
            let (a, ty) = of_first;
            // Two variables of one attribute would be one column.
            if columns.insert((a.clone(), ty), column.var.clone()).is_some() {
                return None;
            }
        }
        for place in all.iter().flat_map(|b| &b.star.places) {
            let fresh = self.fresh();
            columns.entry((place.a.clone(), place.ty)).or_insert(fresh);
        }
        let any: Vec<Vec<Test>> =
            all.iter().map(|b| conditions(b, &columns)).collect::<Option<_>>()?;
        Some(self.any_of(first, columns, any, all.iter().map(|b| b.rows).sum()))
    }

    fn any_of(
        &self,
        first: &Branch<'_>,
        columns: BTreeMap<(Attr, ValueType), Var>,
        any: Vec<Vec<Test>>,
        rows: f64,
    ) -> Plan {
        let mut places = Vec::with_capacity(columns.len());
        let mut all = vec![Column::new(first.entity.clone(), Kind::LONG, rows)];
        let mut entities: f64 = 1.0;
        for ((a, ty), var) in columns {
            let mut distinct = rows;
            if let Some(Source::Database(db)) = self.sources.get(first.star.source) {
                entities = entities.max(db.facts(&a));
                distinct = db.distinct(&a).1.min(rows.max(1.0));
            }
            all.push(Column::new(var.clone(), Kind::of(ty), distinct));
            places.push(Place { a, ty, v: Slot::Var(var), optional: true });
        }
        let star = Star { source: first.star.source, e: first.star.e.clone(), places };
        let plan = Plan { node: Node::Star(star), columns: all, rows: entities };
        let share = (rows / entities).min(1.0);
        plan.filter(Test::Any(any), share).distinct(|v| first.kept.iter().any(|c| c.var == *v))
    }
}

/// What a branch asks of the columns.
fn conditions(
    branch: &Branch<'_>,
    columns: &BTreeMap<(Attr, ValueType), Var>,
) -> Option<Vec<Test>> {
    let mut out = Vec::new();
    let mut names: BTreeMap<&Var, &Var> = BTreeMap::from([(branch.entity, branch.entity)]);
    for place in &branch.star.places {
        let column = columns.get(&(place.a.clone(), place.ty))?;
        match &place.v {
            Slot::Const(_) => out.push(Test::Same(column.clone(), place.v.clone())),
            Slot::Blank => out.push(Test::Present(column.clone())),
            Slot::Var(v) => {
                names.insert(v, column);
                out.push(Test::Present(column.clone()));
            }
        }
    }
    for test in &branch.tests {
        out.push(renamed(test, &names)?);
    }
    Some(out)
}

fn renamed(test: &Test, names: &BTreeMap<&Var, &Var>) -> Option<Test> {
    let var = |v: &Var| names.get(v).map(|n| (*n).clone());
    let slot = |s: &Slot| match s {
        Slot::Var(v) => var(v).map(Slot::Var),
        other => Some(other.clone()),
    };
    Some(match test {
        Test::Holds(apply) => Test::Holds(apply.with(&slot)?),
        Test::Same(v, other) => Test::Same(var(v)?, slot(other)?),
        Test::Present(v) => Test::Present(var(v)?),
        Test::Any(any) => {
            let all = |tests: &Vec<Test>| tests.iter().map(|t| renamed(t, names)).collect();
            Test::Any(any.iter().map(all).collect::<Option<_>>()?)
        }
    })
}
