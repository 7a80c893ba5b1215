//! Transaction data as Datomic writes it, `[[:db/add e a v] {:db/id e, a v}]`, to the ops of the transactor; one op a form.
//!
//! What only the schema knows is left to the transactor: a text is a tempid where the attribute is a reference, and a long an id.
//! So is a pair `[:a/unique value]`: it is a look-up ref here, wherever an entity may stand.

use crate::edn::{Form, Node, Span};
use daodb_catalog::{EntityRef, Op, TxValue};
use daodb_storage::{Attr, Value};

/// What is no transaction data: what, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct TxDataError {
    pub message: String,
    pub hint: Option<String>,
    pub span: Span,
}

type Result<T, E = TxDataError> = std::result::Result<T, E>;

const FORMS: &str = "forms are [:db/add e a v], [:db/retract e a v], [:db/retract e a], \
    [:db/retractEntity e] and {:db/id e, a v, ...}";
const ENTITIES: &str =
    "an entity is an id, a tempid (a text, or a negative number), a look-up ref [a v] or an ident";

fn wrong(node: &Node, message: impl Into<String>, hint: &str) -> TxDataError {
    TxDataError { message: message.into(), hint: Some(hint.to_owned()), span: node.span }
}

/// The ops of a vector or list of forms, in their order.
pub fn read(node: &Node) -> Result<Vec<Op>> {
    let Some(forms) = node.sequence() else {
        let message = format!("transaction data is {}, not a vector", node.kind());
        return Err(wrong(node, message, "as [[:db/add \"new\" :person/name \"Ada\"]]"));
    };
    forms.iter().map(op).collect()
}

fn op(node: &Node) -> Result<Op> {
    match &node.form {
        Form::Map(pairs) => map(node, pairs),
        Form::Vector(parts) | Form::List(parts) => list(node, parts),
        _ => Err(wrong(node, format!("{} is no form of a transaction", node.kind()), FORMS)),
    }
}

fn list(node: &Node, parts: &[Node]) -> Result<Op> {
    let Some((name, rest)) = parts.split_first() else {
        return Err(wrong(node, "an empty form says nothing", FORMS));
    };
    match (name.keyword(), rest) {
        (Some(":db/add"), [e, a, v]) => {
            Ok(Op::Add { e: entity(e)?, a: attribute(a)?, v: value(v)? })
        }
        (Some(":db/retract"), [e, a]) => {
            Ok(Op::Retract { e: entity(e)?, a: attribute(a)?, v: None })
        }
        (Some(":db/retract"), [e, a, v]) => {
            Ok(Op::Retract { e: entity(e)?, a: attribute(a)?, v: Some(value(v)?) })
        }
        (Some(":db/retractEntity" | ":db.fn/retractEntity"), [e]) => {
            Ok(Op::RetractEntity { e: entity(e)? })
        }
        (
            Some(
                known @ (":db/add" | ":db/retract" | ":db/retractEntity" | ":db.fn/retractEntity"),
            ),
            rest,
        ) => Err(wrong(node, format!("{known} does not take {} arguments", rest.len()), FORMS)),
        _ => Err(wrong(name, format!("there is no transaction function {name}"), FORMS)),
    }
}

fn map(node: &Node, pairs: &[(Node, Node)]) -> Result<Op> {
    let mut id = None;
    let mut attrs = Vec::with_capacity(pairs.len());
    for (key, v) in pairs {
        match key.keyword() {
            Some(":db/id") => id = Some(entity(v)?),
            Some(_) => attrs.push((attribute(key)?, values(v)?)),
            None => {
                return Err(wrong(key, format!("{key} is no attribute"), "keys are keywords"));
            }
        }
    }
    if attrs.is_empty() {
        let hint = "give it an attribute, or leave it out";
        return Err(wrong(node, "a map without attributes says nothing", hint));
    }
    Ok(Op::Map { id, attrs })
}

fn attribute(node: &Node) -> Result<Attr> {
    let Some(name) = node.keyword() else {
        return Err(wrong(node, format!("{node} is no attribute"), "an attribute is a keyword"));
    };
    let a = Attr::new(name);
    match a.name().starts_with('_') && a.namespace().is_some() {
        false => Ok(a),
        true => {
            let hint = "say the reference from its other end";
            Err(wrong(node, format!("{a} is an attribute read backwards"), hint))
        }
    }
}

fn entity(node: &Node) -> Result<EntityRef> {
    match &node.form {
        Form::Value(Value::Long(n)) if *n < 0 => Ok(EntityRef::Temp(n.to_string().into())),
        Form::Value(Value::Long(id) | Value::Ref(id)) => Ok(EntityRef::Id(*id)),
        Form::Value(Value::String(name)) => Ok(EntityRef::Temp(name.clone())),
        Form::Value(Value::Keyword(name)) => Ok(EntityRef::Ident(Attr::new(name))),
        _ => lookup(node)
            .ok_or_else(|| wrong(node, format!("{} names no entity", node.kind()), ENTITIES)),
    }
}

