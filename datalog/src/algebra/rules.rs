//! Recursive rules, taken apart for the fixpoint: what does not recur becomes relations that are read once; calls, and what
//! can only be asked of the rows that calls give, stay.
//!
//! ```text
//! for each rule of a cycle, for each of its branches (an `or` that recurs becomes branches):
//!     the clauses that share variables, calls left aside, are one relation each
//!     a predicate or function goes to the relation that binds all its arguments, else it is asked of each row
//!     a `not` likewise, else its relation is looked into for each row
//! ```

use super::build::Result;
use super::{Column, Plan, Planner, Stuck};
use crate::query::{Fault, Var};
use crate::resolve::{Apply, Goal, Out, Slot};
use crate::value::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules of one cycle.
#[derive(Debug)]
pub struct Fixpoint {
    pub rules: Vec<Recursive>,
    /// From places in the program to places here.
    pub places: BTreeMap<usize, usize>,
}

#[derive(Debug)]
pub struct Recursive {
    pub name: Arc<str>,
    pub heads: Vec<Var>,
    pub kinds: Vec<Kind>,
    pub branches: Vec<Branch>,
}

#[derive(Debug, Default)]
pub struct Branch {
    /// Read once.
    pub inputs: Vec<Plan>,
    pub calls: Vec<RuleCall>,
    /// Asked of each row.
    pub steps: Vec<Step>,
    /// Rows that have a partner here are left out.
    pub nots: Vec<Plan>,
}

#[derive(Debug)]
pub struct RuleCall {
    /// Into the rules of the fixpoint.
    pub rule: usize,
    pub args: Vec<Slot>,
}

#[derive(Debug, Clone)]
pub enum Step {
    Test(Apply),
    Bind(Apply, Out),
}

/// Branches that one rule may have, its `or`s written out.
const MAX_BRANCHES: usize = 1_000;

impl Fixpoint {
    pub fn name(&self, rule: usize) -> &str {
        self.places.get(&rule).and_then(|i| self.rules.get(*i)).map_or("?", |r| &r.name)
    }
}

impl Planner<'_> {
    /// All rows of a recursive rule.
    pub(super) fn rule_plan(&mut self, rule: usize) -> Result<Plan> {
        let fixpoint = match self.fixpoints.get(&rule) {
            Some(known) => Arc::clone(known),
            None => {
                let cycle = self.cycle(rule);
                let fixpoint = Arc::new(self.fixpoint(&cycle)?);
                for member in cycle {
                    self.fixpoints.insert(member, Arc::clone(&fixpoint));
                }
                fixpoint
            }
        };
        let of = &fixpoint.rules[fixpoint.places[&rule]];
        let inputs = fixpoint.rules.iter().flat_map(|r| &r.branches).flat_map(|b| &b.inputs);
        let rows = 4.0 * inputs.map(|p| p.rows).sum::<f64>();
        let columns = of.heads.iter().zip(&of.kinds);
        let columns = columns.map(|(v, k)| Column::new(v.clone(), *k, rows.sqrt())).collect();
        Ok(Plan {
            node: super::Node::Rule { fixpoint: Arc::clone(&fixpoint), rule },
            columns,
            rows,
        })
    }

    /// The rules that depend on this one and that it depends on.
    pub(super) fn cycle(&self, rule: usize) -> Vec<usize> {
        let calls: Vec<BTreeSet<usize>> = self
            .program
            .iter()
            .map(|r| {
                let mut out = BTreeSet::new();
                r.branches.iter().flatten().for_each(|g| called(g, &mut out));
                out
            })
            .collect();
        let reach = |from: usize| {
            let (mut seen, mut rest) = (BTreeSet::new(), vec![from]);
            while let Some(next) = rest.pop() {
                rest.extend(calls[next].iter().copied().filter(|c| seen.insert(*c)));
            }
            seen
        };
        let around = reach(rule).into_iter().filter(|other| reach(*other).contains(&rule));
        around.chain([rule]).collect::<BTreeSet<usize>>().into_iter().collect()
    }

    fn fixpoint(&mut self, cycle: &[usize]) -> Result<Fixpoint> {
        let places: BTreeMap<usize, usize> =
            cycle.iter().enumerate().map(|(i, rule)| (*rule, i)).collect();
        let mut rules = Vec::with_capacity(cycle.len());
        for rule in cycle {
            let def = self.program[*rule].clone();
            let mut branches = Vec::new();
            for branch in &def.branches {
                for goals in written_out(branch, &places)? {
                    branches.push(self.branch(&goals, &def.heads, &places)?);
                }
            }
            let (name, heads) = (Arc::clone(&def.name), def.heads.clone());
            rules.push(Recursive { name, kinds: vec![Kind::Any; heads.len()], heads, branches });
        }
        let kinds = kinds(&rules);
        rules.iter_mut().zip(kinds).for_each(|(rule, kinds)| rule.kinds = kinds);
        Ok(Fixpoint { rules, places })
    }

    fn branch(
        &mut self,
        goals: &[Goal],
        heads: &[Var],
        places: &BTreeMap<usize, usize>,
    ) -> Result<Branch> {
        let mut out = Branch::default();
        let mut others = Vec::new();
        for goal in goals {
            match goal {
                Goal::Rule { rule, args } if places.contains_key(rule) => {
                    out.calls.push(RuleCall { rule: places[rule], args: args.clone() });
                }
                goal => others.push(goal.clone()),
            }
        }
        let bindable: BTreeSet<Var> = goals.iter().flat_map(Goal::binds).cloned().collect();
        let (groups, later) = grouped(others, &bindable);
        for group in &groups {
            let elsewhere = goals.iter().filter(|g| !group.iter().any(|x| same(x, g)));
            let needed: BTreeSet<Var> =
                elsewhere.flat_map(Goal::mentions).chain(heads).cloned().collect();
            let plan = self.conjunction(group, None)?;
            out.inputs.push(plan.distinct(|v| needed.contains(v)));
        }
        for goal in later {
            match goal {
                Goal::Test(apply) => out.steps.push(Step::Test(apply)),
                Goal::Bind(apply, to) => out.steps.push(Step::Bind(apply, to)),
                Goal::Not { vars, goals } => {
                    let share: BTreeSet<Var> = match vars {
                        Some(vars) => vars,
                        None => {
                            let all = goals.iter().flat_map(Goal::mentions);
                            all.filter(|v| bindable.contains(*v)).cloned().collect()
                        }
                    };
                    let inner = self.conjunction(&goals, None)?;
                    if let Some(v) = share.iter().find(|v| !inner.has(v)) {
                        return Err(Stuck::Unbound {
                            goal: "(not ...)".into(),
                            vars: vec![v.clone()],
                        });
                    }
                    out.nots.push(inner.distinct(|v| share.contains(v)));
                }
                goal => {
                    let vars = goal.mentions().into_iter().cloned().collect();
                    return Err(Stuck::Unbound { goal: goal.to_string(), vars });
                }
            }
        }
        bound(&out, heads)?;
        Ok(out)
    }
}

