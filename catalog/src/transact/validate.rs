//! Values fitted to what is declared of their attribute, and names that attributes may have.

use super::resolve::Names;
use super::{EntityRef, TxValue, lookups, tuples};
use crate::error::{Error, Result, SqlState};
use crate::schema::{Attribute, Schema, builtin};
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use daodb_storage::{Attr, Value, ValueType};
use std::sync::Arc;

/// Arrow counts the bytes of one column chunk in 32 bits; larger things belong into files.
const MAX_VALUE_BYTES: usize = 64 << 20;
const MAX_NAME_BYTES: usize = 512;
/// Readers refuse deeper ones.
const MAX_TUPLE_DEPTH: usize = 8;
/// Beyond this not every long is a double.
const MAX_EXACT_LONG: i64 = 1 << 53;

/// What an op says of an attribute, as it is stored. References to tempids are negative.
pub fn value(
    v: &TxValue,
    attribute: &Attribute,
    schema: &Schema,
    names: &mut Names,
) -> Result<Value> {
    let v = match v {
        TxValue::Value(v) => v,
        TxValue::Entity(entity) => return reference(entity, attribute, schema, names),
        TxValue::Many(_) | TxValue::Vector(_) | TxValue::Map { .. } | TxValue::Nil => {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "a list of values stands only directly in a map form",
            )
            .hint("write one :db/add for each value"));
        }
    };
    if let (Some(_), Value::Tuple(parts)) = (&attribute.tuple, v) {
        return tuples::fit(parts, attribute, schema, |v| referred(v, attribute, schema, names));
    }
    match (attribute.value_type, v) {
        (Some(ValueType::Ref), v) => referred(v, attribute, schema, names),
        (None, Value::Ref(id)) => names.known_id(*id, schema).map(Value::Ref),
        (Some(declared), v) if declared != v.value_type() => coerce(v, attribute, declared),
        (_, v) => rounded(v, attribute),
    }
}

/// What stands where an entity must.
fn referred(v: &Value, attribute: &Attribute, schema: &Schema, names: &mut Names) -> Result<Value> {
    let temp = |name: Arc<str>| EntityRef::Temp(name);
    let entity = match v {
        Value::Keyword(name) => EntityRef::Ident(Attr::new(name)),
        // As in Datomic: where an entity must stand, a text or a negative number is a tempid.
        Value::String(name) => temp(Arc::clone(name)),
        Value::Long(n) if *n < 0 => temp(n.to_string().into()),
        Value::Long(id) | Value::Ref(id) => return names.known_id(*id, schema).map(Value::Ref),
        v => match lookups::as_ref(v) {
            Some((a, v)) => EntityRef::Lookup(a, v.clone()),
            None => return coerce(v, attribute, ValueType::Ref),
        },
    };
    names.entity(&entity, schema).map(Value::Ref)
}

/// As a float holds it, where that is declared: the double of the float's own text, so that 0.1 is 0.1 wherever it is read,
/// compared or asked for. Floats keep their order so, and no two become one.
pub fn rounded(v: &Value, attribute: &Attribute) -> Result<Value> {
    match v {
        Value::Double(d) if attribute.float && !d.is_nan() => {
            let float = *d as f32;
            match float.is_infinite() && d.is_finite() {
                true => Err(mismatch(attribute, ValueType::Double, "beyond what a float holds")),
                false => Ok(Value::Double(shortest(float))),
            }
        }
        v => plain(v),
    }
}

/// Of the doubles that round to a float the one with the shortest text.
fn shortest(float: f32) -> f64 {
    format!("{float:e}").parse().unwrap_or(f64::from(float))
}

/// What is added must pass what is declared.
pub fn predicates(v: &Value, attribute: &Attribute) -> Result<()> {
    match attribute.predicates.iter().find(|predicate| !predicate.passes(v)) {
        None => Ok(()),
        Some(predicate) => {
            let text = format!("{v} does not pass {}", predicate.name);
            Err(Error::new(SqlState::CHECK_VIOLATION, text)
                .hint(format!("values of {} must pass it: :db.attr/preds says so", attribute.name)))
        }
    }
}

fn reference(
    entity: &EntityRef,
    attribute: &Attribute,
    schema: &Schema,
    names: &mut Names,
) -> Result<Value> {
    if let Some(declared) = attribute.value_type.filter(|ty| *ty != ValueType::Ref) {
        return Err(mismatch(attribute, declared, &format!("the reference {entity}")));
    }
    names.entity(entity, schema).map(Value::Ref)
}

