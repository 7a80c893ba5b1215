//! The schema as it stood at a basis: what was declared, beside what was observed.
//!
//! In the order data flows: [`builtin`] is what every database knows; [`read`] takes declarations from a snapshot;
//! [`declaration`] is what one entity says, among it [`tuple`]s and [`predicate`]s; [`change`] applies those of a transaction,
//! [`alter`] refuses what may not change; [`fit`] checks them against the data that is there.

mod alter;
pub mod builtin;
pub mod change;
mod declaration;
pub mod fit;
pub mod predicate;
mod read;
pub mod tuple;

pub use read::change_points;

use declaration::Declaration;
use predicate::Predicate;
use tuple::Tuple;

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
    /// The name that its datoms have: the first one.
    pub ident: Attr,
    /// The name that it has now, after renames.
    pub name: Attr,
    /// The entity that declares it; None: never declared.
    pub entity: Option<i64>,
    /// Declared type; None: any, as observed.
    pub value_type: Option<ValueType>,
    /// Declared float: doubles are rounded to what a float holds.
    pub float: bool,
    pub cardinality: Cardinality,
    pub unique: Option<Unique>,
    pub is_component: bool,
    pub index: bool,
    pub no_history: bool,
    /// What its tuples are made of.
    pub tuple: Option<Tuple>,
    /// What values that are added must pass.
    pub predicates: Vec<Predicate>,
    pub doc: Option<String>,
    /// The types that values had, up to the basis, in the order of [`ValueType`].
    pub observed: Vec<ValueType>,
}

impl Attribute {
    /// The declared type, as it was declared.
    pub fn type_name(&self) -> Option<&'static str> {
        match self.float {
            true => Some("float"),
            false => self.value_type.map(ValueType::name),
        }
    }

    /// Whether the database makes its values of those of other attributes.
    pub fn is_composite(&self) -> bool {
        matches!(self.tuple, Some(Tuple::Composite(_)))
    }

    /// One of which nothing is declared.
    pub fn undeclared(ident: Attr) -> Self {
        Attribute {
            name: ident.clone(),
            ident,
            entity: None,
            value_type: None,
            float: false,
            cardinality: Cardinality::One,
            unique: None,
            is_component: false,
            index: false,
            no_history: false,
            tuple: None,
            predicates: Vec::new(),
            doc: None,
            observed: Vec::new(),
        }
    }
}

/// All attributes known at a basis, built-in ones included.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// By the names that their datoms have.
    pub attributes: BTreeMap<Attr, Attribute>,
    /// Other names of attributes, and the one that their datoms have.
    renamed: HashMap<Attr, Attr>,
    /// Attributes that the database makes of others.
    composites: Vec<Attr>,
    /// Every named entity, built-in ones included; by former names too.
    idents: HashMap<Attr, i64>,
    names: HashMap<i64, Attr>,
    /// By entity; of users only.
    declared: BTreeMap<i64, Declaration>,
}

impl Schema {
    /// By any name that it has or had.
    pub fn get(&self, a: &Attr) -> Option<&Attribute> {
        self.attributes.get(a).or_else(|| self.attributes.get(self.renamed.get(a)?))
    }
    /// The name that an attribute's datoms have, given any of its names.
    pub fn stored<'a>(&'a self, a: &'a Attr) -> &'a Attr {
        self.get(a).map_or(a, |attribute| &attribute.ident)
    }
    /// The name that an attribute has now, given that of its datoms.
    pub fn name_of<'a>(&'a self, a: &'a Attr) -> &'a Attr {
        self.attributes.get(a).map_or(a, |attribute| &attribute.name)
    }
    /// The attributes that are made of others.
    pub fn composites(&self) -> impl Iterator<Item = &Attribute> {
        self.composites.iter().filter_map(|a| self.attributes.get(a))
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
