//! Cutting the entities of some attributes into ranges of about equal work.

use super::source::Group;
use crate::index::block::Kind;
use std::ops::Range;

/// Adjoining ranges over all facts of the groups, with about `rows` rows of the largest source each.
pub fn of(groups: &[Group<'_>], rows: usize) -> Vec<Range<i64>> {
    let blocks = || groups.iter().flat_map(|g| Kind::ALL.map(|kind| g.block.rows(kind)));
    let Some(largest) = blocks().max_by_key(|r| r.len()).filter(|r| !r.is_empty()) else {
        return Vec::new();
    };
    let ends = blocks().filter(|r| !r.is_empty());
    let bounds = ends.map(|r| (r.e.value(0), r.e.value(r.len() - 1)));
    let (first, last) =
        bounds.fold((i64::MAX, i64::MIN), |b, (low, high)| (b.0.min(low), b.1.max(high)));
    let mut starts = vec![first];
    for row in (rows.max(1)..largest.len()).step_by(rows.max(1)) {
        let e = largest.e.value(row);
        if starts.last().is_some_and(|s| *s < e) {
            starts.push(e);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([last.saturating_add(1)]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}
