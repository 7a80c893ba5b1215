//! What a snapshot reads from, oldest first: runs, then the batches of the tail.

use super::closings::Shared;
use super::span::{Picked, Span, pick};
use crate::error::Result;
use crate::index::block::{Block, Kind};
use crate::index::order::{Order, Values};
use crate::index::row_group::{Load, RowGroup};
use crate::index::rows::{Rows, Want};
use crate::index::run::RunGroup;
use crate::index::segment::fingerprint_within;
use crate::index::write::PAGE_ROWS;
use crate::value::{Value, ValueColumn, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, UInt32Array};
use futures::future::try_join_all;
use std::ops::{Range, RangeInclusive};

/// So few rows of a row group are read page by page.
const FEW: usize = 64;

/// The facts of one attribute and type within one source.
pub struct Group<'a> {
    /// The transactions that the source holds; its facts were asserted, its closings ended, at these.
    pub ts: RangeInclusive<i64>,
    pub of: Of<'a>,
}

#[derive(Clone, Copy)]
pub enum Of<'a> {
    Tail(&'a Block),
    Run(&'a RunGroup),
}

/// Facts that are loaded at once.
pub struct Part<'a> {
    of: PartOf<'a>,
    pub t_from: RangeInclusive<i64>,
    /// Of closed facts.
    pub t_to: RangeInclusive<i64>,
    pub shared: Shared,
}

enum PartOf<'a> {
    Tail(&'a Block, Kind),
    Run(&'a RowGroup),
}

impl<'a> Group<'a> {
    /// Nothing else in this process has it.
    pub fn id(&self) -> u64 {
        match self.of {
            Of::Tail(block) => block.id,
            Of::Run(group) => group.id,
        }
    }

    /// The parts of a kind that may hold facts of the span, in order.
    pub fn parts(&self, ty: ValueType, kind: Kind, span: &Span<'_>) -> Vec<Part<'a>> {
        match self.of {
            Of::Tail(block) if block.rows(kind).is_empty() => Vec::new(),
            Of::Tail(block) => {
                let t_from = match kind {
                    Kind::Closings => i64::MIN..=*self.ts.start(),
                    _ => self.ts.clone(),
                };
                let of = PartOf::Tail(block, kind);
                vec![Part { of, t_from, t_to: self.ts.clone(), shared: Shared::default() }]
            }
            Of::Run(group) => {
                let order = match span {
                    Span::Values(_) if group.by_value => Order::Avet,
                    _ => Order::Aevt,
                };
                within(group.row_groups(order, kind), ty, order, span).map(part).collect()
            }
        }
    }
}

fn part(row_group: &RowGroup) -> Part<'_> {
    Part {
        of: PartOf::Run(row_group),
        t_from: row_group.t_from.clone(),
        t_to: row_group.t_to.clone(),
        shared: Shared { first: row_group.shared.0, last: row_group.shared.1, all: false },
    }
}

/// The row groups that may hold facts of a span.
fn within<'a>(
    row_groups: &'a [RowGroup],
    ty: ValueType,
    order: Order,
    span: &Span<'_>,
) -> Box<dyn Iterator<Item = &'a RowGroup> + 'a> {
    match span {
        Span::Range(range) => {
            let range = range.clone();
            let first = row_groups.partition_point(|g| *g.e.end() < range.start);
            let rest = row_groups[first..].iter();
            Box::new(rest.take_while(move |g| *g.e.start() < range.end))
        }
        Span::Points(points) => {
            let (Some(low), Some(high)) = (points.first(), points.last()) else {
                return Box::new(std::iter::empty());
            };
            let first = row_groups.partition_point(|g| g.e.end() < low);
            let points = points.to_vec();
            let high = *high;
            let has = move |g: &&RowGroup| {
                let at = points.partition_point(|p| p < g.e.start());
                points.get(at).is_some_and(|p| p <= g.e.end())
            };
            Box::new(
                row_groups[first..].iter().take_while(move |g| *g.e.start() <= high).filter(has),
            )
        }
        Span::Values(wanted) if order == Order::Avet => {
            let bounds = values_of(ty, wanted);
            Box::new(row_groups.iter().filter(move |g| {
                bounds.as_ref().is_none_or(|wanted| {
                    wanted.iter().any(|v| {
                        g.v.0.as_ref().is_none_or(|low| low <= v)
                            && g.v.1.as_ref().is_none_or(|high| v <= high)
                    })
                })
            }))
        }
        Span::Values(_) => Box::new(row_groups.iter()),
    }
}

/// None: they cannot be read, so they exclude nothing.
fn values_of(ty: ValueType, wanted: &ArrayRef) -> Option<Vec<Value>> {
    let column = ValueColumn::new(ty, wanted).ok()?;
    (0..wanted.len()).map(|i| column.value(i).ok().flatten()).collect()
}

