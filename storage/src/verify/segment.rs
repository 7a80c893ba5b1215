//! One segment: every checksum, and every description of it compared with its rows.

use super::sums::{EventSums, Facts, Sum, fact_sum};
use crate::datom::Attr;
use crate::index::block::Kind;
use crate::index::order::{Keys, Order};
use crate::index::row_group::Bounds;
use crate::index::rows::{Rows, Want, arrow_error};
use crate::index::run::RunEntry;
use crate::index::segment::{
    Footer, META_BASIS, META_KIND, META_ORDER, META_STREAM, SegmentEntry, fingerprint, footer,
    value_column,
};
use crate::index::stat::Stat;
use crate::index::stretch::bound;
use crate::index::verified::{self, BLOCK};
use crate::value::{Value, ValueType};
use crate::{Error, Result};
use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::file::page_index::column_index::ColumnIndexMetaData;
use object_store::path::Path;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What rows are sorted by, of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    e: i64,
    v: Value,
    t_from: i64,
}

impl Place {
    fn of(facts: &Facts<'_>, row: usize) -> Result<Place> {
        Ok(Place { e: facts.e[row], v: facts.value(row)?, t_from: facts.t_from[row] })
    }

    pub fn is_before(&self, other: &Place, order: Order) -> bool {
        let (x, y) = (self, other);
        match order {
            Order::Aevt => (x.e, &x.v, x.t_from) < (y.e, &y.v, y.t_from),
            Order::Avet => (&x.v, x.e, x.t_from) < (&y.v, y.e, y.t_from),
        }
    }
}

/// What is kept of a row group that is as it should be.
pub struct Checked {
    pub a: Attr,
    pub ty: ValueType,
    pub first: Place,
    pub last: Place,
    pub facts: Sum,
    /// In AEVT order; the events where they were asked for.
    pub stat: Option<Stat>,
    pub events: EventSums,
}

/// A segment as its run tells of it.
pub struct Asked<'a> {
    pub stream: &'a str,
    pub path: Path,
    pub entry: &'a Arc<SegmentEntry>,
    pub run: &'a RunEntry,
    /// Whether sums of events are wanted.
    pub events: bool,
}

/// The bytes of a segment, all of them, against what its run and the file itself say. The whole file is in memory: one is
/// written from memory, too.
pub async fn check(asked: &Asked<'_>, bytes: Bytes) -> Result<Vec<Checked>> {
    let work = Work {
        path: asked.path.clone(),
        stream: asked.stream.to_owned(),
        entry: Arc::clone(asked.entry),
        ts: asked.run.first_t..=asked.run.last_t,
        events: asked.events,
        bytes,
    };
    decoding(&asked.path, move || work.groups(&blocks(&work.path, &work.entry, &work.bytes)?)).await
}

/// Size and checksums alone.
pub async fn is_whole(path: &Path, entry: &Arc<SegmentEntry>, bytes: &Bytes) -> Result<()> {
    let (of, entry, bytes) = (path.clone(), Arc::clone(entry), bytes.clone());
    decoding(path, move || blocks(&of, &entry, &bytes).map(|_| ())).await
}

/// On a thread of its own. Bytes that were written so can make the decoder panic.
async fn decoding<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let gave_up = |_| Err(Error::data(path, "the decoder gave up on these bytes"));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(gave_up)
}

/// The footer, which has most checksums, once all are compared.
fn blocks(path: &Path, entry: &SegmentEntry, bytes: &Bytes) -> Result<Footer> {
    let bad = |what: String| Error::data(path, what);
    if bytes.len() as u64 != entry.bytes {
        return Err(bad(format!("it has {} bytes instead of {}", bytes.len(), entry.bytes)));
    }
    if !verified::fits(entry) {
        return Err(bad("its run's checksums of it do not fit its size".to_owned()));
    }
    let first = verified::first_of_footer(entry) * BLOCK;
    let (before, after) = bytes.split_at(first as usize);
    let other = |block: usize, from: u64| {
        let at = from + block as u64 * BLOCK;
        bad(format!("the bytes from {at} on are not those that were written"))
    };
    if let Some(block) = entry.checksums.differ(after) {
        return Err(other(block, first));
    }
    let footer = footer(bytes, entry).map_err(bad)?;
    match footer.checksums.differ(before) {
        Some(block) => Err(other(block, 0)),
        None => Ok(footer),
    }
}

