//! A query from EDN, its clauses as they stand.

use super::Cell;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub enum Term {
    Var(String),
    Blank,
    Source(String),
    Const(Cell),
}

#[derive(Debug, Clone)]
pub enum Bind {
    Var(String),
    Blank,
    Tuple(Vec<Bind>),
    Each(Box<Bind>),
}

#[derive(Debug, Clone)]
pub enum Clause {
    Pattern(Option<String>, Vec<Term>),
    Test(String, Vec<Term>),
    Function(String, Vec<Term>, Bind),
    /// The variables of not-join.
    Not(Option<String>, Option<Vec<String>>, Vec<Clause>),
    /// The variables of or-join: those that must be bound, all of them.
    Or(Option<String>, Option<(Vec<String>, Vec<String>)>, Vec<Vec<Clause>>),
    Rule(Option<String>, String, Vec<Term>),
}

#[derive(Debug, Clone)]
pub enum Element {
    Var(String),
    Aggregate(String, String),
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub required: Vec<String>,
    pub heads: Vec<String>,
    pub body: Vec<Clause>,
}

pub type Rules = BTreeMap<String, Vec<Rule>>;

#[derive(Debug, Default)]
pub struct Query {
    pub find: Vec<Element>,
    pub with: Vec<String>,
    pub inputs: Vec<Node>,
    pub clauses: Vec<Clause>,
}

pub fn cell(node: &Node) -> Cell {
    match &node.form {
        Form::Nil => None,
        Form::Value(v) => Some(v.clone()),
        Form::Vector(nodes) | Form::List(nodes) | Form::Set(nodes) => {
            Some(Value::Tuple(nodes.iter().map(cell).collect()))
        }
        other => panic!("{other} has no value here"),
    }
}

fn term(node: &Node) -> Term {
    match node.symbol() {
        Some("_") => Term::Blank,
        Some(s) if s.starts_with('$') => Term::Source(s.to_owned()),
        Some(s) if s.starts_with('?') => Term::Var(s.to_owned()),
        _ => Term::Const(cell(node)),
    }
}

pub fn bind(node: &Node) -> Bind {
    match (node.symbol(), node.sequence()) {
        (Some("_"), _) => Bind::Blank,
        (Some(v), _) => Bind::Var(v.to_owned()),
        (None, Some([one, dots])) if dots.symbol() == Some("...") => {
            Bind::Each(Box::new(bind(one)))
        }
        (None, Some([one])) if one.sequence().is_some() => Bind::Each(Box::new(bind(one))),
        (None, Some(parts)) => Bind::Tuple(parts.iter().map(bind).collect()),
        _ => panic!("{node} is no binding"),
    }
}

impl Bind {
    pub fn vars(&self, out: &mut BTreeSet<String>) {
        match self {
            Bind::Var(v) => {
                out.insert(v.clone());
            }
            Bind::Blank => {}
            Bind::Tuple(parts) => parts.iter().for_each(|p| p.vars(out)),
            Bind::Each(item) => item.vars(out),
        }
    }
}

fn symbols(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|n| n.symbol().unwrap().to_owned()).collect()
}

/// `?x ?y`, or `[?x] ?y`: those that must be bound, and all.
fn heads(nodes: &[Node]) -> (Vec<String>, Vec<String>) {
    match nodes.split_first() {
        Some((first, rest)) if first.sequence().is_some() => {
            let required = symbols(first.sequence().unwrap());
            let all = required.iter().cloned().chain(symbols(rest)).collect();
            (required, all)
        }
        _ => (vec![], symbols(nodes)),
    }
}

fn source(parts: &[Node]) -> (Option<String>, &[Node]) {
    match parts[0].symbol() {
        Some(s) if s.starts_with('$') => (Some(s.to_owned()), &parts[1..]),
        _ => (None, parts),
    }
}

pub fn clauses(nodes: &[Node]) -> Vec<Clause> {
    nodes.iter().flat_map(clause).collect()
}

