//! Transaction data as Datomic writes it, `[[:db/add e a v] {:db/id e, a v}]`, to the ops of the transactor; one op a form.
//!
//! What only the schema knows is left to the transactor: a text is a tempid where the attribute is a reference, and a long an id;
//! a vector is a look-up ref, a tuple or several values. So are maps within maps and references said backwards.

use crate::edn::{Form, Node, Span, short};
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
    [:db/retractEntity e], [:db/cas e a old new] and {:db/id e, a v, ...}";
/// An op's metadata entity: a key of a map form, and of a map at the end of a list form.
const META: &str = ":dao/m";
const ENTITIES: &str =
    "an entity is an id, a tempid (a text, or a negative number), a look-up ref [a v] or an ident";

fn wrong(node: &Node, message: impl Into<String>, hint: &str) -> TxDataError {
    TxDataError { message: short(message.into()), hint: Some(hint.to_owned()), span: node.span }
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
        Form::Map(pairs) => map(pairs),
        Form::Vector(parts) | Form::List(parts) => list(node, parts),
        _ => Err(wrong(node, format!("{} is no form of a transaction", node.kind()), FORMS)),
    }
}

fn list(node: &Node, parts: &[Node]) -> Result<Op> {
    let Some((name, rest)) = parts.split_first() else {
        return Err(wrong(node, "an empty form says nothing", FORMS));
    };
    let (rest, m) = match rest.split_last() {
        Some((last, rest)) if !rest.is_empty() && last.get(META).is_some() => {
            (rest, Some(meta(last)?))
        }
        _ => (rest, None),
    };
    let op = match (name.keyword(), rest) {
        (Some(":db/add"), [e, a, v]) => Op::Add { e: entity(e)?, a: attribute(a)?, v: value(v)? },
        (Some(":db/retract"), [e, a]) => Op::Retract { e: entity(e)?, a: attribute(a)?, v: None },
        (Some(":db/retract"), [e, a, v]) => {
            Op::Retract { e: entity(e)?, a: attribute(a)?, v: Some(value(v)?) }
        }
        (Some(":db/retractEntity" | ":db.fn/retractEntity"), [e]) => {
            Op::RetractEntity { e: entity(e)? }
        }
        (Some(":db/cas" | ":db.fn/cas"), [e, a, old, new]) => {
            let old = match &old.form {
                Form::Nil => None,
                _ => Some(value(old)?),
            };
            Op::Cas { e: entity(e)?, a: attribute(a)?, old, new: value(new)? }
        }
        (Some(known), rest) if LISTS.contains(&known) => {
            let message = format!("{known} does not take {} arguments", rest.len());
            return Err(wrong(node, message, FORMS));
        }
        _ => {
            return Err(wrong(name, format!("there is no transaction function {name}"), FORMS));
        }
    };
    Ok(about(m, op))
}

const LISTS: [&str; 6] = [
    ":db/add",
    ":db/retract",
    ":db/retractEntity",
    ":db.fn/retractEntity",
    ":db/cas",
    ":db.fn/cas",
];

/// `{:dao/m e}`, the end of a list form.
fn meta(node: &Node) -> Result<EntityRef> {
    match &node.form {
        Form::Map(pairs) if pairs.len() == 1 => entity(&pairs[0].1),
        _ => Err(wrong(node, "the map at the end of a form has one key, :dao/m", FORMS)),
    }
}

fn about(m: Option<EntityRef>, op: Op) -> Op {
    match m {
        Some(m) => Op::About { m, op: Box::new(op) },
        None => op,
    }
}

/// The parts of a map form.
#[derive(Default)]
struct Parts {
    id: Option<EntityRef>,
    m: Option<EntityRef>,
    attrs: Vec<(Attr, TxValue)>,
}

fn parts(pairs: &[(Node, Node)]) -> Result<Parts> {
    let mut parts = Parts::default();
    for (key, v) in pairs {
        match key.keyword() {
            Some(":db/id") => parts.id = Some(entity(v)?),
            Some(META) => parts.m = Some(entity(v)?),
            Some(_) => parts.attrs.push((attribute(key)?, values(v)?)),
            None => {
                return Err(wrong(key, format!("{key} is no attribute"), "keys are keywords"));
            }
        }
    }
    Ok(parts)
}

fn map(pairs: &[(Node, Node)]) -> Result<Op> {
    let Parts { id, m, attrs } = parts(pairs)?;
    Ok(about(m, Op::Map { id, attrs }))
}

/// A map within another one.
fn inner(node: &Node, pairs: &[(Node, Node)]) -> Result<TxValue> {
    let Parts { id, m, attrs } = parts(pairs)?;
    match m {
        None => Ok(TxValue::Map { id, attrs }),
        Some(_) => Err(wrong(node, "a map within another one has its metadata", "say it there")),
    }
}

