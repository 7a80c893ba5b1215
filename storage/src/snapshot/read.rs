//! Reading facts of one attribute and type from all sources, as a view sees them.
//!
//! ```text
//! for each source, oldest first:
//!     current: the facts that no newer source closed; under an as-of, those closed later too
//!     history: only under an as-of or a history view, only parts whose times overlap it
//! merge what is left by (e, v, t_from)
//! ```
//!
//! Columns of t are loaded only for parts whose bounds do not decide; parts that nothing touches pass as they are. Parts
//! are loaded several at a time: a bucket takes its time for each.

use super::closings::{Closings, Ended, Shared};
use super::merged::Merged;
use super::source::{Group, Known, Part, Parts, at_once};
use super::span::Span;
use crate::error::{Error, Result};
use crate::fact::OPEN;
use crate::index::block::Kind;
use crate::index::cache::Cache;
use crate::index::order::Order;
use crate::index::rows::{Rows, Want};
use crate::value::ValueType;
use datafusion::arrow::array::{BooleanArray, Int64Array};
use datafusion::arrow::buffer::BooleanBuffer;
use futures::try_join;
use std::ops::{Range, RangeInclusive};

/// Which facts a view shows. `None` means no bound, not even one that all facts pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sight {
    pub as_of: Option<i64>,
    pub since: Option<i64>,
    pub history: bool,
    /// Only facts that began or ended within, both inclusive.
    pub touched: Option<(i64, i64)>,
}

/// A part of a source's facts, and its rows of the span.
type Loaded<'g, 'b> = (&'g Group<'b>, Part<'b>, Rows);

/// What to read of one attribute and type.
pub struct Reading<'a> {
    pub ty: ValueType,
    pub span: Span<'a>,
    pub values: bool,
    pub times: bool,
    pub sight: Sight,
    pub cache: &'a Cache,
}

impl Sight {
    /// Whether times of assertion may hide any fact of a part.
    fn checks_from(&self, t_from: &RangeInclusive<i64>) -> bool {
        self.as_of.is_some_and(|t| *t_from.end() > t)
            || self.since.is_some_and(|t| *t_from.start() <= t)
            || self.touched.is_some()
    }

    /// Whether all facts of a part are out of sight by their times of assertion.
    pub fn hides(&self, t_from: &RangeInclusive<i64>) -> bool {
        self.as_of.is_some_and(|t| *t_from.start() > t)
            || self.since.is_some_and(|t| *t_from.end() <= t)
    }

    /// Whether facts of a part may be in sight, by its times alone. Closings are no facts.
    pub fn may_see(
        &self,
        kind: Kind,
        t_from: &RangeInclusive<i64>,
        t_to: &RangeInclusive<i64>,
    ) -> bool {
        let held = || self.history || self.as_of.is_some_and(|t| *t_to.end() > t);
        match kind {
            Kind::Current => !self.hides(t_from),
            Kind::History => held() && !self.hides(t_from),
            Kind::Closings => false,
        }
    }

    fn sees_from(&self, t_from: i64) -> bool {
        self.as_of.is_none_or(|t| t_from <= t) && self.since.is_none_or(|t| t_from > t)
    }

    /// A t_to that is seen: a later retraction than as-of is not.
    fn sees_end(&self, t_to: i64) -> bool {
        self.as_of.is_none_or(|t| t_to <= t)
    }

    fn touches(&self, t: i64) -> bool {
        self.touched.is_none_or(|(first, last)| first <= t && t <= last)
    }
}

