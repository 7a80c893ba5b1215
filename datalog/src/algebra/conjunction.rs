//! The order of a conjunction: what is cheap and ready first, then the relation that joins with the fewest rows.
//!
//! ```text
//! ask what must hold anyway within the branches of an `or` (see `distribute`)
//! plan every relation that stands for itself: stars, patterns, rows, rules, `or`s whose branches need nothing from outside
//! while anything is left:
//!     a predicate or function whose arguments are bound, or a `not` whose shared variables are bound: take it
//!     else the relation that joins with the fewest rows (at first: the smallest), those that share a variable before others
//!     else an `or` or `not` that needs what is bound so far: its branches start from there
//!     else: insufficient binding
//! ```

use super::build::Result;
use super::distribute::distribute;
use super::estimate::{join, join_rows, shared};
use super::{Column, Node, Plan, Planner, Stuck};
use crate::query::Var;
use crate::resolve::{Goal, Slot};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Planner<'_> {
    /// The rows of `seed` (one without columns, where there is none) for which all goals hold, with what they bind.
    pub fn conjunction(&mut self, goals: &[Goal], seed: Option<Plan>) -> Result<Plan> {
        let goals = distribute(flattened(goals));
        let types = self.types(&goals)?;
        let mut relations = self.patterns(&goals, &types)?;
        let mut rest: Vec<&Goal> = Vec::new();
        for goal in &goals {
            match goal {
                Goal::Pattern(_) => {}
                Goal::Row { source, slots } => relations.push(self.row(*source, slots)),
                Goal::Values { vars, rows } => relations.push(Planner::values(vars, rows)),
                Goal::Rule { rule, args } => {
                    let call = self.demanded(*rule, args, &goals)?;
                    let (rule, args) = call.unwrap_or_else(|| (*rule, args.clone()));
                    relations.push(self.rule_call(rule, &args)?);
                }
                Goal::Never { vars, why } => {
                    let columns =
                        vars.iter().map(|v| Column::new(v.clone(), crate::value::Kind::Any, 0.0));
                    relations.push(Plan::empty(columns.collect(), why.clone()));
                }
                Goal::Or { vars, branches, required } if required.is_empty() => {
                    match self.or(vars, branches, None) {
                        Ok(plan) => relations.push(plan),
                        Err(Stuck::Unbound { .. }) => rest.push(goal),
                        Err(wrong) => return Err(wrong),
                    }
                }
                other => rest.push(other),
            }
        }
        let bindable = bindable(&goals, seed.as_ref());
        let mut current = seed.unwrap_or_else(Plan::unit);
        loop {
            if let Some(next) = self.ready(&current, &mut rest, &bindable)? {
                current = next;
            } else if !relations.is_empty() {
                let next = relations.swap_remove(cheapest(&current, &relations));
                current = join(current, next);
            } else if rest.is_empty() {
                return Ok(current);
            } else {
                current = self.seeded(current, &mut rest, &bindable)?;
            }
        }
    }

    /// What can be done now without another relation; None: nothing.
    fn ready(
        &mut self,
        current: &Plan,
        rest: &mut Vec<&Goal>,
        bindable: &BTreeSet<Var>,
    ) -> Result<Option<Plan>> {
        for i in 0..rest.len() {
            let next = match rest[i] {
                Goal::Test(apply) if apply.vars().all(|v| current.has(v)) => {
                    Some(self.test(current.clone(), apply)?)
                }
                Goal::Bind(apply, out) if apply.vars().all(|v| current.has(v)) => {
                    Some(self.bind(current.clone(), apply, out)?)
                }
                Goal::First { e, .. } if e.var().is_none_or(|e| current.has(e)) => {
                    Some(self.first(current.clone(), rest[i])?)
                }
                Goal::Not { vars, goals } => {
                    self.not(current, vars.as_ref(), goals, bindable, false)?
                }
                Goal::Query(query) if query.params.iter().all(|v| current.has(v)) => {
                    Some(self.nested(current.clone(), query)?)
                }
                _ => None,
            };
            if next.is_some() {
                rest.remove(i);
                return Ok(next);
            }
        }
        Ok(None)
    }

    /// An `or` or a `not` that starts from what is bound.
    fn seeded(
        &mut self,
        current: Plan,
        rest: &mut Vec<&Goal>,
        bindable: &BTreeSet<Var>,
    ) -> Result<Plan> {
        let mut why = None;
        for i in 0..rest.len() {
            let next = match rest[i] {
                Goal::Or { vars, required, branches } => {
                    match required.iter().all(|v| current.has(v)) {
                        true => self.or(vars, branches, Some(&current)),
                        false => Err(unbound(rest[i], &current)),
                    }
                }
                Goal::Not { vars, goals } => {
                    match self.not(&current, vars.as_ref(), goals, bindable, true)? {
                        Some(next) => Ok(next),
                        None => Err(unbound(rest[i], &current)),
                    }
                }
                goal => Err(unbound(goal, &current)),
            };
            match next {
                Ok(next) => {
                    rest.remove(i);
                    return Ok(next);
                }
                Err(stuck @ Stuck::Unbound { .. }) => why = why.or(Some(stuck)),
                Err(wrong) => return Err(wrong),
            }
        }
        Err(why.unwrap_or_else(|| unbound(rest[0], &current)))
    }

    /// All branches, as relations over `vars` and what `seed` has.
    fn or(
        &mut self,
        vars: &BTreeSet<Var>,
        branches: &[Vec<Goal>],
        seed: Option<&Plan>,
    ) -> Result<Plan> {
        let mut inputs = Vec::with_capacity(branches.len());
        for branch in branches {
            let plan = self.conjunction(branch, seed.cloned())?;
            if let Some(missing) = vars.iter().find(|v| !plan.has(v)) {
                let goal = branch.first().map(Goal::to_string).unwrap_or_default();
                return Err(Stuck::Unbound { goal, vars: vec![missing.clone()] });
            }
            let keep = |v: &Var| vars.contains(v) || seed.is_some_and(|s| s.has(v));
            inputs.push(plan.distinct(keep));
        }
        match self.one_star(&inputs) {
            Some(star) => Ok(star),
            None => Ok(union(inputs)),
        }
    }

    /// None: the variables that it shares are not bound yet.
    fn not(
        &mut self,
        current: &Plan,
        vars: Option<&BTreeSet<Var>>,
        goals: &[Goal],
        bindable: &BTreeSet<Var>,
        seeded: bool,
    ) -> Result<Option<Plan>> {
        let share: BTreeSet<Var> = match vars {
            Some(vars) => vars.clone(),
            None => {
                let mentions = goals.iter().flat_map(Goal::mentions);
                mentions.filter(|v| bindable.contains(*v)).cloned().collect()
            }
        };
        if !share.iter().all(|v| current.has(v)) {
            return Ok(None);
        }
        let seed = seeded.then(|| current.clone().distinct(|v| share.contains(v)));
        let inner = match self.conjunction(goals, seed) {
            Ok(inner) => inner,
            Err(Stuck::Unbound { .. }) if !seeded => return Ok(None),
            Err(e) => return Err(e),
        };
        if let Some(v) = share.iter().find(|v| !inner.has(v)) {
            // Only filters inside speak of it.
            return match seeded {
                false => Ok(None),
                true => Err(Stuck::Unbound { goal: "(not ...)".into(), vars: vec![v.clone()] }),
            };
        }
        let right = inner.distinct(|v| share.contains(v));
        Ok(Some(anti(current.clone(), right)))
    }
}