fn clause(node: &Node) -> Vec<Clause> {
    let parts = node.sequence().unwrap();
    if matches!(node.form, Form::Vector(_)) {
        return vec![match parts {
            [call] if matches!(call.form, Form::List(_)) => {
                let call = call.sequence().unwrap();
                let name = call[0].symbol().unwrap().to_owned();
                Clause::Test(name, call[1..].iter().map(term).collect())
            }
            [call, out] if matches!(call.form, Form::List(_)) => {
                let call = call.sequence().unwrap();
                let name = call[0].symbol().unwrap().to_owned();
                Clause::Function(name, call[1..].iter().map(term).collect(), bind(out))
            }
            parts => {
                let (source, places) = source(parts);
                Clause::Pattern(source, places.iter().map(term).collect())
            }
        }];
    }
    let (source, parts) = source(parts);
    let (name, rest) = (parts[0].symbol().unwrap(), &parts[1..]);
    let branches = |nodes: &[Node]| nodes.iter().map(clause).collect();
    vec![match name {
        "and" => return clauses(rest),
        "not" => Clause::Not(source, None, clauses(rest)),
        "not-join" => {
            let vars = symbols(rest[0].sequence().unwrap());
            Clause::Not(source, Some(vars), clauses(&rest[1..]))
        }
        "or" => Clause::Or(source, None, branches(rest)),
        "or-join" => {
            let heads = heads(rest[0].sequence().unwrap());
            Clause::Or(source, Some(heads), branches(&rest[1..]))
        }
        rule => Clause::Rule(source, rule.to_owned(), rest.iter().map(term).collect()),
    }]
}

pub fn rules(node: &Node) -> Rules {
    let mut out = Rules::new();
    for rule in node.sequence().unwrap() {
        let parts = rule.sequence().unwrap();
        let head = parts[0].sequence().unwrap();
        let (required, heads) = heads(&head[1..]);
        let rule = Rule { required, heads, body: clauses(&parts[1..]) };
        out.entry(head[0].symbol().unwrap().to_owned()).or_default().push(rule);
    }
    out
}

fn element(node: &Node) -> Element {
    match node.sequence() {
        Some(parts) => Element::Aggregate(
            parts[0].symbol().unwrap().to_owned(),
            parts.last().unwrap().symbol().unwrap().to_owned(),
        ),
        None => Element::Var(node.symbol().unwrap().to_owned()),
    }
}

/// Of the list form, relations only.
pub fn query(node: &Node) -> Query {
    let mut out = Query::default();
    let mut section = "";
    for node in node.sequence().unwrap() {
        match (node.keyword(), section) {
            (Some(keyword @ (":find" | ":with" | ":in" | ":where")), _) => section = keyword,
            (_, ":find") => out.find.push(element(node)),
            (_, ":with") => out.with.push(node.symbol().unwrap().to_owned()),
            (_, ":in") => out.inputs.push(node.clone()),
            (_, ":where") => out.clauses.extend(clause(node)),
            (_, other) => panic!("{node} in {other:?}"),
        }
    }
    out
}

fn of_terms(terms: &[Term], out: &mut BTreeSet<String>) {
    out.extend(terms.iter().filter_map(|t| match t {
        Term::Var(v) => Some(v.clone()),
        _ => None,
    }));
}

impl Clause {
    /// The variables that it can bind for what stands around it.
    pub fn binds(&self, out: &mut BTreeSet<String>) {
        match self {
            Clause::Pattern(_, terms) | Clause::Rule(_, _, terms) => of_terms(terms, out),
            Clause::Function(_, _, bind) => bind.vars(out),
            Clause::Or(_, Some((_, all)), _) => out.extend(all.iter().cloned()),
            Clause::Or(_, None, branches) => branches.iter().flatten().for_each(|c| c.binds(out)),
            Clause::Test(..) | Clause::Not(..) => {}
        }
    }

    /// All that it speaks of towards what stands around it.
    pub fn mentions(&self, out: &mut BTreeSet<String>) {
        self.binds(out);
        match self {
            Clause::Test(_, terms) | Clause::Function(_, terms, _) => of_terms(terms, out),
            Clause::Not(_, Some(vars), _) => out.extend(vars.iter().cloned()),
            Clause::Not(_, None, clauses) => clauses.iter().for_each(|c| c.mentions(out)),
            Clause::Or(_, None, branches) => {
                branches.iter().flatten().for_each(|c| c.mentions(out))
            }
            _ => {}
        }
    }
}