/// `[:person/email "a@b"]`; None: it is something else.
fn lookup(node: &Node) -> Option<EntityRef> {
    let [a, Node { form: Form::Value(v), .. }] = node.sequence()? else { return None };
    Some(EntityRef::Lookup(Attr::new(a.keyword()?), v.clone()))
}

/// One value.
fn value(node: &Node) -> Result<TxValue> {
    match &node.form {
        Form::Value(Value::Ref(id)) => Ok(TxValue::Entity(EntityRef::Id(*id))),
        Form::Value(v) => Ok(TxValue::Value(v.clone())),
        Form::Vector(parts) | Form::List(parts) => match lookup(node) {
            Some(entity) => Ok(TxValue::Entity(entity)),
            None => tuple(parts).map(TxValue::Value),
        },
        Form::Nil => {
            let hint = "what is not there is not said; :db/retract takes a value away";
            Err(wrong(node, "nil is no value", hint))
        }
        Form::Map(_) => {
            let hint = "give it a tempid (:db/id \"new\") and a form of its own, and \"new\" here";
            Err(wrong(node, "a map is no value", hint))
        }
        _ => {
            let hint =
                "values are texts, numbers, booleans, keywords, instants, uuids, bytes and tuples";
            Err(wrong(node, format!("{} is no value", node.kind()), hint))
        }
    }
}

/// What a map has under an attribute: one value, or several in a vector or a set.
fn values(node: &Node) -> Result<TxValue> {
    match &node.form {
        Form::Vector(all) | Form::List(all) if lookup(node).is_none() => {
            all.iter().map(value).collect::<Result<_>>().map(TxValue::Many)
        }
        Form::Set(all) => all.iter().map(value).collect::<Result<_>>().map(TxValue::Many),
        _ => value(node),
    }
}

fn tuple(parts: &[Node]) -> Result<Value> {
    let part = |node: &Node| match &node.form {
        Form::Nil => Ok(None),
        Form::Value(v) => Ok(Some(v.clone())),
        Form::Vector(parts) => tuple(parts).map(Some),
        _ => Err(wrong(node, format!("{} is no part of a tuple", node.kind()), "parts are values")),
    };
    Ok(Value::Tuple(parts.iter().map(part).collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::edn;

    /// Ops print as EDN: the same again, or what they became.
    fn check(form: &str, expect: &str) {
        let ops = read(&edn::read(&format!("[{form}]")).unwrap()).unwrap();
        let shown: Vec<String> = ops.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [expect], "{form}");
    }

    #[test]
    fn forms_become_ops() {
        for same in [
            "[:db/add \"new\" :p/name \"Ada\"]",
            "[:db/add 4294967296 :p/age 7]",
            "[:db/add [:p/email \"a@b\"] :p/friend [:p/email \"c@d\"]]",
            "[:db/retract :color/red :db/doc \"x\"]",
            "[:db/retract 4294967296 :p/age]",
            "[:db/retractEntity [:p/email \"a@b\"]]",
            "{:db/id \"new\", :p/name \"Ada\", :p/tags [\"a\" \"b\"]}",
            "{:p/friend [:p/email \"a@b\"]}",
            "[:db/add 1 :p/pair [1 nil \"x\"]]",
        ] {
            check(same, same);
        }
        check(
            "(:db/add -1 :p/at #inst \"2026\")",
            "[:db/add \"-1\" :p/at #inst \"2026-01-01T00:00:00Z\"]",
        );
        check("[:db.fn/retractEntity 7]", "[:db/retractEntity 7]");
        check("{:p/tags #{1}}", "{:p/tags [1]}");
        check("[:db/add 1 :p/friend #dao/ref 7]", "[:db/add 1 :p/friend 7]");
    }

    #[test]
    fn what_is_none_says_what_and_where() {
        let refused = |text: &str, message: &str, at: &str| {
            let e = read(&edn::read(text).unwrap()).unwrap_err();
            assert!(e.message.contains(message) && e.hint.is_some(), "{text}: {e:?}");
            assert_eq!(text.get(e.span.start..e.span.end), Some(at), "{text}");
        };
        refused("{:a 1}", "transaction data is a map", "{:a 1}");
        refused("[1]", "a long is no form", "1");
        refused("[[]]", "an empty form", "[]");
        refused("[[:db/add 1 :a]]", ":db/add does not take 2 arguments", "[:db/add 1 :a]");
        refused("[[:db/cas 1 :a 1 2]]", "no transaction function :db/cas", ":db/cas");
        refused("[[:db/add true :a 1]]", "a boolean names no entity", "true");
        refused("[[:db/add 1 \"a\" 1]]", "\"a\" is no attribute", "\"a\"");
        refused("[[:db/add 1 :a nil]]", "nil is no value", "nil");
        refused("[{:a {:b 1}}]", "a map is no value", "{:b 1}");
        refused("[{:p/_friend 1}]", "read backwards", ":p/_friend");
        refused("[{:db/id 1}]", "says nothing", "{:db/id 1}");
        refused("[{\"a\" 1}]", "\"a\" is no attribute", "\"a\"");
    }
}