/// What a thread of its own decodes.
struct Work {
    path: Path,
    stream: String,
    entry: Arc<SegmentEntry>,
    /// The transactions of the run.
    ts: RangeInclusive<i64>,
    events: bool,
    bytes: Bytes,
}

/// A row group as the footer describes it.
#[derive(Clone, Copy)]
struct Group<'a> {
    index: usize,
    of: &'a Bounds,
}

impl Work {
    fn bad(&self, what: impl std::fmt::Display) -> Error {
        Error::data(&self.path, what)
    }

    fn groups(&self, footer: &Footer) -> Result<Vec<Checked>> {
        let (metadata, groups) = (&footer.parquet, &footer.row_groups);
        self.metadata(metadata)?;
        let rows: u64 = groups.iter().map(|g| g.2.rows as u64).sum();
        if rows != self.entry.rows {
            let told = self.entry.rows;
            return Err(self.bad(format!("it has {rows} rows, and its run tells of {told}")));
        }
        let ascend = |w: &[(Attr, ValueType, Bounds)]| (&w[0].0, w[0].1) <= (&w[1].0, w[1].1);
        if !groups.windows(2).all(ascend) {
            return Err(self.bad("its attributes are not in order"));
        }
        let mut checked = Vec::with_capacity(groups.len());
        for (index, (a, ty, of)) in groups.iter().enumerate() {
            let group = Group { index, of };
            let place = |e: Error| {
                let what = e.message.trim_start_matches(self.path.as_ref());
                let what = what.trim_start_matches([':', ' ']);
                self.bad(format!("row group {index}, {a} {}: {what}", ty.name()))
            };
            checked.push(self.group(metadata, a, *ty, group).map_err(place)?);
        }
        Ok(checked)
    }

    /// What the file says of itself, beside its row groups.
    fn metadata(&self, metadata: &ArrowReaderMetadata) -> Result<()> {
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let basis = self.ts.end().to_string();
        for (key, expected) in [
            (META_STREAM, self.stream.as_str()),
            (META_ORDER, self.entry.order.name()),
            (META_KIND, self.entry.kind.name()),
            (META_BASIS, basis.as_str()),
        ] {
            let pair = pairs.into_iter().flatten().find(|p| p.key == key);
            let found = pair.and_then(|p| p.value.as_deref()).unwrap_or("(nothing)");
            if found != expected {
                return Err(self.bad(format!("its {key} is {found} instead of {expected}")));
            }
        }
        Ok(())
    }

    fn group(
        &self,
        metadata: &ArrowReaderMetadata,
        a: &Attr,
        ty: ValueType,
        group: Group<'_>,
    ) -> Result<Checked> {
        let batch = self.batch(metadata, group)?;
        constant(&batch, "a", a.as_str())?;
        constant(&batch, "value_type", ty.name())?;
        let rows = self.rows(&batch, ty)?;
        let facts = Facts::of(ty, &rows)?;
        self.bounds(group.of, &facts)?;
        self.values(group.of, &facts)?;
        self.times(group.of, &facts)?;
        self.pages(metadata, group, &rows)?;
        let keys = Keys::new(self.entry.order, ty, &rows)?;
        if let Some(row) = (1..rows.len()).find(|i| !keys.cmp(i - 1, &keys, *i).is_lt()) {
            return Err(self.bad(format!("row {row} is not in order")));
        }
        let aevt = self.entry.order == Order::Aevt;
        Ok(Checked {
            a: a.clone(),
            ty,
            first: Place::of(&facts, 0)?,
            last: Place::of(&facts, rows.len() - 1)?,
            facts: fact_sum(&rows),
            stat: aevt.then(|| stat(ty, self.entry.kind, &rows)).transpose()?,
            events: match aevt && self.events {
                true => facts.event_sums(self.entry.kind)?,
                false => EventSums::default(),
            },
        })
    }

