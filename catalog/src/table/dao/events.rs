//! `dao.datoms` and `dao.changes`: facts read back as the events that made them, attribute by attribute.
//!
//! A datom is one row. A change is one row a value: where a cardinality-one value replaces another in the same
//! transaction, old and new stand in one row. `dao.changes` leaves out the database's own attributes; both leave out,
//! under `since`, retractions of facts asserted before it.

use super::super::instants::{Instants, instant_type};
use super::super::names::hidden;
use super::super::provenance::{self, Said};
use super::super::scan::bounds::{Bounds, bounds, integer_points, points};
use super::super::scan::filter::{self, Filter, mask_all};
use super::super::scan::{ScanExec, Source};
use super::super::star::chunk::Chunk;
use super::super::types;
use super::{FOUNDING_STREAM, schema_of};
use crate::database::Database;
use crate::schema::{Cardinality, Schema};
use async_trait::async_trait;
use daodb_storage::{Attr, OPEN, Slice, Snapshot};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions,
    StringViewArray,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ScalarValue, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

const CHUNK_ROWS: usize = 65_536;

/// Both relations begin with these three, so that filters on them are found at the same place.
const ENTITY: usize = 0;
const ATTRIBUTE: usize = 1;
const T: usize = 2;
/// The first of the columns of `dao.changes` that tell who made the transaction.
const AUTHOR: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Datoms,
    Changes,
}

impl Kind {
    fn schema(self) -> SchemaRef {
        use DataType::{Boolean, Int64, Utf8View};
        match self {
            Kind::Datoms => schema_of(&[
                ("e", Int64),
                ("a", Utf8View),
                ("t", Int64),
                ("v", Utf8View),
                ("type", Utf8View),
                ("m", Int64),
                ("added", Boolean),
                ("stream", Int64),
            ]),
            Kind::Changes => schema_of(&[
                ("entity", Int64),
                ("attribute", Utf8View),
                ("t", Int64),
                ("at", instant_type()),
                ("table_name", Utf8View),
                ("column_name", Utf8View),
                ("old_value", Utf8View),
                ("new_value", Utf8View),
                ("author", Utf8View),
                ("client", Utf8View),
                ("reason", Utf8View),
            ]),
        }
    }
}

pub struct EventTable {
    kind: Kind,
    database: Arc<Database>,
    /// Without a history view, and with one.
    plain: Snapshot,
    snapshot: Snapshot,
}

impl EventTable {
    pub fn datoms(database: &Arc<Database>, snapshot: &Snapshot) -> EventTable {
        EventTable::new(Kind::Datoms, database, snapshot)
    }
    pub fn changes(database: &Arc<Database>, snapshot: &Snapshot) -> EventTable {
        EventTable::new(Kind::Changes, database, snapshot)
    }
    fn new(kind: Kind, database: &Arc<Database>, plain: &Snapshot) -> EventTable {
        let (database, snapshot) = (Arc::clone(database), plain.history());
        EventTable { kind, database, plain: plain.clone(), snapshot }
    }
}

impl fmt::Debug for EventTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.kind, self.snapshot.t())
    }
}

#[async_trait]
impl TableProvider for EventTable {
    fn schema(&self) -> SchemaRef {
        self.kind.schema()
    }
    fn table_type(&self) -> TableType {
        TableType::View
    }
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filter::pushdown(filters))
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let full = self.kind.schema();
        let filters = filter::compile(state, filters, &full)?;
        let projection: Vec<usize> =
            projection.cloned().unwrap_or_else(|| (0..full.fields().len()).collect());
        let tables = self.database.tables(&self.snapshot).await?;
        let shown = tables
            .iter()
            .flat_map(|t| t.columns.iter().map(|c| (c.a.clone(), (t.name.clone(), c.name.clone()))))
            .collect();
        let scan = EventScan {
            kind: self.kind,
            chunks: chunks(self.kind, &self.snapshot, &filters).await?.into(),
            plain: self.plain.clone(),
            snapshot: self.snapshot.clone(),
            attributes: self.database.schema(&self.snapshot).await?,
            shown: Arc::new(shown),
            touched: bounds(&filters, T),
            schema: Arc::new(full.project(&projection)?),
            projection,
            filters,
        };
        Ok(ScanExec::new(Arc::new(scan), state.config_options().execution.target_partitions, limit))
    }
}

