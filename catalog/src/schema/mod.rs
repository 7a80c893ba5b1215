//! The schema as it stood at a basis: what was declared, beside what was observed.

mod builtin;

use crate::error::Result;
use daodb_storage::{Attr, Snapshot, ValueType};
use std::collections::BTreeMap;

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
#[derive(Debug, Clone)]
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

/// All attributes known at a basis, built-in ones included.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub attributes: BTreeMap<Attr, Attribute>,
}

impl Schema {
    /// Reads the schema at the snapshot's basis.
    pub async fn read(_snapshot: &Snapshot) -> Result<Schema> {
        unimplemented!()
    }
    pub fn get(&self, a: &Attr) -> Option<&Attribute> {
        self.attributes.get(a)
    }
}
