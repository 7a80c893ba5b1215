//! What the schema datoms of one entity say, and the attribute that they describe.

use super::builtin::{
    self, ATTR_PREDS, CARDINALITY, DOC, IDENT, INDEX, IS_COMPONENT, NO_HISTORY, TUPLE_ATTRS,
    TUPLE_TYPE, TUPLE_TYPES, UNIQUE, VALUE_TYPE,
};
use super::predicate::Predicate;
use super::tuple::{self, Tuple};
use super::{Attribute, Cardinality};
use crate::error::{Error, Result, SqlState};
use daodb_storage::{Attr, Value, ValueType};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A reference to a built-in ident is its number.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Declaration {
    pub ident: Option<Attr>,
    /// All names that it had without a gap, the first one first: an attribute's datoms keep that.
    pub names: Vec<Attr>,
    /// All names that it ever had: as in Datomic they find it until another entity has them.
    pub former: Vec<Attr>,
    pub value_type: Option<i64>,
    pub cardinality: Option<i64>,
    unique: Option<i64>,
    is_component: Option<bool>,
    index: Option<bool>,
    no_history: Option<bool>,
    tuple_attrs: Option<Value>,
    tuple_types: Option<Value>,
    tuple_type: Option<Value>,
    predicates: BTreeSet<Arc<str>>,
    pub doc: Option<String>,
}

impl Declaration {
    pub fn set(&mut self, a: &Attr, v: &Value, added: bool) {
        let text = || v.as_str().filter(|_| added);
        let entity = v.as_i64().filter(|_| added);
        let kept = || added.then(|| v.clone());
        let flag = match v {
            Value::Boolean(b) if added => Some(*b),
            _ => None,
        };
        match a.as_str() {
            IDENT => self.set_name(text().map(Attr::new)),
            VALUE_TYPE => self.value_type = entity,
            CARDINALITY => self.cardinality = entity,
            UNIQUE => self.unique = entity,
            IS_COMPONENT => self.is_component = flag,
            INDEX => self.index = flag,
            NO_HISTORY => self.no_history = flag,
            DOC => self.doc = text().map(str::to_owned),
            TUPLE_ATTRS => self.tuple_attrs = kept(),
            TUPLE_TYPES => self.tuple_types = kept(),
            TUPLE_TYPE => self.tuple_type = kept(),
            ATTR_PREDS => self.set_predicate(v, added),
            _ => {}
        }
    }

    fn set_name(&mut self, name: Option<Attr>) {
        if let Some(name) = &name {
            for known in [&mut self.names, &mut self.former] {
                if !known.contains(name) {
                    known.push(name.clone());
                }
            }
        }
        self.ident = name;
    }

    fn set_predicate(&mut self, v: &Value, added: bool) {
        let Some(name) = v.as_str() else { return };
        match added {
            true => self.predicates.insert(name.into()),
            false => self.predicates.remove(name),
        };
    }

    /// After all that a transaction says: without a name the chain of names is at its end.
    pub fn settle(&mut self) {
        if self.ident.is_none() {
            self.names.clear();
        }
    }

    /// Whether it declares an attribute, and does not only name an entity.
    pub fn is_attribute(&self) -> bool {
        let refs = [self.value_type, self.cardinality, self.unique];
        let flags = [self.is_component, self.index, self.no_history];
        let tuples = [&self.tuple_attrs, &self.tuple_types, &self.tuple_type];
        refs.iter().any(Option::is_some)
            || flags.iter().any(Option::is_some)
            || tuples.iter().any(|v| v.is_some())
            || !self.predicates.is_empty()
    }

    /// The name that the attribute's datoms have.
    pub fn stored(&self) -> Option<&Attr> {
        self.names.first()
    }

    pub fn tuple(&self, name: &Attr) -> Result<Option<Tuple>> {
        let [attrs, types, ty] = [&self.tuple_attrs, &self.tuple_types, &self.tuple_type];
        tuple::read(name, attrs.as_ref(), types.as_ref(), ty.as_ref())
    }

    /// Puts what it says into the attribute that it names.
    pub fn describe(&self, entity: i64, into: &mut Attribute) -> Result<()> {
        into.entity = Some(entity);
        into.doc.clone_from(&self.doc);
        into.is_component = self.is_component.unwrap_or(false);
        into.index = self.index.unwrap_or(false);
        into.no_history = self.no_history.unwrap_or(false);
        if let Some(name) = &self.ident {
            into.name.clone_from(name);
        }
        let name = into.name.clone();
        into.value_type = known(self.value_type, builtin::value_type, || {
            wrong(&name, VALUE_TYPE, ":db.type/string, :db.type/long, :db.type/ref and so on")
        })?;
        into.float = self.value_type.is_some_and(builtin::is_float);
        into.unique = known(self.unique, builtin::unique, || {
            wrong(&name, UNIQUE, ":db.unique/identity and :db.unique/value")
        })?;
        let cardinality = known(self.cardinality, builtin::cardinality, || {
            wrong(&name, CARDINALITY, ":db.cardinality/one and :db.cardinality/many")
        })?;
        into.cardinality = cardinality.unwrap_or(Cardinality::One);
        into.tuple = self.tuple(&name)?;
        into.predicates = self
            .predicates
            .iter()
            .map(|p| Predicate::named(p).ok_or_else(|| Predicate::unknown(&name, p)))
            .collect::<Result<_>>()?;
        check(into)
    }
}

/// What must be true of an attribute by itself.
fn check(attribute: &Attribute) -> Result<()> {
    let name = &attribute.name;
    let refused =
        |text: String, hint: String| Err(Error::new(SqlState::CHECK_VIOLATION, text).hint(hint));
    if attribute.is_component && attribute.value_type != Some(ValueType::Ref) {
        let text = format!("{name} is declared a component, so it must be declared a ref");
        return refused(text, format!("declare {VALUE_TYPE} :db.type/ref too"));
    }
    if attribute.tuple.is_some() && attribute.value_type != Some(ValueType::Tuple) {
        let text = format!("{name} is declared to have tuples, and no tuple");
        return refused(text, format!("declare {VALUE_TYPE} :db.type/tuple too"));
    }
    if attribute.unique.is_some() && attribute.value_type == Some(ValueType::Bytes) {
        let text = format!("{name} is declared bytes, which are not unique");
        return refused(text, "keep a digest of them in an attribute that is unique".to_owned());
    }
    Ok(())
}

fn known<T>(
    entity: Option<i64>,
    read: fn(i64) -> Option<T>,
    wrong: impl FnOnce() -> Error,
) -> Result<Option<T>> {
    entity.map(|e| read(e).ok_or_else(wrong)).transpose()
}

fn wrong(name: &Attr, what: &str, accepted: &str) -> Error {
    let text = format!("the {what} of {name} is none that there is");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint(format!("accepted are {accepted}"))
}
