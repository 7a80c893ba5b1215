//! Versions of entities: the intervals between the changes of any attribute of a table, and what held in each.

use super::super::{ColumnDef, VersionRange, types};
use daodb_storage::FactColumns;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_null_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::Result;
use std::sync::Arc;

/// All facts of one attribute within a chunk, sorted by e.
pub struct Column {
    pub e: Vec<i64>,
    pub t_from: Vec<i64>,
    pub t_to: Vec<i64>,
    /// All types shown as one; None where values were not asked for.
    pub v: Option<ArrayRef>,
}

impl Column {
    pub fn new(column: &ColumnDef, parts: &[FactColumns], values: bool) -> Result<Column> {
        let shown = types::shown(&column.stored);
        let (mut rows, mut arrays) = (Vec::new(), Vec::new());
        for part in parts {
            let e = part.e.as_primitive::<Int64Type>().values();
            let Some(times) = &part.times else { continue };
            let (from, to) =
                (times.t_from.as_primitive::<Int64Type>(), times.t_to.as_primitive::<Int64Type>());
            rows.extend((0..e.len()).map(|i| (e[i], from.value(i), to.value(i), 0u32)));
            if let (true, Some(v)) = (values, &part.v) {
                arrays.push(types::convert(part.value_type, v, shown, e)?);
            }
        }
        rows.iter_mut().enumerate().for_each(|(i, row)| row.3 = i as u32);
        rows.sort_by_key(|row| row.0);
        let v = match arrays.as_slice() {
            [] if values => Some(new_null_array(&types::sql_type(shown), 0)),
            [] => None,
            arrays => {
                let all = concat(&arrays.iter().map(|a| a.as_ref()).collect::<Vec<_>>())?;
                Some(take(&all, &UInt32Array::from_iter_values(rows.iter().map(|r| r.3)), None)?)
            }
        };
        Ok(Column {
            e: rows.iter().map(|r| r.0).collect(),
            t_from: rows.iter().map(|r| r.1).collect(),
            t_to: rows.iter().map(|r| r.2).collect(),
            v,
        })
    }
}

/// Version rows, column by column.
#[derive(Default)]
pub struct Versions {
    pub e: Vec<i64>,
    pub t_from: Vec<i64>,
    /// `i64::MAX` where it still holds.
    pub t_to: Vec<i64>,
    /// For each attribute the rows of its [`Column`] that held.
    picked: Vec<Picked>,
}

#[derive(Default, Clone)]
struct Picked {
    rows: Vec<u32>,
    /// Where each version's rows end.
    ends: Vec<usize>,
}

/// The facts of one attribute about the entity at hand, as time goes by.
struct Sweep<'a> {
    column: &'a Column,
    /// By t_from.
    waiting: Vec<usize>,
    next: usize,
    held: Vec<usize>,
}

impl Sweep<'_> {
    fn advance(&mut self, t: i64) {
        let column = self.column;
        self.held.retain(|i| column.t_to[*i] > t);
        while let Some(i) = self.waiting.get(self.next).filter(|i| column.t_from[**i] <= t) {
            if column.t_to[*i] > t {
                self.held.push(*i);
            }
            self.next += 1;
        }
    }
}

impl Versions {
    /// The versions within `range` of all entities of these columns. Where nothing held there is none.
    pub fn new(defs: &[ColumnDef], columns: &[Column], range: VersionRange) -> Versions {
        let mut versions =
            Versions { picked: vec![Picked::default(); columns.len()], ..Versions::default() };
        let mut at = vec![0; columns.len()];
        loop {
            let heads = columns.iter().zip(&at).filter_map(|(c, i)| c.e.get(*i));
            let Some(e) = heads.min().copied() else { return versions };
            let mut bounds = Vec::new();
            let mut sweeps = Vec::with_capacity(columns.len());
            for (column, at) in columns.iter().zip(&mut at) {
                let run = *at..*at + column.e[*at..].iter().take_while(|x| **x == e).count();
                *at = run.end;
                bounds.extend(run.clone().flat_map(|i| [column.t_from[i], column.t_to[i]]));
                let mut waiting: Vec<usize> = run.collect();
                waiting.sort_by_key(|i| column.t_from[*i]);
                sweeps.push(Sweep { column, waiting, next: 0, held: Vec::new() });
            }
            bounds.sort_unstable();
            bounds.dedup();
            for interval in bounds.windows(2) {
                sweeps.iter_mut().for_each(|s| s.advance(interval[0]));
                let holds = sweeps.iter().any(|s| !s.held.is_empty());
                if holds && range.contains(interval[0], interval[1]) {
                    versions.push(e, interval, &sweeps, defs);
                }
            }
        }
    }

