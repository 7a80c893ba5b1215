//! What must hold anyway is asked within the branches of an `or`, where it makes them small and joins nothing:
//!
//! ```text
//! [?e :name "Ivan"] (or [?e :age 10] [?e :sex :male])
//!     becomes (or (and [?e :name "Ivan"] [?e :age 10]) (and [?e :name "Ivan"] [?e :sex :male]))
//! ```

use crate::query::Var;
use crate::resolve::{AttrSlot, Goal, Pattern, Slot};

/// Moves patterns with a constant value into the first `or` all of whose branches read of the same entity.
pub fn distribute(goals: Vec<Goal>) -> Vec<Goal> {
    let Some(or) = goals.iter().position(|goal| !entities(goal).is_empty()) else { return goals };
    let of = entities(&goals[or]);
    let (mut moved, mut rest) = (Vec::new(), Vec::with_capacity(goals.len()));
    for goal in goals {
        match restriction(&goal).is_some_and(|about| of.contains(&about)) {
            true => moved.push(goal),
            false => rest.push(goal),
        }
    }
    // Only an `or` whose branches have entities is one of the rest that has any.
    let found = rest.iter_mut().find(|goal| !entities(goal).is_empty());
    if let Some(Goal::Or { branches, .. }) = found {
        branches.iter_mut().for_each(|branch| branch.extend(moved.iter().cloned()));
    }
    rest
}

/// Whom every branch of a plain `or` reads of: patterns and predicates alone, and shared variables as entities.
fn entities(goal: &Goal) -> Vec<(usize, Var)> {
    let Goal::Or { vars, required, branches } = goal else { return vec![] };
    let plain = |goal: &Goal| matches!(goal, Goal::Pattern(_) | Goal::Test(_));
    if !required.is_empty() || branches.len() < 2 || !branches.iter().flatten().all(plain) {
        return vec![];
    }
    let mut all = branches.iter().map(|branch| branch.iter().filter_map(about).collect::<Vec<_>>());
    let mut of = all.next().unwrap_or_default();
    of.retain(|(_, v)| vars.contains(v));
    all.for_each(|others| of.retain(|about| others.contains(about)));
    of
}

/// The entity that a pattern of one attribute reads of, where nothing else of its datoms is asked for.
fn about(goal: &Goal) -> Option<(usize, Var)> {
    match goal {
        Goal::Pattern(Pattern {
            source,
            e: Slot::Var(e),
            a: AttrSlot::Attr(_),
            t,
            m,
            added,
            ..
        }) if t.is_blank() && m.is_blank() && added.is_blank() => Some((*source, e.clone())),
        _ => None,
    }
}

fn restriction(goal: &Goal) -> Option<(usize, Var)> {
    match goal {
        Goal::Pattern(Pattern { v: Slot::Const(_), .. }) => about(goal),
        _ => None,
    }
}
