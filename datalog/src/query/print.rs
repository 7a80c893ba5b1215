//! Queries as text again, one clause a line.

use super::clause::{is_made, is_open};
use super::{
    Binding, Call, Clause, Element, Heads, Input, Name, PullPattern, Query, Shape, Term, TermKind,
    Var,
};
use crate::edn::Form;
use daodb_storage::Value;
use std::fmt::{self, Display, Formatter, Write};

fn spaced<T: Display>(f: &mut Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            f.write_char(' ')?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// A name as EDN: one that is no plain symbol has come of `#dao/symbol "..."`.
fn symbol(name: &Name) -> Form {
    Form::Value(Value::Symbol(name.clone()))
}

impl Display for Var {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        symbol(&self.0).fmt(f)
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Var(v) => write!(f, "{v}"),
            TermKind::Blank => f.write_char('_'),
            TermKind::Source(s) | TermKind::Symbol(s) => symbol(s).fmt(f),
            // Without its quote it would be a name or a call.
            TermKind::Const(node) if node.symbol().is_some() || is_made(node) => {
                write!(f, "(quote {node})")
            }
            TermKind::Const(node) => write!(f, "{node}"),
            TermKind::Call(call) => write!(f, "{call}"),
        }
    }
}

/// A term of a pattern, which makes no calls.
struct Place<'a>(&'a Term);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            TermKind::Const(node) if matches!(node.form, Form::List(_)) || is_open(node) => {
                write!(f, "(quote {node})")
            }
            TermKind::Const(node) if node.symbol().is_none() => write!(f, "{node}"),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({}", symbol(&self.name))?;
        self.args.iter().try_for_each(|a| write!(f, " {a}"))?;
        f.write_char(')')
    }
}

impl Display for Binding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Binding::Var(v) => write!(f, "{v}"),
            Binding::Blank => f.write_char('_'),
            Binding::Tuple(parts) => {
                f.write_char('[')?;
                spaced(f, parts)?;
                f.write_char(']')
            }
            Binding::Each(item) => match item.as_ref() {
                Binding::Tuple(_) => write!(f, "[{item}]"),
                _ => write!(f, "[{item} ...]"),
            },
        }
    }
}

impl Display for Heads {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.required.is_empty() {
            f.write_char('[')?;
            spaced(f, &self.required)?;
            f.write_str(if self.free.is_empty() { "]" } else { "] " })?;
        }
        spaced(f, &self.free)
    }
}

fn open(f: &mut Formatter<'_>, source: &Option<Name>, name: impl Display) -> fmt::Result {
    match source {
        Some(s) => write!(f, "({} {name}", symbol(s)),
        None => write!(f, "({name}"),
    }
}

impl Display for Clause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Clause::Pattern { source, terms, .. } => {
                f.write_char('[')?;
                source.iter().try_for_each(|s| write!(f, "{} ", symbol(s)))?;
                spaced(f, terms.iter().map(Place))?;
                f.write_char(']')
            }
            Clause::Predicate(call) => write!(f, "[{call}]"),
            Clause::Function(call, binding) => write!(f, "[{call} {binding}]"),
            Clause::Not { source, vars, clauses, .. } => {
                open(f, source, if vars.is_some() { "not-join" } else { "not" })?;
                if let Some(vars) = vars {
                    f.write_str(" [")?;
                    spaced::<&Var>(f, vars)?;
                    f.write_char(']')?;
                }
                clauses.iter().try_for_each(|c| write!(f, " {c}"))?;
                f.write_char(')')
            }
            Clause::Or { source, vars, branches, .. } => {
                open(f, source, if vars.is_some() { "or-join" } else { "or" })?;
                vars.iter().try_for_each(|v| write!(f, " [{v}]"))?;
                for branch in branches {
                    match branch.as_slice() {
                        [one] => write!(f, " {one}")?,
                        many => {
                            f.write_str(" (and ")?;
                            spaced(f, many)?;
                            f.write_char(')')?;
                        }
                    }
                }
                f.write_char(')')
            }
            Clause::Rule { source, call } => {
                open(f, source, symbol(&call.name))?;
                call.args.iter().try_for_each(|a| write!(f, " {a}"))?;
                f.write_char(')')
            }
        }
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Element::Var(v, _) => write!(f, "{v}"),
            Element::Aggregate(call) => write!(f, "{call}"),
            Element::Pull { source, var, pattern, .. } => {
                open(f, source, "pull").and_then(|()| write!(f, " {var} "))?;
                match pattern {
                    PullPattern::Literal(node) => write!(f, "{node})"),
                    PullPattern::Input(name) => write!(f, "{})", symbol(name)),
                }
            }
        }
    }
}

impl Display for Input {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Input::Source(name) | Input::Pattern(name) => symbol(name).fmt(f),
            Input::Rules => f.write_char('%'),
            Input::Binding(binding) => write!(f, "{binding}"),
        }
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[:find ")?;
        match self.shape {
            Shape::Relation => spaced(f, &self.find)?,
            Shape::Collection | Shape::Tuple => {
                f.write_char('[')?;
                spaced(f, &self.find)?;
                f.write_str(if self.shape == Shape::Tuple { "]" } else { " ...]" })?;
            }
            Shape::Scalar => {
                spaced(f, &self.find)?;
                f.write_str(" .")?;
            }
        }
        if !self.with.is_empty() {
            f.write_str("\n :with ")?;
            spaced(f, &self.with)?;
        }
        f.write_str("\n :in ")?;
        spaced(f, &self.inputs)?;
        if !self.clauses.is_empty() {
            f.write_str("\n :where")?;
            self.clauses.iter().try_for_each(|c| write!(f, "\n   {c}"))?;
        }
        self.limit.iter().try_for_each(|n| write!(f, "\n :limit {n}"))?;
        if self.offset > 0 {
            write!(f, "\n :offset {}", self.offset)?;
        }
        f.write_char(']')
    }
}
