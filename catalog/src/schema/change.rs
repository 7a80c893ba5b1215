//! A transaction's schema datoms applied to a schema, and the rules that a declaration must keep.

use super::builtin::{
    self, CARDINALITY, DOC, IDENT, INDEX, IS_COMPONENT, NO_HISTORY, UNIQUE, VALUE_TYPE,
};
use super::{Attribute, Cardinality, Declaration, Schema};
use crate::error::{Error, Result, SqlState};
use daodb_storage::{Attr, Value, ValueType};
use std::collections::{BTreeMap, HashMap};

/// One schema datom: what was said of a declaring entity.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    pub e: i64,
    pub a: &'a Attr,
    pub v: &'a Value,
    pub added: bool,
}

/// Whether datoms of `a` belong to a declaration wherever they stand; `:db/doc` does only on a named entity.
pub fn declares(a: &Attr) -> bool {
    builtin::SCHEMA_ATTRIBUTES.contains(&a.as_str()) && a.as_str() != DOC
}

impl Declaration {
    pub(super) fn set(&mut self, a: &Attr, v: &Value, added: bool) {
        let text = || v.as_str().filter(|_| added);
        let entity = v.as_i64().filter(|_| added);
        let flag = match v {
            Value::Boolean(b) if added => Some(*b),
            _ => None,
        };
        match a.as_str() {
            IDENT => self.ident = text().map(Attr::new),
            VALUE_TYPE => self.value_type = entity,
            CARDINALITY => self.cardinality = entity,
            UNIQUE => self.unique = entity,
            IS_COMPONENT => self.is_component = flag,
            INDEX => self.index = flag,
            NO_HISTORY => self.no_history = flag,
            DOC => self.doc = text().map(str::to_owned),
            _ => {}
        }
    }

    /// Whether it declares an attribute, and does not only name an entity.
    fn is_attribute(&self) -> bool {
        let refs = [self.value_type, self.cardinality, self.unique];
        let flags = [self.is_component, self.index, self.no_history];
        refs.iter().any(Option::is_some) || flags.iter().any(Option::is_some)
    }

    /// Puts what it says into the attribute that it names.
    fn describe(&self, entity: i64, into: &mut Attribute) -> Result<()> {
        into.entity = Some(entity);
        into.doc.clone_from(&self.doc);
        into.is_component = self.is_component.unwrap_or(false);
        into.index = self.index.unwrap_or(false);
        into.no_history = self.no_history.unwrap_or(false);
        let name = into.ident.clone();
        into.value_type = known(self.value_type, builtin::value_type, || {
            wrong(&name, VALUE_TYPE, ":db.type/string, :db.type/long, :db.type/ref and so on")
        })?;
        into.unique = known(self.unique, builtin::unique, || {
            wrong(&name, UNIQUE, ":db.unique/identity and :db.unique/value")
        })?;
        let cardinality = known(self.cardinality, builtin::cardinality, || {
            wrong(&name, CARDINALITY, ":db.cardinality/one and :db.cardinality/many")
        })?;
        into.cardinality = cardinality.unwrap_or(Cardinality::One);
        if into.is_component && into.value_type != Some(ValueType::Ref) {
            let text = format!("{name} is declared a component, so it must be declared a ref");
            return Err(Error::new(SqlState::CHECK_VIOLATION, text)
                .hint(format!("declare {VALUE_TYPE} :db.type/ref too")));
        }
        Ok(())
    }
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

/// As in Datomic: a declared type stays, because readers rely on it.
fn other_type(then: &Declaration, before: i64) -> Error {
    let name = then.ident.as_ref().map_or_else(String::new, Attr::to_string);
    let declared = builtin::value_type(before).map_or("another type", ValueType::name);
    let text = format!("{name} is declared {declared}, and a declared type does not change");
    Error::new(SqlState::CHECK_VIOLATION, text)
        .hint("declare another attribute, and copy the values to it")
}

impl Schema {
    /// The schema of these declarations and observations, with what is built in.
    pub(super) fn build(
        declared: BTreeMap<i64, Declaration>,
        observed: BTreeMap<Attr, Vec<ValueType>>,
    ) -> Result<Schema> {
        let mut attributes: BTreeMap<Attr, Attribute> =
            builtin::attributes().map(|a| (a.ident.clone(), a)).collect();
        let mut idents: HashMap<Attr, i64> = builtin::idents().collect();
        for (a, types) in observed {
            let entry = attributes.entry(a.clone());
            entry.or_insert_with(|| Attribute::undeclared(a)).observed = types;
        }
        for (entity, declaration) in &declared {
            let Some(ident) = &declaration.ident else {
                if !declaration.is_attribute() {
                    continue;
                }
                let text = format!("entity {entity} declares an attribute without a name");
                return Err(Error::new(SqlState::CHECK_VIOLATION, text)
                    .hint(format!("give it a {IDENT}, or retract the rest of it")));
            };
            idents.insert(ident.clone(), *entity);
            if declaration.is_attribute() {
                let entry = attributes.entry(ident.clone());
                let attribute = entry.or_insert_with(|| Attribute::undeclared(ident.clone()));
                declaration.describe(*entity, attribute)?;
            } else if let Some(attribute) = attributes.get_mut(ident) {
                attribute.doc.clone_from(&declaration.doc);
                attribute.entity = Some(*entity);
            }
        }
        let names = idents.iter().map(|(ident, entity)| (*entity, ident.clone())).collect();
        Ok(Schema { attributes, idents, names, declared })
    }

