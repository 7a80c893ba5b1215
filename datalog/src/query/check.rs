//! What is wrong with a query whatever the data: variables that nothing binds, sources that are no inputs, unknown functions,
//! wrong numbers of arguments, branches of `or` that do not speak of the same variables.

use super::{
    Binding, Call, Clause, Element, Fault, Input, Name, PullPattern, Query, Result, Term, TermKind,
    Var,
};
use crate::edn::Span;
use crate::functions::{arity_text, find, nearest_name};
use daodb_catalog::SqlState;
use daodb_catalog::nearest::nearest;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Functions that read a database, with the numbers of their arguments.
pub const OF_DATABASES: [(&str, RangeInclusive<usize>); 6] = [
    ("get-else", 4..=4),
    ("get-some", 3..=usize::MAX),
    ("missing?", 3..=3),
    ("tx-ids", 3..=3),
    ("tx-data", 2..=2),
    ("fulltext", 3..=3),
];

/// A query within a query.
pub const NESTED: &str = "q";

/// Aggregates, with the numbers of their arguments.
pub const AGGREGATES: [(&str, RangeInclusive<usize>); 12] = [
    ("sum", 1..=1),
    ("avg", 1..=1),
    ("min", 1..=2),
    ("max", 1..=2),
    ("count", 1..=1),
    ("count-distinct", 1..=1),
    ("distinct", 1..=1),
    ("median", 1..=1),
    ("variance", 1..=1),
    ("stddev", 1..=1),
    ("rand", 1..=2),
    ("sample", 2..=2),
];

/// What a clause may name besides variables.
struct Scope {
    sources: BTreeSet<Name>,
    rules: bool,
}

pub fn check(query: &Query) -> Result<()> {
    let mut scope = Scope { sources: BTreeSet::new(), rules: false };
    let (mut bound, mut patterns) = (BTreeSet::new(), BTreeSet::new());
    for input in &query.inputs {
        match input {
            Input::Source(name) => {
                if !scope.sources.insert(name.clone()) {
                    return Err(Fault::new(Span::default(), format!("{name} stands twice in :in")));
                }
            }
            Input::Rules => scope.rules = true,
            Input::Pattern(name) => {
                patterns.insert(name.clone());
            }
            Input::Binding(binding) => {
                let mut vars = Vec::new();
                binding.vars(&mut vars);
                bound.extend(vars.into_iter().cloned());
            }
        }
    }
    clauses(&query.clauses, &scope)?;
    query.clauses.iter().for_each(|c| bindable(c, &mut bound));
    let names: Vec<&str> = bound.iter().map(|v| v.0.as_ref()).collect();
    let known = |v: &Var, span: Span, what: &str| match bound.contains(v) {
        true => Ok(()),
        false => Err(unbound(v, span, what, &names)),
    };
    for element in &query.find {
        match element {
            Element::Var(v, span) => known(v, *span, ":find")?,
            Element::Aggregate(call) => {
                aggregate(call)?;
                call.args
                    .iter()
                    .filter_map(|a| Some((a.var()?, a.span)))
                    .try_for_each(|(v, s)| known(v, s, ":find"))?;
            }
            Element::Pull { source, var, pattern, span } => {
                known(var, *span, ":find")?;
                source_known(source.as_ref(), *span, &scope)?;
                if let PullPattern::Input(name) = pattern
                    && !patterns.contains(name)
                {
                    return Err(Fault::new(*span, format!("the pattern {name} is no input"))
                        .hint(format!("name it in :in, or write the pattern itself: [{name}]")));
                }
            }
        }
    }
    query.with.iter().try_for_each(|v| known(v, Span::default(), ":with"))
}

fn unbound(v: &Var, span: Span, what: &str, bound: &[&str]) -> Fault {
    let fault = Fault::new(span, format!("{what} names {v}, which nothing binds"))
        .state(SqlState::UNDEFINED_COLUMN);
    match nearest(&v.0, bound.iter().copied()) {
        Some(near) => fault.hint(format!("perhaps {near} is meant")),
        None => fault.hint("bind it by a clause of :where or by :in"),
    }
}

