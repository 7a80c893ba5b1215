//! Queries of which a part has to do with the rest by nothing.

use daodb_datalog::edn::{Form, Node};
use std::collections::BTreeSet;

/// How a query falls into parts that share no variable: predicates bring none together.
#[derive(Debug, Default)]
pub struct Apart {
    pub outside: bool,
    /// Within a `not`, a `not-join` or a branch.
    pub within: bool,
}

pub fn apart(query: &Node) -> Apart {
    let parts = query.sequence().unwrap();
    let after = |key: &str| {
        let start = parts.iter().position(|p| p.keyword() == Some(key)).unwrap() + 1;
        let end = parts[start..].iter().position(|p| p.keyword().is_some());
        &parts[start..end.map_or(parts.len(), |end| start + end)]
    };
    let scalars: BTreeSet<String> =
        after(":in").iter().filter_map(Node::symbol).map(str::to_owned).collect();
    // One that is found, and that no clause has, is a part of its own.
    let used = variables_of(after(":where"));
    let alone = variables_of(after(":find")).intersection(&scalars).any(|v| !used.contains(v));
    let bindings = after(":in").iter().filter(|p| p.symbol().is_none()).map(variables);
    let mut out = Apart::default();
    out.outside = parts_of(after(":where"), bindings.collect(), &scalars, &mut out.within)
        + usize::from(alone)
        > 1;
    out
}

/// How many parts there are; `within`: whether clauses of one of these fall apart.
fn parts_of(
    clauses: &[Node],
    first: Vec<BTreeSet<String>>,
    scalars: &BTreeSet<String>,
    within: &mut bool,
) -> usize {
    let mut groups = first;
    for clause in clauses {
        let mut vars: BTreeSet<String> = variables(clause).difference(scalars).cloned().collect();
        let parts = clause.sequence().unwrap_or_default();
        let form = parts.iter().position(|p| {
            matches!(p.symbol(), Some("not" | "not-join" | "or" | "or-join" | "and"))
        });
        let name = form.and_then(|i| parts[i].symbol()).unwrap_or_default();
        if let Some(i) = form {
            let join = name.ends_with("-join");
            let heads: Vec<BTreeSet<String>> =
                parts.get(i + 1).filter(|_| join).map(variables).into_iter().collect();
            if let [head] = heads.as_slice() {
                // What else has these names within is other variables.
                vars = head.difference(scalars).cloned().collect();
            }
            let body = &parts[i + 1 + usize::from(join)..];
            if name.starts_with("or") {
                for branch in body {
                    *within |= parts_of_branch(branch, &heads, scalars, within) > 1;
                }
            } else {
                *within |= parts_of(body, heads, scalars, within) > 1;
                // What a negation shares by another one within it alone it does not share.
                let shares = |clause: &Node| {
                    !negation(clause) && !predicate(clause) && !variables(clause).is_empty()
                };
                *within |= !body.iter().any(shares);
            }
        }
        if (predicate(clause) || name.starts_with("not")) && !vars.is_empty() {
            continue;
        }
        let (meet, rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|g: &BTreeSet<String>| !g.is_disjoint(&vars));
        groups = rest;
        vars.extend(meet.into_iter().flatten());
        groups.push(vars);
    }
    groups.len()
}

fn parts_of_branch(
    branch: &Node,
    heads: &[BTreeSet<String>],
    scalars: &BTreeSet<String>,
    within: &mut bool,
) -> usize {
    match branch.sequence() {
        Some([and, rest @ ..]) if and.symbol() == Some("and") => {
            parts_of(rest, heads.to_vec(), scalars, within)
        }
        _ => parts_of(std::slice::from_ref(branch), heads.to_vec(), scalars, within),
    }
}

fn variables(node: &Node) -> BTreeSet<String> {
    match (node.symbol(), node.sequence()) {
        (Some(name), _) if name.starts_with('?') => [name.to_owned()].into(),
        (_, Some(parts)) => parts.iter().flat_map(variables).collect(),
        _ => BTreeSet::new(),
    }
}

fn variables_of(nodes: &[Node]) -> BTreeSet<String> {
    nodes.iter().flat_map(variables).collect()
}

fn predicate(clause: &Node) -> bool {
    let one = clause.sequence().is_some_and(|parts| parts.len() == 1);
    one && matches!(clause.form, Form::Vector(_))
}

fn negation(clause: &Node) -> bool {
    let parts = clause.sequence().unwrap_or_default();
    parts.iter().take(2).any(|part| matches!(part.symbol(), Some("not" | "not-join")))
}
