//! The row of an index: an interval of t in which [e a v] held.

use crate::value::Value;

/// `t_to` of a fact that still holds.
pub const OPEN: i64 = i64::MAX;

/// A fact of one attribute. It held from transaction `t_from` (asserted there, with metadata `m_from`) up to, not including,
/// `t_to` (retracted there, with `m_to`); [`OPEN`] where it still holds at the basis it was read at.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub e: i64,
    pub v: Value,
    pub t_from: i64,
    pub m_from: i64,
    pub t_to: i64,
    pub m_to: i64,
}

impl Fact {
    pub fn is_open(&self) -> bool {
        self.t_to == OPEN
    }
    /// Whether it held at `t`.
    pub fn holds_at(&self, t: i64) -> bool {
        self.t_from <= t && t < self.t_to
    }
}
