//! What a snapshot reads from, oldest first: runs, then the batches of the tail.

use super::closings::Shared;
use super::span::{Span, pick};
use crate::error::Result;
use crate::index::block::{Block, Kind};
use crate::index::rows::{Rows, Want};
use crate::value::ValueType;
use datafusion::arrow::array::UInt32Array;
use std::ops::RangeInclusive;

/// The facts of one attribute and type within one source.
pub struct Group<'a> {
    /// The transactions that the source holds; its facts were asserted, its closings ended, at these.
    pub ts: RangeInclusive<i64>,
    pub block: &'a Block,
}

/// Facts that are loaded at once.
pub struct Part<'a> {
    rows: &'a Rows,
    block: &'a Block,
    kind: Kind,
    pub t_from: RangeInclusive<i64>,
    /// Of closed facts.
    pub t_to: RangeInclusive<i64>,
    pub shared: Shared,
}

impl<'a> Group<'a> {
    /// The parts of a kind that may hold facts of the span, in order.
    pub fn parts(&self, kind: Kind, _span: &Span<'_>) -> Vec<Part<'a>> {
        let rows = self.block.rows(kind);
        if rows.is_empty() {
            return Vec::new();
        }
        let t_from = match kind {
            Kind::Closings => i64::MIN..=*self.ts.start(),
            _ => self.ts.clone(),
        };
        let t_to = self.ts.clone();
        vec![Part { rows, block: self.block, kind, t_from, t_to, shared: Shared::default() }]
    }
}

impl Part<'_> {
    pub async fn load(&self, ty: ValueType, span: &Span<'_>, want: Want) -> Result<Rows> {
        let rows = self.rows.select(want);
        match span {
            Span::Values(values) => {
                let places = self.block.places_of(ty, self.kind, values)?;
                rows.take(&UInt32Array::from(places))
            }
            span => pick(span, self.rows.e.values()).of(&rows),
        }
    }
}
