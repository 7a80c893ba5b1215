//! Cutting the entities of some attributes into ranges of about equal work.

use super::read::Sight;
use super::source::{Group, Of, at_once};
use crate::error::Result;
use crate::index::block::Kind;
use crate::index::order::Order;
use crate::index::row_group::Bounds;
use crate::index::stretch::Stretch;
use std::ops::Range;

/// So many footers are read to know of row groups. Of more, stretches are cut as if their rows lay even: whoever asks may want a
/// few rows alone.
const FOOTERS: usize = 16;

/// Adjoining ranges over all facts of the groups that are in sight and within bounds, with about `rows` rows of the largest attribute
/// and type each.
pub async fn of(
    attributes: &[Vec<Group<'_>>],
    sight: &Sight,
    within: &Range<i64>,
    rows: usize,
) -> Result<Vec<Range<i64>>> {
    let all: Vec<Stretches<'_>> =
        attributes.iter().map(|groups| Stretches::of(groups, sight, within)).collect();
    let bounds = all.iter().map(Stretches::bounds);
    let (first, last) = bounds.fold((i64::MAX, i64::MIN), |b, x| (b.0.min(x.0), b.1.max(x.1)));
    let Some(largest) = all.into_iter().max_by_key(|s| s.rows).filter(|s| s.rows > 0) else {
        return Ok(Vec::new());
    };
    let starts = largest.of_row_groups(sight).await?.cut(first, rows.max(1));
    let ends = starts.iter().skip(1).copied().chain([last.saturating_add(1)]);
    let ranges = starts.iter().copied().zip(ends);
    let within = ranges.map(|(start, end)| start.max(within.start)..end.min(within.end));
    Ok(within.filter(|range| range.start < range.end).collect())
}

/// Where the facts of an attribute lie: how many between two entities.
struct Stretches<'a> {
    /// (first e, last e, rows)
    stretches: Vec<(i64, i64, usize)>,
    /// Those that are several row groups, and not among the others yet.
    large: Vec<(Kind, &'a Stretch)>,
    /// Of all.
    rows: usize,
}

impl<'a> Stretches<'a> {
    fn of(groups: &[Group<'a>], sight: &Sight, within: &Range<i64>) -> Stretches<'a> {
        /// Of the tail a stretch is so many rows.
        const TAIL_ROWS: usize = 8192;
        let (mut stretches, mut large) = (Vec::new(), Vec::new());
        for group in groups {
            match group.of {
                Of::Run(run) => {
                    for kind in Kind::ALL {
                        let all = run.stretches(Order::Aevt, kind).iter();
                        let seen = |s: &&Stretch| {
                            let of = &s.bounds;
                            of.meet(within) && sight.may_see(kind, &of.t_from, &of.t_to)
                        };
                        for stretch in all.filter(seen) {
                            let of = &stretch.bounds;
                            match stretch.row_groups {
                                1 => stretches.push((*of.e.start(), *of.e.end(), of.rows)),
                                _ => large.push((kind, stretch)),
                            }
                        }
                    }
                }
                Of::Tail(block) => {
                    let seen =
                        Kind::ALL.iter().filter(|k| sight.may_see(**k, &group.ts, &group.ts));
                    for rows in seen.map(|kind| block.rows(*kind)) {
                        let e = rows.e.values();
                        stretches
                            .extend(e.chunks(TAIL_ROWS).map(|c| (c[0], c[c.len() - 1], c.len())));
                    }
                }
            }
        }
        let large_rows = large.iter().map(|(_, s)| s.bounds.rows);
        let rows = stretches.iter().map(|s| s.2).chain(large_rows).sum();
        Stretches { stretches, large, rows }
    }

    /// The large ones by the row groups of which they are, where these are known or few footers tell of them.
    async fn of_row_groups(mut self, sight: &Sight) -> Result<Stretches<'a>> {
        let large = std::mem::take(&mut self.large);
        let few = large.len() <= FOOTERS;
        let reads = large.into_iter().map(|(kind, stretch)| async move {
            let seen = |b: &Bounds| sight.may_see(kind, &b.t_from, &b.t_to);
            let groups = match stretch.known(seen) {
                None if few => stretch.row_groups(true, seen).await?,
                None => return Ok(vec![stretch.bounds.clone()]),
                Some(known) => known,
            };
            Ok(groups.into_iter().map(|group| group.bounds).collect())
        });
        for of in at_once(reads).await?.into_iter().flatten() {
            self.stretches.push((*of.e.start(), *of.e.end(), of.rows));
        }
        self.stretches.sort_unstable();
        Ok(self)
    }

    fn bounds(&self) -> (i64, i64) {
        let large = self.large.iter().map(|(_, s)| (*s.bounds.e.start(), *s.bounds.e.end()));
        let all = self.stretches.iter().map(|s| (s.0, s.1)).chain(large);
        all.fold((i64::MAX, i64::MIN), |b, x| (b.0.min(x.0), b.1.max(x.1)))
    }

    /// Where ranges start: at starts of stretches, so that few are read in parts; large ones are cut as if even.
    fn cut(&self, first: i64, rows: usize) -> Vec<i64> {
        let mut starts = vec![first];
        let mut held = 0;
        for (low, high, n) in &self.stretches {
            // Better a smaller range than one that reads a part of a large stretch.
            if held > 0 && held + n > rows + rows / 4 {
                starts.push(*low);
                held = 0;
            }
            if *n > rows + rows / 4 {
                let parts = n.div_ceil(rows) as i128;
                let width = i128::from(*high) - i128::from(*low) + 1;
                starts.extend((1..parts).map(|i| (i128::from(*low) + width * i / parts) as i64));
                held = n / parts as usize;
            } else {
                held += n;
            }
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|s| *s >= first);
        starts
    }
}