/// A value that is looked up: as it would be stored; None where the attribute cannot hold it.
pub fn looked_up(v: &Value, attribute: &Attribute, schema: &Schema) -> Result<Value> {
    let referred = |v: &Value| match v {
        Value::Keyword(name) => {
            let ident = Attr::new(name);
            let unknown = || mismatch(attribute, ValueType::Ref, &format!("the unknown {ident}"));
            schema.entity_of(&ident).map(Value::Ref).ok_or_else(unknown)
        }
        Value::Long(id) | Value::Ref(id) => Ok(Value::Ref(*id)),
        v => coerce(v, attribute, ValueType::Ref),
    };
    if let (Some(_), Value::Tuple(parts)) = (&attribute.tuple, v) {
        return tuples::fit(parts, attribute, schema, referred);
    }
    match (attribute.value_type, v) {
        (Some(ValueType::Ref), v) => referred(v),
        (Some(declared), v) if declared != v.value_type() => coerce(v, attribute, declared),
        (_, v) => rounded(v, attribute),
    }
}

/// Numbers widen where nothing is lost, and as in Datomic a text that begins with a colon is a keyword where one must
/// stand; nothing else changes its type.
pub fn coerce(v: &Value, attribute: &Attribute, declared: ValueType) -> Result<Value> {
    match (v, declared) {
        (Value::Long(n), ValueType::Double) if n.abs() <= MAX_EXACT_LONG => {
            rounded(&Value::Double(*n as f64), attribute)
        }
        (Value::String(s), ValueType::Keyword) if s.starts_with(':') => {
            plain(&Value::Keyword(Arc::clone(s)))
        }
        (Value::Long(n), ValueType::Bigint) => Ok(Value::Bigint(Arc::new(BigInt::from(*n)))),
        (Value::Long(n), ValueType::Bigdec) => Ok(Value::Bigdec(Arc::new(BigDecimal::from(*n)))),
        (Value::Bigint(n), ValueType::Bigdec) => {
            Ok(Value::Bigdec(Arc::new(BigDecimal::from(BigInt::clone(n)))))
        }
        _ => Err(mismatch(attribute, declared, &format!("a {}", v.value_type().name()))),
    }
}

fn mismatch(attribute: &Attribute, declared: ValueType, got: &str) -> Error {
    let text = format!("{} is declared {}, this is {got}", attribute.name, declared.name());
    Error::new(SqlState::DATATYPE_MISMATCH, text)
        .hint(format!("give it a value of :db.type/{}", declared.name()))
}

pub fn plain(v: &Value) -> Result<Value> {
    match v {
        Value::Double(d) if d.is_nan() => Ok(Value::Double(f64::NAN)),
        Value::String(s) | Value::Symbol(s) | Value::Uri(s) => sized(v, s.len()),
        Value::Keyword(s) => {
            name(&Attr::new(s), "keyword")?;
            Ok(v.clone())
        }
        Value::Bytes(b) => sized(v, b.len()),
        Value::Tuple(_) if depth(v) > MAX_TUPLE_DEPTH => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("tuples are nested deeper than {MAX_TUPLE_DEPTH}"),
        )),
        Value::Tuple(_) => sized(v, bytes(v)),
        v => Ok(v.clone()),
    }
}

fn sized(v: &Value, bytes: usize) -> Result<Value> {
    if bytes > MAX_VALUE_BYTES {
        let text = format!("a value of {bytes} bytes is too large: the limit is {MAX_VALUE_BYTES}");
        return Err(Error::new(SqlState::Code("54000"), text)
            .hint("keep the content in a file or an object and its name here"));
    }
    Ok(v.clone())
}