    fn push(&mut self, e: i64, interval: &[i64], sweeps: &[Sweep<'_>], defs: &[ColumnDef]) {
        self.e.push(e);
        self.t_from.push(interval[0]);
        self.t_to.push(interval[1]);
        for ((sweep, picked), def) in sweeps.iter().zip(&mut self.picked).zip(defs) {
            if def.many {
                let before = picked.rows.len();
                picked.rows.extend(sweep.held.iter().map(|i| *i as u32));
                picked.rows[before..].sort_unstable();
            } else {
                // As in the star scan: of several values the newest stands; of the same transaction, the greatest.
                let newest = sweep.held.iter().max_by_key(|i| (sweep.column.t_from[**i], **i));
                picked.rows.extend(newest.map(|i| *i as u32));
            }
            picked.ends.push(picked.rows.len());
        }
    }

    /// Attribute `i` as SQL shows it.
    pub fn column(&self, i: usize, def: &ColumnDef, column: &Column) -> Result<ArrayRef> {
        let (Some(v), Some(picked)) = (&column.v, self.picked.get(i)) else {
            return Ok(new_null_array(&def.data_type, self.e.len()));
        };
        let starts = std::iter::once(0).chain(picked.ends.iter().copied());
        if def.many {
            let items = take(v, &UInt32Array::from(picked.rows.clone()), None)?;
            let present: Vec<bool> = starts.zip(&picked.ends).map(|(s, e)| s < *e).collect();
            let offsets = std::iter::once(0).chain(picked.ends.iter().map(|e| *e as i32));
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets.collect::<Vec<_>>()));
            let item = Arc::new(types::item_field(items.data_type().clone()));
            return Ok(Arc::new(ListArray::try_new(
                item,
                offsets,
                items,
                Some(NullBuffer::from(present)),
            )?));
        }
        let rows: UInt32Array =
            starts.zip(&picked.ends).map(|(s, e)| picked.rows[s..*e].first().copied()).collect();
        if v.is_empty() {
            return Ok(new_null_array(&def.data_type, rows.len()));
        }
        Ok(take(v, &rows, None)?)
    }
}

impl VersionRange {
    pub(super) fn contains(&self, t_from: i64, t_to: i64) -> bool {
        (self.t_from.0..=self.t_from.1).contains(&t_from)
            && (self.t_to.0..=self.t_to.1).contains(&t_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daodb_storage::{OPEN, ValueType};
    use datafusion::arrow::array::Int64Array;
    use datafusion::arrow::datatypes::DataType;

    fn def(many: bool) -> ColumnDef {
        ColumnDef {
            name: "x".into(),
            a: ":p/x".into(),
            stored: vec![ValueType::Long],
            data_type: types::column_type(ValueType::Long, many),
            many,
            unique: false,
            identity: false,
            indexed: false,
            doc: None,
        }
    }

    /// Facts as (e, v, t_from, t_to).
    fn facts(facts: &[(i64, i64, i64, i64)]) -> Column {
        let v: Int64Array = facts.iter().map(|f| f.1).collect::<Vec<_>>().into();
        Column {
            e: facts.iter().map(|f| f.0).collect(),
            t_from: facts.iter().map(|f| f.2).collect(),
            t_to: facts.iter().map(|f| f.3).collect(),
            v: Some(Arc::new(v)),
        }
    }

    fn check(columns: &[(bool, Column)], range: VersionRange, expect: &[&str]) {
        let defs: Vec<ColumnDef> = columns.iter().map(|c| def(c.0)).collect();
        let columns: Vec<Column> = columns
            .iter()
            .map(|(_, c)| Column {
                e: c.e.clone(),
                t_from: c.t_from.clone(),
                t_to: c.t_to.clone(),
                v: c.v.clone(),
            })
            .collect();
        let versions = Versions::new(&defs, &columns, range);
        let arrays: Vec<ArrayRef> = (0..defs.len())
            .filter_map(|i| versions.column(i, &defs[i], &columns[i]).ok())
            .collect();
        let rows: Vec<String> = (0..versions.e.len())
            .map(|row| {
                let values: Vec<String> = arrays
                    .iter()
                    .map(|a| {
                        datafusion::arrow::util::display::array_value_to_string(a, row)
                            .unwrap_or_default()
                    })
                    .collect();
                let to = if versions.t_to[row] == OPEN {
                    "-".into()
                } else {
                    versions.t_to[row].to_string()
                };
                format!("{} {}..{to} {}", versions.e[row], versions.t_from[row], values.join("|"))
            })
            .collect();
        assert_eq!(rows, expect);
        assert!(arrays.iter().zip(&defs).all(|(a, d)| a.data_type() == &d.data_type));
        assert_eq!(DataType::Int64, types::sql_type(ValueType::Long));
    }

    #[test]
    fn a_version_ends_where_any_attribute_changes() {
        let name = || facts(&[(1, 10, 5, 8), (1, 11, 8, OPEN), (2, 12, 6, OPEN)]);
        let age = || facts(&[(1, 30, 6, 9)]);
        check(
            &[(false, name()), (false, age())],
            VersionRange::ALL,
            &["1 5..6 10|", "1 6..8 10|30", "1 8..9 11|30", "1 9..- 11|", "2 6..- 12|"],
        );
        let within = VersionRange { t_from: (6, i64::MAX), t_to: (i64::MIN, 9) };
        check(&[(false, name()), (false, age())], within, &["1 6..8 10|30", "1 8..9 11|30"]);
    }

    #[test]
    fn gaps_give_no_row_and_lists_grow() {
        check(
            &[(true, facts(&[(1, 1, 2, 5), (1, 2, 3, 5), (1, 3, 7, OPEN)]))],
            VersionRange::ALL,
            &["1 2..3 [1]", "1 3..5 [1, 2]", "1 7..- [3]"],
        );
    }
}
