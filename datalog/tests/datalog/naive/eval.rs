//! Clauses over bindings. What can be done is done, in whatever order; that order changes nothing.

use super::data::{Db, Source};
use super::functions::{call, truth};
use super::rules::Relations;
use super::syntax::{Bind, Clause, Rules, Term};
use super::{Cell, Env, Result, Stop};
use daodb_storage::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Bindings beyond this are not waited for.
const MAX: usize = 20_000;

pub struct World<'a> {
    pub sources: &'a BTreeMap<String, Source>,
    pub rules: &'a Rules,
    pub relations: Relations,
}

/// Bindings of the same variables.
#[derive(Clone)]
pub struct Rows {
    pub keys: BTreeSet<String>,
    pub envs: BTreeSet<Env>,
}

impl Rows {
    pub fn one(env: Env) -> Rows {
        Rows { keys: env.keys().cloned().collect(), envs: [env].into() }
    }

    /// Some of the variables.
    fn only(&self, keep: &BTreeSet<String>) -> Rows {
        let envs = self.envs.iter().map(|env| {
            env.iter().filter(|(k, _)| keep.contains(*k)).map(|(k, v)| (k.clone(), v.clone()))
        });
        Rows {
            keys: self.keys.intersection(keep).cloned().collect(),
            envs: envs.map(|pairs| pairs.collect()).collect(),
        }
    }

    fn each(&self, f: impl Fn(&Env) -> Vec<Env>, new: BTreeSet<String>) -> Result<Rows> {
        let mut envs = BTreeSet::new();
        for env in &self.envs {
            envs.extend(f(env));
            if envs.len() > MAX {
                return Err(Stop::Large);
            }
        }
        Ok(Rows { keys: self.keys.union(&new).cloned().collect(), envs })
    }
}

/// Binds a variable, or compares; None: it is another value.
fn unify(env: &mut Env, term: &Term, value: &Cell) -> Option<()> {
    match term {
        Term::Blank => Some(()),
        Term::Const(c) => (c == value).then_some(()),
        Term::Var(v) => match env.get(v) {
            Some(known) => (known == value).then_some(()),
            None => {
                env.insert(v.clone(), value.clone());
                Some(())
            }
        },
        Term::Source(s) => panic!("{s} is no value"),
    }
}

pub fn row(env: &Env, terms: &[Term], values: &[Cell]) -> Option<Env> {
    let mut env = env.clone();
    terms.iter().zip(values).try_for_each(|(t, v)| unify(&mut env, t, v))?;
    Some(env)
}

/// All ways to take a value apart.
fn taken(env: &Env, bind: &Bind, value: &Cell) -> Vec<Env> {
    match (bind, value) {
        (_, None) => vec![],
        (Bind::Blank, _) => vec![env.clone()],
        (Bind::Var(v), value) => {
            row(env, &[Term::Var(v.clone())], std::slice::from_ref(value)).into_iter().collect()
        }
        (Bind::Tuple(parts), Some(Value::Tuple(cells))) => {
            let mut envs = vec![env.clone()];
            for (part, cell) in parts.iter().zip(cells.iter()) {
                envs = envs.iter().flat_map(|env| taken(env, part, cell)).collect();
            }
            envs
        }
        (Bind::Each(item), Some(Value::Tuple(cells))) => {
            cells.iter().flat_map(|cell| taken(env, item, cell)).collect()
        }
        (bind, value) => panic!("{value:?} cannot be taken apart as {bind:?}"),
    }
}

fn vars(terms: &[Term]) -> BTreeSet<String> {
    terms.iter().filter_map(|t| if let Term::Var(v) = t { Some(v.clone()) } else { None }).collect()
}

fn value(env: &Env, term: &Term) -> Cell {
    match term {
        Term::Var(v) => env[v].clone(),
        Term::Const(c) => c.clone(),
        other => panic!("{other:?} is no argument"),
    }
}

