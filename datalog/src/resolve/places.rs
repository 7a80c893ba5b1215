//! Which variables stand for entities or attributes: names that come in rows, or in calls of recursive rules, are replaced by
//! what they name there.

use super::inputs::Inputs;
use super::lookup::Found;
use super::{AttrSlot, Goal, Nested, Pattern, RuleDef, Slot};
use crate::query::Var;
use crate::source::Source;
use daodb_storage::{Value, ValueType};
use std::collections::BTreeMap;

/// What a variable stands for, and in which source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Entity(usize),
    Attribute(usize),
}

pub struct Places<'a> {
    sources: &'a [Source],
    /// By recursive rule, of its head's variables.
    rules: Vec<Vec<Option<Place>>>,
}

impl<'a> Places<'a> {
    pub fn of(sources: &'a [Source], program: &[RuleDef]) -> Places<'a> {
        let rules = program.iter().map(|r| vec![None; r.heads.len()]).collect();
        let mut out = Places { sources, rules };
        // What one rule says of its arguments tells of those of the rules that call it.
        loop {
            let mut next = out.rules.clone();
            for (known, rule) in next.iter_mut().zip(program) {
                for branch in &rule.branches {
                    let of = out.of_goals(branch);
                    let heads = known.iter_mut().zip(&rule.heads);
                    heads.for_each(|(place, head)| *place = place.or(of.get(head).copied()));
                }
            }
            if next == out.rules {
                return out;
            }
            out.rules = next;
        }
    }

    pub fn of_goals(&self, goals: &[Goal]) -> BTreeMap<Var, Place> {
        let mut out = BTreeMap::new();
        let mut rest: Vec<&Goal> = goals.iter().collect();
        while let Some(goal) = rest.pop() {
            match goal {
                Goal::Pattern(p) => self.of_pattern(p, &mut out),
                Goal::First { source, e: Slot::Var(e), .. } => {
                    out.insert(e.clone(), Place::Entity(*source));
                }
                Goal::Rule { rule, args } => {
                    for (arg, place) in args.iter().zip(&self.rules[*rule]) {
                        if let (Slot::Var(v), Some(place)) = (arg, place) {
                            out.insert(v.clone(), *place);
                        }
                    }
                }
                Goal::Not { goals, .. } => rest.extend(goals),
                Goal::Query(query) => rest.extend(&query.goals),
                Goal::Or { branches, .. } => rest.extend(branches.iter().flatten()),
                _ => {}
            }
        }
        out
    }

    fn of_pattern(&self, p: &Pattern, out: &mut BTreeMap<Var, Place>) {
        if let AttrSlot::Any(Slot::Var(a)) = &p.a {
            out.insert(a.clone(), Place::Attribute(p.source));
        }
        if let Slot::Var(e) = &p.e {
            out.insert(e.clone(), Place::Entity(p.source));
        }
        if let (Slot::Var(v), AttrSlot::Attr(a), Some(Source::Database(db))) =
            (&p.v, &p.a, self.sources.get(p.source))
            && db.types(a) == [ValueType::Ref]
        {
            out.insert(v.clone(), Place::Entity(p.source));
        }
    }

    /// The same goals; names in calls of rules are replaced by what they name.
    pub fn named(&self, goals: &[Goal], inputs: &Inputs, found: &Found) -> Vec<Goal> {
        goals.iter().map(|goal| self.named_goal(goal, inputs, found)).collect()
    }

    fn named_goal(&self, goal: &Goal, inputs: &Inputs, found: &Found) -> Goal {
        match goal {
            Goal::Rule { rule, args } => {
                let places = &self.rules[*rule];
                let named = args.iter().zip(places).map(|(arg, place)| match (arg, place) {
                    (
                        Slot::Const(cell @ Some(Value::Keyword(_) | Value::Tuple(_))),
                        Some(Place::Entity(source)),
                    ) => found
                        .entity(inputs, *source, cell)
                        .map(|e| Slot::Const(Some(Value::Long(e))))
                        .ok_or_else(|| format!("{arg} names no entity")),
                    _ => Ok(arg.clone()),
                });
                match named.collect() {
                    Ok(args) => Goal::Rule { rule: *rule, args },
                    Err(why) => {
                        let vars = args.iter().filter_map(Slot::var).cloned().collect();
                        Goal::Never { vars, why }
                    }
                }
            }
            Goal::Not { vars, goals } => {
                Goal::Not { vars: vars.clone(), goals: self.named(goals, inputs, found) }
            }
            Goal::Query(query) => {
                let goals = self.named(&query.goals, inputs, found);
                Goal::Query(Box::new(Nested { goals, ..query.as_ref().clone() }))
            }
            Goal::Or { vars, required, branches } => Goal::Or {
                vars: vars.clone(),
                required: required.clone(),
                branches: branches.iter().map(|b| self.named(b, inputs, found)).collect(),
            },
            goal => goal.clone(),
        }
    }
}
