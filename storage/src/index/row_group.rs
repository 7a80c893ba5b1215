//! Facts of one attribute and type within a segment: which columns of them are read, and which are in memory.

use super::cache::{Decoded, Key};
use super::order::Order;
use super::rows::{Rows, Want};
use super::segment::{Footer, Segment, fingerprint_within, value_column};
use crate::error::{Error, Result};
use crate::store::reads;
use crate::value::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::Int64Type;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// A column that a row group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    E,
    V(ValueType),
    TFrom,
    MFrom,
    TTo,
    MTo,
}

impl Column {
    /// As it is called in the file.
    pub fn name(self) -> String {
        match self {
            Column::E => "e".to_owned(),
            Column::V(ty) => value_column(ty),
            Column::TFrom => "t_from".to_owned(),
            Column::MFrom => "m_from".to_owned(),
            Column::TTo => "t_to".to_owned(),
            Column::MTo => "m_to".to_owned(),
        }
    }
}

/// What is known of facts of one attribute and type without reading them.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub rows: usize,
    pub e: RangeInclusive<i64>,
    pub t_from: RangeInclusive<i64>,
    pub t_to: RangeInclusive<i64>,
    /// In AVET order, where they are short.
    pub v: (Option<Value>, Option<Value>),
    /// Their [`fingerprint`](super::segment::fingerprint).
    pub entities: u128,
}

/// Facts of one attribute and type within a segment.
pub struct RowGroup {
    pub segment: Arc<Segment>,
    /// Where it was read to know of this row group.
    pub footer: Option<Arc<Footer>>,
    pub index: usize,
    pub bounds: Bounds,
    /// Where its entities have further rows in the row group before or after.
    pub shared: (Option<i64>, Option<i64>),
}

/// How much of a row group to load, and whether to keep it in memory.
#[derive(Debug, Clone)]
pub enum Load {
    All,
    /// All, without leaving anything in the cache: for merges, which read everything once.
    Once,
    /// The rows of a page.
    Page(Range<usize>),
}

impl Bounds {
    pub fn meet(&self, range: &Range<i64>) -> bool {
        *self.e.start() < range.end && range.start <= *self.e.end()
    }

    pub fn lie_within(&self, range: &Range<i64>) -> bool {
        range.start <= *self.e.start() && *self.e.end() < range.end
    }
}

impl RowGroup {
    fn key(&self, column: Column, load: &Load) -> Option<Key> {
        let (segment, row_group) = (self.segment.entry.name, self.index as u32);
        match load {
            Load::Once => None,
            Load::Page(rows) => {
                let rows = (rows.start as u32, rows.end as u32);
                Some(Key::Page { segment, row_group, column, rows })
            }
            Load::All if column == Column::E && self.segment.entry.order == Order::Aevt => {
                Some(self.entities_key())
            }
            Load::All => Some(Key::Column { segment, row_group, column }),
        }
    }

    fn entities_key(&self) -> Key {
        Key::Entities { fingerprint: self.bounds.entities, rows: self.bounds.rows as u32 }
    }

    /// A column that is in memory, of its own or as a part of the whole.
    fn remembered(&self, column: Column, load: &Load) -> Option<Decoded> {
        let cache = &self.segment.files.cache;
        let get = |load: &Load| self.key(column, load).and_then(|key| cache.get(&key));
        if let Some(column) = get(load) {
            reads::from_memory(column.array.get_array_memory_size());
            return Some(column);
        }
        let Load::Page(rows) = load else { return None };
        let whole = get(&Load::All)?.array;
        reads::from_memory(whole.get_array_memory_size() / whole.len().max(1) * rows.len());
        Some(whole.slice(rows.start, rows.len()).into())
    }

    async fn columns(&self, wanted: &[Column], load: &Load) -> Result<Vec<Decoded>> {
        let mut columns: Vec<_> = wanted.iter().map(|c| self.remembered(*c, load)).collect();
        let missing: Vec<usize> = (0..wanted.len()).filter(|i| columns[*i].is_none()).collect();
        if !missing.is_empty() {
            let of: Vec<Column> = missing.iter().map(|i| wanted[*i]).collect();
            // Apart, as others that are seldom needed: a large future is moved about with what awaits it.
            let read = Box::pin(self.segment.decode(self.footer.as_ref(), self.index, &of, load));
            let arrays = read.await?;
            for (i, array) in missing.into_iter().zip(arrays) {
                let decoded = Decoded::from(array);
                if let Some(key) = self.key(wanted[i], load) {
                    self.segment.files.cache.put(key, &decoded);
                }
                columns[i] = Some(decoded);
            }
        }
        Ok(columns.into_iter().flatten().collect())
    }

