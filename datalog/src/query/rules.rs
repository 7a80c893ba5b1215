//! Rules: `[[(reach ?x ?y) [?x :follows ?y]] [(reach ?x ?y) [?x :follows ?z] (reach ?z ?y)]]`.

use super::clause::{clauses, heads};
use super::{Clause, Fault, Heads, Name, Result};
use crate::edn::{Form, Node, Span, read};
use std::collections::BTreeMap;

/// All rules of a query, by name; several of one name mean "or".
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    pub rules: BTreeMap<Name, Vec<Rule>>,
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub heads: Heads,
    pub clauses: Vec<Clause>,
    pub span: Span,
}

/// From a vector of rules, or from its text.
pub fn rule_set(node: &Node) -> Result<RuleSet> {
    if let Some(text) = node.string() {
        let inner = read(text).map_err(|e| Fault {
            state: daodb_catalog::SqlState::SYNTAX,
            message: format!("rules: {}", e.message),
            hint: e.hint,
            span: node.span,
        })?;
        return rule_set(&inner);
    }
    let hint = "rules are [[(name ?x) clause ...] ...]";
    let Some(all) = node.sequence() else {
        return Err(Fault::new(node.span, format!("{} is no set of rules", node.kind())).hint(hint));
    };
    let mut out = RuleSet::default();
    for node in all {
        let Some([head, body @ ..]) = node.sequence() else {
            return Err(Fault::new(node.span, "no rule").hint(hint));
        };
        let (name, rule) = rule(node, head, body)?;
        let of_name = out.rules.entry(name.clone()).or_default();
        if let Some(first) = of_name.first() {
            let (a, b) = (&first.heads, &rule.heads);
            if a.count() != b.count() || a.required.len() != b.required.len() {
                return Err(Fault::new(
                    rule.span,
                    format!("rule {name} has heads of several forms"),
                )
                .hint("give each the same number of variables, and of required ones"));
            }
        }
        of_name.push(rule);
    }
    Ok(out)
}

fn rule(node: &Node, head: &Node, body: &[Node]) -> Result<(Name, Rule)> {
    let Form::List(parts) = &head.form else {
        return Err(Fault::new(head.span, "a rule begins with its head").hint("[(name ?x ?y) ...]"));
    };
    let Some((name, vars)) = parts.split_first() else {
        return Err(Fault::new(head.span, "a head without a name").hint("[(name ?x ?y) ...]"));
    };
    let reserved = ["not", "not-join", "or", "or-join", "and"];
    let name: Name = match name.symbol() {
        Some(s) if reserved.contains(&s) => {
            return Err(Fault::new(name.span, format!("{s} is no name for a rule"))
                .hint("take another name"));
        }
        Some(s) => s.into(),
        None => return Err(Fault::new(name.span, "a rule's name is a symbol")),
    };
    let clauses = clauses(body, 0)?;
    if clauses.is_empty() {
        return Err(Fault::new(node.span, format!("rule {name} has no clause"))
            .hint("write what must hold after its head"));
    }
    Ok((name, Rule { heads: heads(head.span, vars)?, clauses, span: node.span }))
}