    /// This schema after a transaction's schema datoms.
    pub fn after<'a>(&self, said: impl Iterator<Item = Said<'a>> + Clone) -> Result<Schema> {
        let mut declared = self.declared.clone();
        // A replaced value is retracted and added in one transaction: the addition counts.
        for added in [false, true] {
            for said in said.clone().filter(|s| s.added == added) {
                declared.entry(said.e).or_default().set(said.a, said.v, added);
            }
        }
        for (entity, then) in &declared {
            let before = self.declared.get(entity).and_then(|before| before.value_type);
            if let (Some(before), Some(then_type)) = (before, then.value_type)
                && before != then_type
            {
                return Err(other_type(then, before));
            }
        }
        declared.retain(|_, declaration| {
            // What is left of a name that was retracted is a plain entity's doc.
            declaration.ident.is_some() || declaration.is_attribute()
        });
        let observed = self.attributes.values();
        let observed = observed.filter(|a| !a.observed.is_empty());
        Schema::build(declared, observed.map(|a| (a.ident.clone(), a.observed.clone())).collect())
    }

    /// Notes that a value of this type was seen.
    pub fn observe(&mut self, a: &Attr, ty: ValueType) {
        let entity = self.idents.get(a).copied();
        let declared = entity.and_then(|e| self.declared.get(&e));
        let doc = declared.and_then(|d| d.doc.clone());
        let attribute = self.attributes.entry(a.clone()).or_insert_with(|| Attribute {
            entity,
            doc,
            ..Attribute::undeclared(a.clone())
        });
        if let Err(at) = attribute.observed.binary_search(&ty) {
            attribute.observed.insert(at, ty);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn schema(said: &[(i64, &str, Value)]) -> Result<Schema> {
        apply(&Schema::build(BTreeMap::new(), BTreeMap::new())?, said, true)
    }

    fn apply(schema: &Schema, said: &[(i64, &str, Value)], added: bool) -> Result<Schema> {
        let attrs: Vec<Attr> = said.iter().map(|s| Attr::new(s.1)).collect();
        let said = said.iter().zip(&attrs);
        schema.after(said.map(|((e, _, v), a)| Said { e: *e, a, v, added }))
    }

    const E: i64 = 1 << 32;

    #[test]
    fn an_attribute_is_declared_and_forgotten() {
        let named = schema(&[(E, IDENT, Value::keyword("p/n"))]).unwrap();
        assert_eq!(named.entity_of(&":p/n".into()), Some(E));
        assert!(named.get(&":p/n".into()).is_none());

        let said = [(E, VALUE_TYPE, Value::Ref(102)), (E, CARDINALITY, Value::Ref(131))];
        let declared = apply(&named, &said, true).unwrap();
        let a = declared.get(&":p/n".into()).unwrap();
        assert_eq!((a.value_type, a.cardinality), (Some(ValueType::Long), Cardinality::Many));

        let left = apply(&declared, &said, false).unwrap();
        assert!(left.get(&":p/n".into()).is_none());
    }

    #[test]
    fn rules() {
        let check = |said: &[(i64, &str, Value)], expect: &str| {
            let e = schema(said).unwrap_err().to_string();
            assert!(e.contains(expect), "{e}");
        };
        check(&[(E, CARDINALITY, Value::Ref(131))], "without a name");
        let name = (E, IDENT, Value::keyword("p/n"));
        check(&[name.clone(), (E, VALUE_TYPE, Value::Ref(131))], "accepted are :db.type/string");
        check(&[name.clone(), (E, UNIQUE, Value::Ref(1))], ":db.unique/identity");
        check(&[name, (E, IS_COMPONENT, Value::Boolean(true))], "declared a ref");
    }

    #[test]
    fn a_declared_type_stays() {
        let name = (E, IDENT, Value::keyword("p/n"));
        let typed = schema(&[name, (E, VALUE_TYPE, Value::Ref(102))]).unwrap();
        let again = apply(&typed, &[(E, VALUE_TYPE, Value::Ref(102))], true).unwrap();
        assert_eq!(again.get(&":p/n".into()).unwrap().value_type, Some(ValueType::Long));
        let e = apply(&typed, &[(E, VALUE_TYPE, Value::Ref(108))], true).unwrap_err();
        assert!(e.to_string().contains("is declared long"), "{e}");
    }

    #[test]
    fn built_in_attributes_are_there() {
        let schema = schema(&[]).unwrap();
        assert_eq!(schema.get(&IDENT.into()).unwrap().value_type, Some(ValueType::Keyword));
        assert_eq!(schema.ident_of(108).unwrap().as_str(), ":db.type/string");
    }
}