/// The variables that a clause can bind for what stands around it.
fn bindable(clause: &Clause, out: &mut BTreeSet<Var>) {
    match clause {
        Clause::Pattern { terms, .. } => out.extend(terms.iter().filter_map(Term::var).cloned()),
        Clause::Rule { call, .. } => out.extend(call.args.iter().filter_map(Term::var).cloned()),
        Clause::Function(_, binding) => {
            let mut vars = Vec::new();
            Binding::vars(binding, &mut vars);
            out.extend(vars.into_iter().cloned());
        }
        Clause::Or { vars: Some(heads), .. } => out.extend(heads.all().cloned()),
        Clause::Or { branches, .. } => {
            branches.iter().flatten().for_each(|c| bindable(c, out));
        }
        Clause::Predicate(_) | Clause::Not { .. } => {}
    }
}

/// All variables that a clause speaks of, as far as they can be seen from around it.
pub fn mentioned(clause: &Clause, out: &mut BTreeSet<Var>) {
    match clause {
        Clause::Predicate(call) => out.extend(call.vars().into_iter().cloned()),
        Clause::Function(call, _) => {
            out.extend(call.vars().into_iter().cloned());
            bindable(clause, out);
        }
        Clause::Not { vars: Some(vars), .. } => out.extend(vars.iter().cloned()),
        Clause::Not { clauses, .. } => clauses.iter().for_each(|c| mentioned(c, out)),
        Clause::Or { vars: None, branches, .. } => {
            branches.iter().flatten().for_each(|c| mentioned(c, out));
        }
        _ => bindable(clause, out),
    }
}

fn source_known(source: Option<&Name>, span: Span, scope: &Scope) -> Result<()> {
    let name = source.map_or("$", |s| s.as_ref());
    match scope.sources.contains(name) {
        true => Ok(()),
        false => Err(Fault::new(span, format!("the source {name} is no input"))
            .hint(format!("name it in :in: [:find ... :in {name} ...]"))),
    }
}

fn clauses(all: &[Clause], scope: &Scope) -> Result<()> {
    all.iter().try_for_each(|c| clause(c, scope))
}

/// Clauses of a rule, whose source is the one it is called with.
pub fn rule_clauses(all: &[Clause], sources: impl IntoIterator<Item = Name>) -> Result<()> {
    let sources = sources.into_iter().chain([Name::from("$")]).collect();
    clauses(all, &Scope { sources, rules: true })
}

fn clause(clause: &Clause, scope: &Scope) -> Result<()> {
    match clause {
        Clause::Pattern { source, terms, span } => {
            source_known(source.as_ref(), *span, scope)?;
            if let Some(term) = terms.iter().find(|t| matches!(t.kind, TermKind::Source(_))) {
                return Err(Fault::new(term.span, "a source stands first in a pattern"));
            }
            Ok(())
        }
        Clause::Predicate(call) | Clause::Function(call, _) => function(call, scope),
        Clause::Not { source, vars, clauses: inner, span } => {
            source.iter().try_for_each(|s| source_known(Some(s), *span, scope))?;
            let mut has = BTreeSet::new();
            inner.iter().for_each(|c| mentioned(c, &mut has));
            if let Some(v) = vars.iter().flatten().find(|v| !has.contains(*v)) {
                return Err(Fault::new(
                    *span,
                    format!("not-join names {v}, which no clause in it has"),
                ));
            }
            clauses(inner, scope)
        }
        Clause::Or { source, vars, branches, span } => {
            source.iter().try_for_each(|s| source_known(Some(s), *span, scope))?;
            same_vars(vars.as_ref(), branches, *span)?;
            branches.iter().try_for_each(|b| clauses(b, scope))
        }
        Clause::Rule { call, .. } if !scope.rules => {
            let fault =
                Fault::new(call.span, format!("the rule {} is called without rules", call.name));
            Err(match find(&call.name) {
                Some(_) => fault.hint(format!("a predicate stands in a vector: [{call}]")),
                None => fault.hint("name % in :in and give the rules there"),
            })
        }
        Clause::Rule { source, call } => {
            source.iter().try_for_each(|s| source_known(Some(s), call.span, scope))
        }
    }
}

