//! The built-in attributes (`:db/ident` and so on) and idents (`:db.type/long`): part of every schema, never datoms.
//!
//! **Invariant:** the numbers are part of the data format: schema datoms refer to them.

use super::{Attribute, Cardinality, Unique};
use daodb_storage::{Attr, ValueType};

pub const IDENT: &str = ":db/ident";
pub const VALUE_TYPE: &str = ":db/valueType";
pub const CARDINALITY: &str = ":db/cardinality";
pub const UNIQUE: &str = ":db/unique";
pub const IS_COMPONENT: &str = ":db/isComponent";
pub const INDEX: &str = ":db/index";
pub const NO_HISTORY: &str = ":db/noHistory";
pub const DOC: &str = ":db/doc";
pub const TX_INSTANT: &str = ":db/txInstant";
pub const TUPLE_ATTRS: &str = ":db/tupleAttrs";
pub const TUPLE_TYPES: &str = ":db/tupleTypes";
pub const TUPLE_TYPE: &str = ":db/tupleType";
pub const ATTR_PREDS: &str = ":db.attr/preds";
/// What an entity with `:db/ensure` must have.
pub const ENTITY_ATTRS: &str = ":db.entity/attrs";
/// A query that must hold of it.
pub const ENTITY_QUERY: &str = ":db.entity/query";
/// Names of entities whose `:db.entity/query` must hold of it.
pub const ENTITY_PREDS: &str = ":db.entity/preds";
/// Said of an entity, it asks what its spec requires. Never a datom itself.
pub const ENSURE: &str = ":db/ensure";
/// Metadata of an op, or of all ops of a transaction: the fifth part of their datoms. Never a datom itself.
pub const META: &str = ":dao/m";
/// Who wrote a transaction, from where and why.
pub const TX_AUTHOR: &str = ":tx/author";
pub const TX_CLIENT: &str = ":tx/client";
pub const TX_REASON: &str = ":tx/reason";
/// The key of a call: what repeats it is the same transaction.
pub const TX_KEY: &str = ":dao.tx/key";
/// What the tempids of a transaction with a key became: name, entity, name, entity, ...
pub const TX_TEMPIDS: &str = ":dao.tx/tempids";
/// The transaction's entity, within its ops.
pub const CURRENT_TX: &str = ":db/current-tx";
/// A view's name; the entity's `:dao.view/sql` is its query.
pub const VIEW_NAME: &str = ":dao.view/name";
pub const VIEW_SQL: &str = ":dao.view/sql";

/// Attributes whose datoms make the schema. `:db/doc` is said of other entities too.
pub const SCHEMA_ATTRIBUTES: [&str; 12] = [
    IDENT,
    VALUE_TYPE,
    CARDINALITY,
    UNIQUE,
    IS_COMPONENT,
    INDEX,
    NO_HISTORY,
    DOC,
    TUPLE_ATTRS,
    TUPLE_TYPES,
    TUPLE_TYPE,
    ATTR_PREDS,
];

struct BuiltIn {
    entity: i64,
    name: &'static str,
    value_type: ValueType,
    unique: Option<Unique>,
    cardinality: Cardinality,
    doc: &'static str,
}

const fn plain(
    entity: i64,
    name: &'static str,
    value_type: ValueType,
    doc: &'static str,
) -> BuiltIn {
    BuiltIn { entity, name, value_type, unique: None, cardinality: Cardinality::One, doc }
}

const fn many(
    entity: i64,
    name: &'static str,
    value_type: ValueType,
    doc: &'static str,
) -> BuiltIn {
    BuiltIn { entity, name, value_type, unique: None, cardinality: Cardinality::Many, doc }
}

const fn identity(
    entity: i64,
    name: &'static str,
    value_type: ValueType,
    doc: &'static str,
) -> BuiltIn {
    let (unique, cardinality) = (Some(Unique::Identity), Cardinality::One);
    BuiltIn { entity, name, value_type, unique, cardinality, doc }
}

