//! The clauses of `:where` and of rules.

use super::binding::{binding, var};
use super::{Call, Clause, Fault, Heads, Name, Result, Term, TermKind, Var};
use crate::edn::{Form, Node};

/// Deeper clauses are refused: whatever follows walks them recursively.
const MAX_DEPTH: usize = 64;

pub fn clauses(nodes: &[Node], depth: usize) -> Result<Vec<Clause>> {
    let mut out = Vec::with_capacity(nodes.len());
    for node in nodes {
        if depth > MAX_DEPTH {
            return Err(Fault::new(node.span, format!("clauses nested deeper than {MAX_DEPTH}")));
        }
        match &node.form {
            // `and` outside of `or` says what its clauses say.
            Form::List(parts) if parts.first().and_then(Node::symbol) == Some("and") => {
                out.extend(clauses(&parts[1..], depth + 1)?);
            }
            Form::List(parts) => out.push(list(node, parts, depth)?),
            Form::Vector(parts) => out.push(vector(node, parts)?),
            _ => return Err(no_clause(node)),
        }
    }
    Ok(out)
}

fn no_clause(node: &Node) -> Fault {
    Fault::new(node.span, format!("{} is no clause", node.kind()))
        .hint("a clause is [?e :attribute ?v], [(predicate ?x)], (not ...), (or ...) or (rule ?x)")
}

/// `(not ...)`, `($ not ...)`, `(rule ?x)`.
fn list(node: &Node, parts: &[Node], depth: usize) -> Result<Clause> {
    let (source, parts) = source_first(parts);
    let Some((head, rest)) = parts.split_first() else { return Err(no_clause(node)) };
    let Some(name) = head.symbol() else {
        return Err(Fault::new(head.span, format!("{} names no rule", head.kind()))
            .hint("predicates stand in a vector: [(< ?a 10)]"));
    };
    let span = node.span;
    match name {
        "not" => {
            let clauses = some(node, clauses(rest, depth + 1)?)?;
            Ok(Clause::Not { source, vars: None, clauses, span })
        }
        "not-join" => {
            let (heads, rest) = join_vars(node, rest)?;
            let vars = Some(heads.all().cloned().collect());
            let clauses = some(node, clauses(rest, depth + 1)?)?;
            Ok(Clause::Not { source, vars, clauses, span })
        }
        "or" => Ok(Clause::Or { source, vars: None, branches: branches(node, rest, depth)?, span }),
        "or-join" => {
            let (vars, rest) = join_vars(node, rest)?;
            let branches = branches(node, rest, depth)?;
            Ok(Clause::Or { source, vars: Some(vars), branches, span })
        }
        name => {
            let args = rest.iter().map(term).collect();
            Ok(Clause::Rule { source, call: Call { name: name.into(), args, span } })
        }
    }
}

fn some(node: &Node, clauses: Vec<Clause>) -> Result<Vec<Clause>> {
    match clauses.is_empty() {
        true => {
            Err(Fault::new(node.span, "no clause stands in it").hint("write one or leave it out"))
        }
        false => Ok(clauses),
    }
}

fn branches(node: &Node, rest: &[Node], depth: usize) -> Result<Vec<Vec<Clause>>> {
    let branch = |n: &Node| some(n, clauses(std::slice::from_ref(n), depth + 1)?);
    let branches: Vec<_> = rest.iter().map(branch).collect::<Result<_>>()?;
    match branches.is_empty() {
        true => {
            Err(Fault::new(node.span, "an or without branches").hint("write one or leave it out"))
        }
        false => Ok(branches),
    }
}

fn join_vars<'a>(node: &Node, rest: &'a [Node]) -> Result<(Heads, &'a [Node])> {
    match rest.split_first() {
        Some((first, rest)) if matches!(first.form, Form::Vector(_)) => {
            let heads = heads(first.span, first.sequence().unwrap_or_default())?;
            Ok((heads, rest))
        }
        _ => Err(Fault::new(node.span, "the variables to join on are missing")
            .hint("(or-join [?e] ...), (not-join [?e] ...)")),
    }
}