    /// All columns of a row group.
    fn batch(&self, metadata: &ArrowReaderMetadata, group: Group<'_>) -> Result<RecordBatch> {
        let bytes = self.bytes.clone();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata.clone())
            .with_row_groups(vec![group.index])
            .with_batch_size(group.of.rows.max(1))
            .build()
            .map_err(|e| self.bad(e))?;
        let schema = Arc::clone(metadata.schema());
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| self.bad(e))?;
        let batch = concat_batches(&schema, &batches).map_err(arrow_error)?;
        match batch.num_rows() == group.of.rows && group.of.rows > 0 {
            true => Ok(batch),
            false => {
                Err(self.bad(format!("{} of {} rows are there", batch.num_rows(), group.of.rows)))
            }
        }
    }

    /// The columns that hold something; all others must be empty.
    fn rows(&self, batch: &RecordBatch, ty: ValueType) -> Result<Rows> {
        let mine = value_column(ty);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let other = field.name().starts_with("v_") && *field.name() != mine;
            if other && column.null_count() != column.len() {
                return Err(self.bad(format!("column {} holds values", field.name())));
            }
        }
        let full = |name: &str| -> Result<&ArrayRef> {
            let column = batch.column_by_name(name).filter(|c| c.null_count() == 0);
            column.ok_or_else(|| self.bad(format!("column {name} lacks values")))
        };
        let want = match self.entry.kind {
            Kind::Current => Want::OPEN,
            Kind::History | Kind::Closings => Want::ALL,
        };
        let long = |name: &str, wanted: bool| -> Result<Option<Int64Array>> {
            if wanted {
                let column = full(name)?.as_primitive_opt::<Int64Type>();
                let column =
                    column.ok_or_else(|| self.bad(format!("column {name} is no int64")))?;
                return Ok(Some(column.clone()));
            }
            match batch.column_by_name(name).is_some_and(|c| c.null_count() == c.len()) {
                true => Ok(None),
                false => Err(self.bad(format!("column {name} holds values"))),
            }
        };
        let Some(e) = long("e", true)? else { return Err(self.bad("column e is missing")) };
        let v = full(&mine)?;
        if *v.data_type() != ty.arrow() {
            return Err(self.bad(format!("column {mine} is {}", v.data_type())));
        }
        Ok(Rows {
            e,
            v: Some(Arc::clone(v)),
            t_from: long("t_from", true)?,
            m_from: long("m_from", true)?,
            t_to: long("t_to", want.t_to)?,
            m_to: long("m_to", want.m_to)?,
            ascends: None,
        })
    }

    fn bounds(&self, group: &Bounds, facts: &Facts<'_>) -> Result<()> {
        let agree = |what: &str, told: &RangeInclusive<i64>, column: &[i64]| {
            let found = column.iter().min().zip(column.iter().max());
            match found == Some((told.start(), told.end())) {
                true => Ok(()),
                false => Err(self.bad(format!("its bounds of {what} are not those of its rows"))),
            }
        };
        agree("e", &group.e, facts.e)?;
        agree("t_from", &group.t_from, facts.t_from)?;
        if let Some((t_to, _)) = facts.ends {
            agree("t_to", &group.t_to, t_to)?;
        }
        match fingerprint(facts.e) == group.entities {
            true => Ok(()),
            false => Err(self.bad("its fingerprint of entities is not that of its rows")),
        }
    }

    fn values(&self, group: &Bounds, facts: &Facts<'_>) -> Result<()> {
        for row in 0..facts.e.len() {
            facts.value(row)?;
        }
        let told = match self.entry.order {
            Order::Aevt => (None, None),
            Order::Avet => (bounding(facts.value(0)?), bounding(facts.value(facts.e.len() - 1)?)),
        };
        match told == group.v {
            true => Ok(()),
            false => Err(self.bad("its bounds of v are not those of its rows")),
        }
    }

    /// Facts of a run began in it, or ended in it, or both.
    fn times(&self, group: &Bounds, facts: &Facts<'_>) -> Result<()> {
        let (first, last) = (self.ts.start(), self.ts.end());
        let within = |ts: &RangeInclusive<i64>| first <= ts.start() && ts.end() <= last;
        let began = match self.entry.kind {
            Kind::Closings => group.t_from.end() < first,
            Kind::Current | Kind::History => within(&group.t_from),
        };
        let ended = facts.ends.is_none() || within(&group.t_to);
        let ends = facts.ends.map_or(&[][..], |ends| ends.0);
        let forward = facts.t_from.iter().zip(ends).all(|(from, to)| from < to);
        match began && ended && forward {
            true => Ok(()),
            false => Err(self.bad(format!(
                "its facts are not {} of transactions {first} to {last}",
                self.entry.kind.name()
            ))),
        }
    }

    /// The pages that a look at one entity goes by; without an index of them all are read.
    fn pages(&self, metadata: &ArrowReaderMetadata, group: Group<'_>, rows: &Rows) -> Result<()> {
        let bad = || self.bad("its index of pages is not that of its rows");
        let column = metadata.schema().index_of("e").map_err(|_| bad())?;
        let file = metadata.metadata();
        let places = file.offset_index().and_then(|i| i.get(group.index)?.get(column));
        let bounds = file.column_index().and_then(|i| i.get(group.index)?.get(column));
        let (Some(places), Some(ColumnIndexMetaData::INT64(bounds))) = (places, bounds) else {
            return Ok(());
        };
        let firsts: Vec<usize> =
            places.page_locations().iter().map(|p| p.first_row_index.max(0) as usize).collect();
        let (low, high) = (bounds.min_values(), bounds.max_values());
        if firsts.first() != Some(&0) || low.len() != firsts.len() || high.len() != firsts.len() {
            return Err(bad());
        }
        for (n, first) in firsts.iter().enumerate() {
            let end = firsts.get(n + 1).copied().unwrap_or(rows.len());
            let page = rows.e.values().get(*first..end).ok_or_else(bad)?;
            if page.iter().min() != Some(&low[n]) || page.iter().max() != Some(&high[n]) {
                return Err(bad());
            }
        }
        Ok(())
    }
}

