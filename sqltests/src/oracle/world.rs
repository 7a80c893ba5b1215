//! Raw datoms, and what they mean at a time.

use super::cell::{Cell, Relation, Row, Ty, Val};
use std::collections::{BTreeMap, BTreeSet};

pub const OPEN: i64 = i64::MAX;

#[derive(Debug, Clone, PartialEq)]
pub struct Datom {
    pub e: i64,
    /// With its colon.
    pub a: &'static str,
    pub v: Val,
    pub t: i64,
    pub added: bool,
}

/// Which part of time is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The basis.
    pub t: i64,
    /// Only facts asserted after it.
    pub since: Option<i64>,
}

/// An interval in which [e a v] held; `to` is [`OPEN`] where it holds at the basis.
#[derive(Debug, Clone)]
pub struct Interval<'a> {
    pub e: i64,
    pub v: &'a Val,
    pub from: i64,
    pub to: i64,
}

/// Everything that was ever said.
#[derive(Debug, Default)]
pub struct World {
    pub datoms: Vec<Datom>,
    /// (t, instant), ascending.
    pub transactions: Vec<(i64, i64)>,
    /// When an attribute was declared, and whether to have many values.
    pub declared: Vec<(i64, &'static str, bool)>,
}

/// The attributes of a world: all that it may ever have.
pub const ATTRIBUTES: [&str; 11] = [
    ":thing/name",
    ":thing/size",
    ":thing/mixed",
    ":thing/tags",
    ":thing/link",
    ":thing/last-seen",
    ":thing/flag",
    ":other-kind/name",
    ":other-kind/score",
    ":other-kind/things",
    ":other-kind/mixed-numbers",
];

/// Table and column of an attribute.
pub fn shown_as(a: &str) -> (String, String) {
    let (table, column) = a[1..].split_once('/').unwrap_or(("entity", &a[1..]));
    (table.replace('-', "_"), column.replace('-', "_"))
}

impl World {
    pub fn newest(&self) -> i64 {
        self.transactions.last().map_or(999, |tx| tx.0)
    }

    pub fn instant(&self, t: i64) -> Option<i64> {
        self.transactions.iter().find(|tx| tx.0 == t).map(|tx| tx.1)
    }

    /// The last transaction at or before an instant.
    pub fn t_at(&self, instant: i64) -> Option<i64> {
        self.transactions.iter().filter(|tx| tx.1 <= instant).map(|tx| tx.0).max()
    }

    pub fn is_many(&self, a: &str, t: i64) -> bool {
        let mut declared = self.declared.iter().filter(|d| d.0 <= t && d.1 == a);
        declared.next_back().is_some_and(|d| d.2)
    }

    /// What holds now of one attribute of an entity.
    pub fn values(&self, e: i64, a: &str) -> Vec<Val> {
        let view = View { t: self.newest(), since: None };
        let held = self.intervals(a, view).into_iter().filter(|i| i.e == e && i.to == OPEN);
        held.map(|i| i.v.clone()).collect()
    }

    /// The intervals of an attribute as the view sees them, by (e, v, from).
    pub fn intervals(&self, a: &str, view: View) -> Vec<Interval<'_>> {
        let mut intervals: Vec<Interval<'_>> = Vec::new();
        for datom in self.datoms.iter().filter(|d| d.a == a && d.t <= view.t) {
            if datom.added {
                let from = datom.t;
                intervals.push(Interval { e: datom.e, v: &datom.v, from, to: OPEN });
                continue;
            }
            let same = |i: &&mut Interval<'_>| i.e == datom.e && *i.v == datom.v && i.to == OPEN;
            if let Some(open) = intervals.iter_mut().find(same) {
                open.to = datom.t;
            }
        }
        intervals.retain(|i| view.since.is_none_or(|since| i.from > since));
        intervals
            .sort_by(|x, y| x.e.cmp(&y.e).then_with(|| x.v.order(y.v)).then(x.from.cmp(&y.from)));
        intervals
    }