/// The same goal, not an equal one.
fn same(x: &Goal, y: &Goal) -> bool {
    x.to_string() == y.to_string()
}

pub fn called(goal: &Goal, out: &mut BTreeSet<usize>) {
    match goal {
        Goal::Rule { rule, .. } => {
            out.insert(*rule);
        }
        Goal::Not { goals, .. } => goals.iter().for_each(|g| called(g, out)),
        Goal::Query(query) => query.goals.iter().for_each(|g| called(g, out)),
        Goal::Or { branches, .. } => branches.iter().flatten().for_each(|g| called(g, out)),
        _ => {}
    }
}

/// An `or` with a call of the cycle in it becomes several bodies.
pub fn written_out(goals: &[Goal], places: &BTreeMap<usize, usize>) -> Result<Vec<Vec<Goal>>> {
    let mut bodies: Vec<Vec<Goal>> = vec![vec![]];
    for goal in goals {
        let mut calls = BTreeSet::new();
        called(goal, &mut calls);
        let recurs = calls.iter().any(|c| places.contains_key(c));
        let alternatives = match goal {
            Goal::Or { branches, .. } if recurs => {
                let mut all = Vec::new();
                for branch in branches {
                    all.extend(written_out(branch, places)?);
                }
                all
            }
            goal => vec![vec![goal.clone()]],
        };
        let mut next = Vec::with_capacity(bodies.len() * alternatives.len());
        for body in &bodies {
            for more in &alternatives {
                next.push(body.iter().chain(more).cloned().collect());
            }
        }
        if next.len() > MAX_BRANCHES {
            let text = format!("a recursive rule has more than {MAX_BRANCHES} branches");
            return Err(Stuck::Wrong(Fault::new(Default::default(), text)));
        }
        bodies = next;
    }
    Ok(bodies)
}

