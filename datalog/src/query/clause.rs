//! The clauses of `:where` and of rules.

use super::binding::{binding, var};
use super::check::{NESTED, OF_DATABASES};
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
            Form::List(parts) if is_pattern(parts) => out.push(vector(node, parts)?),
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

/// Datomic takes a list for a pattern, too: `(?e :attribute ?v)`.
fn is_pattern(parts: &[Node]) -> bool {
    let (_, parts) = source_first(parts);
    parts.first().and_then(Node::symbol).is_some_and(|s| s == "_" || s.starts_with('?'))
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
        [Node { form: Form::List(inner), .. }] => match inner.as_slice() {
            // A set that is asked for a member.
            [set, member] if matches!(set.form, Form::Set(_)) => {
                let args = vec![argument(set, 1)?, argument(member, 1)?];
                let span = parts[0].span;
                Ok(Clause::Predicate(Call { name: "contains?".into(), args, span }))
            }
            _ => Ok(Clause::Predicate(call(&parts[0], inner, 0)?)),
        },
        [Node { form: Form::List(inner), .. }, out] => {
            Ok(Clause::Function(call(&parts[0], inner, 0)?, binding(out)?))
        }
        [Node { form: Form::List(_), .. }, ..] => {
            Err(Fault::new(node.span, "more than one binding after a call")
                .hint("[(f ?x) ?y], or [(f ?x) [?y ?z]]"))
        }
        parts => pattern(node, parts),
    }
}

fn call(node: &Node, parts: &[Node], depth: usize) -> Result<Call> {
    let Some((name, args)) = parts.split_first() else {
        return Err(Fault::new(node.span, "an empty call").hint("[(function ?x)]"));
    };
    if let (true, [map, default @ ..]) = (name.keyword().is_some(), args) {
        // `(:key map)` is `(get map :key)`.
        let args = [map, name].into_iter().chain(default);
        let args = args.map(|a| argument(a, depth + 1)).collect::<Result<_>>()?;
        return Ok(Call { name: "get".into(), args, span: node.span });
    }
    let Some(name) = name.symbol() else {
        return Err(Fault::new(name.span, format!("{} names no function", name.kind()))
            .hint("a list is a call; one that is none is (list 1 2)"));
    };
    if depth > MAX_DEPTH {
        return Err(Fault::new(node.span, format!("calls nested deeper than {MAX_DEPTH}")));
    }
    let reads = reads_source(name);
    if reads && depth > 0 {
        return Err(Fault::new(node.span, format!("{name} cannot stand within another call"))
            .hint(format!("bind what it gives before: [({name} ...) ?x]")));
    }
    let args = match reads {
        true => args.iter().map(|a| given(name, a)).collect::<Result<_>>()?,
        false => args.iter().map(|a| argument(a, depth + 1)).collect::<Result<_>>()?,
    };
    Ok(Call { name: name.into(), args, span: node.span })
}

/// Whether it is answered by clauses of its own, which take variables and constants.
fn reads_source(name: &str) -> bool {
    name == NESTED || OF_DATABASES.iter().any(|(of, _)| *of == name)
}

/// An argument of such a function. The query of `q` speaks of variables of its own.
fn given(name: &str, node: &Node) -> Result<Term> {
    if name != NESTED && unquoted(node) == node && is_made(node) {
        return Err(Fault::new(
            node.span,
            format!("{name} takes no calls, and no variables in {}", node.kind()),
        )
        .hint("bind it before: [(vector ?a ?b) ?x]"));
    }
    Ok(term(node))
}

/// An argument of a function: calls are made, and collections that hold variables or calls, as Clojure reads them.
fn argument(node: &Node, depth: usize) -> Result<Term> {
    if !is_made(node) {
        return Ok(term(node));
    }
    let (form, span) = (&node.form, node.span);
    let made = match form {
        Form::List(_) if unquoted(node) != node => return Ok(term(node)),
        Form::List(parts) => call(node, parts, depth)?,
        Form::Vector(items) | Form::Set(items) => {
            let args = items.iter().map(|i| argument(i, depth + 1)).collect::<Result<_>>()?;
            Call { name: "vector".into(), args, span }
        }
        Form::Map(pairs) => {
            let pair = |(k, v): &(Node, Node)| {
                let args = vec![argument(k, depth + 2)?, argument(v, depth + 2)?];
                let kind = TermKind::Call(Box::new(Call { name: "vector".into(), args, span }));
                Ok(Term { kind, span })
            };
            let args = pairs.iter().map(pair).collect::<Result<_>>()?;
            Call { name: "vector".into(), args, span }
        }
        _ => return Ok(term(node)),
    };
    if depth > MAX_DEPTH {
        return Err(Fault::new(span, format!("calls nested deeper than {MAX_DEPTH}")));
    }
    Ok(Term { kind: TermKind::Call(Box::new(made)), span })
}

/// Whether a form is no value yet: a call, or a collection that holds one or a variable.
pub fn is_made(node: &Node) -> bool {
    let open = |n: &Node| n.symbol().is_some_and(is_variable) || is_made(n);
    match &node.form {
        Form::List(_) => true,
        Form::Vector(items) | Form::Set(items) => items.iter().any(open),
        Form::Map(pairs) => pairs.iter().any(|(k, v)| open(k) || open(v)),
        _ => false,
    }
}

/// Whether it is a variable, or has one within it.
pub fn is_open(node: &Node) -> bool {
    match &node.form {
        Form::List(items) | Form::Vector(items) | Form::Set(items) => items.iter().any(is_open),
        Form::Map(pairs) => pairs.iter().any(|(k, v)| is_open(k) || is_open(v)),
        Form::Tagged(_, inner) => is_open(inner),
        _ => node.symbol().is_some_and(is_variable),
    }
}

fn is_variable(symbol: &str) -> bool {
    symbol.len() > 1 && symbol.starts_with('?')
}

fn pattern(node: &Node, parts: &[Node]) -> Result<Clause> {
    let (source, parts) = source_first(parts);
    if parts.is_empty() {
        return Err(Fault::new(node.span, "an empty pattern").hint("[?e :attribute ?v]"));
    }
    // It would be a value that has a symbol in it, which nobody means.
    let open = |part: &&Node| part.symbol().is_none() && unquoted(part) == *part && is_open(part);
    if let Some(part) = parts.iter().find(open) {
        let text = format!("no variable stands within {} in a pattern", part.kind());
        return Err(Fault::new(part.span, text)
            .hint("bind it by a clause of its own: [(vector ?a ?b) ?x], or [?e :unique ?v] for a lookup ref"));
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
        Some(s) if is_variable(s) => TermKind::Var(Var(s.into())),
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
