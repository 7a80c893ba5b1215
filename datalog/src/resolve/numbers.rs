//! A variable that is a long in one pattern and a bigint in another: 5 and 5N are equal, but their columns are of two types.
//! Where it is a bigint it gets a name of its own, which is bound to the same number as a bigint.

use super::{Apply, AttrSlot, Goal, Out, Slot};
use crate::functions::find;
use crate::query::Var;
use crate::source::Source;
use daodb_storage::ValueType;
use std::collections::BTreeSet;

/// The same goals, so that each variable is of one of the two types; those of further conjunctions within them, too.
pub fn alike(goals: Vec<Goal>, sources: &[Source]) -> Vec<Goal> {
    let of = |ty: ValueType| -> BTreeSet<Var> {
        goals.iter().filter_map(|goal| value_of(goal, sources, ty)).cloned().collect()
    };
    let both: BTreeSet<Var> = &of(ValueType::Long) & &of(ValueType::Bigint);
    let mut out: Vec<Goal> = goals.into_iter().map(|goal| within(goal, sources)).collect();
    for goal in &mut out {
        let renamed =
            value_of(goal, sources, ValueType::Bigint).filter(|v| both.contains(*v)).map(as_bigint);
        if let (Goal::Pattern(pattern), Some(var)) = (goal, renamed) {
            pattern.v = Slot::Var(var);
        }
    }
    if let Some(function) = find("bigint") {
        out.extend(both.into_iter().map(|v| {
            let to = Out::Slot(Slot::Var(as_bigint(&v)));
            Goal::Bind(Apply { function, args: vec![Slot::Var(v).into()] }, to)
        }));
    }
    out
}

/// A name that no query can write.
fn as_bigint(v: &Var) -> Var {
    Var(format!("{v}'bigint").into())
}

/// The variable in the place of the value, where all values of the attribute are of this type.
fn value_of<'g>(goal: &'g Goal, sources: &[Source], ty: ValueType) -> Option<&'g Var> {
    let Goal::Pattern(p) = goal else { return None };
    let (AttrSlot::Attr(a), Some(Source::Database(db))) = (&p.a, sources.get(p.source)) else {
        return None;
    };
    p.v.var().filter(|_| db.types(a) == [ty])
}

fn within(goal: Goal, sources: &[Source]) -> Goal {
    let all = |goals| alike(goals, sources);
    match goal {
        Goal::Not { vars, goals } => Goal::Not { vars, goals: all(goals) },
        Goal::Or { vars, required, branches } => {
            let branches = branches.into_iter().map(all).collect();
            Goal::Or { vars, required, branches }
        }
        Goal::Query(mut query) => {
            query.goals = all(std::mem::take(&mut query.goals));
            Goal::Query(query)
        }
        goal => goal,
    }
}