fn attribute(term: &Term) -> String {
    match term {
        Term::Const(Some(Value::Keyword(a))) => a.to_string(),
        other => panic!("{other:?} is no attribute"),
    }
}

/// A boolean in the fifth of five places is the sixth.
fn with_op(terms: &[Term]) -> Vec<Term> {
    let mut terms = terms.to_vec();
    if let [_, _, _, _, Term::Const(Some(Value::Boolean(_)))] = terms.as_slice() {
        terms.insert(4, Term::Blank);
    }
    terms
}

impl World<'_> {
    pub fn clauses(&self, clauses: &[Clause], source: &str, rows: Rows) -> Result<Rows> {
        let mut bindable = rows.keys.clone();
        clauses.iter().for_each(|c| c.binds(&mut bindable));
        let mut rest: Vec<&Clause> = clauses.iter().collect();
        let mut rows = rows;
        while !rest.is_empty() {
            let mut why = None;
            let mut next = None;
            // Ors and nots last: they may need what others bind.
            let late = |c: &Clause| matches!(c, Clause::Or(..) | Clause::Not(..));
            let early = (0..rest.len()).filter(|i| !late(rest[*i]));
            for i in early.chain((0..rest.len()).filter(|i| late(rest[*i]))) {
                match self.clause(rest[i], source, &rows, &bindable) {
                    Ok(done) => {
                        next = Some((i, done));
                        break;
                    }
                    Err(Stop::Unbound(v)) => why = why.or(Some(Stop::Unbound(v))),
                    Err(stop) => return Err(stop),
                }
            }
            let Some((i, done)) = next else { return Err(why.unwrap()) };
            rest.remove(i);
            rows = done;
        }
        Ok(rows)
    }

    fn clause(
        &self,
        clause: &Clause,
        source: &str,
        rows: &Rows,
        bindable: &BTreeSet<String>,
    ) -> Result<Rows> {
        let need = |vars: &BTreeSet<String>| match vars.iter().find(|v| !rows.keys.contains(*v)) {
            Some(v) => Err(Stop::Unbound(v.clone())),
            None => Ok(()),
        };
        match clause {
            Clause::Pattern(own, terms) => self.pattern(meant(own.as_deref(), source), terms, rows),
            Clause::Test(name, terms) => {
                need(&vars(terms))?;
                let terms = &of_source(terms, source);
                rows.each(
                    |env| if self.test(name, terms, env) { vec![env.clone()] } else { vec![] },
                    BTreeSet::new(),
                )
            }
            Clause::Function(name, terms, bind) => {
                need(&vars(terms))?;
                let terms = &of_source(terms, source);
                let mut new = BTreeSet::new();
                bind.vars(&mut new);
                let of = |env: &Env| taken(env, bind, &self.function(name, terms, env));
                rows.each(of, new)
            }
            Clause::Not(own, join, inner) => {
                let source = meant(own.as_deref(), source);
                let mut shared = BTreeSet::new();
                match join {
                    Some(join) => shared.extend(join.iter().cloned()),
                    None => inner.iter().for_each(|c| c.mentions(&mut shared)),
                }
                if join.is_none() {
                    shared = shared.intersection(bindable).cloned().collect();
                }
                need(&shared)?;
                let holds = self.clauses(inner, source, rows.only(&shared))?.only(&shared);
                let mut out = rows.clone();
                out.envs.retain(|env| {
                    let of = |v: &String| (v.clone(), env[v].clone());
                    !holds.envs.contains(&shared.iter().map(of).collect())
                });
                Ok(out)
            }
            Clause::Or(own, join, branches) => {
                let source = meant(own.as_deref(), source);
                let (required, all) = match join {
                    Some((required, all)) => {
                        (required.iter().cloned().collect(), all.iter().cloned().collect())
                    }
                    None => {
                        let mut all = BTreeSet::new();
                        branches.iter().flatten().for_each(|c| c.mentions(&mut all));
                        (BTreeSet::new(), all)
                    }
                };
                need(&required)?;
                let mut holds = BTreeSet::new();
                for branch in branches {
                    let of = self.clauses(branch, source, rows.only(&all))?;
                    if let Some(v) = all.iter().find(|v| !of.keys.contains(*v)) {
                        return Err(Stop::Unbound(v.clone()));
                    }
                    holds.extend(of.only(&all).envs);
                }
                let names: Vec<Term> = all.iter().cloned().map(Term::Var).collect();
                let values: Vec<Vec<Cell>> =
                    holds.into_iter().map(|env| env.into_values().collect()).collect();
                rows.each(|env| values.iter().filter_map(|v| row(env, &names, v)).collect(), all)
            }
            Clause::Rule(own, name, args) => {
                self.rule(meant(own.as_deref(), source), name, args, rows)
            }
        }
    }

    fn pattern(&self, source: &str, terms: &[Term], rows: &Rows) -> Result<Rows> {
        let new = vars(terms);
        match &self.sources[source] {
            Source::Rows(all) => {
                rows.each(|env| all.iter().filter_map(|r| row(env, terms, r)).collect(), new)
            }
            Source::Database(db) => {
                let terms = &with_op(terms);
                let a = match terms.get(1) {
                    Some(Term::Const(a)) => Some(a),
                    _ => None,
                };
                let named = terms.iter().enumerate().map(|(i, t)| match t {
                    Term::Const(c) => db.constant(i, c, a).map(Term::Const),
                    t => Some(t.clone()),
                });
                match named.collect::<Option<Vec<Term>>>() {
                    Some(terms) => rows.each(
                        |env| db.rows.iter().filter_map(|r| row(env, &terms, r)).collect(),
                        new,
                    ),
                    None => rows.each(|_| vec![], new),
                }
            }
        }
    }

    fn database(&self, term: &Term) -> &Db {
        match term {
            Term::Source(s) => match &self.sources[s] {
                Source::Database(db) => db,
                Source::Rows(_) => panic!("{s} is no database"),
            },
            other => panic!("{other:?} is no source"),
        }
    }

    /// The values of an attribute of an entity.
    fn values(&self, terms: &[Term], a: &Term, env: &Env) -> Vec<Cell> {
        let db = self.database(&terms[0]);
        let (e, a) = (value(env, &terms[1]), db.attribute(&attribute(a)));
        db.rows.iter().filter(|r| r[0] == e && r[1] == a).map(|r| r[2].clone()).collect()
    }

    fn test(&self, name: &str, terms: &[Term], env: &Env) -> bool {
        match name {
            "missing?" => self.values(terms, &terms[2], env).is_empty(),
            name => truth(&call(name, &terms.iter().map(|t| value(env, t)).collect::<Vec<_>>())),
        }
    }

    fn function(&self, name: &str, terms: &[Term], env: &Env) -> Cell {
        match name {
            "get-else" => match self.values(terms, &terms[2], env).first() {
                Some(v) => v.clone(),
                None => value(env, &terms[3]),
            },
            "get-some" => terms[2..].iter().find_map(|a| {
                let v = self.values(terms, a, env).first()?.clone();
                let a = self.database(&terms[0]).attribute(&attribute(a));
                Some(Value::Tuple([a, v].into()))
            }),
            name => call(name, &terms.iter().map(|t| value(env, t)).collect::<Vec<_>>()),
        }
    }

    /// What `:in` binds.
    pub fn input(env: &Env, bind: &Bind, value: &Cell) -> Vec<Env> {
        taken(env, bind, value)
    }
}

/// The source that a clause names; `$` within a rule or a form with a source is that source, as in Datomic.
fn meant<'a>(named: Option<&'a str>, source: &'a str) -> &'a str {
    named.filter(|name| *name != "$").unwrap_or(source)
}

fn of_source(terms: &[Term], source: &str) -> Vec<Term> {
    let mut terms = terms.to_vec();
    if let Some(Term::Source(name)) = terms.first_mut() {
        *name = meant(Some(name), source).to_owned();
    }
    terms
}
