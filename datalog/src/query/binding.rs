//! Binding forms: `?x`, `_`, `[?x ?y]`, `[?x ...]`, `[[?x ?y]]`, and any nesting of them.

use super::{Binding, Fault, Result, Var};
use crate::edn::{Form, Node};

/// The variable that a form is.
pub fn var(node: &Node) -> Option<Var> {
    let name = node.symbol()?;
    (name.len() > 1 && name.starts_with('?')).then(|| Var(name.into()))
}

pub fn binding(node: &Node) -> Result<Binding> {
    if let Some(v) = var(node) {
        return Ok(Binding::Var(v));
    }
    if node.symbol() == Some("_") {
        return Ok(Binding::Blank);
    }
    let Form::Vector(parts) = &node.form else {
        return Err(Fault::new(node.span, format!("{} binds nothing", node.kind()))
            .hint("a binding is ?x, _, [?x ?y], [?x ...] or [[?x ?y]]"));
    };
    match parts.as_slice() {
        [] => Err(Fault::new(node.span, "an empty binding").hint("name a variable in it, or _")),
        [item, dots] if dots.symbol() == Some("...") => Ok(Binding::Each(Box::new(binding(item)?))),
        [row] if matches!(row.form, Form::Vector(_)) => Ok(Binding::Each(Box::new(binding(row)?))),
        parts => Ok(Binding::Tuple(parts.iter().map(binding).collect::<Result<_>>()?)),
    }
}
