//! Recursive rules that are asked with an argument bound: only what can be reached from there is worked out.
//!
//! The values that a place is asked for are a relation of their own, the *demand* (elsewhere "magic set"); the rule's
//! branches begin with it, and each call within them demands in turn what it will be asked for.
//!
//! ```text
//! asked: (reach [:id 5] ?y)
//! (demand ?x) :- ?x = 5
//! (demand ?z) :- (demand ?x), [?x :to ?z]                where (reach ?x ?y) :- [?x :to ?z] (reach ?z ?y)
//! (reach' ?x ?y) :- (demand ?x), [?x :to ?y]
//! (reach' ?x ?y) :- (demand ?x), [?x :to ?z], (reach' ?z ?y)
//! ```
//!
//! Where the call is a branch's last step and hands its other arguments on as they are, its rows are those of its end: the
//! demand remembers where it came from, and no row is made for the places between (so both sides of recursion cost the same).

use super::build::Result;
use super::rules::written_out;
use super::{Planner, Stuck};
use crate::query::Var;
use crate::resolve::rename::{self, Names};
use crate::resolve::{Goal, RuleDef, Slot};
use crate::value::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A start is worth while where it has fewer rows than this share of what the rules read.
const SHARE: f64 = 0.25;

/// Where a demand begins.
enum Start {
    Constant(Cell),
    /// Goals that bind a variable.
    Goals(Vec<Goal>, Var),
}

/// A place of a rule's head that is bound.
type Bound = (usize, usize);

#[derive(Default)]
struct Demands {
    /// The demand's rule and the rule that begins with it, by rule and place.
    known: HashMap<Bound, (usize, usize)>,
    rest: Vec<Bound>,
}

fn calls(goal: &Goal) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    super::rules::called(goal, &mut out);
    out
}

/// `(r ?x ?y) :- (r ?x ?z) (r ?z ?y)` means the same as one step after another: the second call becomes the branches that call
/// nothing.
pub fn linear(program: &[RuleDef]) -> Vec<RuleDef> {
    let mut out = program.to_vec();
    for (rule, def) in out.iter_mut().enumerate() {
        let recurs = |branch: &&Vec<Goal>| branch.iter().any(|g| !calls(g).is_empty());
        let (steps, ends): (Vec<_>, Vec<_>) = def.branches.iter().partition(recurs);
        let [x, y] = def.heads.as_slice() else { continue };
        let middle = |branch: &[Goal]| match branch {
            [Goal::Rule { rule: a, args: p }, Goal::Rule { rule: b, args: q }]
            | [Goal::Rule { rule: b, args: q }, Goal::Rule { rule: a, args: p }]
                if *a == rule && *b == rule && p[0].var() == Some(x) && q[1].var() == Some(y) =>
            {
                let z = p[1].var().filter(|z| q[0].var() == Some(*z) && *z != x && *z != y);
                z.cloned()
            }
            _ => None,
        };
        let middles: Option<Vec<Var>> = steps.iter().map(|b| middle(b)).collect();
        let Some(z) = middles.and_then(|all| all.first().cloned()) else { continue };
        let first = Goal::Rule { rule, args: vec![Slot::Var(x.clone()), Slot::Var(z.clone())] };
        let names: Names = [(x.clone(), z)].into();
        let mut branches: Vec<Vec<Goal>> = ends.iter().map(|b| (*b).clone()).collect();
        for end in ends {
            let after = rename::goals(end, &names);
            branches.push(std::iter::once(first.clone()).chain(after).collect());
        }
        def.branches = branches;
    }
    out
}