/// What may hold rows that pass the filters: a few attributes, a few entities.
async fn chunks(
    kind: Kind,
    snapshot: &Snapshot,
    filters: &[Arc<Filter>],
) -> Result<Vec<(Attr, Chunk)>> {
    let within = bounds(filters, ENTITY);
    let named = integer_points(filters, ENTITY);
    let wanted = points(filters, ATTRIBUTE);
    let is_wanted = |a: &Attr| {
        wanted.as_ref().is_none_or(|w| {
            w.iter().any(|v| matches!(v, ScalarValue::Utf8View(Some(s)) | ScalarValue::Utf8(Some(s)) if s == a.as_str()))
        })
    };
    let attributes: BTreeSet<Attr> = snapshot.attributes().map(|s| s.a.clone()).collect();
    let shown =
        attributes.into_iter().filter(|a| kind == Kind::Datoms || !hidden(a)).filter(is_wanted);
    let mut chunks = Vec::new();
    for a in shown {
        if let Some(es) = &named {
            chunks.push((a, Chunk::Entities(es.clone().into())));
            continue;
        }
        let ranges = snapshot.ranges(std::slice::from_ref(&a), within.range(), CHUNK_ROWS).await?;
        chunks.extend(ranges.into_iter().map(|r| (a.clone(), Chunk::Range(r))));
    }
    Ok(chunks)
}

#[derive(Clone)]
struct EventScan {
    kind: Kind,
    plain: Snapshot,
    snapshot: Snapshot,
    attributes: Arc<Schema>,
    /// Table and column of an attribute.
    shown: Arc<HashMap<Attr, (String, String)>>,
    chunks: Arc<[(Attr, Chunk)]>,
    touched: Bounds,
    schema: SchemaRef,
    projection: Vec<usize>,
    filters: Vec<Arc<Filter>>,
}

impl fmt::Debug for EventScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

/// A fact of one attribute; its value is a row of the chunk's texts.
struct Held {
    e: i64,
    value: usize,
    ty: &'static str,
    t_from: i64,
    m_from: i64,
    t_to: i64,
    m_to: i64,
}

#[async_trait]
impl Source for EventScan {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Datoms => "DatomScan",
            Kind::Changes => "ChangeScan",
        }
    }
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.schema.fields().iter().map(|f| f.name().as_str()).collect();
        write!(f, "columns=[{}], as_of={}", columns.join(", "), self.snapshot.t())
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn full_schema(&self) -> SchemaRef {
        self.kind.schema()
    }
    fn chunks(&self) -> usize {
        self.chunks.len()
    }
    fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
    }
    fn with_filters(&self, filters: Vec<Arc<Filter>>) -> Arc<dyn Source> {
        let mut scan = self.clone();
        scan.filters.extend(filters);
        Arc::new(scan)
    }
    fn statistics(&self) -> Statistics {
        Statistics::new_unknown(&self.schema)
    }

    async fn read(&self, chunk: usize, _: Option<&[i64]>) -> Result<RecordBatch> {
        let Some((a, chunk)) = self.chunks.get(chunk) else {
            return Err(DataFusionError::Internal(format!("no chunk {chunk}")));
        };
        if self.touched.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        let (facts, texts) = self.facts(a, chunk).await?;
        let columns = match self.kind {
            Kind::Datoms => self.datoms(a, &facts, &texts),
            Kind::Changes => self.changes(a, &facts, &texts).await?,
        };
        self.batch(&columns)
    }
}

