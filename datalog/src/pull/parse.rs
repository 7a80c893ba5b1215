//! A pull pattern from EDN: `[:a {:b [:c]} {:d 3} (:e :limit 5 :as :f) *]`.

use super::{Asked, Nested, Pattern};
use crate::edn::{Form, Node, read};
use crate::functions::find;
use crate::query::{Fault, Result};
use daodb_storage::{Attr, Value};
use std::sync::Arc;

/// As many values as Datomic gives where nothing else is said.
const LIMIT: usize = 1000;
const MAX_DEPTH: usize = 64;

pub fn parse(node: &Node) -> Result<Pattern> {
    if let Some(text) = node.string() {
        let inner =
            read(text).map_err(|e| Fault::new(node.span, format!("pull: {}", e.message)))?;
        return pattern(&inner, 0);
    }
    pattern(node, 0)
}

fn is_wildcard(node: &Node) -> bool {
    node.symbol() == Some("*") || node.string() == Some("*") || node.keyword() == Some(":*")
}

fn pattern(node: &Node, depth: usize) -> Result<Pattern> {
    if depth > MAX_DEPTH {
        return Err(Fault::new(node.span, format!("a pattern nested deeper than {MAX_DEPTH}")));
    }
    let mut out = Pattern { wildcard: false, id: false, attributes: vec![] };
    let nodes = match &node.form {
        Form::Vector(nodes) => nodes.as_slice(),
        _ if is_wildcard(node) => std::slice::from_ref(node),
        _ => {
            return Err(Fault::new(node.span, format!("{} is no pull pattern", node.kind()))
                .hint("a pattern is a vector: [:a :b {:c [:d]} *]"));
        }
    };
    for node in nodes {
        match &node.form {
            _ if is_wildcard(node) => out.wildcard = true,
            Form::Map(pairs) => {
                for (key, value) in pairs {
                    let mut asked = asked(key)?;
                    asked.of = nested(value, depth)?;
                    out.ask(asked, key)?;
                }
            }
            _ => {
                let asked = asked(node)?;
                // An id has no other name and is never missing: as in Datomic, options say nothing.
                match asked.a.as_str() == ":db/id" {
                    true => out.id = true,
                    false => out.ask(asked, node)?,
                }
            }
        }
    }
    match out.wildcard || out.id || !out.attributes.is_empty() {
        true => Ok(out),
        false => Err(Fault::new(node.span, "an empty pull pattern").hint("[*] asks for all")),
    }
}

fn nested(node: &Node, depth: usize) -> Result<Nested> {
    match &node.form {
        Form::Value(Value::Long(n)) => match usize::try_from(*n) {
            Ok(n) if n > 0 => Ok(Nested::Again(Some(n))),
            _ => Err(Fault::new(node.span, "a recursion is a number above 0, or ...")),
        },
        _ if node.symbol() == Some("...") => Ok(Nested::Again(None)),
        _ => Ok(Nested::Pattern(Arc::new(pattern(node, depth + 1)?))),
    }
}

/// `:a`, `[:a :limit 3]`, `(:a :as :b)`, `(limit :a 3)`, `(default :a 0)`.
fn asked(node: &Node) -> Result<Asked> {
    if let Some(name) = node.keyword() {
        return Ok(attribute(name));
    }
    let Some(parts) = node.sequence().filter(|p| !p.is_empty()) else {
        return Err(Fault::new(node.span, format!("{} is no attribute", node.kind()))
            .hint("an attribute is :a, or (:a :limit 3 :default 0 :as :b)"));
    };
    if let ([f, a, value], Some(name)) = (parts, parts[0].symbol()) {
        let mut out = asked(a)?;
        match name {
            "limit" => out.limit = limit(value)?,
            "default" => out.default = default(value),
            _ => return Err(Fault::new(f.span, format!("{name} is no option of pull"))),
        }
        return Ok(out);
    }
    let mut out = asked(&parts[0])?;
    let mut rest = parts[1..].chunks(2);
    for pair in &mut rest {
        let [option, value] = pair else {
            return Err(Fault::new(pair[0].span, "an option without a value"));
        };
        match option.keyword() {
            Some(":limit") => out.limit = limit(value)?,
            Some(":default") => out.default = default(value),
            Some(":as") if value.form == Form::Nil => {}
            Some(":as") => out.key = value.form.clone(),
            Some(":xform") => {
                let f = value.symbol().and_then(find).filter(|f| f.arity.contains(&1));
                out.xform = Some(f.ok_or_else(|| {
                    Fault::new(value.span, format!("{value} is no function of one value"))
                })?);
            }
            _ => {
                return Err(Fault::new(option.span, format!("{option} is no option of pull"))
                    .hint(":limit, :default, :as and :xform are"));
            }
        }
    }
    Ok(out)
}