    /// The attributes of a table that are known at t: said of an entity, or declared.
    fn attributes(&self, table: &str, t: i64) -> Vec<&'static str> {
        let known = |a: &str| {
            self.datoms.iter().any(|d| d.a == a && d.t <= t)
                || self.declared.iter().any(|d| d.1 == a && d.0 <= t)
        };
        let mut found: Vec<&'static str> =
            ATTRIBUTES.into_iter().filter(|a| shown_as(a).0 == table && known(a)).collect();
        found.sort_by_key(|a| shown_as(a).1);
        found
    }

    /// Whether there is such a table at t.
    pub fn has_table(&self, table: &str, t: i64) -> bool {
        !self.attributes(table, t).is_empty()
    }

    fn column_type(&self, a: &str, t: i64) -> Ty {
        let said = self.datoms.iter().filter(|d| d.a == a && d.t <= t && d.added);
        let types: BTreeSet<&str> = said.map(|d| d.v.type_name()).collect();
        let ty = Ty::narrowest(&types.into_iter().collect::<Vec<_>>());
        if self.is_many(a, t) { Ty::List(Box::new(ty)) } else { ty }
    }

    /// One cell of values that hold together.
    fn cell(ty: &Ty, held: &[&Interval<'_>]) -> Option<Cell> {
        match ty {
            _ if held.is_empty() => None,
            Ty::List(item) => Some(Cell::List(held.iter().map(|i| item.show(i.v)).collect())),
            ty => {
                // Of several values the newest; of one transaction, the greatest.
                let newest = held.iter().enumerate().max_by_key(|(at, i)| (i.from, *at));
                newest.map(|(_, i)| ty.show(i.v))
            }
        }
    }

    /// The rows of a table: an entity of which something holds.
    pub fn table(&self, table: &str, view: View) -> Relation {
        let attributes = self.attributes(table, view.t);
        let mut columns = vec![("_id".to_owned(), Ty::Long)];
        columns.extend(attributes.iter().map(|a| (shown_as(a).1, self.column_type(a, view.t))));
        let all: Vec<Vec<Interval<'_>>> = attributes
            .iter()
            .map(|a| self.intervals(a, view).into_iter().filter(|i| i.to == OPEN).collect())
            .collect();
        let entities: BTreeSet<i64> = all.iter().flatten().map(|i| i.e).collect();
        let row = |e: i64| -> Row {
            let cells = all.iter().zip(&columns[1..]).map(|(intervals, (_, ty))| {
                Self::cell(ty, &intervals.iter().filter(|i| i.e == e).collect::<Vec<_>>())
            });
            std::iter::once(Some(Cell::Long(e))).chain(cells).collect()
        };
        let rows = entities.into_iter().map(row).collect();
        Relation { columns, rows }
    }

    /// The versions of a table's rows whose interval passes `within`.
    pub fn history(&self, table: &str, view: View, within: impl Fn(i64, i64) -> bool) -> Relation {
        let attributes = self.attributes(table, view.t);
        let mut columns = vec![("_id".to_owned(), Ty::Long)];
        columns.extend(attributes.iter().map(|a| (shown_as(a).1, self.column_type(a, view.t))));
        let all: Vec<Vec<Interval<'_>>> =
            attributes.iter().map(|a| self.intervals(a, view)).collect();
        let entities: BTreeSet<i64> = all.iter().flatten().map(|i| i.e).collect();
        let mut rows = Vec::new();
        for e in entities {
            let about = all.iter().flatten().filter(|i| i.e == e);
            let bounds: BTreeSet<i64> = about.flat_map(|i| [i.from, i.to]).collect();
            let bounds: Vec<i64> = bounds.into_iter().collect();
            for pair in bounds.windows(2) {
                let (from, to) = (pair[0], pair[1]);
                let held = |i: &&Interval<'_>| i.e == e && i.from <= from && to <= i.to;
                let cells: Row = all
                    .iter()
                    .zip(&columns[1..])
                    .map(|(is, (_, ty))| {
                        Self::cell(ty, &is.iter().filter(held).collect::<Vec<_>>())
                    })
                    .collect();
                if cells.iter().all(Option::is_none) || !within(from, to) {
                    continue;
                }
                let closed = (to != OPEN).then_some(to);
                let instant = |t: i64| self.instant(t).map(Cell::Instant);
                let mut row: Row = vec![Some(Cell::Long(e))];
                row.extend(cells);
                row.push(Some(Cell::Long(from)));
                row.push(closed.map(Cell::Long));
                row.push(instant(from));
                row.push(closed.and_then(instant));
                rows.push(row);
            }
        }
        for (name, ty) in [
            ("_t_from", Ty::Long),
            ("_t_to", Ty::Long),
            ("_valid_from", Ty::Instant),
            ("_valid_to", Ty::Instant),
        ] {
            columns.push((name.to_owned(), ty));
        }
        Relation { columns, rows }
    }

    /// `dao.datoms`, the database's own attributes aside.
    pub fn datoms_relation(&self, view: View) -> Relation {
        let columns = [
            ("e", Ty::Long),
            ("a", Ty::Text),
            ("t", Ty::Long),
            ("v", Ty::Text),
            ("type", Ty::Text),
            ("m", Ty::Long),
            ("added", Ty::Boolean),
            ("stream", Ty::Long),
        ];
        let mut rows = Vec::new();
        for a in ATTRIBUTES {
            for i in self.intervals(a, view) {
                for (t, added) in [(i.from, true), (i.to, false)] {
                    if t == OPEN {
                        continue;
                    }
                    rows.push(vec![
                        Some(Cell::Long(i.e)),
                        Some(Cell::Text(a.to_owned())),
                        Some(Cell::Long(t)),
                        Some(Cell::Text(i.v.text())),
                        Some(Cell::Text(i.v.type_name().to_owned())),
                        Some(Cell::Long(i64::from(added))),
                        Some(Cell::Boolean(added)),
                        Some(Cell::Long(0)),
                    ]);
                }
            }
        }
        Relation { columns: columns.map(|(name, ty)| (name.to_owned(), ty)).to_vec(), rows }
    }

    /// `dao.changes`: where one value replaces another both stand in one row.
    pub fn changes_relation(&self, view: View) -> Relation {
        let columns = [
            ("entity", Ty::Long),
            ("attribute", Ty::Text),
            ("t", Ty::Long),
            ("at", Ty::Instant),
            ("table_name", Ty::Text),
            ("column_name", Ty::Text),
            ("old_value", Ty::Text),
            ("new_value", Ty::Text),
            // Nobody says who made them.
            ("author", Ty::Text),
            ("client", Ty::Text),
            ("reason", Ty::Text),
        ];
        let mut rows = Vec::new();
        for a in ATTRIBUTES {
            let mut at_once: BTreeMap<(i64, i64), (Vec<String>, Vec<String>)> = BTreeMap::new();
            for i in self.intervals(a, view) {
                at_once.entry((i.e, i.from)).or_default().1.push(i.v.text());
                if i.to != OPEN {
                    at_once.entry((i.e, i.to)).or_default().0.push(i.v.text());
                }
            }
            let (table, column) = shown_as(a);
            for ((e, t), (old, new)) in at_once {
                let mut push = |old: Option<&String>, new: Option<&String>| {
                    rows.push(vec![
                        Some(Cell::Long(e)),
                        Some(Cell::Text(a.to_owned())),
                        Some(Cell::Long(t)),
                        self.instant(t).map(Cell::Instant),
                        Some(Cell::Text(table.clone())),
                        Some(Cell::Text(column.clone())),
                        old.cloned().map(Cell::Text),
                        new.cloned().map(Cell::Text),
                        None,
                        None,
                        None,
                    ]);
                };
                if self.is_many(a, view.t) {
                    old.iter().for_each(|old| push(Some(old), None));
                    new.iter().for_each(|new| push(None, Some(new)));
                } else {
                    (0..old.len().max(new.len())).for_each(|i| push(old.get(i), new.get(i)));
                }
            }
        }
        Relation { columns: columns.map(|(name, ty)| (name.to_owned(), ty)).to_vec(), rows }
    }

    /// `dao.transactions`.
    pub fn transactions_relation(&self, view: View) -> Relation {
        let seen = self
            .transactions
            .iter()
            .filter(|(t, _)| *t <= view.t && view.since.is_none_or(|since| *t > since));
        // A transaction's entity is its t.
        let rows = seen.map(|(t, at)| {
            vec![Some(Cell::Long(*t)), Some(Cell::Long(*t)), Some(Cell::Instant(*at))]
        });
        let columns = [("_id", Ty::Long), ("t", Ty::Long), ("instant", Ty::Instant)];
        let columns = columns.into_iter().map(|(name, ty)| (name.to_owned(), ty)).collect();
        Relation { columns, rows: rows.collect() }
    }
}