impl Planner<'_> {
    /// The same call, of rules that begin with what binds one of its arguments; None: it is asked as it is.
    pub(super) fn demanded(
        &mut self,
        rule: usize,
        args: &[Slot],
        goals: &[Goal],
    ) -> Result<Option<(usize, Vec<Slot>)>> {
        // A rule that begins with its demand already is not asked for less.
        if rule >= self.written {
            return Ok(None);
        }
        let Some((place, start)) = self.start(rule, args, goals)? else { return Ok(None) };
        let before = self.program.len();
        let found = match self.is_tail(rule, place) {
            true => Some(self.tail(rule, place, start, args)),
            false => self.general(rule, place, start)?.map(|rule| (rule, args.to_vec())),
        };
        if found.is_none() {
            self.program.truncate(before);
        }
        Ok(found)
    }

    /// The place to begin from: a constant, or the variable that the fewest rows bind.
    fn start(
        &mut self,
        rule: usize,
        args: &[Slot],
        goals: &[Goal],
    ) -> Result<Option<(usize, Start)>> {
        let constant = |(i, arg): (usize, &Slot)| match arg {
            Slot::Const(cell) => Some((i, Start::Constant(cell.clone()))),
            _ => None,
        };
        if let Some(found) = args.iter().enumerate().find_map(constant) {
            return Ok(Some(found));
        }
        let all = self.reads(rule)?;
        let mut best: Option<(f64, usize, Start)> = None;
        for (i, arg) in args.iter().enumerate() {
            let Slot::Var(v) = arg else { continue };
            let others: BTreeSet<&Var> =
                args.iter().filter_map(Slot::var).filter(|o| *o != v).collect();
            let binding = binding(v, &others, goals);
            if binding.is_empty() {
                continue;
            }
            let rows = match self.conjunction(&binding, None) {
                Ok(plan) => plan.distinct(|x| x == v).rows,
                Err(Stuck::Unbound { .. }) => continue,
                Err(wrong) => return Err(wrong),
            };
            if rows < SHARE * all && best.as_ref().is_none_or(|(least, ..)| rows < *least) {
                best = Some((rows, i, Start::Goals(binding, v.clone())));
            }
        }
        Ok(best.map(|(_, place, start)| (place, start)))
    }

    /// About how many rows the rules of a cycle read.
    fn reads(&mut self, rule: usize) -> Result<f64> {
        let plan = self.rule_plan(rule)?;
        Ok(plan.reads() - plan.rows)
    }

    fn add(&mut self, name: &str, heads: Vec<Var>) -> usize {
        self.program.push(RuleDef { name: Arc::from(name), heads, branches: vec![] });
        self.program.len() - 1
    }

    /// Goals that bind a variable with where the demand begins.
    fn starting(&self, start: Start, head: &Var) -> Vec<Goal> {
        match start {
            Start::Constant(cell) => {
                vec![Goal::Values { vars: vec![head.clone()], rows: Arc::new(vec![vec![cell]]) }]
            }
            Start::Goals(goals, v) => rename::goals(&goals, &[(v, head.clone())].into()),
        }
    }

    /// Whether every recursive branch ends in one call that gets all but this place as they came.
    fn is_tail(&self, rule: usize, place: usize) -> bool {
        let def = &self.program[rule];
        let rest: Vec<&Var> =
            def.heads.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, v)| v).collect();
        !rest.is_empty()
            && def.branches.iter().all(|branch| {
                let (recursive, others): (Vec<&Goal>, Vec<&Goal>) = branch
                    .iter()
                    .partition(|g| matches!(g, Goal::Rule { rule: r, .. } if *r == rule));
                if others.iter().any(|g| self.reaches(g, rule)) {
                    return false;
                }
                match recursive.as_slice() {
                    [] => true,
                    [Goal::Rule { args, .. }] => {
                        let kept = args.iter().zip(&def.heads).enumerate();
                        let mut kept = kept.filter(|(i, _)| *i != place);
                        kept.all(|(_, (arg, head))| arg.var() == Some(head))
                            && args[place].var().is_some_and(|v| !rest.contains(&v))
                            && !others.iter().any(|g| rest.iter().any(|v| mentions(g, v)))
                    }
                    _ => false,
                }
            })
    }

    /// Whether a goal calls rules that depend on this one.
    fn reaches(&self, goal: &Goal, rule: usize) -> bool {
        let (mut seen, mut rest) = (BTreeSet::new(), calls(goal));
        while let Some(next) = rest.pop_first() {
            if next == rule {
                return true;
            }
            if seen.insert(next) {
                self.program[next].branches.iter().flatten().for_each(|g| rest.extend(calls(g)));
            }
        }
        false
    }

    /// The demand with where it came from, and the branches that call nothing.
    fn tail(
        &mut self,
        rule: usize,
        place: usize,
        start: Start,
        args: &[Slot],
    ) -> (usize, Vec<Slot>) {
        let def = self.program[rule].clone();
        let x = def.heads[place].clone();
        let (origin, at) = (self.fresh(), self.fresh());
        // Of one start nothing needs to be remembered.
        let one = matches!(start, Start::Constant(_));
        let with = |slot: Var| -> Vec<Slot> {
            match one {
                true => vec![Slot::Var(slot)],
                false => vec![Slot::Var(origin.clone()), Slot::Var(slot)],
            }
        };
        let heads = with(at.clone()).iter().filter_map(Slot::var).cloned().collect();
        let demand = self.add(&format!("demand of {}", def.name), heads);
        let mut first = self.starting(start, &at);
        if !one {
            // The start is both: where it came from and where it is.
            let renamed = rename::goals(&first, &[(at.clone(), origin.clone())].into());
            let same = crate::functions::internal("identity").map(|function| {
                let args = vec![Slot::Var(origin.clone())];
                let to = crate::resolve::Out::Slot(Slot::Var(at.clone()));
                Goal::Bind(crate::resolve::Apply::new(function, args), to)
            });
            first = renamed.into_iter().chain(same).collect();
        }
        let mut steps = vec![first];
        let mut ends = Vec::new();
        for branch in &def.branches {
            let call = branch.iter().find_map(|g| match g {
                Goal::Rule { rule: r, args } if *r == rule => args[place].var().cloned(),
                _ => None,
            });
            let begin = Goal::Rule { rule: demand, args: with(x.clone()) };
            let others =
                branch.iter().filter(|g| !matches!(g, Goal::Rule { rule: r, .. } if *r == rule));
            let goals: Vec<Goal> = std::iter::once(begin).chain(others.cloned()).collect();
            match call {
                Some(next) => steps.push(rename::goals(&goals, &[(next, at.clone())].into())),
                None => ends.push(goals),
            }
        }
        self.program[demand].branches = steps;
        let mut heads = def.heads.clone();
        let mut args = args.to_vec();
        match one {
            true => {
                heads.remove(place);
                args.remove(place);
            }
            false => heads[place] = origin,
        }
        let ended = self.add(&def.name, heads);
        self.program[ended].branches = ends;
        (ended, args)
    }

    /// Rules that begin with their demand; None: a call in them would have to be asked for all.
    fn general(&mut self, rule: usize, place: usize, start: Start) -> Result<Option<usize>> {
        let cycle: BTreeMap<usize, usize> =
            self.cycle(rule).into_iter().enumerate().map(|(i, r)| (r, i)).collect();
        let mut demands = Demands::default();
        let (demand, begun) = self.demand(&mut demands, (rule, place));
        let head = self.program[demand].heads[0].clone();
        let first = self.starting(start, &head);
        self.program[demand].branches.push(first);
        while let Some((rule, place)) = demands.rest.pop() {
            let (demand, begun) = demands.known[&(rule, place)];
            let def = self.program[rule].clone();
            for branch in &def.branches {
                for goals in written_out(branch, &cycle)? {
                    let x = def.heads[place].clone();
                    let Some(goals) = self.begun(&mut demands, &cycle, demand, x, goals) else {
                        return Ok(None);
                    };
                    self.program[begun].branches.push(goals);
                }
            }
        }
        Ok(Some(begun))
    }

    fn demand(&mut self, demands: &mut Demands, of: Bound) -> (usize, usize) {
        if let Some(known) = demands.known.get(&of) {
            return *known;
        }
        let (name, heads) = (self.program[of.0].name.clone(), self.program[of.0].heads.clone());
        let head = self.fresh();
        let demand = self.add(&format!("demand of {name}"), vec![head]);
        let begun = self.add(&name, heads);
        demands.known.insert(of, (demand, begun));
        demands.rest.push(of);
        (demand, begun)
    }

    /// A branch that begins with its demand, its calls demanding in turn.
    fn begun(
        &mut self,
        demands: &mut Demands,
        cycle: &BTreeMap<usize, usize>,
        demand: usize,
        x: Var,
        goals: Vec<Goal>,
    ) -> Option<Vec<Goal>> {
        let is_call = |g: &Goal| matches!(g, Goal::Rule { rule, .. } if cycle.contains_key(rule));
        let (mut calls, others): (Vec<Goal>, Vec<Goal>) = goals.into_iter().partition(is_call);
        let mut known = vec![Goal::Rule { rule: demand, args: vec![Slot::Var(x.clone())] }];
        let mut bound: BTreeSet<Var> = [x].into();
        let mut waiting = others.clone();
        while !calls.is_empty() {
            connected(&mut bound, &mut known, &mut waiting);
            let ready = calls.iter().enumerate().find_map(|(i, call)| {
                let Goal::Rule { args, .. } = call else { return None };
                let is_bound = |s: &Slot| match s {
                    Slot::Var(v) => bound.contains(v),
                    Slot::Const(_) => true,
                    Slot::Blank => false,
                };
                Some((i, args.iter().position(is_bound)?))
            });
            let (i, place) = ready?;
            let Goal::Rule { rule, args } = calls.remove(i) else { return None };
            let (next, begun) = self.demand(demands, (rule, place));
            let head = self.program[next].heads[0].clone();
            let asks = match &args[place] {
                Slot::Var(v) => rename::goals(&known, &[(v.clone(), head)].into()),
                Slot::Const(cell) => self.starting(Start::Constant(cell.clone()), &head),
                Slot::Blank => return None,
            };
            // What is demanded already demands nothing new.
            if !matches!(asks.as_slice(), [Goal::Rule { rule, .. }] if *rule == next) {
                self.program[next].branches.push(asks);
            }
            bound.extend(args.iter().filter_map(Slot::var).cloned());
            known.push(Goal::Rule { rule: begun, args });
        }
        let calls = known.into_iter().filter(|g| matches!(g, Goal::Rule { .. }));
        let calls = calls.filter(|g| !others.iter().any(|o| o.to_string() == g.to_string()));
        Some(calls.collect::<Vec<_>>().into_iter().chain(others).collect())
    }
}