fn same_vars(vars: Option<&super::Heads>, branches: &[Vec<Clause>], span: Span) -> Result<()> {
    let of = |branch: &Vec<Clause>| {
        let mut has = BTreeSet::new();
        branch.iter().for_each(|c| mentioned(c, &mut has));
        has
    };
    let all: Vec<BTreeSet<Var>> = branches.iter().map(of).collect();
    match vars {
        Some(heads) => {
            let missing = all.iter().find_map(|has| heads.all().find(|v| !has.contains(*v)));
            missing.map_or(Ok(()), |v| {
                Err(Fault::new(span, format!("a branch of or-join does not speak of {v}"))
                    .hint("every branch binds all variables of or-join"))
            })
        }
        None => {
            let differs = all.iter().find_map(|has| has.symmetric_difference(&all[0]).next());
            differs.map_or(Ok(()), |v| {
                Err(Fault::new(span, format!("{v} does not stand in every branch of or"))
                    .hint("name the shared variables: (or-join [?e] ...)"))
            })
        }
    }
}

/// The query that `[(q [:find ...] $ ?x) ...]` asks.
pub fn nested(call: &Call) -> Result<Query> {
    match call.args.first().map(|a| &a.kind) {
        Some(TermKind::Const(node)) => super::query(node),
        _ => Err(Fault::new(call.span, "q asks a query").hint("[(q [:find ...] $ ?x) [[?y]]]")),
    }
}

fn function(call: &Call, scope: &Scope) -> Result<()> {
    if call.name.as_ref() == NESTED {
        let query = nested(call)?;
        check(&query)?;
        let n = query.inputs.len();
        return takes(call, &(n + 1..=n + 1));
    }
    let of_database = OF_DATABASES.iter().find(|(name, _)| *name == call.name.as_ref());
    let arity = match (of_database, find(&call.name)) {
        (Some((_, arity)), _) => {
            match call.args.first().map(|a| &a.kind) {
                Some(TermKind::Source(s)) => source_known(Some(s), call.span, scope)?,
                _ => {
                    return Err(Fault::new(call.span, format!("{} asks a source", call.name))
                        .hint(format!("[({} $ ...)]", call.name)));
                }
            }
            arity.clone()
        }
        (None, Some(f)) => f.arity.clone(),
        (None, None) => {
            let fault = Fault::new(call.span, format!("the function {} is not known", call.name))
                .state(SqlState::UNDEFINED_FUNCTION);
            let more = OF_DATABASES.iter().map(|(name, _)| *name).chain([NESTED]);
            return Err(match nearest_name(&call.name, more) {
                Some(near) => fault.hint(format!("perhaps {near} is meant")),
                None => fault.hint("docs/datalog.md lists those that are"),
            });
        }
    };
    takes(call, &arity)?;
    call.args.iter().try_for_each(|arg| match &arg.kind {
        TermKind::Call(inner) => function(inner, scope),
        _ => Ok(()),
    })
}

fn takes(call: &Call, arity: &RangeInclusive<usize>) -> Result<()> {
    let n = call.args.len();
    match arity.contains(&n) {
        true => Ok(()),
        false => Err(Fault::new(
            call.span,
            format!("{} takes {} arguments, here are {n}", call.name, arity_text(arity)),
        )
        .state(SqlState::UNDEFINED_FUNCTION)),
    }
}

fn aggregate(call: &Call) -> Result<()> {
    let Some((_, arity)) = AGGREGATES.iter().find(|(name, _)| *name == call.name.as_ref()) else {
        let fault = Fault::new(call.span, format!("the aggregate {} is not known", call.name))
            .state(SqlState::UNDEFINED_FUNCTION);
        return Err(match nearest(&call.name, AGGREGATES.iter().map(|(name, _)| *name)) {
            Some(near) => fault.hint(format!("perhaps {near} is meant")),
            None => fault,
        });
    };
    takes(call, arity)?;
    match call.args.last() {
        Some(arg) if arg.var().is_some() => Ok(()),
        _ => Err(Fault::new(call.span, format!("{} aggregates no variable", call.name))
            .hint(format!("({} ?x)", call.name))),
    }
}
