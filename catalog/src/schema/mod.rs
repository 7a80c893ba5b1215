//! The schema as it stood at a basis: what was declared, beside what was observed.
//!
//! In the order data flows: [`builtin`] is what every database knows; [`read`] takes declarations from a snapshot; [`change`]
//! applies those of a transaction and says what they alter; [`fit`] checks them against the data that is there.

pub mod builtin;
pub mod change;
pub mod fit;
mod read;

pub use read::change_points;

use daodb_storage::{Attr, ValueType};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    One,
    Many,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    Identity,
    Value,
}

/// One attribute, declared or only observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub ident: Attr,
    /// The entity that declares it; None: never declared.
    pub entity: Option<i64>,
    /// Declared type; None: any, as observed.
    pub value_type: Option<ValueType>,
    pub cardinality: Cardinality,
    pub unique: Option<Unique>,
    pub is_component: bool,
    pub index: bool,
    pub no_history: bool,
    pub doc: Option<String>,
    /// The types that values had, up to the basis, in the order of [`ValueType`].
    pub observed: Vec<ValueType>,
}

impl Attribute {
    /// One of which nothing is declared.
    pub fn undeclared(ident: Attr) -> Self {
        Attribute {
            ident,
            entity: None,
            value_type: None,
            cardinality: Cardinality::One,
            unique: None,
            is_component: false,
            index: false,
            no_history: false,
            doc: None,
            observed: Vec::new(),
        }
    }
}

/// What the schema datoms of one entity say; a reference to a built-in ident is its number.
#[derive(Debug, Clone, Default, PartialEq)]
struct Declaration {
    ident: Option<Attr>,
    value_type: Option<i64>,
    cardinality: Option<i64>,
    unique: Option<i64>,
    is_component: Option<bool>,
    index: Option<bool>,
    no_history: Option<bool>,
    doc: Option<String>,
}

/// All attributes known at a basis, built-in ones included.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub attributes: BTreeMap<Attr, Attribute>,
    /// Every named entity, built-in ones included.
    idents: HashMap<Attr, i64>,
    names: HashMap<i64, Attr>,
    /// By entity; of users only.
    declared: BTreeMap<i64, Declaration>,
}

impl Schema {
    pub fn get(&self, a: &Attr) -> Option<&Attribute> {
        self.attributes.get(a)
    }
    /// The entity of that `:db/ident`.
    pub fn entity_of(&self, ident: &Attr) -> Option<i64> {
        self.idents.get(ident).copied()
    }
    /// The `:db/ident` of an entity.
    pub fn ident_of(&self, entity: i64) -> Option<&Attr> {
        self.names.get(&entity)
    }
}