const ATTRIBUTES: [BuiltIn; 23] = [
    identity(16, IDENT, ValueType::Keyword, "The name of an attribute or of another entity"),
    plain(17, VALUE_TYPE, ValueType::Ref, "The type that values must have: :db.type/string, ..."),
    plain(18, CARDINALITY, ValueType::Ref, ":db.cardinality/one or :db.cardinality/many"),
    plain(19, UNIQUE, ValueType::Ref, ":db.unique/identity or :db.unique/value"),
    plain(20, IS_COMPONENT, ValueType::Boolean, "Whether what it refers to is a part"),
    plain(21, INDEX, ValueType::Boolean, "Whether entities are looked up by value"),
    plain(22, NO_HISTORY, ValueType::Boolean, "Whether superseded values may be forgotten"),
    plain(23, DOC, ValueType::String, "What an entity is for"),
    plain(24, TX_INSTANT, ValueType::Instant, "When a transaction was made"),
    plain(25, TUPLE_ATTRS, ValueType::Tuple, "The attributes whose values the tuple is made of"),
    plain(26, TUPLE_TYPES, ValueType::Tuple, "The types of the tuple's parts"),
    plain(27, TUPLE_TYPE, ValueType::Keyword, "The type of each of the tuple's parts"),
    many(28, ATTR_PREDS, ValueType::Symbol, "Predicates that values must pass"),
    many(29, ENTITY_ATTRS, ValueType::Keyword, "What an entity with this :db/ensure must have"),
    many(30, ENTITY_QUERY, ValueType::String, "What must hold of an entity with this :db/ensure"),
    many(31, ENTITY_PREDS, ValueType::Symbol, "Names of stored queries that must hold, too"),
    identity(40, VIEW_NAME, ValueType::String, "The name of a view"),
    plain(41, VIEW_SQL, ValueType::String, "The query of a view"),
    plain(42, TX_AUTHOR, ValueType::String, "Who made a transaction"),
    plain(43, TX_CLIENT, ValueType::String, "From where a transaction came"),
    plain(44, TX_REASON, ValueType::String, "Why a transaction was made"),
    identity(45, TX_KEY, ValueType::String, "The key by which a call that is repeated is known"),
    plain(46, TX_TEMPIDS, ValueType::Tuple, "Names and entities of a transaction with a key"),
];

/// Type idents have this number plus that of the type.
const FIRST_TYPE: i64 = 100;
/// `:db.type/float`: kept as doubles that have the texts of floats.
const FLOAT: i64 = 115;
const ONE: i64 = 130;
const MANY: i64 = 131;
const IDENTITY: i64 = 140;
const VALUE: i64 = 141;

const NAMES: [(i64, &str); 11] = [
    (64, ":db/add"),
    (65, ":db/retract"),
    (66, ":db/retractEntity"),
    (67, ":db/cas"),
    (68, CURRENT_TX),
    (69, ENSURE),
    (FLOAT, ":db.type/float"),
    (ONE, ":db.cardinality/one"),
    (MANY, ":db.cardinality/many"),
    (IDENTITY, ":db.unique/identity"),
    (VALUE, ":db.unique/value"),
];

pub fn attributes() -> impl Iterator<Item = Attribute> {
    ATTRIBUTES.iter().map(|b| Attribute {
        entity: Some(b.entity),
        value_type: Some(b.value_type),
        cardinality: b.cardinality,
        unique: b.unique,
        doc: Some(b.doc.to_owned()),
        ..Attribute::undeclared(b.name.into())
    })
}

/// Every built-in ident with its entity.
pub fn idents() -> impl Iterator<Item = (Attr, i64)> {
    let types =
        ValueType::ALL.iter().map(|t| (format!(":db.type/{}", t.name()).as_str().into(), id(*t)));
    let attributes = ATTRIBUTES.iter().map(|b| (b.name.into(), b.entity));
    let names = NAMES.iter().map(|(entity, name)| (Attr::new(name), *entity));
    attributes.chain(types).chain(names)
}

fn id(ty: ValueType) -> i64 {
    FIRST_TYPE + ty as i64
}

pub fn value_type(entity: i64) -> Option<ValueType> {
    match entity {
        FLOAT => Some(ValueType::Double),
        _ => ValueType::ALL.into_iter().find(|t| id(*t) == entity),
    }
}

pub fn is_float(entity: i64) -> bool {
    entity == FLOAT
}

pub fn cardinality(entity: i64) -> Option<Cardinality> {
    match entity {
        ONE => Some(Cardinality::One),
        MANY => Some(Cardinality::Many),
        _ => None,
    }
}

pub fn unique(entity: i64) -> Option<Unique> {
    match entity {
        IDENTITY => Some(Unique::Identity),
        VALUE => Some(Unique::Value),
        _ => None,
    }
}

/// Whether a name is the database's own: `:db/x`, `:db.x/y`, `:dao/x`, `:dao.x/y`.
pub fn is_reserved(name: &Attr) -> bool {
    let Some(namespace) = name.namespace() else { return false };
    let first = namespace.split_once('.').map_or(namespace, |(first, _)| first);
    first == "db" || first == "dao"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_names_are_distinct_and_in_range() {
        let all: Vec<_> = idents().collect();
        let numbers: BTreeSet<_> = all.iter().map(|(_, n)| *n).collect();
        let names: BTreeSet<_> = all.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!((numbers.len(), names.len()), (all.len(), all.len()));
        assert!(numbers.iter().all(|n| (16..1000).contains(n)));
        assert!(names.iter().all(|name| is_reserved(name) || name.namespace() == Some("tx")));
    }

    #[test]
    fn types_keep_their_numbers() {
        assert_eq!(value_type(102), Some(ValueType::Long));
        assert_eq!(value_type(108), Some(ValueType::String));
        assert_eq!(value_type(100), None);
        assert_eq!((value_type(FLOAT), is_float(FLOAT)), (Some(ValueType::Double), true));
        assert!(ValueType::ALL.into_iter().all(|t| id(t) != FLOAT));
    }
}