/// `?a ?b`, or `[?a] ?b`, whose vector must be bound before.
pub fn heads(span: crate::edn::Span, nodes: &[Node]) -> Result<Heads> {
    let variable = |node: &Node| -> Result<Var> {
        var(node).ok_or_else(|| {
            Fault::new(node.span, format!("{node} is no variable")).hint("variables begin with ?")
        })
    };
    let (required, free) = match nodes.split_first() {
        Some((first, rest)) if first.sequence().is_some() => {
            (first.sequence().unwrap_or_default(), rest)
        }
        _ => (&nodes[..0], nodes),
    };
    let heads = Heads {
        required: required.iter().map(variable).collect::<Result<_>>()?,
        free: free.iter().map(variable).collect::<Result<_>>()?,
    };
    if heads.count() == 0 {
        return Err(Fault::new(span, "no variable is named").hint("name at least one"));
    }
    let mut seen = std::collections::BTreeSet::new();
    let twice = heads.all().find(|v| !seen.insert(*v)).cloned();
    match twice {
        Some(twice) => {
            Err(Fault::new(span, format!("{twice} is named twice")).hint("name it once"))
        }
        None => Ok(heads),
    }
}

/// A pattern, a predicate or a function.
fn vector(node: &Node, parts: &[Node]) -> Result<Clause> {
    match parts {
        [Node { form: Form::List(inner), .. }] => Ok(Clause::Predicate(call(&parts[0], inner)?)),
        [Node { form: Form::List(inner), .. }, out] => {
            Ok(Clause::Function(call(&parts[0], inner)?, binding(out)?))
        }
        [Node { form: Form::List(_), .. }, ..] => {
            Err(Fault::new(node.span, "more than one binding after a call")
                .hint("[(f ?x) ?y], or [(f ?x) [?y ?z]]"))
        }
        parts => pattern(node, parts),
    }
}

fn call(node: &Node, parts: &[Node]) -> Result<Call> {
    let Some((name, args)) = parts.split_first() else {
        return Err(Fault::new(node.span, "an empty call").hint("[(function ?x)]"));
    };
    let Some(name) = name.symbol() else {
        return Err(Fault::new(name.span, format!("{} names no function", name.kind())));
    };
    Ok(Call { name: name.into(), args: args.iter().map(term).collect(), span: node.span })
}

fn pattern(node: &Node, parts: &[Node]) -> Result<Clause> {
    let (source, parts) = source_first(parts);
    if parts.is_empty() {
        return Err(Fault::new(node.span, "an empty pattern").hint("[?e :attribute ?v]"));
    }
    Ok(Clause::Pattern { source, terms: parts.iter().map(term).collect(), span: node.span })
}

fn source_first(parts: &[Node]) -> (Option<Name>, &[Node]) {
    match parts.split_first() {
        Some((first, rest)) => match first.symbol().filter(|s| s.starts_with('$')) {
            Some(source) => (Some(source.into()), rest),
            None => (None, parts),
        },
        None => (None, parts),
    }
}

pub fn term(node: &Node) -> Term {
    let kind = match node.symbol() {
        Some("_") => TermKind::Blank,
        Some(s) if s.starts_with('$') => TermKind::Source(s.into()),
        Some(s) if s.len() > 1 && s.starts_with('?') => TermKind::Var(Var(s.into())),
        Some(s) => TermKind::Symbol(s.into()),
        None => TermKind::Const(unquoted(node).clone()),
    };
    Term { kind, span: node.span }
}

/// `(quote x)` is x.
pub fn unquoted(node: &Node) -> &Node {
    match &node.form {
        Form::List(parts) => match parts.as_slice() {
            [quote, inner] if quote.symbol() == Some("quote") => inner,
            _ => node,
        },
        _ => node,
    }
}
