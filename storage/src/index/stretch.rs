//! A stretch: adjoining row groups of one attribute and type within a segment.
//!
//! The list of a run tells of stretches, which is all that is in memory of a segment that nobody reads; what each row group has is in the
//! footer of the file. Where a stretch is one row group, as it is of most attributes, the list has said it all.

use super::row_group::{Bounds, RowGroup};
use super::segment::{Footer, Segment};
use super::{root, segment};
use crate::datom::Attr;
use crate::error::Result;
use crate::value::{Value, ValueType};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the list of a run says of a stretch, and the footer of a file of each row group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StretchEntry {
    pub a: String,
    pub value_type: String,
    /// Left out where it is one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub row_groups: usize,
    pub rows: usize,
    pub e: (i64, i64),
    pub t_from: (i64, i64),
    /// None for current facts.
    pub t_to: Option<(i64, i64)>,
    /// Least and greatest value, as hexadecimal canonical bytes; in AVET order, where they are short.
    pub v: (Option<String>, Option<String>),
    /// The sum of the hashes of all e (see [`fingerprint`](segment::fingerprint)), in hexadecimal.
    pub entities: String,
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

impl StretchEntry {
    pub fn read(&self) -> Result<(Attr, ValueType, Bounds), String> {
        let bad = |what: &str| format!("{} {}: {what}", self.a, self.value_type);
        let ty = ValueType::parse(&self.value_type).ok_or_else(|| bad("unknown value type"))?;
        let value = |hex: &Option<String>| match hex {
            None => Ok(None),
            Some(hex) => {
                let bytes = segment::parse_hex(hex);
                let value = bytes.and_then(|bytes| Value::from_canonical(&bytes).ok());
                value.map(Some).ok_or_else(|| bad("bounds of its values"))
            }
        };
        let (low, high) = self.t_to.unwrap_or((crate::OPEN, crate::OPEN));
        let bounds = Bounds {
            rows: self.rows,
            e: self.e.0..=self.e.1,
            t_from: self.t_from.0..=self.t_from.1,
            t_to: low..=high,
            v: (value(&self.v.0)?, value(&self.v.1)?),
            entities: self.entities().ok_or_else(|| bad("fingerprint"))?,
        };
        Ok((Attr::new(&self.a), ty, bounds))
    }

    fn entities(&self) -> Option<u128> {
        u128::from_str_radix(&self.entities, 16).ok()
    }

    /// What holds of both; `next` follows.
    fn with(self, next: &StretchEntry) -> Option<StretchEntry> {
        let both = |x: (i64, i64), y: (i64, i64)| (x.0.min(y.0), x.1.max(y.1));
        let entities = self.entities()?.wrapping_add(next.entities()?);
        Some(StretchEntry {
            row_groups: self.row_groups + 1,
            rows: self.rows.checked_add(next.rows)?,
            e: both(self.e, next.e),
            t_from: both(self.t_from, next.t_from),
            t_to: self.t_to.zip(next.t_to).map(|(x, y)| both(x, y)),
            v: (self.v.0, next.v.1.clone()),
            entities: format!("{entities:x}"),
            ..self
        })
    }
}

/// The stretches that these row groups of a file make.
pub fn join(row_groups: &[StretchEntry]) -> Result<Vec<StretchEntry>, String> {
    let mut out: Vec<StretchEntry> = Vec::new();
    for group in row_groups {
        let next = StretchEntry { row_groups: 1, ..group.clone() };
        let joined = match out.pop_if(|s| s.a == group.a && s.value_type == group.value_type) {
            None => Some(next),
            Some(stretch) => stretch.with(&next),
        };
        let bad = || format!("what it tells of {} {} cannot be read", group.a, group.value_type);
        out.push(joined.ok_or_else(bad)?);
    }
    Ok(out)
}

/// The value as an entry keeps it; None: it is too long.
pub fn bound(v: Option<Value>) -> Option<String> {
    /// Longer ones are not kept.
    const BYTES: usize = 256;
    let mut bytes = Vec::new();
    v?.write_canonical(&mut bytes);
    (bytes.len() <= BYTES).then(|| root::to_hex(&bytes))
}

pub struct Stretch {
    pub segment: Arc<Segment>,
    /// The place in the file of its first row group.
    first: usize,
    pub row_groups: usize,
    pub bounds: Bounds,
    /// Where its entities have further rows in the stretch before or after.
    pub shared: (Option<i64>, Option<i64>),
}

impl Stretch {
    /// Those of a segment.
    pub fn all(segment: &Arc<Segment>) -> Result<Vec<(Attr, ValueType, Stretch)>> {
        let mut first = 0;
        let stretch = |entry: &StretchEntry| {
            let bad = |what| segment::damaged(segment.path(), format!("as its run tells, {what}"));
            let (a, ty, bounds) = entry.read().map_err(bad)?;
            let (segment, row_groups) = (Arc::clone(segment), entry.row_groups);
            let stretch = Stretch { segment, first, row_groups, bounds, shared: (None, None) };
            first = first.saturating_add(row_groups);
            Ok((a, ty, stretch))
        };
        segment.entry.stretches.iter().map(stretch).collect()
    }

    /// The row groups that are wanted. `keep`: what has to be read stays in the cache on disk, where there is one.
    pub async fn row_groups(
        &self,
        keep: bool,
        wanted: impl Fn(&Bounds) -> bool,
    ) -> Result<Vec<RowGroup>> {
        match self.row_groups {
            1 => Ok(self.only(wanted)),
            _ => Ok(self.of(&self.segment.footer(keep).await?, wanted)),
        }
    }

    /// The same without reading anything; None: the footer of the file is not in memory.
    pub fn known(&self, wanted: impl Fn(&Bounds) -> bool) -> Option<Vec<RowGroup>> {
        match self.row_groups {
            1 => Some(self.only(wanted)),
            _ => Some(self.of(&self.segment.known_footer()?, wanted)),
        }
    }

    fn only(&self, wanted: impl Fn(&Bounds) -> bool) -> Vec<RowGroup> {
        let only = || RowGroup {
            segment: Arc::clone(&self.segment),
            footer: None,
            index: self.first,
            bounds: self.bounds.clone(),
            shared: self.shared,
        };
        if wanted(&self.bounds) { vec![only()] } else { vec![] }
    }

    fn of(&self, footer: &Arc<Footer>, wanted: impl Fn(&Bounds) -> bool) -> Vec<RowGroup> {
        // Reading the footer has compared it with what the list tells.
        let end = self.first.saturating_add(self.row_groups);
        let mine = footer.row_groups.get(self.first..end).unwrap_or_default();
        let bounds = |i: usize| mine.get(i).map(|(_, _, bounds)| bounds);
        let row_group = |(i, (_, _, of)): (usize, &(Attr, ValueType, Bounds))| {
            let before = i.checked_sub(1).and_then(bounds);
            let (before, after) = (before.map(|b| *b.e.end()), bounds(i + 1).map(|b| *b.e.start()));
            RowGroup {
                segment: Arc::clone(&self.segment),
                footer: Some(Arc::clone(footer)),
                index: self.first + i,
                bounds: of.clone(),
                shared: (
                    before.map_or(self.shared.0, |e| (e == *of.e.start()).then_some(e)),
                    after.map_or(self.shared.1, |e| (e == *of.e.end()).then_some(e)),
                ),
            }
        };
        mine.iter().enumerate().filter(|(_, group)| wanted(&group.2)).map(row_group).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(a: &str, e: (i64, i64), v: (&str, &str)) -> StretchEntry {
        let hex = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        StretchEntry {
            a: a.to_owned(),
            value_type: "long".to_owned(),
            row_groups: 1,
            rows: 10,
            e,
            t_from: (e.0 + 1000, e.1 + 1000),
            t_to: Some((e.0 + 2000, e.1 + 2000)),
            v: (hex(v.0), hex(v.1)),
            entities: format!("{:x}", u128::MAX - 1),
        }
    }

    #[test]
    fn row_groups_of_one_attribute_are_a_stretch() {
        let all = [
            entry(":a", (1, 5), ("00", "01")),
            entry(":a", (3, 9), ("01", "")),
            entry(":b", (0, 0), ("", "")),
        ];
        let joined = join(&all).unwrap();
        assert_eq!(joined.len(), 2);
        let both = StretchEntry {
            row_groups: 2,
            rows: 20,
            e: (1, 9),
            t_from: (1001, 1009),
            t_to: Some((2001, 2009)),
            v: (Some("00".to_owned()), None),
            entities: format!("{:x}", u128::MAX - 3),
            ..all[0].clone()
        };
        assert_eq!(joined, [both.clone(), all[2].clone()]);
        // What is not said is one, and stays unsaid.
        let text = serde_json::to_string(&joined).unwrap();
        assert_eq!(text.matches("row_groups").count(), 1, "{text}");
        assert_eq!(serde_json::from_str::<Vec<StretchEntry>>(&text).unwrap(), joined);
        let broken = StretchEntry { entities: "x".to_owned(), ..all[0].clone() };
        assert!(join(&[broken.clone(), broken]).is_err());
    }
}
