//! Goals with other names for some variables.

use super::{Apply, AttrSlot, Goal, Nested, NestedElement, Out, Pattern, Slot};
use crate::query::Var;
use std::collections::{BTreeMap, BTreeSet};

/// Old names to new ones.
pub type Names = BTreeMap<Var, Var>;

fn var(v: &Var, names: &Names) -> Var {
    names.get(v).unwrap_or(v).clone()
}

fn set(vars: &BTreeSet<Var>, names: &Names) -> BTreeSet<Var> {
    vars.iter().map(|v| var(v, names)).collect()
}

pub fn slot(s: &Slot, names: &Names) -> Slot {
    match s {
        Slot::Var(v) => Slot::Var(var(v, names)),
        s => s.clone(),
    }
}

pub fn slots(all: &[Slot], names: &Names) -> Vec<Slot> {
    all.iter().map(|s| slot(s, names)).collect()
}

fn apply(a: &Apply, names: &Names) -> Apply {
    a.with(&|s| Some(slot(s, names))).unwrap_or_else(|| a.clone())
}

fn out(o: &Out, names: &Names) -> Out {
    match o {
        Out::Slot(s) => Out::Slot(slot(s, names)),
        Out::Tuple(parts) => Out::Tuple(parts.iter().map(|p| out(p, names)).collect()),
        Out::Each(item) => Out::Each(Box::new(out(item, names))),
    }
}

fn pattern(p: &Pattern, names: &Names) -> Pattern {
    let a = match &p.a {
        AttrSlot::Any(s) => AttrSlot::Any(slot(s, names)),
        a => a.clone(),
    };
    let of = |s: &Slot| slot(s, names);
    Pattern {
        source: p.source,
        e: of(&p.e),
        a,
        v: of(&p.v),
        t: of(&p.t),
        m: of(&p.m),
        added: of(&p.added),
    }
}

fn nested(q: &Nested, names: &Names) -> Nested {
    let element = |e: &NestedElement| match e {
        NestedElement::Slot(s) => NestedElement::Slot(slot(s, names)),
        NestedElement::Aggregate(name, n, s) => {
            NestedElement::Aggregate(name.clone(), *n, slot(s, names))
        }
    };
    Nested {
        params: set(&q.params, names),
        goals: goals(&q.goals, names),
        find: q.find.iter().map(element).collect(),
        with: slots(&q.with, names),
        one: q.one,
        outs: q.outs.iter().map(|o| out(o, names)).collect(),
        row: q.row.as_ref().map(|o| out(o, names)),
    }
}

pub fn goals(all: &[Goal], names: &Names) -> Vec<Goal> {
    all.iter().map(|g| goal(g, names)).collect()
}

pub fn goal(g: &Goal, names: &Names) -> Goal {
    match g {
        Goal::Pattern(p) => Goal::Pattern(pattern(p, names)),
        Goal::Row { source, slots: s } => Goal::Row { source: *source, slots: slots(s, names) },
        Goal::Values { vars, rows } => {
            Goal::Values { vars: vars.iter().map(|v| var(v, names)).collect(), rows: rows.clone() }
        }
        Goal::Test(a) => Goal::Test(apply(a, names)),
        Goal::Bind(a, o) => Goal::Bind(apply(a, names), out(o, names)),
        Goal::First { source, e, attributes, default, which, out: o } => Goal::First {
            source: *source,
            e: slot(e, names),
            attributes: attributes.clone(),
            default: default.clone(),
            which: out(which, names),
            out: out(o, names),
        },
        Goal::Not { vars, goals: inner } => {
            let vars = vars.as_ref().map(|vars| set(vars, names));
            Goal::Not { vars, goals: goals(inner, names) }
        }
        Goal::Or { vars, required, branches } => Goal::Or {
            vars: set(vars, names),
            required: set(required, names),
            branches: branches.iter().map(|b| goals(b, names)).collect(),
        },
        Goal::Rule { rule, args } => Goal::Rule { rule: *rule, args: slots(args, names) },
        Goal::Query(q) => Goal::Query(Box::new(nested(q, names))),
        Goal::Never { vars, why } => {
            let vars = vars.iter().map(|v| var(v, names)).collect();
            Goal::Never { vars, why: why.clone() }
        }
    }
}
