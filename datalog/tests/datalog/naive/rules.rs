//! Rules: one that does not recur is an `or` over its arguments; one that does is a relation, made by asking all its bodies
//! again until they say nothing new.

use super::eval::{Rows, World, row};
use super::syntax::{Clause, Rule, Term};
use super::{Cell, Env, Result, Stop};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

type Relation = BTreeSet<Vec<Cell>>;
/// By rule and source; while one is made, what is known of it so far.
pub type Relations = RefCell<BTreeMap<(String, String), Relation>>;

/// Rows of a relation beyond this are not waited for.
const MAX: usize = 5_000;

fn called(clauses: &[Clause], out: &mut BTreeSet<String>) {
    for clause in clauses {
        match clause {
            Clause::Rule(_, name, _) => {
                out.insert(name.clone());
            }
            Clause::Not(_, _, inner) => called(inner, out),
            Clause::Or(_, _, branches) => branches.iter().for_each(|b| called(b, out)),
            _ => {}
        }
    }
}

impl World<'_> {
    fn reaches(&self, name: &str) -> BTreeSet<String> {
        let (mut seen, mut rest) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(next) = rest.pop() {
            let mut calls = BTreeSet::new();
            self.rules[&next].iter().for_each(|r| called(&r.body, &mut calls));
            rest.extend(calls.into_iter().filter(|c| seen.insert(c.clone())));
        }
        seen
    }

    pub fn rule(&self, source: &str, name: &str, args: &[Term], rows: &Rows) -> Result<Rows> {
        let new: BTreeSet<String> = args
            .iter()
            .filter_map(|a| if let Term::Var(v) = a { Some(v.clone()) } else { None })
            .collect();
        let keys = rows.keys.union(&new).cloned().collect();
        if self.reaches(name).contains(name) {
            let relation = self.relation(source, name)?;
            let mut envs = BTreeSet::new();
            for env in &rows.envs {
                envs.extend(relation.iter().filter_map(|r| row(env, args, r)));
            }
            return if envs.len() > MAX { Err(Stop::Large) } else { Ok(Rows { keys, envs }) };
        }
        let mut envs = BTreeSet::new();
        for env in &rows.envs {
            for rule in &self.rules[name] {
                for heads in self.body(rule, source, args, env)? {
                    envs.extend(row(env, args, &heads));
                }
            }
        }
        if rows.envs.is_empty() {
            // Whether it could be asked at all does not depend on there being rows.
            let env: Env = rows.keys.iter().map(|k| (k.clone(), None)).collect();
            let given = self.given(&self.rules[name][0], args, &env);
            if let Some(v) = self.rules[name][0].required.iter().find(|v| !given.contains_key(*v)) {
                return Err(Stop::Unbound(v.clone()));
            }
        }
        Ok(Rows { keys, envs })
    }

    /// What a call says of the variables of a head.
    fn given(&self, rule: &Rule, args: &[Term], env: &Env) -> Env {
        let known = |arg: &Term| match arg {
            Term::Const(c) => Some(c.clone()),
            Term::Var(v) => env.get(v).cloned(),
            _ => None,
        };
        let pairs = rule.heads.iter().zip(args);
        pairs.filter_map(|(h, a)| Some((h.clone(), known(a)?))).collect()
    }

    fn body(&self, rule: &Rule, source: &str, args: &[Term], env: &Env) -> Result<Vec<Vec<Cell>>> {
        let given = self.given(rule, args, env);
        if let Some(v) = rule.required.iter().find(|v| !given.contains_key(*v)) {
            return Err(Stop::Unbound(v.clone()));
        }
        let rows = self.clauses(&rule.body, source, Rows::one(given))?;
        if let Some(v) = rule.heads.iter().find(|v| !rows.keys.contains(*v)) {
            return Err(Stop::Unbound(v.clone()));
        }
        let of = |env: Env| rule.heads.iter().map(|h| env[h].clone()).collect();
        Ok(rows.envs.into_iter().map(of).collect())
    }

    fn relation(&self, source: &str, name: &str) -> Result<Relation> {
        let key = (name.to_owned(), source.to_owned());
        if let Some(known) = self.relations.borrow().get(&key) {
            return Ok(known.clone());
        }
        // All rules of the cycle grow together.
        let reached = self.reaches(name);
        let cycle: Vec<&String> =
            reached.iter().filter(|other| self.reaches(other).contains(name)).collect();
        let of = |other: &str| (other.to_owned(), source.to_owned());
        for other in &cycle {
            self.relations.borrow_mut().insert(of(other), Relation::new());
        }
        loop {
            let mut grown = false;
            for other in &cycle {
                let mut all = self.relations.borrow()[&of(other)].clone();
                let before = all.len();
                for rule in &self.rules[*other] {
                    all.extend(self.body(rule, source, &[], &Env::new())?);
                }
                if all.len() > MAX {
                    return Err(Stop::Large);
                }
                grown |= all.len() > before;
                self.relations.borrow_mut().insert(of(other), all);
            }
            if !grown {
                return Ok(self.relations.borrow()[&key].clone());
            }
        }
    }
}