impl EventScan {
    /// The facts of a chunk that began or ended within the bounds on t, sorted by e; and the texts of their values.
    async fn facts(&self, a: &Attr, chunk: &Chunk) -> Result<(Vec<Held>, Vec<StringViewArray>)> {
        let parts = match chunk {
            Chunk::Range(e) => {
                let touched =
                    (self.touched != Bounds::ALL).then_some((self.touched.low, self.touched.high));
                let slice =
                    Slice { a: a.clone(), e: e.clone(), values: true, times: true, touched };
                self.snapshot.slice(&slice).await?
            }
            Chunk::Entities(_) => chunk.facts(&self.snapshot, a, true, true).await?,
        };
        let (mut facts, mut texts, mut value) = (Vec::new(), Vec::new(), 0);
        for part in parts {
            let (Some(v), Some(times)) = (&part.v, &part.times) else {
                return Err(DataFusionError::Internal(format!("{a} came without values or times")));
            };
            let long = |array: &ArrayRef| array.as_primitive::<Int64Type>().clone();
            let e = long(&part.e);
            let (t_from, m_from) = (long(&times.t_from), long(&times.m_from));
            let (t_to, m_to) = (long(&times.t_to), long(&times.m_to));
            for i in 0..e.len() {
                facts.push(Held {
                    e: e.value(i),
                    value: value + i,
                    ty: part.value_type.name(),
                    t_from: t_from.value(i),
                    m_from: m_from.value(i),
                    t_to: t_to.value(i),
                    m_to: m_to.value(i),
                });
            }
            value += e.len();
            texts.push(types::text(part.value_type, v)?.as_string_view().clone());
        }
        facts.sort_by_key(|f| f.e);
        Ok((facts, texts))
    }

    fn within(&self, t: i64) -> bool {
        t != OPEN && self.touched.low <= t && t <= self.touched.high
    }

    fn datoms(&self, a: &Attr, facts: &[Held], texts: &[StringViewArray]) -> Vec<ArrayRef> {
        /// A fact's beginning or end: its t, its m, and whether it was asserted there.
        type Event<'a> = (&'a Held, i64, i64, bool);
        let mut rows: Vec<Event<'_>> = Vec::new();
        for fact in facts {
            rows.extend(self.within(fact.t_from).then_some((fact, fact.t_from, fact.m_from, true)));
            rows.extend(self.within(fact.t_to).then_some((fact, fact.t_to, fact.m_to, false)));
        }
        let long = |f: &dyn Fn(&Event<'_>) -> i64| -> ArrayRef {
            Arc::new(rows.iter().map(f).collect::<Int64Array>())
        };
        let text = |f: &dyn Fn(&Held) -> &'static str| -> ArrayRef {
            Arc::new(rows.iter().map(|r| Some(f(r.0))).collect::<StringViewArray>())
        };
        vec![
            long(&|r| r.0.e),
            constant(a.as_str(), rows.len()),
            long(&|r| r.1),
            gather(texts, rows.iter().map(|r| Some(r.0.value))),
            text(&|f| f.ty),
            long(&|r| r.2),
            Arc::new(BooleanArray::from(rows.iter().map(|r| r.3).collect::<Vec<_>>())),
            long(&|_| FOUNDING_STREAM),
        ]
    }

    async fn changes(
        &self,
        a: &Attr,
        facts: &[Held],
        texts: &[StringViewArray],
    ) -> Result<Vec<ArrayRef>> {
        let one = self.attributes.get(a).is_none_or(|a| a.cardinality == Cardinality::One);
        let mut rows = Vec::new();
        for entity in facts.chunk_by(|x, y| x.e == y.e) {
            changes_of(entity, one, &mut rows);
        }
        rows.retain(|r| self.within(r.t));
        let instants = match self.needs(T + 1) {
            true => Instants::of(&self.snapshot, rows.iter().map(|r| r.t)).await?,
            false => Instants::none(),
        };
        let shown = self.shown.get(a);
        let name = |n: Option<&String>| constant(n.map_or("", String::as_str), rows.len());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.e).collect::<Int64Array>()),
            constant(a.as_str(), rows.len()),
            Arc::new(rows.iter().map(|r| r.t).collect::<Int64Array>()),
            instants.column(rows.iter().map(|r| Some(r.t))),
            name(shown.map(|s| &s.0)),
            name(shown.map(|s| &s.1)),
            gather(texts, rows.iter().map(|r| r.old)),
            gather(texts, rows.iter().map(|r| r.new)),
        ];
        for (at, (_, a)) in provenance::COLUMNS.into_iter().enumerate() {
            let ts = rows.iter().map(|r| r.t);
            let said = match self.needs(AUTHOR + at) {
                true => Said::of(&self.plain, a, ts.clone()).await?,
                false => Said::none(),
            };
            columns.push(said.column(ts));
        }
        Ok(columns)
    }

    fn needs(&self, column: usize) -> bool {
        self.projection.contains(&column)
            || self.filters.iter().any(|f| f.columns.contains(&column))
    }

    fn batch(&self, columns: &[ArrayRef]) -> Result<RecordBatch> {
        let rows = columns.first().map_or(0, |c| c.len());
        let mask = mask_all(&self.filters, rows, &|c| Ok(Arc::clone(&columns[c])))?;
        let arrays = self.projection.iter().map(|c| Arc::clone(&columns[*c])).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        match mask {
            Some(mask) => Ok(filter_record_batch(&batch, &mask)?),
            None => Ok(batch),
        }
    }
}

