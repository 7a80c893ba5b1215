//! Pull: what is asked of entities, as maps. All entities of a step are asked for an attribute at once.
//!
//! In the order data flows: [`parse`] reads a pattern; [`run`] follows it, level by level.

mod parse;
mod run;

pub use parse::parse;
pub use run::pull;

use crate::edn::Form;
use daodb_storage::Attr;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    pub wildcard: bool,
    /// `:db/id`
    pub id: bool,
    pub attributes: Vec<Asked>,
}

/// One attribute of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub a: Attr,
    /// `:a/_b`: who refers to the entity.
    pub reverse: bool,
    /// The key in the map: as it was written, or `:as`.
    pub key: Form,
    /// None: all.
    pub limit: Option<usize>,
    pub default: Option<Form>,
    pub xform: Option<&'static crate::functions::Function>,
    pub of: Nested,
}

/// What is asked of the entities that an attribute refers to.
#[derive(Debug, Clone, PartialEq)]
pub enum Nested {
    /// Components whole, others by their id.
    Nothing,
    Pattern(Arc<Pattern>),
    /// The pattern around it again, so many times; None: as long as there are new entities.
    Again(Option<usize>),
}
