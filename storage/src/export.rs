//! What an export gives out: datoms batch by batch, and Parquet files that any reader takes.

use crate::datom::{Attr, Datom};
use crate::error::{Error, Result};
use crate::index::block::Kind;
use crate::index::rows::Rows;
use crate::log::{Head, datom_columns, datom_schema};
use crate::snapshot::{FactColumns, Slice, Snapshot};
use crate::stream::Stream;
use crate::value::ValueType;
use crate::verify::sums::Facts;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::ArrowWriterOptions;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, future};
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// Datoms of a batch, about.
const ROWS: usize = 16 << 10;
/// Rows of a Parquet file that are in memory at a time.
const GROUP_ROWS: usize = 128 << 10;

/// The facts that a snapshot shows, each as the datom that asserted it, by attribute and entity. For what was retracted, see
/// [`events`]: a history view would show of it the assertions alone.
pub fn datoms(snapshot: &Snapshot) -> BoxStream<'static, Result<Vec<Datom>>> {
    let attributes: BTreeSet<Attr> = snapshot.attributes().map(|s| s.a.clone()).collect();
    let (of_ranges, snapshot) = (snapshot.clone(), snapshot.clone());
    let slices = move |a: Attr| {
        let snapshot = of_ranges.clone();
        async move {
            let ranges =
                snapshot.ranges(std::slice::from_ref(&a), i64::MIN..i64::MAX, ROWS).await?;
            let slices = ranges.into_iter().map(move |e| Ok((a.clone(), e)));
            Ok::<_, Error>(stream::iter(slices))
        }
    };
    let read = move |slice: Result<(Attr, Range<i64>)>| {
        let snapshot = snapshot.clone();
        async move {
            let (a, e) = slice?;
            read(snapshot, a, e).await
        }
    };
    stream::iter(attributes).then(slices).try_flatten().map(read).buffered(2).boxed()
}

async fn read(snapshot: Snapshot, a: Attr, e: Range<i64>) -> Result<Vec<Datom>> {
    let slice = Slice { a, e, values: true, times: true, touched: None };
    let mut datoms = Vec::new();
    for part in snapshot.slice(&slice).await? {
        let ty = part.value_type;
        let rows = rows(part)?;
        Facts::of(ty, &rows)?.events(Kind::Current, |event| {
            let (a, added) = (slice.a.clone(), event.added);
            datoms.push(Datom { e: event.e, a, v: event.v, t: event.t, m: event.m, added });
        })?;
    }
    Ok(datoms)
}

fn rows(part: FactColumns) -> Result<Rows> {
    let Some(times) = part.times else {
        return Err(Error::internal("facts were read without their times"));
    };
    let long =
        |array: &datafusion::arrow::array::ArrayRef| array.as_primitive::<Int64Type>().clone();
    Ok(Rows {
        e: long(&part.e),
        v: part.v,
        t_from: Some(long(&times.t_from)),
        m_from: Some(long(&times.m_from)),
        t_to: None,
        m_to: None,
        ascends: None,
    })
}

/// All datoms of the log after transaction `after` up to `last`, retractions too, in the order in which they were written.
pub fn events(stream: &Stream, after: i64, last: i64) -> BoxStream<'_, Result<Vec<Datom>>> {
    let transactions = stream.log().read_after(Head::START);
    let within = transactions.try_take_while(move |tx| future::ok(tx.header.t <= last));
    within
        .try_filter(move |tx| future::ready(tx.header.t > after))
        .map_ok(|tx| tx.datoms.to_vec())
        .boxed()
}

/// A Parquet file that is written row by row, a row group of it in memory.
pub struct ParquetFile<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

fn failed(e: ParquetError) -> Error {
    match e {
        ParquetError::External(e) => Error::io("writing Parquet", e),
        e => Error::io("writing Parquet", e),
    }
}

impl<W: Write + Send> ParquetFile<W> {
    pub fn new(schema: SchemaRef, out: W) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by("daodb".to_owned())
            .set_compression(Compression::LZ4_RAW)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        // What Arrow would add is of use to Arrow alone.
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(out, Arc::clone(&schema), options);
        Ok(Self { writer: writer.map_err(failed)?, schema })
    }

    /// A file of datoms: the columns of a log object, those of all value types, so that every export has the same.
    pub fn of_datoms(out: W) -> Result<Self> {
        Self::new(datom_schema(&ValueType::ALL), out)
    }

    /// Of a file [`of_datoms`](Self::of_datoms).
    pub fn datoms(&mut self, datoms: &[Datom]) -> Result<()> {
        let rows: Vec<&Datom> = datoms.iter().collect();
        let batch = datom_columns(&self.schema, &ValueType::ALL, &rows);
        let batch = batch.map_err(|e| Error::internal(format!("columns of datoms: {e}")))?;
        self.batch(&batch)
    }

    pub fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(failed)
    }

    /// Writes the rest and the footer.
    pub fn finish(self) -> Result<W> {
        self.writer.into_inner().map_err(failed)
    }
}
