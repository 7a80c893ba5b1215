//! A query as it was written, with the places of its parts: Datomic's grammar, and what we add to it.
//!
//! In the order data flows: [`parse`] makes a [`Query`] of EDN (its clauses by [`clause`], its bindings by [`binding`]),
//! [`rules`] a [`RuleSet`]; [`check`] refuses what no data could make right; [`print`] writes them again.

mod binding;
pub mod check;
mod clause;
mod logs;
pub mod parse;
mod print;
pub mod rules;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use parse::query;
pub use rules::RuleSet;

use crate::edn::{Node, Span, short};
use daodb_catalog::{Error, SqlState};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A variable with its `?`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Var(pub Arc<str>);

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A symbol that names a source (`$`, `$old`), a function, a rule or an input.
pub type Name = Arc<str>;

#[derive(Debug, Clone)]
pub struct Query {
    pub find: Vec<Element>,
    pub shape: Shape,
    /// Of `:keys`, `:strs`, `:syms`: rows are maps with these names.
    pub keys: Option<Keys>,
    pub with: Vec<Var>,
    pub inputs: Vec<Input>,
    pub clauses: Vec<Clause>,
    pub limit: Option<usize>,
    pub offset: usize,
    pub order: Vec<OrderBy>,
    pub timeout: Option<Duration>,
}

/// What `:find` asks for: rows, one column `[?x ...]`, one row `[?x ?y]`, one value `?x .`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Relation,
    Collection,
    Tuple,
    Scalar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Keywords,
    Strings,
    Symbols,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Keys {
    pub kind: KeyKind,
    pub names: Vec<Name>,
}

#[derive(Debug, Clone)]
pub enum Element {
    Var(Var, Span),
    Aggregate(Call),
    Pull { source: Option<Name>, var: Var, pattern: PullPattern, span: Span },
}

#[derive(Debug, Clone)]
pub enum PullPattern {
    Literal(Node),
    /// An input's name.
    Input(Name),
}

/// One place of `:order-by`: a variable or the index of an element.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    /// Into `find`.
    pub element: usize,
    pub descending: bool,
}

#[derive(Debug, Clone)]
pub enum Input {
    Source(Name),
    Rules,
    /// A plain symbol, which takes a pull pattern.
    Pattern(Name),
    Binding(Binding),
}

/// How a value is taken apart into variables.
#[derive(Debug, Clone, PartialEq)]
pub enum Binding {
    Var(Var),
    Blank,
    Tuple(Vec<Binding>),
    /// Each item of a collection; a relation is a collection of tuples.
    Each(Box<Binding>),
}

impl Binding {
    pub fn vars<'a>(&'a self, out: &mut Vec<&'a Var>) {
        match self {
            Binding::Var(v) => out.push(v),
            Binding::Blank => {}
            Binding::Tuple(parts) => parts.iter().for_each(|b| b.vars(out)),
            Binding::Each(item) => item.vars(out),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Term {
    pub kind: TermKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum TermKind {
    Var(Var),
    Blank,
    Source(Name),
    /// A plain symbol: the name of an input, else a constant.
    Symbol(Name),
    Const(Node),
    /// Within the arguments of a call.
    Call(Box<Call>),
}

impl Term {
    pub fn var(&self) -> Option<&Var> {
        match &self.kind {
            TermKind::Var(v) => Some(v),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Call {
    pub name: Name,
    pub args: Vec<Term>,
    pub span: Span,
}

impl Call {
    /// The variables among its arguments, those of calls within it too.
    pub fn vars(&self) -> Vec<&Var> {
        let mut out = Vec::new();
        for arg in &self.args {
            match &arg.kind {
                TermKind::Var(v) => out.push(v),
                TermKind::Call(call) => out.extend(call.vars()),
                _ => {}
            }
        }
        out
    }
}

#[derive(Debug, Clone)]
pub enum Clause {
    /// `[$source e a v t m added]`: the places that were written.
    Pattern { source: Option<Name>, terms: Vec<Term>, span: Span },
    /// `[(< ?a 10)]`
    Predicate(Call),
    /// `[(+ ?a 1) ?b]`
    Function(Call, Binding),
    /// `vars` are those of `not-join`; None: all that it shares with what stands around it.
    Not { source: Option<Name>, vars: Option<Vec<Var>>, clauses: Vec<Clause>, span: Span },
    /// `vars` are those of `or-join`: the ones that must be bound before, and the others.
    Or { source: Option<Name>, vars: Option<Heads>, branches: Vec<Vec<Clause>>, span: Span },
    /// `(reach ?x ?y)`
    Rule { source: Option<Name>, call: Call },
}

/// The variables of a rule's head or of `or-join`: `[[?required] ?free]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heads {
    pub required: Vec<Var>,
    pub free: Vec<Var>,
}

impl Heads {
    pub fn all(&self) -> impl Iterator<Item = &Var> {
        self.required.iter().chain(&self.free)
    }
    pub fn count(&self) -> usize {
        self.required.len() + self.free.len()
    }
}

impl Clause {
    pub fn span(&self) -> Span {
        match self {
            Clause::Pattern { span, .. } | Clause::Not { span, .. } | Clause::Or { span, .. } => {
                *span
            }
            Clause::Predicate(call) | Clause::Function(call, _) | Clause::Rule { call, .. } => {
                call.span
            }
        }
    }
}

/// A query that is wrong whatever the data: what, where, and what to write instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub state: SqlState,
    pub message: String,
    pub hint: Option<String>,
    pub span: Span,
}

pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    pub fn new(span: Span, message: impl Into<String>) -> Fault {
        Fault { state: SqlState::SYNTAX, message: short(message.into()), hint: None, span }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }
    pub fn state(mut self, state: SqlState) -> Fault {
        self.state = state;
        self
    }
    /// The error, which points into the text where there is one.
    pub fn into_error(self, text: Option<&str>) -> Error {
        let mut e = Error::new(self.state, self.message);
        if let Some(hint) = self.hint {
            e = e.hint(hint);
        }
        match text.and_then(|t| t.get(..self.span.start)) {
            Some(before) => e.at(before.chars().count() + 1),
            None => e,
        }
    }
}