/// Goals that share variables, and those that must wait for rows.
fn grouped(goals: Vec<Goal>, bindable: &BTreeSet<Var>) -> (Vec<Vec<Goal>>, Vec<Goal>) {
    let mut groups: Vec<(BTreeSet<Var>, Vec<Goal>)> = Vec::new();
    let mut waiting = Vec::new();
    for goal in goals {
        let starts = match &goal {
            Goal::Test(_) | Goal::Not { .. } | Goal::First { .. } => false,
            Goal::Bind(apply, _) => apply.vars().next().is_none(),
            Goal::Or { required, .. } => required.is_empty(),
            Goal::Query(query) => query.params.is_empty(),
            _ => true,
        };
        if !starts {
            waiting.push(goal);
            continue;
        }
        let mut vars: BTreeSet<Var> = goal.mentions().into_iter().cloned().collect();
        let mut all = vec![goal];
        groups.retain_mut(|(other, goals)| {
            let meets = !other.is_disjoint(&vars);
            if meets {
                vars.append(other);
                all.append(goals);
            }
            !meets
        });
        groups.push((vars, all));
    }
    // What one group binds goes to it; that may bind what another waits for.
    loop {
        let before = waiting.len();
        waiting.retain(|goal| {
            let binds = goal.binds();
            let needs =
                goal.mentions().into_iter().filter(|v| bindable.contains(*v) && !binds.contains(v));
            let needs: Vec<&Var> = needs.collect();
            let home = groups.iter_mut().find(|(vars, _)| needs.iter().all(|v| vars.contains(*v)));
            match home {
                Some((vars, goals)) => {
                    vars.extend(binds.into_iter().cloned());
                    goals.push(goal.clone());
                    false
                }
                None => true,
            }
        });
        if waiting.len() == before {
            return (groups.into_iter().map(|(_, goals)| goals).collect(), waiting);
        }
    }
}

/// Whether every row has all it is asked for.
fn bound(branch: &Branch, heads: &[Var]) -> Result<()> {
    let mut known: BTreeSet<&Var> =
        branch.inputs.iter().flat_map(|p| p.columns.iter().map(|c| &c.var)).collect();
    known.extend(branch.calls.iter().flat_map(|c| c.args.iter().filter_map(Slot::var)));
    let mut rest: Vec<&Step> = branch.steps.iter().collect();
    loop {
        let before = rest.len();
        rest.retain(|step| {
            let (Step::Test(apply) | Step::Bind(apply, _)) = step;
            let ready = apply.vars().all(|v| known.contains(v));
            if let (true, Step::Bind(_, out)) = (ready, step) {
                out.vars(&mut known);
            }
            !ready
        });
        if rest.len() == before {
            break;
        }
    }
    let missing =
        |vars: Vec<&Var>| vars.into_iter().filter(|v| !known.contains(v)).cloned().collect();
    if let Some(Step::Test(apply) | Step::Bind(apply, _)) = rest.first() {
        let vars = missing(apply.vars().collect());
        return Err(Stuck::Unbound { goal: apply.to_string(), vars });
    }
    let vars: Vec<Var> = missing(heads.iter().collect());
    match vars.is_empty() {
        true => Ok(()),
        false => Err(Stuck::Unbound { goal: "the head of a recursive rule".into(), vars }),
    }
}

/// The kinds of all heads: those of the branches that are known, until nothing changes.
fn kinds(rules: &[Recursive]) -> Vec<Vec<Kind>> {
    let mut known: Vec<Vec<Option<Kind>>> =
        rules.iter().map(|r| vec![None; r.heads.len()]).collect();
    loop {
        let mut next = known.clone();
        for (i, rule) in rules.iter().enumerate() {
            for branch in &rule.branches {
                let of = branch_kinds(branch, &known);
                for (place, head) in next[i].iter_mut().zip(&rule.heads) {
                    let kind = of.get(head).copied();
                    *place = match (*place, kind) {
                        (Some(a), Some(b)) => Some(a.join(b)),
                        (a, b) => a.or(b),
                    };
                }
            }
        }
        if next == known {
            let known = known.into_iter();
            return known
                .map(|k| k.into_iter().map(|k| k.unwrap_or(Kind::Any)).collect())
                .collect();
        }
        known = next;
    }
}

fn branch_kinds<'a>(branch: &'a Branch, rules: &[Vec<Option<Kind>>]) -> BTreeMap<&'a Var, Kind> {
    let mut out: BTreeMap<&Var, Kind> = BTreeMap::new();
    for column in branch.inputs.iter().flat_map(|p| &p.columns) {
        let narrow = |k: &mut Kind| {
            if *k == Kind::Any {
                *k = column.kind
            }
        };
        out.entry(&column.var).and_modify(narrow).or_insert(column.kind);
    }
    for call in &branch.calls {
        for (arg, kind) in call.args.iter().zip(&rules[call.rule]) {
            if let (Slot::Var(v), Some(kind)) = (arg, kind) {
                let narrow = |k: &mut Kind| {
                    if *k == Kind::Any {
                        *k = *kind
                    }
                };
                out.entry(v).and_modify(narrow).or_insert(*kind);
            }
        }
    }
    // Each pass knows one more step of a chain.
    for _ in 0..branch.steps.len() {
        for step in &branch.steps {
            let Step::Bind(apply, to) = step else { continue };
            let Some(kind) = apply.kind(&|v| out.get(v).copied()) else { continue };
            let mut vars = BTreeSet::new();
            to.vars(&mut vars);
            for v in vars {
                let kind = if matches!(to, Out::Slot(_)) { kind } else { Kind::Any };
                out.entry(v).or_insert(kind);
            }
        }
    }
    out
}