fn mentions(goal: &Goal, v: &Var) -> bool {
    goal.mentions().contains(v)
}

/// Takes the goals that can be asked of what is bound.
fn connected(bound: &mut BTreeSet<Var>, known: &mut Vec<Goal>, waiting: &mut Vec<Goal>) {
    loop {
        let next = waiting.iter().position(|g| {
            let all = |vars: BTreeSet<&Var>| vars.into_iter().all(|v| bound.contains(v));
            match g {
                Goal::Pattern(_) | Goal::Row { .. } | Goal::Values { .. } | Goal::Rule { .. } => {
                    g.mentions().iter().any(|v| bound.contains(*v))
                }
                Goal::Or { required, .. } => {
                    required.is_empty() && g.mentions().iter().any(|v| bound.contains(*v))
                }
                Goal::Test(apply) => all(apply.vars().collect()),
                Goal::Bind(apply, _) => all(apply.vars().collect()),
                _ => false,
            }
        });
        let Some(next) = next else { return };
        let goal = waiting.remove(next);
        bound.extend(goal.binds().into_iter().cloned());
        known.push(goal);
    }
}

/// The patterns and rows that bind a variable, and those that hang on them, but not by way of the call's other arguments.
fn binding(v: &Var, others: &BTreeSet<&Var>, goals: &[Goal]) -> Vec<Goal> {
    let (mut out, mut bound) = (Vec::new(), BTreeSet::from([v.clone()]));
    let mut waiting: Vec<&Goal> = goals.iter().collect();
    while let Some(i) = waiting.iter().position(|g| match g {
        Goal::Pattern(_) | Goal::Row { .. } | Goal::Values { .. } => {
            g.mentions().iter().any(|v| bound.contains(*v))
        }
        Goal::Test(apply) => !out.is_empty() && apply.vars().all(|v| bound.contains(v)),
        _ => false,
    }) {
        let goal = waiting.remove(i);
        bound.extend(goal.binds().into_iter().filter(|v| !others.contains(*v)).cloned());
        out.push(goal.clone());
    }
    out
}