/// A change of one entity: rows of the texts.
#[derive(Debug, PartialEq)]
struct Change {
    e: i64,
    t: i64,
    old: Option<usize>,
    new: Option<usize>,
}

/// The changes of one entity's attribute, in order of t.
fn changes_of(facts: &[Held], one: bool, out: &mut Vec<Change>) {
    let mut events: Vec<(i64, bool, usize)> = Vec::with_capacity(facts.len() * 2);
    for fact in facts {
        events.push((fact.t_from, true, fact.value));
        events.extend((fact.t_to != OPEN).then_some((fact.t_to, false, fact.value)));
    }
    events.sort_unstable();
    for at_once in events.chunk_by(|x, y| x.0 == y.0) {
        let (e, t) = (facts[0].e, at_once[0].0);
        let of = |added| at_once.iter().filter(move |ev| ev.1 == added).map(|ev| ev.2);
        let (mut old, mut new) = (of(false), of(true));
        if one {
            loop {
                let (old, new) = (old.next(), new.next());
                if old.is_none() && new.is_none() {
                    break;
                }
                out.push(Change { e, t, old, new });
            }
        } else {
            out.extend(old.map(|v| Change { e, t, old: Some(v), new: None }));
            out.extend(new.map(|v| Change { e, t, old: None, new: Some(v) }));
        }
    }
}

fn constant(text: &str, rows: usize) -> ArrayRef {
    Arc::new(std::iter::repeat_n(Some(text), rows).collect::<StringViewArray>())
}

/// Texts by their row in the whole of `texts`.
fn gather(texts: &[StringViewArray], rows: impl Iterator<Item = Option<usize>>) -> ArrayRef {
    let text = |mut row: usize| {
        for part in texts {
            if row < part.len() {
                return Some(part.value(row));
            }
            row -= part.len();
        }
        None
    };
    Arc::new(rows.map(|row| row.and_then(text)).collect::<StringViewArray>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: bool, facts: &[(i64, i64)], expect: &[(i64, Option<usize>, Option<usize>)]) {
        let facts: Vec<Held> = facts
            .iter()
            .enumerate()
            .map(|(value, (t_from, t_to))| Held {
                e: 1,
                value,
                ty: "long",
                t_from: *t_from,
                m_from: 1,
                t_to: *t_to,
                m_to: 0,
            })
            .collect();
        let mut out = Vec::new();
        changes_of(&facts, one, &mut out);
        let expect: Vec<Change> = expect
            .iter()
            .map(|(t, old, new)| Change { e: 1, t: *t, old: *old, new: *new })
            .collect();
        assert_eq!(out, expect);
    }

    #[test]
    fn a_replacement_is_one_row() {
        let facts = [(5, 7), (7, 9)];
        check(true, &facts, &[(5, None, Some(0)), (7, Some(0), Some(1)), (9, Some(1), None)]);
    }

    #[test]
    fn many_values_change_apart() {
        let facts = [(5, 7), (7, OPEN)];
        check(false, &facts, &[(5, None, Some(0)), (7, Some(0), None), (7, None, Some(1))]);
    }
}