    async fn column(&self, column: Column) -> Result<ArrayRef> {
        let column = self.columns(&[column], &Load::All).await?.pop();
        let column = column.ok_or_else(|| Error::internal("a column that was read is not there"));
        column.map(|column| column.array)
    }

    pub async fn entities(&self) -> Result<ArrayRef> {
        self.column(Column::E).await
    }

    /// The same where they are in memory.
    pub fn known_entities(&self) -> Option<ArrayRef> {
        self.remembered(Column::E, &Load::All).map(|column| column.array)
    }

    pub async fn values(&self, ty: ValueType) -> Result<ArrayRef> {
        self.column(Column::V(ty)).await
    }

    pub async fn load(&self, ty: ValueType, want: Want, load: &Load) -> Result<Rows> {
        let columns = self.columns(&wanted(ty, want), load).await?;
        rows(want, columns).ok_or_else(|| Error::internal("a row group without entities"))
    }

    /// Rows of a page beside a column that is at hand whole.
    pub async fn page(
        &self,
        ty: ValueType,
        want: Want,
        page: Range<usize>,
        (at_hand, whole): (Column, &ArrayRef),
    ) -> Result<Rows> {
        let all = wanted(ty, want);
        let of = whole.slice(page.start, page.len());
        let others: Vec<Column> = all.iter().copied().filter(|c| *c != at_hand).collect();
        let mut columns = self.columns(&others, &Load::Page(page)).await?;
        if let Some(place) = all.iter().position(|c| *c == at_hand) {
            columns.insert(place.min(columns.len()), of.into());
        }
        rows(want, columns).ok_or_else(|| Error::internal("a row group without entities"))
    }

    /// The fingerprint of the entities within bounds; None: a part of the column would have to be read.
    pub fn entities_within(&self, range: &Range<i64>) -> Option<u128> {
        if self.bounds.lie_within(range) {
            return Some(self.bounds.entities);
        }
        let column = self.segment.files.cache.get(&self.entities_key())?;
        Some(fingerprint_within(column.array.as_primitive::<Int64Type>().values(), range))
    }

    /// The few pages that may hold these entities; None: there are many.
    pub async fn pages_of(&self, es: &[i64]) -> Result<Option<Vec<Load>>> {
        let pages = Box::pin(self.segment.entity_pages(self.index)).await?;
        let Some(pages) = pages else { return Ok(None) };
        let mut out = Vec::new();
        for (i, (first, bounds)) in pages.iter().enumerate() {
            let at = es.partition_point(|e| e < bounds.start());
            if es.get(at).is_some_and(|e| e <= bounds.end()) {
                let end = pages.get(i + 1).map_or(self.bounds.rows, |p| p.0);
                out.push(Load::Page(*first..end));
            }
        }
        Ok((out.len() * 4 <= pages.len()).then_some(out))
    }
}

/// The columns that are wanted, in the order in which [`rows`] takes them.
fn wanted(ty: ValueType, want: Want) -> Vec<Column> {
    let all = [
        (Column::E, true),
        (Column::V(ty), want.v),
        (Column::TFrom, want.t_from),
        (Column::MFrom, want.m_from),
        (Column::TTo, want.t_to),
        (Column::MTo, want.m_to),
    ];
    all.iter().filter(|(_, wanted)| *wanted).map(|(column, _)| *column).collect()
}

/// None: there is no column of entities.
fn rows(want: Want, columns: Vec<Decoded>) -> Option<Rows> {
    let mut columns = columns.into_iter();
    let entities = columns.next()?;
    let mut next = |wanted: bool| if wanted { Some(columns.next()?.array) } else { None };
    let long = |array: ArrayRef| array.as_primitive::<Int64Type>().clone();
    Some(Rows {
        e: long(entities.array),
        v: next(want.v),
        t_from: next(want.t_from).map(long),
        m_from: next(want.m_from).map(long),
        t_to: next(want.t_to).map(long),
        m_to: next(want.m_to).map(long),
        ascends: Some(entities.ascends),
    })
}