fn depth(v: &Value) -> usize {
    match v {
        Value::Tuple(parts) => 1 + parts.iter().flatten().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn bytes(v: &Value) -> usize {
    match v {
        Value::Tuple(parts) => parts.iter().flatten().map(bytes).sum(),
        Value::Bytes(b) => b.len(),
        v => v.as_str().map_or(16, str::len),
    }
}

/// An attribute that was never seen: a name that all languages of the database can say.
pub fn new_attribute(a: &Attr) -> Result<()> {
    if builtin::is_reserved(a) {
        let known: Vec<Attr> = builtin::attributes().map(|a| a.ident).collect();
        let error = Error::new(
            SqlState::RESERVED_NAME,
            format!("there is no attribute {a}, and names in db and dao are the database's own"),
        );
        let near = crate::nearest::nearest(a.as_str(), known.iter().map(Attr::as_str));
        return Err(error.hint(match near {
            Some(near) => format!("perhaps {near}"),
            None => "choose another namespace".to_owned(),
        }));
    }
    name(a, "attribute")
}

fn name(a: &Attr, what: &str) -> Result<()> {
    let bare = a.as_str().strip_prefix(':').unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'()[]{},;@`\\^~".contains(c);
    let parts = bare.split('/').all(|part| !part.is_empty()) || bare == "/";
    let fits = bare.len() <= MAX_NAME_BYTES && parts && !bare.starts_with(':');
    if fits && !bare.contains(odd) {
        return Ok(());
    }
    let shown: String = a.as_str().chars().take(80).collect();
    Err(Error::new(SqlState::INVALID_NAME, format!("\"{shown}\" is no name for a {what}")).hint(
        format!("a name looks like :person/last-name and has at most {MAX_NAME_BYTES} bytes"),
    ))
}

/// The names that `:db/ident` may give.
pub fn ident(name_given: &Value) -> Result<()> {
    let ident = Attr::new(name_given.as_str().unwrap_or_default());
    if builtin::is_reserved(&ident) || builtin::idents().any(|(known, _)| known == ident) {
        let text = format!("{ident} is a name of the database's own (those in db and dao are)");
        return Err(Error::new(SqlState::RESERVED_NAME, text).hint("choose another namespace"));
    }
    name(&ident, "named entity")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_widen_without_loss() {
        let check = |v: Value, ty: ValueType, expect: Option<Value>| {
            let attribute =
                Attribute { value_type: Some(ty), ..Attribute::undeclared(":a/b".into()) };
            let got = looked_up(&v, &attribute, &Schema::default());
            match expect {
                Some(expect) => assert_eq!(got.unwrap(), expect),
                None => assert_eq!(got.unwrap_err().state, SqlState::DATATYPE_MISMATCH),
            }
        };
        check(Value::Long(3), ValueType::Double, Some(Value::Double(3.0)));
        check(Value::Long(MAX_EXACT_LONG + 1), ValueType::Double, None);
        check(Value::Long(3), ValueType::Bigdec, Some(Value::Bigdec(Arc::new(3.into()))));
        check(Value::Long(3), ValueType::Bigint, Some(Value::Bigint(Arc::new(3.into()))));
        check(Value::Double(3.0), ValueType::Long, None);
        check(Value::string("3"), ValueType::Long, None);
        check(Value::string("a"), ValueType::Keyword, None);
        check(Value::string(":a/b"), ValueType::Keyword, Some(Value::keyword("a/b")));
        check(Value::string(":k"), ValueType::String, Some(Value::string(":k")));
        check(Value::Double(-f64::NAN), ValueType::Double, Some(Value::Double(f64::NAN)));
    }

    #[test]
    fn a_float_is_its_text() {
        assert_eq!(shortest(0.1), 0.1);
        assert_eq!(shortest(f32::MAX), 3.4028235e38);
        assert_eq!(
            (shortest(f32::INFINITY), shortest(-0.0).to_bits()),
            (f64::INFINITY, (-0.0_f64).to_bits())
        );
        // Over all exponents, and floats that lie side by side: none changes, none becomes another's, and they keep their order.
        for bits in (0..f32::INFINITY.to_bits() - 1).step_by(40_009) {
            let (float, next) = (f32::from_bits(bits), f32::from_bits(bits + 1));
            assert_eq!(shortest(float) as f32, float);
            assert_eq!(shortest(-float), -shortest(float));
            assert!(shortest(float) < shortest(next), "{float}");
            assert_eq!(shortest(float).to_string(), float.to_string());
        }
    }

    #[test]
    fn names() {
        let check = |a: &str, state: Option<SqlState>| {
            assert_eq!(new_attribute(&Attr::new(a)).err().map(|e| e.state), state, "{a}");
        };
        check(":person/last-name", None);
        check(":name", None);
        check(":größe/länge", None);
        check(":a.b/c", None);
        check(":", Some(SqlState::INVALID_NAME));
        check("::a", Some(SqlState::INVALID_NAME));
        check(":a/", Some(SqlState::INVALID_NAME));
        check(":a b", Some(SqlState::INVALID_NAME));
        check(":a\"", Some(SqlState::INVALID_NAME));
        check(&"x".repeat(600), Some(SqlState::INVALID_NAME));
        check(":db/valuetype", Some(SqlState::RESERVED_NAME));
        check(":db.x/y", Some(SqlState::RESERVED_NAME));
        check(":dao/y", Some(SqlState::RESERVED_NAME));
        let e = new_attribute(&Attr::new(":db/valuetype")).unwrap_err();
        assert_eq!(e.hint.as_deref(), Some("perhaps :db/valueType"));
    }
}
