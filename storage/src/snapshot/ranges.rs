//! Cutting the entities of some attributes into ranges of about equal work.

use super::read::Sight;
use super::source::{Group, Of};
use crate::index::block::Kind;
use crate::index::order::Order;
use std::ops::Range;

/// Adjoining ranges over all facts of the groups that are in sight, with about `rows` rows of the largest attribute and type
/// each.
pub fn of(attributes: &[Vec<Group<'_>>], sight: &Sight, rows: usize) -> Vec<Range<i64>> {
    let largest = attributes
        .iter()
        .map(|groups| Stretches::of(groups, sight))
        .max_by_key(|stretches| stretches.rows);
    let Some(largest) = largest.filter(|s| s.rows > 0) else { return Vec::new() };
    let all = attributes.iter().map(|groups| Stretches::of(groups, sight).bounds());
    let (first, last) = all.fold((i64::MAX, i64::MIN), |b, x| (b.0.min(x.0), b.1.max(x.1)));
    let starts = largest.cut(first, rows.max(1));
    let ends = starts.iter().skip(1).copied().chain([last.saturating_add(1)]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Where the facts of an attribute lie: how many between two entities.
struct Stretches {
    /// (first e, last e, rows)
    stretches: Vec<(i64, i64, usize)>,
    rows: usize,
}

impl Stretches {
    fn of(groups: &[Group<'_>], sight: &Sight) -> Stretches {
        /// Of the tail a stretch is so many rows.
        const TAIL_ROWS: usize = 8192;
        let mut stretches = Vec::new();
        for group in groups {
            match group.of {
                Of::Run(run) => {
                    for kind in Kind::ALL {
                        let groups = run.row_groups(Order::Aevt, kind).iter();
                        let groups = groups.filter(|g| sight.may_see(kind, &g.t_from, &g.t_to));
                        stretches.extend(groups.map(|g| (*g.e.start(), *g.e.end(), g.rows)));
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
        stretches.sort_unstable();
        let rows = stretches.iter().map(|s| s.2).sum();
        Stretches { stretches, rows }
    }

    fn bounds(&self) -> (i64, i64) {
        let firsts = self.stretches.iter().map(|s| s.0).min().unwrap_or(i64::MAX);
        (firsts, self.stretches.iter().map(|s| s.1).max().unwrap_or(i64::MIN))
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
