//! The datom `[e a v t m]`: one fact about one entity, said in one transaction.

use crate::value::Value;
use std::fmt;
use std::sync::Arc;

/// m of a retraction without provenance.
pub const META_RETRACTED: i64 = 0;
/// m of an assertion without provenance.
pub const META_ASSERTED: i64 = 1;
/// m of an assertion made by a rule.
pub const META_DERIVED: i64 = 2;
/// From here on m is an entity that carries provenance.
pub const FIRST_USER_META: i64 = 16;
/// The first user transaction; its entity id is its t.
pub const FIRST_T: i64 = 1000;
/// The first ordinary entity id.
pub const FIRST_ENTITY: i64 = 1 << 32;

/// An attribute's name, a keyword with its colon: `:person/name`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attr(Arc<str>);

impl Attr {
    /// `name` with its colon (`:person/name`); it is added where missing.
    pub fn new(name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        if name.starts_with(':') { Self(name.into()) } else { Self(format!(":{name}").into()) }
    }
    /// With its colon.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// `person` of `:person/name`; None for `:name`.
    pub fn namespace(&self) -> Option<&str> {
        self.0[1..].rsplit_once('/').map(|(ns, _)| ns)
    }
    /// `name` of `:person/name`.
    pub fn name(&self) -> &str {
        self.0[1..].rsplit_once('/').map_or(&self.0[1..], |(_, n)| n)
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl From<&str> for Attr {
    fn from(s: &str) -> Self {
        Self::new(s)
    }
}

/// What m says of a datom's op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaOp {
    Retracted,
    Asserted,
    Derived,
    /// The op stands in the metadata entity's `:db/op`.
    Entity(i64),
}

impl MetaOp {
    pub fn of(m: i64) -> Self {
        match m {
            META_RETRACTED => MetaOp::Retracted,
            META_DERIVED => MetaOp::Derived,
            m if m >= FIRST_USER_META => MetaOp::Entity(m),
            _ => MetaOp::Asserted,
        }
    }
}

/// One event of the log. `added` is the op decoded from m (by way of the metadata entity, where m names one).
#[derive(Debug, Clone, PartialEq)]
pub struct Datom {
    pub e: i64,
    pub a: Attr,
    pub v: Value,
    pub t: i64,
    pub m: i64,
    pub added: bool,
}

impl fmt::Display for Datom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} {} {} {} {}]", self.e, self.a, self.v, self.t, self.m)
    }
}
