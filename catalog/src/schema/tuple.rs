//! What the tuples of an attribute are made of: the values of other attributes, parts of declared types, or equal parts.

use super::builtin::{TUPLE_ATTRS, TUPLE_TYPE, TUPLE_TYPES};
use super::{Attribute, Cardinality, Schema};
use crate::error::{Error, Result, SqlState};
use daodb_storage::{Attr, Value, ValueType};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Parts that a tuple may have, as in Datomic.
pub const PARTS: RangeInclusive<usize> = 2..=8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tuple {
    /// `:db/tupleAttrs`: the database makes it of these attributes' values.
    Composite(Arc<[Attr]>),
    /// `:db/tupleTypes`: a type a part.
    Types(Arc<[ValueType]>),
    /// `:db/tupleType`: two to eight parts of it.
    Each(ValueType),
}

impl Tuple {
    /// The attributes that a composite is made of.
    pub fn attrs(&self) -> &[Attr] {
        match self {
            Tuple::Composite(attrs) => attrs,
            _ => &[],
        }
    }

    /// The type of a part; None: any.
    pub fn part(&self, at: usize, schema: &Schema) -> Option<ValueType> {
        match self {
            Tuple::Composite(attrs) => schema.get(attrs.get(at)?)?.value_type,
            Tuple::Types(types) => types.get(at).copied(),
            Tuple::Each(ty) => Some(*ty),
        }
    }

    /// Whether tuples of it may have so many parts.
    pub fn fits(&self, parts: usize) -> bool {
        match self {
            Tuple::Composite(attrs) => parts == attrs.len(),
            Tuple::Types(types) => parts == types.len(),
            Tuple::Each(_) => PARTS.contains(&parts),
        }
    }

    /// What must be true of the other attributes after a transaction.
    pub fn check(&self, attribute: &Attribute, schema: &Schema) -> Result<()> {
        let Tuple::Composite(attrs) = self else { return Ok(()) };
        let name = &attribute.name;
        if attribute.cardinality == Cardinality::Many {
            let text = format!("{name} is made of other attributes, so it has one value");
            return Err(refused(text, "declare it :db.cardinality/one"));
        }
        for a in attrs.iter() {
            let part = schema.get(a).filter(|part| part.value_type.is_some());
            let Some(part) = part else {
                let text = format!("{name} is made of {a}, whose type nobody declared");
                return Err(refused(text, "declare that attribute first"));
            };
            let one = part.cardinality == Cardinality::One;
            if !one || part.value_type == Some(ValueType::Tuple) {
                let text = format!("{name} is made of {a}, which must have one value and no tuple");
                return Err(refused(text, "make it of attributes with one value each"));
            }
        }
        Ok(())
    }
}

fn refused(text: String, hint: &str) -> Error {
    Error::new(SqlState::CHECK_VIOLATION, text).hint(hint)
}

/// From what is declared: one of the three, or none.
pub fn read(
    name: &Attr,
    attrs: Option<&Value>,
    types: Option<&Value>,
    ty: Option<&Value>,
) -> Result<Option<Tuple>> {
    Ok(match (attrs, types, ty) {
        (None, None, None) => None,
        (Some(attrs), None, None) => {
            let attrs = keywords(name, TUPLE_ATTRS, attrs)?;
            Some(Tuple::Composite(attrs.into_iter().map(Attr::new).collect()))
        }
        (None, Some(types), None) => {
            let types = keywords(name, TUPLE_TYPES, types)?;
            let types = types.into_iter().map(|ty| scalar(name, TUPLE_TYPES, ty));
            Some(Tuple::Types(types.collect::<Result<_>>()?))
        }
        (None, None, Some(ty)) => {
            Some(Tuple::Each(scalar(name, TUPLE_TYPE, ty.as_str().unwrap_or_default())?))
        }
        _ => {
            let text = format!("{name} has several kinds of tuples");
            let hint = format!("declare one of {TUPLE_ATTRS}, {TUPLE_TYPES} and {TUPLE_TYPE}");
            return Err(refused(text, &hint));
        }
    })
}

fn keywords<'a>(name: &Attr, what: &str, v: &'a Value) -> Result<Vec<&'a str>> {
    let Value::Tuple(parts) = v else { return Ok(Vec::new()) };
    let keyword = |part: &'a Option<Value>| match part {
        Some(Value::Keyword(k)) => Some(&**k),
        _ => None,
    };
    let all: Option<Vec<&str>> = parts.iter().map(keyword).collect();
    all.filter(|all| PARTS.contains(&all.len())).ok_or_else(|| {
        let text = format!("the {what} of {name} are {v}");
        Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint("write two to eight keywords in a vector")
    })
}

fn scalar(name: &Attr, what: &str, ty: &str) -> Result<ValueType> {
    let known = ValueType::parse(ty).filter(|_| ty.starts_with(":db.type/"));
    known.filter(|ty| !matches!(ty, ValueType::Tuple | ValueType::Bytes)).ok_or_else(|| {
        let text = format!("the {what} of {name} names {ty}");
        Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint("parts have a :db.type/..., but not tuple, bytes or float")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn vector(parts: &[&str]) -> Value {
        Value::Tuple(parts.iter().map(|k| Some(Value::keyword(k))).collect())
    }

    #[test]
    fn what_is_declared() {
        let name = Attr::new(":p/t");
        let types = vector(&["db.type/long", "db.type/ref"]);
        let read_types = |v: &Value| read(&name, None, Some(v), None);
        let tuple = read_types(&types).unwrap().unwrap();
        assert_eq!(tuple, Tuple::Types([ValueType::Long, ValueType::Ref].into()));
        assert!(tuple.fits(2) && !tuple.fits(3));
        assert_eq!(tuple.part(1, &Schema::default()), Some(ValueType::Ref));
        let each = read(&name, None, None, Some(&Value::keyword("db.type/uuid"))).unwrap().unwrap();
        assert!(each.fits(8) && !each.fits(1) && !each.fits(9));
        assert!(read(&name, None, None, None).unwrap().is_none());
        for wrong in [
            vector(&["db.type/long"]),
            vector(&["db.type/long", "long"]),
            vector(&["db.type/long", "db.type/float"]),
            vector(&["db.type/bytes", "db.type/long"]),
            Value::Tuple([Some(Value::Long(1)), None].into()),
        ] {
            let e = read_types(&wrong).unwrap_err();
            assert_eq!(e.state, SqlState::INVALID_PARAMETER_VALUE, "{wrong}");
        }
        assert!(read(&name, Some(&types), Some(&types), None).is_err());
    }
}
