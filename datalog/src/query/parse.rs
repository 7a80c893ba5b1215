//! A query from EDN: a list, a map, or the text of either.

use super::binding::{binding, var};
use super::clause::{clauses, term, unquoted};
use super::{
    Call, Element, Fault, Input, KeyKind, Keys, Name, OrderBy, PullPattern, Query, Result, Shape,
    logs,
};
use crate::edn::{Form, Node, Span, read};
use daodb_catalog::nearest::nearest;
use daodb_storage::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const SECTIONS: [&str; 11] = [
    ":find",
    ":keys",
    ":strs",
    ":syms",
    ":with",
    ":in",
    ":where",
    ":limit",
    ":offset",
    ":order-by",
    ":timeout",
];

/// The sections of a query by their keyword.
type Sections<'a> = BTreeMap<&'static str, (Span, &'a [Node])>;

pub fn query(node: &Node) -> Result<Query> {
    let node = unquoted(node);
    if let Some(text) = node.string() {
        let inner = read(text).map_err(|e| Fault {
            state: daodb_catalog::SqlState::SYNTAX,
            message: e.message,
            hint: e.hint,
            span: e.span,
        })?;
        return match inner.string() {
            Some(_) => Err(no_query(&inner)),
            None => query(&inner),
        };
    }
    let sections = sections(node)?;
    let Some((span, find_nodes)) = sections.get(":find") else {
        return Err(Fault::new(node.span, "the query has no :find").hint("[:find ?x :where ...]"));
    };
    let (find, shape) = find(*span, find_nodes)?;
    let order = match sections.get(":order-by") {
        Some((_, nodes)) => order_by(nodes, &find)?,
        None => vec![],
    };
    let number =
        |name| sections.get(name).map(|(span, nodes)| count(name, *span, nodes)).transpose();
    let timeout = number(":timeout")?.map(|ms| Duration::from_millis(ms as u64));
    let mut query = Query {
        keys: keys(&sections, &find, shape)?,
        shape,
        with: with(&sections)?,
        inputs: inputs(&sections)?,
        clauses: match sections.get(":where") {
            Some((_, nodes)) => clauses(nodes, 0)?,
            None => vec![],
        },
        limit: number(":limit")?,
        offset: number(":offset")?.unwrap_or(0),
        order,
        timeout,
        find,
    };
    logs::as_sources(&mut query);
    Ok(query)
}

fn no_query(node: &Node) -> Fault {
    Fault::new(node.span, format!("{} is no query", node.kind()))
        .hint("a query is [:find ?x :where ...] or {:find [?x] :where [...]}")
}

fn sections(node: &Node) -> Result<Sections<'_>> {
    match &node.form {
        Form::Vector(nodes) | Form::List(nodes) => of_list(node, nodes),
        Form::Map(pairs) => of_map(pairs),
        _ => Err(no_query(node)),
    }
}

fn section(node: &Node) -> Result<&'static str> {
    let Some(name) = node.keyword() else {
        return Err(Fault::new(node.span, format!("{} is no part of a query", node.kind()))
            .hint("a query begins with :find"));
    };
    SECTIONS.into_iter().find(|s| *s == name).ok_or_else(|| {
        let fault = Fault::new(node.span, format!("a query has no {name}"));
        match nearest(name, SECTIONS) {
            Some(near) => fault.hint(format!("perhaps {near} is meant")),
            None => fault.hint(format!("it may have {}", SECTIONS.join(" "))),
        }
    })
}

fn add<'a>(to: &mut Sections<'a>, at: &Node, nodes: &'a [Node]) -> Result<()> {
    let name = section(at)?;
    match to.insert(name, (at.span, nodes)) {
        Some(_) => Err(Fault::new(at.span, format!("{name} stands twice")).hint("write it once")),
        None => Ok(()),
    }
}

fn of_list<'a>(node: &Node, nodes: &'a [Node]) -> Result<Sections<'a>> {
    let Some(first) = nodes.first() else { return Err(no_query(node)) };
    section(first)?;
    let mut out = Sections::new();
    let mut rest = nodes;
    while let Some((at, after)) = rest.split_first() {
        let is_section = |n: &Node| n.keyword().is_some_and(|k| SECTIONS.contains(&k));
        let end = after.iter().position(is_section).unwrap_or(after.len());
        add(&mut out, at, &after[..end])?;
        rest = &after[end..];
    }
    Ok(out)
}

fn of_map(pairs: &[(Node, Node)]) -> Result<Sections<'_>> {
    let mut out = Sections::new();
    for (key, value) in pairs {
        let nodes = match value.sequence() {
            Some(nodes) => nodes,
            None => std::slice::from_ref(value),
        };
        add(&mut out, key, nodes)?;
    }
    Ok(out)
}

fn find(span: Span, nodes: &[Node]) -> Result<(Vec<Element>, Shape)> {
    let each = |nodes: &[Node]| nodes.iter().map(element).collect::<Result<Vec<_>>>();
    let is = |node: &Node, s: &str| node.symbol() == Some(s);
    let (elements, shape) = match nodes {
        [one, dot] if is(dot, ".") => (vec![element(one)?], Shape::Scalar),
        // The map form may hold the find specification itself: {:find [?x ...]}.
        [one, dots] if is(dots, "...") => (vec![element(one)?], Shape::Collection),
        [Node { form: Form::Vector(inner), .. }] => match inner.as_slice() {
            [one, dots] if is(dots, "...") => (vec![element(one)?], Shape::Collection),
            many => (each(many)?, Shape::Tuple),
        },
        many => (each(many)?, Shape::Relation),
    };
    match elements.is_empty() {
        true => Err(Fault::new(span, ":find names nothing").hint("name a variable of :where")),
        false => Ok((elements, shape)),
    }
}

