//! What a snapshot reads from, oldest first: runs, then the batches of the tail.

use super::closings::Shared;
use super::read::Sight;
use super::span::{Picked, Span, pick};
use crate::error::Result;
use crate::index::block::{Block, Kind};
use crate::index::order::{Order, Values};
use crate::index::row_group::{Bounds, Column, Load, RowGroup};
use crate::index::rows::{Rows, Want};
use crate::index::run::RunGroup;
use crate::index::segment::fingerprint_within;
use crate::index::stretch::Stretch;
use crate::index::write::PAGE_ROWS;
use crate::value::{Value, ValueColumn, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use datafusion::arrow::datatypes::Int64Type;
use futures::future::{Either, try_join_all};
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use std::future::Future;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// So few rows of a row group are read page by page.
const FEW: usize = 64;
/// What is read at the same time.
const LOADS: usize = 8;

/// The results of several reads, in order.
pub fn at_once<T, F>(
    mut reads: impl ExactSizeIterator<Item = F>,
) -> impl Future<Output = Result<Vec<T>>>
where
    F: Future<Output = Result<T>>,
{
    // Most are one, which finds what it reads in memory: what joins several, and moves them about, costs more than it does.
    let one = if reads.len() == 1 { reads.next() } else { None };
    if let Some(read) = one {
        return Either::Left(read.map_ok(|result| vec![result]));
    }
    let reads: Vec<F> = reads.collect();
    Either::Right(async move {
        match reads.len() {
            0 => Ok(Vec::new()),
            1..=LOADS => Box::pin(try_join_all(reads)).await,
            _ => Box::pin(stream::iter(reads).buffered(LOADS).try_collect()).await,
        }
    })
}

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
    Run(RowGroup),
}

/// What is known of a part without reading anything.
pub struct Known {
    pub t_from: RangeInclusive<i64>,
    pub t_to: RangeInclusive<i64>,
    /// The fingerprint of its entities within bounds; None: something would have to be read.
    pub entities: Option<u128>,
}

impl<'a> Group<'a> {
    /// Nothing else in this process has it.
    pub fn id(&self) -> u64 {
        match self.of {
            Of::Tail(block) => block.id,
            Of::Run(group) => group.id,
        }
    }

    /// The times of assertion, and of retraction, of its facts of a kind, as far as the tail knows them.
    fn times(&self, kind: Kind) -> (RangeInclusive<i64>, RangeInclusive<i64>) {
        let before = i64::MIN..=*self.ts.start();
        let t_from = if kind == Kind::Closings { before } else { self.ts.clone() };
        (t_from, self.ts.clone())
    }

    /// Where facts of a kind are that may be in the span and are seen, in order.
    fn pieces(&self, kind: Kind, order: Order, wanted: &Wanted<'_>) -> Vec<Piece<'a>> {
        match self.of {
            Of::Tail(block) => {
                let (t_from, t_to) = self.times(kind);
                if block.rows(kind).is_empty() || !wanted.may_see(&t_from, &t_to) {
                    return Vec::new();
                }
                vec![Piece::Tail(block, t_from, t_to)]
            }
            Of::Run(group) => {
                let all = group.stretches(order, kind).iter();
                all.filter(|s| wanted.is(&s.bounds)).map(Piece::Stretch).collect()
            }
        }
    }

    fn order(&self, span: &Span<'_>) -> Order {
        match (self.of, span) {
            (Of::Run(group), Span::Values(_)) if group.by_value => Order::Avet,
            _ => Order::Aevt,
        }
    }

    /// The parts of a kind that may hold facts about entities within bounds, as far as they are known without reading anything.
    pub fn known(&self, kind: Kind, range: &Range<i64>) -> Vec<Known> {
        let group = match self.of {
            Of::Tail(block) => {
                let (t_from, t_to) = self.times(kind);
                let entities = fingerprint_within(block.rows(kind).e.values(), range);
                let known = Known { t_from, t_to, entities: Some(entities) };
                return if block.rows(kind).is_empty() { vec![] } else { vec![known] };
            }
            Of::Run(group) => group,
        };
        let known = |b: &Bounds, entities| Known {
            t_from: b.t_from.clone(),
            t_to: b.t_to.clone(),
            entities,
        };
        let mut out = Vec::new();
        let meets = |b: &Bounds| b.meet(range);
        for stretch in group.stretches(Order::Aevt, kind).iter().filter(|s| meets(&s.bounds)) {
            match stretch.known(meets) {
                Some(groups) => {
                    out.extend(groups.iter().map(|g| known(&g.bounds, g.entities_within(range))));
                }
                None => {
                    let all = stretch.bounds.lie_within(range);
                    out.push(known(&stretch.bounds, all.then_some(stretch.bounds.entities)));
                }
            }
        }
        out
    }
}

/// The parts of a kind that may hold facts of a span that are seen, in order.
pub struct Parts<'g, 'a, 's> {
    known: Vec<(&'g Group<'a>, Part<'a>)>,
    /// Some of a file whose footer has to be read.
    unknown: Vec<Unknown<'g, 'a, 's>>,
}

struct Unknown<'g, 'a, 's> {
    /// So many of the known ones come before.
    after: usize,
    group: &'g Group<'a>,
    stretch: &'a Stretch,
    wanted: Wanted<'s>,
}