/// nil is none.
fn default(node: &Node) -> Option<Form> {
    (node.form != Form::Nil).then(|| node.form.clone())
}

fn limit(node: &Node) -> Result<Option<usize>> {
    match &node.form {
        Form::Nil => Ok(None),
        Form::Value(Value::Long(n)) if *n > 0 => Ok(usize::try_from(*n).ok()),
        _ => Err(Fault::new(node.span, "a limit is a number above 0, or nil")),
    }
}

fn attribute(name: &str) -> Asked {
    let reversed =
        name.rsplit_once('/').and_then(|(ns, n)| Some(format!("{ns}/{}", n.strip_prefix('_')?)));
    Asked {
        a: Attr::new(reversed.as_deref().unwrap_or(name)),
        reverse: reversed.is_some(),
        key: Form::Value(Value::Keyword(name.into())),
        limit: Some(LIMIT),
        default: None,
        xform: None,
        of: Nested::Nothing,
    }
}

impl Pattern {
    fn ask(&mut self, asked: Asked, node: &Node) -> Result<()> {
        let same = |x: &Asked| x.a == asked.a && x.reverse == asked.reverse;
        if self.attributes.iter().any(same) {
            let name = node.sequence().and_then(<[Node]>::first).unwrap_or(node);
            return Err(Fault::new(node.span, format!("the pull pattern names {name} twice"))
                .hint("name it once, with all that is asked of it"));
        }
        self.attributes.push(asked);
        Ok(())
    }

    /// All of an entity.
    pub fn whole() -> Pattern {
        Pattern { wildcard: true, id: true, attributes: vec![] }
    }
}

pub fn plain(name: &Attr, reverse: bool) -> Asked {
    Asked { reverse, ..attribute(name.as_str()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_asked() {
        let of = |text: &str| parse(&read(text).unwrap());
        let p =
            of("[:db/id :a/b (:c/_d :as \"x\" :limit nil) {:e [*]} {(:f :limit 2) ...} {:g 3}]")
                .unwrap();
        assert!(p.id && !p.wildcard);
        let [b, d, e, f, g] = p.attributes.as_slice() else { unreachable!("five") };
        assert_eq!((b.a.as_str(), b.limit, b.reverse), (":a/b", Some(LIMIT), false));
        assert_eq!((d.a.as_str(), d.limit, d.reverse), (":c/d", None, true));
        assert_eq!(d.key, Form::Value(Value::string("x")));
        assert!(matches!(&e.of, Nested::Pattern(p) if p.wildcard));
        assert_eq!((f.limit, &f.of), (Some(2), &Nested::Again(None)));
        assert_eq!(g.of, Nested::Again(Some(3)));
        for (text, says) in [
            ("[]", "empty"),
            ("[5]", "no attribute"),
            ("[(:a :foo 1)]", "no option"),
            ("[(:a :xform nothing)]", "no function"),
            ("[{:a 0}]", "above 0"),
            ("{}", "no pull pattern"),
        ] {
            assert!(of(text).unwrap_err().message.contains(says), "{text}");
        }
    }
}