fn element(node: &Node) -> Result<Element> {
    if let Some(v) = var(node) {
        return Ok(Element::Var(v, node.span));
    }
    let Form::List(parts) = &node.form else {
        return Err(Fault::new(node.span, format!("{node} cannot be found"))
            .hint(":find takes ?x, (sum ?x), (pull ?x [...])"));
    };
    match parts.split_first() {
        Some((f, rest)) if f.symbol() == Some("pull") => pull(node, rest),
        Some((f, args)) if f.symbol().is_some() && !args.is_empty() => {
            let name = f.symbol().unwrap_or_default().into();
            let args = args.iter().map(term).collect();
            Ok(Element::Aggregate(Call { name, args, span: node.span }))
        }
        _ => Err(Fault::new(node.span, "an aggregate is (name ?x)")),
    }
}

fn pull(node: &Node, rest: &[Node]) -> Result<Element> {
    let (source, rest) = match rest {
        [s, rest @ ..] if s.symbol().is_some_and(|s| s.starts_with('$')) => {
            (s.symbol().map(Name::from), rest)
        }
        rest => (None, rest),
    };
    let span = node.span;
    if let [e, pattern] = rest
        && let Some(var) = var(e)
    {
        let pattern = unquoted(pattern);
        let pattern = match pattern.symbol() {
            Some(name) if name != "*" => PullPattern::Input(name.into()),
            _ => PullPattern::Literal(pattern.clone()),
        };
        return Ok(Element::Pull { source, var, pattern, span });
    }
    Err(Fault::new(span, "a pull is (pull ?e [pattern])"))
}

fn keys(sections: &Sections<'_>, find: &[Element], shape: Shape) -> Result<Option<Keys>> {
    let kinds =
        [(":keys", KeyKind::Keywords), (":strs", KeyKind::Strings), (":syms", KeyKind::Symbols)];
    let mut out = None;
    for (name, kind) in kinds {
        let Some((span, nodes)) = sections.get(name) else { continue };
        if out.is_some() {
            return Err(Fault::new(*span, "only one of :keys, :strs and :syms may stand"));
        }
        if !matches!(shape, Shape::Relation | Shape::Tuple) {
            return Err(Fault::new(*span, format!("{name} goes with rows only"))
                .hint("leave it out, or find several variables"));
        }
        let names: Vec<Name> = nodes.iter().filter_map(|n| n.symbol().map(Name::from)).collect();
        if names.len() != find.len() || names.len() != nodes.len() {
            return Err(Fault::new(
                *span,
                format!("{name} must name {} columns by symbols", find.len()),
            ));
        }
        out = Some(Keys { kind, names });
    }
    Ok(out)
}

fn with(sections: &Sections<'_>) -> Result<Vec<super::Var>> {
    let Some((_, nodes)) = sections.get(":with") else { return Ok(vec![]) };
    let one = |n: &Node| {
        var(n).ok_or_else(|| Fault::new(n.span, format!("{n} is no variable")).hint(":with ?x ?y"))
    };
    nodes.iter().map(one).collect()
}

/// Without `:in`, the one input is `$`.
fn inputs(sections: &Sections<'_>) -> Result<Vec<Input>> {
    let Some((_, nodes)) = sections.get(":in") else { return Ok(vec![Input::Source("$".into())]) };
    let input = |node: &Node| match node.symbol() {
        Some("%") => Ok(Input::Rules),
        Some(s) if s.starts_with('$') => Ok(Input::Source(s.into())),
        Some(s) if s != "_" && !s.starts_with('?') => Ok(Input::Pattern(s.into())),
        _ => binding(node).map(Input::Binding),
    };
    nodes.iter().map(input).collect()
}

fn count(name: &str, span: Span, nodes: &[Node]) -> Result<usize> {
    let n = match nodes {
        [Node { form: Form::Value(Value::Long(n)), .. }] => usize::try_from(*n).ok(),
        _ => None,
    };
    n.ok_or_else(|| Fault::new(span, format!("{name} takes one number, 0 or more")))
}

/// `[?a :desc ?b]`, `[[?a :desc] 1]`: each a variable or the index of an element, `:asc` or `:desc` after it.
fn order_by(nodes: &[Node], find: &[Element]) -> Result<Vec<OrderBy>> {
    let mut out: Vec<OrderBy> = Vec::new();
    let mut flat = Vec::new();
    for node in nodes {
        match node.sequence() {
            Some(inner) => flat.extend(inner),
            None => flat.push(node),
        }
    }
    for node in flat {
        match (node.keyword(), out.last_mut()) {
            (Some(":asc"), Some(last)) => last.descending = false,
            (Some(":desc"), Some(last)) => last.descending = true,
            _ => out.push(OrderBy { element: place(node, find)?, descending: false }),
        }
    }
    Ok(out)
}

fn place(node: &Node, find: &[Element]) -> Result<usize> {
    let of_var =
        |v: super::Var| find.iter().position(|e| matches!(e, Element::Var(x, _) if *x == v));
    let found = match (&node.form, var(node)) {
        (_, Some(v)) => of_var(v),
        (Form::Value(Value::Long(i)), _) => usize::try_from(*i).ok().filter(|i| *i < find.len()),
        _ => None,
    };
    found.ok_or_else(|| {
        Fault::new(node.span, format!("{node} is no column of :find"))
            .hint(":order-by takes variables of :find, or indices from 0, each with :asc or :desc")
    })
}