/// Every row must hold this text.
fn constant(batch: &RecordBatch, column: &str, text: &str) -> Result<()> {
    let bad = || Error::data("column", format!("{column} is not {text} throughout"));
    let array = batch.column_by_name(column).filter(|c| c.null_count() == 0).ok_or_else(bad)?;
    let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(bad)?;
    let values = array.values().as_string_opt::<i32>().ok_or_else(bad)?;
    let same: Vec<bool> = values.iter().map(|v| v == Some(text)).collect();
    let is_same = |key: &i32| same.get(*key as usize) == Some(&true);
    if array.keys().values().iter().all(is_same) { Ok(()) } else { Err(bad()) }
}

/// The value as a description keeps it: a long one is not kept.
fn bounding(v: Value) -> Option<Value> {
    bound(Some(v.clone())).map(|_| v)
}

fn stat(ty: ValueType, kind: Kind, rows: &Rows) -> Result<Stat> {
    let (open, closed) = (Rows::empty(ty, Want::OPEN), Rows::empty(ty, Want::ALL));
    match kind {
        Kind::Current => Stat::of(ty, rows, &closed, &closed),
        Kind::History => Stat::of(ty, &open, rows, &closed),
        Kind::Closings => Stat::of(ty, &open, &closed, rows),
    }
}