fn attribute(node: &Node) -> Result<Attr> {
    match node.keyword() {
        Some(name) => Ok(Attr::new(name)),
        None => Err(wrong(node, format!("{node} is no attribute"), "an attribute is a keyword")),
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
    let [a, v] = node.sequence()? else { return None };
    let v = match &v.form {
        Form::Value(v) => v.clone(),
        Form::Vector(parts) => tuple(parts)?,
        _ => return None,
    };
    Some(EntityRef::Lookup(Attr::new(a.keyword()?), v))
}

fn tuple(parts: &[Node]) -> Option<Value> {
    let part = |node: &Node| match &node.form {
        Form::Nil => Some(None),
        Form::Value(v) => Some(Some(v.clone())),
        Form::Vector(parts) => tuple(parts).map(Some),
        _ => None,
    };
    Some(Value::Tuple(parts.iter().map(part).collect::<Option<_>>()?))
}

/// One value.
fn value(node: &Node) -> Result<TxValue> {
    match &node.form {
        Form::Value(Value::Ref(id)) => Ok(TxValue::Entity(EntityRef::Id(*id))),
        Form::Value(v) => Ok(TxValue::Value(v.clone())),
        Form::Vector(parts) | Form::List(parts) => {
            parts.iter().map(part).collect::<Result<_>>().map(TxValue::Vector)
        }
        Form::Nil => {
            let hint = "what is not there is not said; :db/retract takes a value away";
            Err(wrong(node, "nil is no value", hint))
        }
        Form::Map(_) => {
            let hint = "give it a tempid (:db/id \"new\") and a form of its own, and \"new\" here";
            Err(wrong(node, "a map is a value only within a map", hint))
        }
        _ => {
            let hint =
                "values are texts, numbers, booleans, keywords, instants, uuids, bytes and tuples";
            Err(wrong(node, format!("{} is no value", node.kind()), hint))
        }
    }
}

/// An element of a vector: nil is a part of a tuple that is not there.
fn part(node: &Node) -> Result<TxValue> {
    match &node.form {
        Form::Nil => Ok(TxValue::Nil),
        _ => value(node),
    }
}

/// What a map has under an attribute: one value, or several in a vector or a set, and maps among them.
fn values(node: &Node) -> Result<TxValue> {
    let element = |node: &Node| match &node.form {
        Form::Map(pairs) => inner(node, pairs),
        _ => part(node),
    };
    match &node.form {
        Form::Vector(all) | Form::List(all) => {
            all.iter().map(element).collect::<Result<_>>().map(TxValue::Vector)
        }
        Form::Set(all) => all.iter().map(element).collect::<Result<_>>().map(TxValue::Many),
        Form::Map(pairs) => inner(node, pairs),
        _ => value(node),
    }
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
            "[:db/cas [:p/email \"a@b\"] :p/age nil 7]",
            "[:db/cas 4294967296 :p/age 7 8]",
            "{:db/id \"x\", :p/_friend 4294967296, :p/part [{:p/name \"y\"} {:db/id \"z\", :p/n 1}]}",
            "{:p/one {:p/name \"y\"}}",
            "[:db/add [:p/pair [1 nil]] :p/name \"x\"]",
            "[:db/add 1 :p/name \"x\" {:dao/m \"why\"}]",
            "[:db/retract 1 :p/name {:dao/m [:source/name \"a\"]}]",
            "{:db/id \"datomic.tx\", :dao/m \"why\"}",
            "{:p/name \"x\", :dao/m \"why\"}",
            "[:db/add :db/current-tx :p/name \"x\"]",
            "{:db/id \"x\"}",
            "{}",
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
        refused("[[:db/cas 1 :a 1]]", ":db/cas does not take 3 arguments", "[:db/cas 1 :a 1]");
        refused("[[:my/fn 1]]", "no transaction function :my/fn", ":my/fn");
        refused("[[:db/add 1 :a {:b 1}]]", "a map is a value only within a map", "{:b 1}");
        refused("[[:db/add 1 :a 1 {:dao/m 1 :b 2}]]", "has one key", "{:dao/m 1 :b 2}");
        refused("[{:a {:b 1 :dao/m 2}}]", "has its metadata", "{:b 1 :dao/m 2}");
        refused("[[:db/add true :a 1]]", "a boolean names no entity", "true");
        refused("[[:db/add 1 \"a\" 1]]", "\"a\" is no attribute", "\"a\"");
        refused("[[:db/add 1 :a nil]]", "nil is no value", "nil");
        refused("[{\"a\" 1}]", "\"a\" is no attribute", "\"a\"");
    }
}
