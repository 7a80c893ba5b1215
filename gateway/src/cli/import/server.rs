//! Rows into a database that a server has.

use crate::cli::remote::{Remote, number};
use crate::http::formats::{field, map, node, text, value};
use crate::import::rows::{Done, Target};
use crate::provenance::{AUTHOR, REASON};
use daodb_catalog::schema::{Attribute, Cardinality, Unique};
use daodb_catalog::{EntityRef, Error, Op, Result, Schema, SqlState, Transaction, TxValue};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::{Attr, Value, ValueType};
use futures::future::BoxFuture;
use std::sync::Arc;

/// What an import must know of attributes.
const ATTRIBUTES: &str =
    "SELECT attribute, declared_type, observed_types, cardinality, is_unique FROM dao.attributes";

pub struct There(pub Remote);

impl Target for There {
    fn schema(&self) -> BoxFuture<'_, Result<Arc<Schema>>> {
        Box::pin(async move {
            let said = self.0.try_ask("sql", &map([("sql", text(ATTRIBUTES))])).await?;
            let rows = field(&said, "rows").and_then(Node::sequence).unwrap_or_default();
            let mut schema = Schema::default();
            let known = rows.iter().filter_map(|row| attribute(row.sequence()?));
            schema.attributes.extend(known.map(|a| (a.ident.clone(), a)));
            Ok(Arc::new(schema))
        })
    }

    fn newest(&self) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async move {
            let basis = self.0.try_get("/basis").await?;
            number(&basis, "t").map_err(|e| Error::new(SqlState::INTERNAL, e.to_string()))
        })
    }

    fn transact(self: Arc<Self>, transaction: Transaction) -> BoxFuture<'static, Result<Done>> {
        Box::pin(async move { self.ask_to("transact", transaction).await })
    }

    fn would_change(self: Arc<Self>, transaction: Transaction) -> BoxFuture<'static, Result<u64>> {
        Box::pin(async move { Ok(self.ask_to("with", transaction).await?.changes) })
    }

    fn at_once(&self) -> usize {
        // Requests may overtake each other.
        1
    }
}

impl There {
    /// What a transaction does, or would do.
    async fn ask_to(&self, route: &str, transaction: Transaction) -> Result<Done> {
        let said = |text: Option<Arc<str>>| match text {
            Some(words) => crate::http::formats::text(words),
            None => node(Form::Nil),
        };
        let (ops, provenance) = (transaction.ops, transaction.provenance);
        let ops = ops.into_iter().map(form).collect::<Result<Vec<_>>>()?;
        let body = map([
            ("tx-data", node(Form::Vector(ops))),
            (AUTHOR, said(provenance.author)),
            (REASON, said(provenance.reason)),
        ]);
        let report = self.0.try_ask(route, &body).await?;
        let t = number(&report, "t").map_err(|e| Error::new(SqlState::INTERNAL, e.to_string()))?;
        let datoms = field(&report, "tx-data").and_then(Node::sequence).unwrap_or_default();
        let about = |datom: &&Node| {
            let e = datom.sequence().and_then(|parts| parts.first());
            e.is_some_and(|e| e.form == Form::Value(Value::Long(t)))
        };
        let changes = datoms.iter().filter(|datom| !about(datom)).count();
        Ok(Done { t, changes: changes as u64 })
    }
}

/// A row of `dao.attributes`.
fn attribute(row: &[Node]) -> Option<Attribute> {
    let [name, declared, observed, cardinality, unique] = row else { return None };
    let types = |node: &Node| -> Vec<ValueType> {
        let names = node.string().unwrap_or_default().split(", ");
        names.filter_map(ValueType::parse).collect()
    };
    // Names of attributes are keywords, or texts where they are shown.
    let ident = Attr::new(name.keyword().or(name.string())?);
    Some(Attribute {
        value_type: types(declared).first().copied(),
        observed: types(observed),
        cardinality: match cardinality.string() {
            Some("many") => Cardinality::Many,
            _ => Cardinality::One,
        },
        unique: match unique.string() {
            Some("identity") => Some(Unique::Identity),
            Some(_) => Some(Unique::Value),
            None => None,
        },
        ..Attribute::undeclared(ident)
    })
}

/// An op of an import as a form of a transaction.
fn form(op: Op) -> Result<Node> {
    let keyword = |name: &str| value(Value::keyword(name));
    match op {
        Op::Map { id, attrs } => {
            let mut pairs = Vec::with_capacity(attrs.len() + 1);
            if let Some(id) = id {
                pairs.push((keyword(":db/id"), entity(id)?));
            }
            for (a, v) in attrs {
                pairs.push((keyword(a.as_str()), said(v)?));
            }
            Ok(node(Form::Map(pairs)))
        }
        Op::Retract { e, a, v: None } => {
            let parts = vec![keyword(":db/retract"), entity(e)?, keyword(a.as_str())];
            Ok(node(Form::Vector(parts)))
        }
        other => Err(unexpected(&other)),
    }
}

fn entity(e: EntityRef) -> Result<Node> {
    match e {
        EntityRef::Id(id) => Ok(value(Value::Long(id))),
        EntityRef::Temp(name) => Ok(text(name)),
        other => Err(unexpected(&other)),
    }
}

fn said(v: TxValue) -> Result<Node> {
    match v {
        TxValue::Value(v) => Ok(value(v)),
        TxValue::Entity(EntityRef::Id(id)) => Ok(value(Value::Ref(id))),
        TxValue::Many(all) => {
            let all = all.into_iter().map(said).collect::<Result<_>>()?;
            Ok(node(Form::Vector(all)))
        }
        other => Err(unexpected(&other)),
    }
}

fn unexpected(what: &dyn std::fmt::Debug) -> Error {
    Error::new(SqlState::INTERNAL, format!("an import makes no such op: {what:?}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ops_are_forms() {
        let v = |n| TxValue::Value(Value::Long(n));
        let map = Op::Map {
            id: Some(EntityRef::Temp("0".into())),
            attrs: vec![
                (Attr::new(":p/n"), v(1)),
                (Attr::new(":p/many"), TxValue::Many(vec![v(1), v(2)])),
                (Attr::new(":p/friend"), TxValue::Entity(EntityRef::Id(70))),
            ],
        };
        let shown = form(map).unwrap().to_string();
        assert_eq!(shown, "{:db/id \"0\", :p/n 1, :p/many [1 2], :p/friend #dao/ref 70}");
        let retract = Op::Retract { e: EntityRef::Id(70), a: Attr::new(":p/n"), v: None };
        assert_eq!(form(retract).unwrap().to_string(), "[:db/retract 70 :p/n]");
        assert!(form(Op::RetractEntity { e: EntityRef::Id(70) }).is_err());
    }

    #[test]
    fn rows_are_attributes() {
        let row = daodb_datalog::edn::read("[\":p/n\" nil \"long, string\" \"many\" \"identity\"]")
            .unwrap();
        let known = attribute(row.sequence().unwrap()).unwrap();
        assert_eq!((known.ident.as_str(), known.value_type), (":p/n", None));
        assert_eq!(known.observed, [ValueType::Long, ValueType::String]);
        assert_eq!(known.cardinality, Cardinality::Many);
        assert_eq!(known.unique, Some(Unique::Identity));
    }
}