impl<'g, 'a, 's> Parts<'g, 'a, 's> {
    pub fn of(
        groups: impl Iterator<Item = &'g Group<'a>>,
        ty: ValueType,
        kind: Kind,
        span: &'s Span<'_>,
        sight: Sight,
    ) -> Parts<'g, 'a, 's> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for group in groups {
            let order = group.order(span);
            let wanted = Wanted { held: Held::of(ty, order, span), kind, sight };
            for piece in group.pieces(kind, order, &wanted) {
                match piece {
                    Piece::Tail(block, t_from, t_to) => {
                        let (of, shared) = (PartOf::Tail(block, kind), Shared::default());
                        known.push((group, Part { of, t_from, t_to, shared }));
                    }
                    Piece::Stretch(stretch) => match stretch.known(|b| wanted.is(b)) {
                        Some(all) => known.extend(all.into_iter().map(|one| (group, part(one)))),
                        None => {
                            let (after, wanted) = (known.len(), wanted.clone());
                            unknown.push(Unknown { after, group, stretch, wanted });
                        }
                    },
                }
            }
        }
        Parts { known, unknown }
    }

    pub async fn all(self) -> Result<Vec<(&'g Group<'a>, Part<'a>)>> {
        match self.unknown.is_empty() {
            true => Ok(self.known),
            false => Box::pin(self.read()).await,
        }
    }

    async fn read(self) -> Result<Vec<(&'g Group<'a>, Part<'a>)>> {
        let reads = self.unknown.iter().map(|u| u.stretch.row_groups(true, |b| u.wanted.is(b)));
        let read = at_once(reads).await?;
        let (mut all, mut taken, mut known) = (Vec::new(), 0, self.known.into_iter());
        for (unknown, row_groups) in self.unknown.iter().zip(read) {
            all.extend(known.by_ref().take(unknown.after - taken));
            taken = unknown.after;
            all.extend(row_groups.into_iter().map(|one| (unknown.group, part(one))));
        }
        all.extend(known);
        Ok(all)
    }
}

/// Some of a group's facts.
enum Piece<'a> {
    /// With the times of its facts.
    Tail(&'a Block, RangeInclusive<i64>, RangeInclusive<i64>),
    Stretch(&'a Stretch),
}

/// Which parts are wanted, by their bounds.
#[derive(Clone)]
struct Wanted<'s> {
    held: Held<'s>,
    kind: Kind,
    sight: Sight,
}

impl Wanted<'_> {
    fn is(&self, bounds: &Bounds) -> bool {
        self.may_see(&bounds.t_from, &bounds.t_to) && self.held.may_be_in(bounds)
    }

    fn may_see(&self, t_from: &RangeInclusive<i64>, t_to: &RangeInclusive<i64>) -> bool {
        match self.kind {
            // What ends facts that are out of sight ends nothing here.
            Kind::Closings => !self.sight.hides(t_from),
            kind => self.sight.may_see(kind, t_from, t_to),
        }
    }
}

fn part<'a>(row_group: RowGroup) -> Part<'a> {
    let (first, last) = row_group.shared;
    Part {
        t_from: row_group.bounds.t_from.clone(),
        t_to: row_group.bounds.t_to.clone(),
        shared: Shared { first, last, all: false },
        of: PartOf::Run(row_group),
    }
}

/// What a span holds, as bounds of facts are compared with it.
#[derive(Clone)]
enum Held<'a> {
    Range(&'a Range<i64>),
    Points(&'a [i64]),
    Values(Arc<[Value]>),
    /// Nothing is excluded.
    Any,
}

impl<'a> Held<'a> {
    fn of(ty: ValueType, order: Order, span: &'a Span<'_>) -> Held<'a> {
        match span {
            Span::Range(range) => Held::Range(range),
            Span::Points(points) => Held::Points(points),
            Span::Values(wanted) if order == Order::Avet => {
                values_of(ty, wanted).map_or(Held::Any, |all| Held::Values(all.into()))
            }
            Span::Values(_) => Held::Any,
        }
    }

    fn may_be_in(&self, of: &Bounds) -> bool {
        match self {
            Held::Range(range) => of.meet(range),
            Held::Points(points) => {
                let at = points.partition_point(|p| p < of.e.start());
                points.get(at).is_some_and(|p| p <= of.e.end())
            }
            Held::Values(values) => values.iter().any(|v| {
                of.v.0.as_ref().is_none_or(|low| low <= v)
                    && of.v.1.as_ref().is_none_or(|high| v <= high)
            }),
            Held::Any => true,
        }
    }
}

