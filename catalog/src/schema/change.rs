//! A transaction's schema datoms applied to a schema, and the rules that a declaration must keep.

use super::builtin::{self, DOC, IDENT};
use super::{Attribute, Declaration, Schema, alter};
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

impl Schema {
    /// The schema of these declarations and observations, with what is built in.
    pub(super) fn build(
        declared: BTreeMap<i64, Declaration>,
        observed: BTreeMap<Attr, Vec<ValueType>>,
    ) -> Result<Schema> {
        let mut attributes: BTreeMap<Attr, Attribute> =
            builtin::attributes().map(|a| (a.ident.clone(), a)).collect();
        let mut idents: HashMap<Attr, i64> = builtin::idents().collect();
        let (mut renamed, mut composites) = (HashMap::new(), Vec::new());
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
                let stored = declaration.stored().unwrap_or(ident).clone();
                let others = declaration.names.iter().filter(|name| **name != stored);
                renamed.extend(others.map(|name| (name.clone(), stored.clone())));
                let entry = attributes.entry(stored.clone());
                let attribute = entry.or_insert_with(|| Attribute::undeclared(stored.clone()));
                declaration.describe(*entity, attribute)?;
                if attribute.tuple.as_ref().is_some_and(|tuple| !tuple.attrs().is_empty()) {
                    composites.push(stored);
                }
            } else if let Some(attribute) = attributes.get_mut(ident) {
                attribute.doc.clone_from(&declaration.doc);
                attribute.entity = Some(*entity);
            }
        }
        let names = idents.iter().map(|(ident, entity)| (*entity, ident.clone())).collect();
        // As in Datomic a former name still finds its entity, unless another one has it now.
        for (entity, declaration) in declared.iter().rev() {
            for name in &declaration.former {
                idents.entry(name.clone()).or_insert(*entity);
            }
        }
        Ok(Schema { attributes, renamed, composites, idents, names, declared })
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
        declared.values_mut().for_each(Declaration::settle);
        declared.retain(|_, declaration| {
            // What is left else is a plain entity's doc.
            !declaration.former.is_empty() || declaration.is_attribute()
        });
        let observed = self.attributes.values();
        let observed = observed.filter(|a| !a.observed.is_empty());
        let observed = observed.map(|a| (a.ident.clone(), a.observed.clone())).collect();
        let after = Schema::build(declared, observed)?;
        alter::check(self, &after)?;
        Ok(after)
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
    use super::super::builtin::*;
    use super::super::{Cardinality, Tuple};
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
    fn a_renamed_attribute_keeps_its_datoms_name() {
        let [name, new, newer] = ["p/n", "p/m", "p/o"].map(Value::keyword);
        let declared =
            schema(&[(E, IDENT, name.clone()), (E, VALUE_TYPE, Value::Ref(102))]).unwrap();
        let rename = |schema: &Schema, from: &Value, to: &Value| {
            let ident = Attr::new(IDENT);
            let said = [(from, false), (to, true)];
            let said = said.map(|(v, added)| Said { e: E, a: &ident, v, added });
            schema.after(said.into_iter())
        };
        let once = rename(&declared, &name, &new).unwrap();
        let twice = rename(&once, &new, &newer).unwrap();
        for a in [":p/n", ":p/m", ":p/o"] {
            let attribute = twice.get(&a.into()).unwrap();
            assert_eq!((attribute.ident.as_str(), attribute.name.as_str()), (":p/n", ":p/o"));
            assert_eq!(twice.entity_of(&a.into()), Some(E));
        }
        assert_eq!(twice.ident_of(E).unwrap().as_str(), ":p/o");
        assert_eq!(twice.name_of(&":p/n".into()).as_str(), ":p/o");
        let back = rename(&twice, &newer, &name).unwrap();
        assert_eq!(back.get(&":p/o".into()).unwrap().name.as_str(), ":p/n");
        let e = apply(&twice, &[(E + 1, IDENT, new)], true).unwrap_err();
        assert!(e.to_string().contains(":p/m is a former name of :p/o"), "{e}");
        let mut other = once.clone();
        other.observe(&":p/o".into(), ValueType::Long);
        let e = rename(&other, &Value::keyword("p/m"), &newer).unwrap_err();
        assert!(e.to_string().contains("datoms of another attribute :p/o"), "{e}");
    }

    #[test]
    fn tuples_floats_and_predicates() {
        let [f, s, c] = [E, E + 1, E + 2];
        let parts =
            |names: &[&str]| Value::Tuple(names.iter().map(|n| Some(Value::keyword(n))).collect());
        let declared = schema(&[
            (f, IDENT, Value::keyword("p/f")),
            (f, VALUE_TYPE, Value::Ref(115)),
            (s, IDENT, Value::keyword("p/s")),
            (s, VALUE_TYPE, Value::Ref(108)),
            (s, ATTR_PREDS, Value::Symbol("dao.preds/trimmed?".into())),
            (c, IDENT, Value::keyword("p/c")),
            (c, VALUE_TYPE, Value::Ref(114)),
            (c, TUPLE_ATTRS, parts(&["p/f", "p/s"])),
        ])
        .unwrap();
        let float = declared.get(&":p/f".into()).unwrap();
        assert_eq!((float.value_type, float.float), (Some(ValueType::Double), true));
        assert_eq!(declared.get(&":p/s".into()).unwrap().predicates[0].name, "dao.preds/trimmed?");
        let composite: Vec<&Attribute> = declared.composites().collect();
        let attrs = [":p/f", ":p/s"].map(Attr::new);
        assert_eq!(composite[0].tuple, Some(Tuple::Composite(attrs.into())));
        assert_eq!(composite.len(), 1);
        let refused = |said: (i64, &str, Value), expect: &str| {
            let e = apply(&declared, &[said], true).unwrap_err().to_string();
            assert!(e.contains(expect), "{e}");
        };
        refused((s, CARDINALITY, Value::Ref(131)), "made of :p/s, which must have one value");
        refused((c, CARDINALITY, Value::Ref(131)), "so it has one value");
        refused((f, VALUE_TYPE, Value::Ref(104)), ":p/f is declared float");
        refused((c, TUPLE_ATTRS, parts(&["p/s", "p/f"])), "are made of does not change");
        refused((s, TUPLE_TYPE, Value::keyword("db.type/long")), "and no tuple");
        refused((s, ATTR_PREDS, Value::Symbol("my/pred".into())), "there is no such predicate");
        assert_eq!(declared.get(&":p/f".into()).unwrap().cardinality, Cardinality::One);
    }

    #[test]
    fn built_in_attributes_are_there() {
        let schema = schema(&[]).unwrap();
        assert_eq!(schema.get(&IDENT.into()).unwrap().value_type, Some(ValueType::Keyword));
        assert_eq!(schema.ident_of(108).unwrap().as_str(), ":db.type/string");
    }
}