/// `or`s of one branch that need nothing, as their goals: their own variables have names of their own.
fn flattened(goals: &[Goal]) -> Vec<Goal> {
    let mut out = Vec::with_capacity(goals.len());
    for goal in goals {
        match goal {
            Goal::Or { branches, .. } if branches.len() == 1 => {
                out.extend(flattened(&branches[0]));
            }
            goal => out.push(goal.clone()),
        }
    }
    out
}

fn bindable(goals: &[Goal], seed: Option<&Plan>) -> BTreeSet<Var> {
    let seeds = seed.into_iter().flat_map(|s| s.columns.iter().map(|c| &c.var));
    goals.iter().flat_map(Goal::binds).chain(seeds).cloned().collect()
}

fn unbound(goal: &Goal, current: &Plan) -> Stuck {
    let needs: Vec<Var> = match goal {
        Goal::Bind(apply, _) => apply.vars().cloned().collect(),
        Goal::First { e, .. } => e.var().cloned().into_iter().collect(),
        Goal::Query(query) => query.params.iter().cloned().collect(),
        Goal::Or { required, .. } if !required.is_empty() => required.iter().cloned().collect(),
        goal => goal.mentions().into_iter().cloned().collect(),
    };
    let vars = needs.into_iter().filter(|v| !current.has(v)).collect();
    Stuck::Unbound { goal: goal.to_string(), vars }
}