impl Part<'_> {
    /// The fingerprint of its entities within bounds; None: a column would have to be read.
    pub fn entities_within(&self, range: &Range<i64>) -> Option<u128> {
        match &self.of {
            PartOf::Tail(block, kind) => {
                Some(fingerprint_within(block.rows(*kind).e.values(), range))
            }
            PartOf::Run(row_group) => row_group.entities_within(range),
        }
    }

    pub async fn load(&self, ty: ValueType, span: &Span<'_>, want: Want) -> Result<Rows> {
        match (&self.of, span) {
            (PartOf::Tail(block, kind), Span::Values(values)) => {
                let places = block.places_of(ty, *kind, values)?;
                block.rows(*kind).select(want).take(&UInt32Array::from(places))
            }
            (PartOf::Tail(block, kind), span) => {
                let rows = block.rows(*kind);
                pick(span, rows.e.values()).of(&rows.select(want))
            }
            (PartOf::Run(row_group), Span::Values(values)) => {
                by_value(row_group, ty, values, want).await
            }
            (PartOf::Run(row_group), Span::Points(points)) => {
                by_entity(row_group, ty, points, want).await
            }
            (PartOf::Run(row_group), Span::Range(range)) => {
                let covers = range.start <= *row_group.e.start() && *row_group.e.end() < range.end;
                let rows = row_group.load(ty, want, &Load::All).await?;
                if covers { Ok(rows) } else { pick(span, rows.e.values()).of(&rows) }
            }
        }
    }
}

async fn by_entity(row_group: &RowGroup, ty: ValueType, es: &[i64], want: Want) -> Result<Rows> {
    let low = es.partition_point(|e| e < row_group.e.start());
    let high = es.partition_point(|e| e <= row_group.e.end());
    let es = &es[low..high];
    let span = Span::Points(es);
    let pages = if es.len() <= FEW { row_group.pages_of(es).await? } else { None };
    let Some(pages) = pages else {
        let e = row_group.entities().await?;
        let picked = pick(&span, e.values());
        return picked_rows(row_group, ty, want, &picked).await;
    };
    let loads = pages.iter().map(|page| row_group.load(ty, want, page));
    let mut parts = Vec::with_capacity(pages.len());
    for rows in try_join_all(loads.collect::<Vec<_>>()).await? {
        parts.push(pick(&span, rows.e.values()).of(&rows)?);
    }
    parts.retain(|rows| !rows.is_empty());
    if parts.is_empty() { Ok(Rows::empty(ty, want)) } else { Rows::concat(&parts) }
}

/// Rows of a row group whose column of entities is in memory.
async fn picked_rows(
    row_group: &RowGroup,
    ty: ValueType,
    want: Want,
    picked: &Picked,
) -> Result<Rows> {
    match picked {
        Picked::Rows(rows) if rows.is_empty() => Ok(Rows::empty(ty, want)),
        Picked::Rows(rows) if rows.len() <= FEW => {
            let mut parts = Vec::new();
            for of_page in rows.chunk_by(|x, y| *x as usize / PAGE_ROWS == *y as usize / PAGE_ROWS)
            {
                let page = page_at(row_group, of_page[0] as usize);
                let at: UInt32Array = of_page.iter().map(|r| Some(r - page.start as u32)).collect();
                let load = Load::Page(page);
                parts.push(row_group.load(ty, want, &load).await?.take(&at)?);
            }
            Rows::concat(&parts)
        }
        picked => picked.of(&row_group.load(ty, want, &Load::All).await?),
    }
}

fn page_at(row_group: &RowGroup, row: usize) -> Range<usize> {
    let start = row / PAGE_ROWS * PAGE_ROWS;
    start..(start + PAGE_ROWS).min(row_group.rows)
}

/// The rows with one of these values (ascending, distinct), sorted by (e, v, t_from).
async fn by_value(
    row_group: &RowGroup,
    ty: ValueType,
    values: &ArrayRef,
    want: Want,
) -> Result<Rows> {
    let column = row_group.values(ty).await?;
    let (have, wanted) = (Values::new(ty, &column)?, Values::new(ty, values)?);
    let mut rows: Vec<u32> = Vec::new();
    if row_group.segment.entry.order == Order::Avet {
        for i in 0..values.len() {
            let below = |row: usize, or_equal: bool| {
                let cmp = have.cmp(row, &wanted, i);
                cmp.is_lt() || (or_equal && cmp.is_eq())
            };
            let first = bisect(column.len(), |row| below(row, false));
            let end = bisect(column.len(), |row| below(row, true));
            rows.extend(first as u32..end as u32);
        }
    } else {
        let is_wanted = |row: usize| {
            let at = bisect(values.len(), |i| wanted.cmp(i, &have, row).is_lt());
            at < values.len() && wanted.cmp(at, &have, row).is_eq()
        };
        rows.extend((0..column.len()).filter(|row| is_wanted(*row)).map(|row| row as u32));
    }
    let found = picked_rows(row_group, ty, want, &Picked::Rows(rows)).await?;
    match row_group.segment.entry.order {
        Order::Aevt => Ok(found),
        Order::Avet => found.sorted(Order::Aevt, ty),
    }
}

/// The first of `len` places at which `below` no longer holds.
fn bisect(len: usize, below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