/// None: they cannot be read, so they exclude nothing.
fn values_of(ty: ValueType, wanted: &ArrayRef) -> Option<Vec<Value>> {
    let column = ValueColumn::new(ty, wanted).ok()?;
    (0..wanted.len()).map(|i| column.value(i).ok().flatten()).collect()
}

impl Part<'_> {
    pub async fn load(&self, ty: ValueType, span: &Span<'_>, want: Want) -> Result<Rows> {
        match (&self.of, span) {
            (PartOf::Tail(block, kind), Span::Values(values)) => {
                let places = block.places_of(ty, *kind, values)?;
                Picked::Rows(places).of(block.rows(*kind), want)
            }
            (PartOf::Tail(block, kind), span) => {
                let rows = block.rows(*kind);
                pick(span, rows.e.values()).of(rows, want)
            }
            (PartOf::Run(row_group), Span::Values(values)) => {
                by_value(row_group, ty, values, want).await
            }
            (PartOf::Run(row_group), Span::Points(points)) => {
                by_entity(row_group, ty, points, want).await
            }
            (PartOf::Run(row_group), Span::Range(range)) => {
                let rows = row_group.load(ty, want, &Load::All).await?;
                if row_group.bounds.lie_within(range) {
                    Ok(rows)
                } else {
                    pick(span, rows.e.values()).of(&rows, want)
                }
            }
        }
    }
}

async fn by_entity(row_group: &RowGroup, ty: ValueType, es: &[i64], want: Want) -> Result<Rows> {
    let within = &row_group.bounds.e;
    let low = es.partition_point(|e| e < within.start());
    let high = es.partition_point(|e| e <= within.end());
    let es = &es[low..high];
    let span = Span::Points(es);
    let known = row_group.known_entities();
    let pages = match known {
        None if es.len() <= FEW => row_group.pages_of(es).await?,
        _ => None,
    };
    let Some(pages) = pages else {
        let e = match known {
            Some(e) => e,
            None => row_group.entities().await?,
        };
        let picked = pick(&span, e.as_primitive::<Int64Type>().values());
        return picked_rows(row_group, ty, want, &picked, (Column::E, &e)).await;
    };
    let loads = pages.iter().map(|page| row_group.load(ty, want, page));
    let mut parts = Vec::with_capacity(pages.len());
    for rows in try_join_all(loads.collect::<Vec<_>>()).await? {
        parts.push(pick(&span, rows.e.values()).of(&rows, want)?);
    }
    parts.retain(|rows| !rows.is_empty());
    if parts.is_empty() { Ok(Rows::empty(ty, want)) } else { Rows::concat(parts) }
}

/// Rows of a row group that were found by a column, which is at hand whole.
async fn picked_rows(
    row_group: &RowGroup,
    ty: ValueType,
    want: Want,
    picked: &Picked,
    by: (Column, &ArrayRef),
) -> Result<Rows> {
    match picked {
        Picked::Rows(rows) if rows.is_empty() => Ok(Rows::empty(ty, want)),
        Picked::Rows(rows) if rows.len() <= FEW => {
            let of_page = |x: &u32, y: &u32| *x as usize / PAGE_ROWS == *y as usize / PAGE_ROWS;
            let mut parts = Vec::with_capacity(1);
            for of_page in rows.chunk_by(of_page) {
                let page = page_at(row_group, of_page[0] as usize);
                let at: Vec<u32> = of_page.iter().map(|r| r - page.start as u32).collect();
                let rows = row_group.page(ty, want, page, by).await?;
                parts.push(rows.take(&UInt32Array::from(at))?);
            }
            Rows::concat(parts)
        }
        picked => picked.of(&row_group.load(ty, want, &Load::All).await?, want),
    }
}

fn page_at(row_group: &RowGroup, row: usize) -> Range<usize> {
    let start = row / PAGE_ROWS * PAGE_ROWS;
    start..(start + PAGE_ROWS).min(row_group.bounds.rows)
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
    let found =
        picked_rows(row_group, ty, want, &Picked::Rows(rows), (Column::V(ty), &column)).await?;
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