/// The fingerprint of the visible entities of an attribute within bounds. Sums over sets that are joined add up, and what a
/// closing takes away is subtracted, so it is known wherever each source's part is. None: something would have to be read.
pub fn fingerprint(groups: &[Group<'_>], sight: &Sight, range: &Range<i64>) -> Option<u128> {
    if sight.history || sight.since.is_some() {
        return None;
    }
    let mut sum: u128 = 0;
    for group in groups {
        for part in group.known(Kind::Current, range).iter().filter(|p| !sight.hides(&p.t_from)) {
            if sight.checks_from(&part.t_from) {
                return None;
            }
            sum = sum.wrapping_add(part.entities?);
        }
        for part in group.known(Kind::Closings, range) {
            match sight.as_of {
                Some(t) if *part.t_to.start() > t => {}
                Some(t) if *part.t_to.end() > t => return None,
                _ => sum = sum.wrapping_sub(part.entities?),
            }
        }
        let Some(t) = sight.as_of else { continue };
        let held = |p: &Known| *p.t_from.start() <= t && t < *p.t_to.end();
        if group.known(Kind::History, range).iter().any(held) {
            return None;
        }
    }
    Some(sum)
}

impl Reading<'_> {
    /// `groups`, oldest first, are all that sources hold of the attribute and type.
    pub async fn read(&self, groups: &[Group<'_>]) -> Result<Rows> {
        let merged = match &self.span {
            Span::Range(range) if !self.times && self.sight.touched.is_none() => {
                let (ty, sight) = (self.ty, &self.sight);
                Some(Merged::new(self.cache, groups, ty, range, sight, self.values))
            }
            _ => None,
        };
        if let Some(rows) = merged.as_ref().and_then(Merged::get) {
            return Ok(rows);
        }
        let (rows, passed) = self.put_together(groups).await?;
        Ok(match merged.filter(|_| !passed) {
            Some(merged) => merged.put(rows),
            None => rows,
        })
    }

    /// Where facts of a kind are that may be in the span and seen.
    fn parts<'g, 'b, 's>(
        &self,
        groups: impl Iterator<Item = &'g Group<'b>>,
        kind: Kind,
        span: &'s Span<'_>,
    ) -> Parts<'g, 'b, 's> {
        Parts::of(groups, self.ty, kind, span, self.sight)
    }

    /// Current facts, as they lie there.
    async fn currents<'g, 'b>(
        &self,
        parts: Vec<(&'g Group<'b>, Part<'b>)>,
    ) -> Result<Vec<Loaded<'g, 'b>>> {
        let load = |part| Part::load(part, self.ty, &self.span, self.want_current(part));
        let rows = at_once(parts.iter().map(|(_, part)| load(part))).await?;
        let all = parts.into_iter().zip(rows).map(|((group, part), rows)| (group, part, rows));
        Ok(all.filter(|(_, _, rows)| !rows.is_empty()).collect())
    }

    /// The rows, and whether they are those of one part as they were.
    async fn put_together(&self, groups: &[Group<'_>]) -> Result<(Rows, bool)> {
        let currents = self.parts(groups.iter(), Kind::Current, &self.span);
        let (parts, closings) = match &self.span {
            Span::Values(_) => {
                let parts = self.currents(currents.all().await?).await?;
                let mut es: Vec<i64> =
                    parts.iter().flat_map(|(_, _, rows)| rows.e.values().iter().copied()).collect();
                es.sort_unstable();
                es.dedup();
                let span = Span::Points(&es);
                let ends = self.closing_parts(groups, &span).all().await?;
                match ends.is_empty() {
                    true => (parts, None),
                    false => (parts, Box::pin(self.closings(ends, &span)).await?),
                }
            }
            span => {
                let ends = self.closing_parts(groups, span);
                match try_join!(currents.all(), ends.all())? {
                    (parts, ends) if ends.is_empty() => (self.currents(parts).await?, None),
                    (parts, ends) => {
                        let both =
                            async { try_join!(self.currents(parts), self.closings(ends, span)) };
                        Box::pin(both).await?
                    }
                }
            }
        };
        let only = match parts.as_slice() {
            [(_, _, rows)] => Some(rows.e.values().inner().as_ptr().addr()),
            _ => None,
        };
        let seen = match &closings {
            None => {
                let seen =
                    parts.into_iter().map(|(g, part, rows)| (g, self.shown(&part, rows, &[])));
                seen.map(|(g, rows)| Ok((g, rows?))).collect::<Result<_>>()?
            }
            Some(closings) => Box::pin(self.not_ended(parts, closings)).await?,
        };
        let mut out = of_sources(seen)?;
        if self.sight.history || self.sight.as_of.is_some() {
            let held = at_once(groups.iter().map(|group| self.history(group)));
            for rows in Box::pin(held).await? {
                out.extend((!rows.is_empty()).then(|| Rows::concat(rows)).transpose()?);
            }
        }
        out.retain(|rows| !rows.is_empty());
        if out.is_empty() {
            return Ok((Rows::empty(self.ty, self.want_out()), true));
        }
        let rows = Rows::merge(Order::Aevt, self.ty, out)?;
        let passed = only == Some(rows.e.values().inner().as_ptr().addr());
        Ok((rows, passed))
    }

    fn want_current(&self, part: &Part<'_>) -> Want {
        Want {
            v: self.values || matches!(self.span, Span::Values(_)),
            t_from: self.times || self.sight.checks_from(&part.t_from),
            m_from: self.times,
            ..Want::default()
        }
    }

    fn want_out(&self) -> Want {
        let ends = self.times && self.sight.history;
        Want { v: self.values, t_from: self.times, m_from: self.times, t_to: ends, m_to: ends }
    }

    /// Where the closings within a span are that are seen.
    fn closing_parts<'g, 'b, 's>(
        &self,
        groups: &'g [Group<'b>],
        span: &'s Span<'_>,
    ) -> Parts<'g, 'b, 's> {
        let groups = groups.iter().filter(|g| self.sight.as_of.is_none_or(|t| *g.ts.start() <= t));
        self.parts(groups, Kind::Closings, span)
    }

    /// These closings.
    async fn closings(
        &self,
        parts: Vec<(&Group<'_>, Part<'_>)>,
        span: &Span<'_>,
    ) -> Result<Option<Closings>> {
        let loads = parts.iter().map(|(_, part)| part.load(self.ty, span, Want::ALL));
        let mut all = Vec::new();
        for ((_, part), mut rows) in parts.iter().zip(at_once(loads).await?) {
            if self.sight.as_of.is_some_and(|t| *part.t_to.end() > t) {
                rows = rows.filter(&mask(&rows.t_to, |t| self.sight.sees_end(t))?)?;
            }
            if !rows.is_empty() {
                all.push(rows);
            }
        }
        match all.is_empty() {
            true => Ok(None),
            false => Ok(Some(Closings::new(self.ty, Rows::merge(Order::Aevt, self.ty, all)?)?)),
        }
    }

    /// What is seen of current facts some of which ended in newer sources.
    async fn not_ended<'g, 'b>(
        &self,
        parts: Vec<Loaded<'g, 'b>>,
        closings: &Closings,
    ) -> Result<Vec<(&'g Group<'b>, Rows)>> {
        let mut out = Vec::with_capacity(parts.len());
        for (group, part, mut rows) in parts {
            let shared = Shared { all: matches!(self.span, Span::Values(_)), ..part.shared };
            let ended = match closings.of(self.ty, &rows, &group.ts, shared)? {
                Some(ended) => ended,
                None => {
                    let want = Want { v: true, ..self.want_current(&part) };
                    rows = part.load(self.ty, &self.span, want).await?;
                    closings.of(self.ty, &rows, &group.ts, shared)?.unwrap_or_default()
                }
            };
            out.push((group, self.shown(&part, rows, &ended)?));
        }
        Ok(out)
    }

    /// What is seen of the current facts of one part, of which these ended.
    fn shown(&self, part: &Part<'_>, rows: Rows, ended: &[Ended]) -> Result<Rows> {
        let rows = match self.sight.history {
            true => self.with_ends(rows, ended)?,
            false if ended.is_empty() => rows,
            false => {
                let mut keep = vec![true; rows.len()];
                ended.iter().for_each(|x| keep[x.row] = false);
                rows.filter(&BooleanArray::from(keep))?
            }
        };
        let rows = match self.sight.checks_from(&part.t_from) {
            true => self.seen(rows)?,
            false => rows,
        };
        Ok(rows.select(self.want_out()))
    }

    fn with_ends(&self, mut rows: Rows, ended: &[Ended]) -> Result<Rows> {
        if !self.times && self.sight.touched.is_none() {
            return Ok(rows);
        }
        let (mut t_to, mut m_to) = (vec![OPEN; rows.len()], vec![0; rows.len()]);
        for x in ended {
            (t_to[x.row], m_to[x.row]) = (x.t_to, x.m_to);
        }
        rows.t_to = Some(Int64Array::from(t_to));
        rows.m_to = Some(Int64Array::from(m_to));
        Ok(rows)
    }

    /// Those that were asserted, and touched, when the view says so.
    fn seen(&self, rows: Rows) -> Result<Rows> {
        let Some(t_from) = &rows.t_from else {
            return Err(Error::internal("times of assertion were not read"));
        };
        let t_to = rows.t_to.as_ref().map(|t| t.values());
        let sees = |i: usize| {
            let from = t_from.value(i);
            let touched = || {
                self.sight.touches(from)
                    || t_to.is_some_and(|t| t[i] != OPEN && self.sight.touches(t[i]))
            };
            self.sight.sees_from(from) && touched()
        };
        let mask = BooleanBuffer::collect_bool(rows.len(), sees);
        if mask.count_set_bits() == rows.len() {
            return Ok(rows);
        }
        rows.filter(&BooleanArray::from(mask))
    }

    /// What is seen of the closed facts of one source.
    async fn history(&self, group: &Group<'_>) -> Result<Vec<Rows>> {
        let sight = &self.sight;
        let parts = self.parts(std::iter::once(group), Kind::History, &self.span).all().await?;
        let want = Want {
            v: self.values,
            t_from: true,
            m_from: self.times,
            t_to: true,
            m_to: self.times && sight.history,
        };
        let loads = parts.iter().map(|(_, part)| part.load(self.ty, &self.span, want));
        let mut out = Vec::new();
        for ((_, part), mut rows) in parts.iter().zip(at_once(loads).await?) {
            if !sight.history {
                rows = rows.filter(&mask(&rows.t_to, |t| !sight.sees_end(t))?)?;
                rows.t_to = None;
            } else if sight.as_of.is_some_and(|t| *part.t_to.end() > t) {
                rows = self.clipped(rows)?;
            }
            out.push(self.seen(rows)?.select(self.want_out()));
        }
        Ok(out)
    }

    /// Ends later than as-of are not known yet.
    fn clipped(&self, mut rows: Rows) -> Result<Rows> {
        let Some(t_to) = rows.t_to.take() else {
            return Err(Error::internal("ends were not read"));
        };
        let sees = |t: &i64| self.sight.sees_end(*t);
        if let Some(m_to) = &rows.m_to {
            let pairs = t_to.values().iter().zip(m_to.values());
            rows.m_to =
                Some(pairs.map(|(t, m)| if sees(t) { *m } else { 0 }).collect::<Vec<_>>().into());
        }
        let clipped = t_to.values().iter().map(|t| if sees(t) { *t } else { OPEN });
        rows.t_to = Some(clipped.collect::<Vec<_>>().into());
        Ok(rows)
    }
}

/// The rows of each source, where adjoining ones are of the same.
fn of_sources(parts: Vec<(&Group<'_>, Rows)>) -> Result<Vec<Rows>> {
    let mut out: Vec<Rows> = Vec::with_capacity(1);
    let mut of_one: Vec<Rows> = Vec::with_capacity(1);
    let mut last: Option<&Group<'_>> = None;
    for (group, rows) in parts {
        if last.is_some_and(|g| !std::ptr::eq(g, group)) {
            out.push(Rows::concat(std::mem::take(&mut of_one))?);
        }
        last = Some(group);
        of_one.push(rows);
    }
    if !of_one.is_empty() {
        out.push(Rows::concat(of_one)?);
    }
    Ok(out)
}

fn mask(column: &Option<Int64Array>, keep: impl Fn(i64) -> bool) -> Result<BooleanArray> {
    let Some(column) = column else { return Err(Error::internal("a column was not read")) };
    let values = column.values();
    Ok(BooleanBuffer::collect_bool(values.len(), |i| keep(values[i])).into())
}