/// The relation to join next.
fn cheapest(current: &Plan, relations: &[Plan]) -> usize {
    let cost = |plan: &Plan| {
        let apart = !matches!(current.node, Node::Unit) && shared(current, plan).is_empty();
        (apart, join_rows(current, plan))
    };
    let order = |a: &(bool, f64), b: &(bool, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
    let costs: Vec<(bool, f64)> = relations.iter().map(cost).collect();
    (0..relations.len()).min_by(|a, b| order(&costs[*a], &costs[*b])).unwrap_or(0)
}

pub fn union(mut inputs: Vec<Plan>) -> Plan {
    let (full, empty): (Vec<Plan>, Vec<Plan>) = inputs.drain(..).partition(|p| !p.is_empty());
    let Some(first) = full.first() else {
        return empty.into_iter().next().unwrap_or_else(|| Plan::empty(vec![], "no branch"));
    };
    if full.len() == 1 {
        return full.into_iter().next().unwrap_or_else(Plan::unit);
    }
    let columns = first.columns.iter().map(|c| {
        let of_all = full.iter().filter_map(|p| p.column(&c.var));
        let kind = of_all.clone().map(|c| c.kind).reduce(crate::value::Kind::join);
        let distinct = of_all.map(|c| c.distinct).sum();
        Column::new(c.var.clone(), kind.unwrap_or(c.kind), distinct)
    });
    let columns = columns.collect();
    let rows = full.iter().map(|p| p.rows).sum();
    Plan { node: Node::Union { inputs: full }, columns, rows }
}

pub fn anti(left: Plan, right: Plan) -> Plan {
    if left.is_empty() || right.is_empty() {
        return left;
    }
    let (columns, rows) = (left.columns.clone(), left.rows * 0.5);
    // Values of two types are never the same.
    let differ = |v: &Var| match (left.column(v), right.column(v)) {
        (Some(a), Some(b)) => {
            a.kind.join(b.kind) == crate::value::Kind::Any
                && a.kind != crate::value::Kind::Any
                && b.kind != crate::value::Kind::Any
        }
        _ => false,
    };
    if shared(&left, &right).iter().any(differ) {
        return left;
    }
    Plan { node: Node::Anti { left: Arc::new(left), right: Arc::new(right) }, columns, rows }
}

impl Planner<'_> {
    /// The rows of a recursive rule that fit a call.
    fn rule_call(&mut self, rule: usize, args: &[Slot]) -> Result<Plan> {
        let plan = self.rule_plan(rule)?;
        let mut names: Vec<(Slot, Var)> = Vec::new();
        let mut columns = Vec::new();
        for (arg, column) in args.iter().zip(&plan.columns) {
            let var = match arg {
                Slot::Var(v) if names.iter().all(|(_, n)| n != v) => v.clone(),
                _ => self.fresh(),
            };
            columns.push(Column { var: var.clone(), ..column.clone() });
            names.push((arg.clone(), var));
        }
        let plan = Plan { columns, ..plan };
        let keep: BTreeSet<Var> = args.iter().filter_map(Slot::var).cloned().collect();
        let whole = keep.len() == args.len();
        let fitted = self.fit(plan, &names);
        Ok(if whole { fitted } else { fitted.distinct(|v| keep.contains(v)) })
    }
}
