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
pub enum Meaning {
    Entity(usize),
    Attribute(usize),
    /// A whole number that is compared with values of this type alone.
    Whole(ValueType),
}

/// Where a variable stands for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub meaning: Meaning,
    /// In every answer: what names nothing has none. Else (within a negation, in one branch of several) only there, and what
    /// names nothing may be meant as it is elsewhere.
    pub always: bool,
}

impl Place {
    fn maybe(self) -> Place {
        Place { always: false, ..self }
    }

    /// Two places of one variable, in clauses that both hold.
    fn and(self, other: Place) -> Place {
        let meaning = match self.meaning {
            Meaning::Whole(_) => other.meaning,
            meaning => meaning,
        };
        Place { always: self.always || other.always, meaning }
    }
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
            let next: Vec<Vec<Option<Place>>> = program.iter().map(|r| out.of_heads(r)).collect();
            if next == out.rules {
                return out;
            }
            out.rules = next;
        }
    }

    fn of_heads(&self, rule: &RuleDef) -> Vec<Option<Place>> {
        let branches = rule.branches.iter().map(|branch| self.of_goals(branch)).collect();
        let any = of_any(branches);
        rule.heads.iter().map(|head| any.get(head).copied()).collect()
    }

    pub fn of_goals(&self, goals: &[Goal]) -> BTreeMap<Var, Place> {
        let mut out = BTreeMap::new();
        for goal in goals {
            let of_goal = match goal {
                Goal::Pattern(p) => self.of_pattern(p),
                Goal::First { source, e: Slot::Var(e), .. } => {
                    BTreeMap::from([(e.clone(), always(Meaning::Entity(*source)))])
                }
                Goal::Rule { rule, args } => {
                    let known = args.iter().zip(&self.rules[*rule]);
                    known.filter_map(|(arg, place)| Some((arg.var()?.clone(), (*place)?))).collect()
                }
                Goal::Not { goals, .. } => maybe(self.of_goals(goals)),
                Goal::Query(query) => maybe(self.of_goals(&query.goals)),
                Goal::Or { branches, .. } => {
                    of_any(branches.iter().map(|branch| self.of_goals(branch)).collect())
                }
                _ => continue,
            };
            for (var, place) in of_goal {
                out.entry(var).and_modify(|p: &mut Place| *p = p.and(place)).or_insert(place);
            }
        }
        out
    }

    fn of_pattern(&self, p: &Pattern) -> BTreeMap<Var, Place> {
        let mut out = BTreeMap::new();
        if let AttrSlot::Any(Slot::Var(a)) = &p.a {
            out.insert(a.clone(), always(Meaning::Attribute(p.source)));
        }
        for slot in [&p.e, &p.m] {
            out.extend(slot.var().map(|e| (e.clone(), always(Meaning::Entity(p.source)))));
        }
        if let (Slot::Var(v), AttrSlot::Attr(a), Some(Source::Database(db))) =
            (&p.v, &p.a, self.sources.get(p.source))
        {
            let meaning = match db.types(a).as_slice() {
                [ValueType::Ref] => Some(Meaning::Entity(p.source)),
                [ty @ (ValueType::Long | ValueType::Bigint)] => Some(Meaning::Whole(*ty)),
                _ => None,
            };
            if let Some(meaning) = meaning {
                out.entry(v.clone()).or_insert(always(meaning));
            }
        }
        out
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
                        Some(Place { meaning: Meaning::Entity(source), always }),
                    ) => match found.entity(inputs, *source, cell) {
                        Some(e) => Ok(Slot::Const(Some(Value::Long(e)))),
                        None if *always => Err(format!("{arg} names no entity")),
                        None => Ok(arg.clone()),
                    },
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

fn always(meaning: Meaning) -> Place {
    Place { meaning, always: true }
}

fn maybe(places: BTreeMap<Var, Place>) -> BTreeMap<Var, Place> {
    places.into_iter().map(|(var, place)| (var, place.maybe())).collect()
}

/// Of clauses of which one holds.
fn of_any(branches: Vec<BTreeMap<Var, Place>>) -> BTreeMap<Var, Place> {
    let mut out: BTreeMap<Var, Place> = BTreeMap::new();
    for (var, place) in branches.iter().flatten() {
        let in_all = branches.iter().all(|b| b.get(var).is_some_and(|p| p.always));
        out.entry(var.clone()).or_insert(Place { always: in_all, ..*place });
    }
    out
}
