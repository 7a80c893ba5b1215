//! Which rules recur, and whether negation stands outside of every cycle.

use super::{Env, Resolver, RuleDef, Slot};
use crate::query::{Call, Clause, Fault, Name, Result, RuleSet, Var, check};
use crate::resolve::Goal;
use daodb_catalog::SqlState;
use daodb_catalog::nearest::nearest;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Which rules each rule calls, directly or by way of others.
pub struct Reach {
    from: BTreeMap<Name, BTreeSet<Name>>,
}

impl Reach {
    pub fn of(rules: &RuleSet) -> Result<Reach> {
        let mut calls: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        let mut negated: Vec<(Name, Name, crate::edn::Span)> = Vec::new();
        for (name, of_name) in &rules.rules {
            let to = calls.entry(name.clone()).or_default();
            for rule in of_name {
                let mut under_not = Vec::new();
                called(&rule.clauses, false, to, &mut under_not);
                negated
                    .extend(under_not.into_iter().map(|callee| (name.clone(), callee, rule.span)));
            }
        }
        let from: BTreeMap<Name, BTreeSet<Name>> =
            calls.keys().map(|name| (name.clone(), reachable(name, &calls))).collect();
        let reach = Reach { from };
        for (name, callee, span) in negated {
            if reach.reaches(&callee, &name) {
                return Err(Fault::new(
                    span,
                    format!(
                        "rule {name} holds where {callee} does not, and {callee} depends on {name}"
                    ),
                )
                .hint("a rule cannot depend on its own absence: take the not out of the cycle"));
            }
        }
        Ok(reach)
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        self.from.get(from).is_some_and(|r| r.contains(to))
    }

    pub fn recurs(&self, name: &str) -> bool {
        self.reaches(name, name)
    }
}

fn reachable(name: &Name, calls: &BTreeMap<Name, BTreeSet<Name>>) -> BTreeSet<Name> {
    let (mut seen, mut rest) = (BTreeSet::new(), vec![name]);
    while let Some(next) = rest.pop() {
        for callee in calls.get(next).into_iter().flatten() {
            if seen.insert(callee.clone()) {
                rest.push(callee);
            }
        }
    }
    seen
}

fn called(clauses: &[Clause], under_not: bool, out: &mut BTreeSet<Name>, negated: &mut Vec<Name>) {
    for clause in clauses {
        match clause {
            Clause::Rule { call, .. } => {
                out.insert(call.name.clone());
                if under_not {
                    negated.push(call.name.clone());
                }
            }
            Clause::Not { clauses, .. } => called(clauses, true, out, negated),
            // Its rows are counted and compared: all must be there first.
            Clause::Function(call, _) if call.name.as_ref() == check::NESTED => {
                if let Ok(query) = check::nested(call) {
                    called(&query.clauses, true, out, negated);
                }
            }
            Clause::Or { branches, .. } => {
                branches.iter().for_each(|b| called(b, under_not, out, negated));
            }
            _ => {}
        }
    }
}

impl Resolver<'_> {
    /// A call: written out, or a goal where the rule recurs.
    pub(super) fn call(
        &mut self,
        call: &Call,
        source: Option<usize>,
        env: &mut Env,
    ) -> Result<Goal> {
        let Some(of_name) = self.rules.rules.get(&call.name) else {
            let fault = Fault::new(call.span, format!("there is no rule {}", call.name))
                .state(SqlState::UNDEFINED_FUNCTION);
            let names = self.rules.rules.keys().map(|n| n.as_ref());
            return Err(match nearest(&call.name, names) {
                Some(near) => fault.hint(format!("perhaps {near} is meant")),
                None => fault.hint("give it in the argument of %"),
            });
        };
        let heads = &of_name[0].heads;
        if heads.count() != call.args.len() {
            return Err(Fault::new(
                call.span,
                format!(
                    "rule {} takes {} arguments, here are {}",
                    call.name,
                    heads.count(),
                    call.args.len()
                ),
            )
            .state(SqlState::UNDEFINED_FUNCTION));
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.argument(arg, env)?);
        }
        if self.reach.recurs(&call.name) {
            let rule = self.rule(&call.name, source)?;
            return Ok(Goal::Rule { rule, args });
        }
        let required =
            args.iter().take(heads.required.len()).filter_map(Slot::var).cloned().collect();
        let vars = args.iter().filter_map(Slot::var).cloned().collect();
        let mut branches = Vec::with_capacity(of_name.len());
        for rule in of_name {
            let slots = rule.heads.all().cloned().zip(args.iter().cloned());
            branches.push(self.body(&rule.clauses, slots, source)?);
        }
        Ok(Goal::Or { vars, required, branches })
    }

    /// A rule's clauses, its head's variables being these.
    fn body(
        &mut self,
        clauses: &[Clause],
        heads: impl Iterator<Item = (Var, Slot)>,
        source: Option<usize>,
    ) -> Result<Vec<Goal>> {
        let mut slots: HashMap<Var, Slot> = HashMap::new();
        for (head, slot) in heads {
            let slot = match slot {
                Slot::Blank => Slot::Var(self.fresh(&head)),
                slot => slot,
            };
            slots.insert(head, slot);
        }
        let mut env = Env { slots, closed: true, source, names: Arc::clone(&self.names) };
        self.clauses(clauses, &mut env)
    }

    /// The place of a recursive rule in the program.
    fn rule(&mut self, name: &Name, source: Option<usize>) -> Result<usize> {
        let key = (name.clone(), source.unwrap_or(usize::MAX));
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let place = self.program.len();
        self.known.insert(key, place);
        self.program.push(None);
        let of_name = &self.rules.rules[name];
        let heads: Vec<Var> = of_name[0].heads.all().map(|h| self.fresh(h)).collect();
        let mut branches = Vec::with_capacity(of_name.len());
        for rule in of_name {
            let slots = rule.heads.all().cloned().zip(heads.iter().cloned().map(Slot::Var));
            branches.push(self.body(&rule.clauses, slots, source)?);
        }
        self.program[place] = Some(RuleDef { name: name.clone(), heads, branches });
        Ok(place)
    }
}
