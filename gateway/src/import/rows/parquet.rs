//! Parquet, batch by batch. Dates and times without a zone are instants of UTC.

use super::{Cell, Fault, Place, Row, Rows};
use crate::forms;
use daodb_datalog::edn::Form;
use daodb_storage::ValueType;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use std::fs::File;
use std::sync::Arc;

const BATCH: usize = 1024;

pub struct Parquet {
    batches: ParquetRecordBatchReader,
    names: Vec<String>,
    /// What values of a column are, where the file was written by `daodb export`.
    tags: Vec<Option<ValueType>>,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    at: usize,
    rows: u64,
}

impl Parquet {
    pub fn open(file: File) -> Result<Parquet, Fault> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
        let fields = builder.schema().fields().clone();
        let names = fields.iter().map(|f| f.name().clone()).collect();
        let tags = fields.iter().map(|f| forms::shown_type(f)).collect();
        let batches = builder.with_batch_size(BATCH).build().map_err(unreadable)?;
        Ok(Parquet { batches, names, tags, batch: None, at: 0, rows: 0 })
    }

    /// The next batch that has rows, as types that forms stand for.
    fn batch(&mut self) -> Result<Option<RecordBatch>, Fault> {
        for batch in self.batches.by_ref() {
            let batch = batch.map_err(unreadable)?;
            if batch.num_rows() > 0 {
                return plain(&batch).map(Some);
            }
        }
        Ok(None)
    }
}

impl Rows for Parquet {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self) -> Result<Option<Row>, Fault> {
        if self.batch.as_ref().is_none_or(|batch| self.at >= batch.num_rows()) {
            self.batch = self.batch()?;
            self.at = 0;
        }
        let Some(batch) = &self.batch else { return Ok(None) };
        let place = Place { row: self.rows + 1, line: None };
        let mut cells = Vec::with_capacity(self.names.len());
        for ((column, name), tag) in batch.columns().iter().zip(&self.names).zip(&self.tags) {
            let form = forms::cell(column, self.at, *tag)
                .map_err(|e| Fault::new(e.message).at(place).column(name))?;
            cells.push(match form {
                Some(Form::Nil) => Cell::Absent,
                Some(form) => Cell::Form(form),
                None => {
                    let text = format!("values of type {} are not imported", column.data_type());
                    let hint = "write it as text, or leave the column out";
                    return Err(Fault::new(text).at(place).column(name).hint(hint));
                }
            });
        }
        self.at += 1;
        self.rows += 1;
        Ok(Some(Row { place, cells }))
    }
}

fn plain(batch: &RecordBatch) -> Result<RecordBatch, Fault> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    let mut fields = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        let wanted = plain_type(column.data_type());
        let column = match &wanted == column.data_type() {
            true => Arc::clone(column),
            false => {
                cast(column, &wanted).map_err(|e| Fault::new(e.to_string()).column(field.name()))?
            }
        };
        fields.push(Field::new(field.name(), wanted, true));
        columns.push(column);
    }
    let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(fields));
    RecordBatch::try_new(schema, columns).map_err(|e| Fault::new(e.to_string()))
}

/// A type that [`forms::cell`] takes, for one that says the same.
fn plain_type(ty: &DataType) -> DataType {
    let instant = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    match ty {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => instant(),
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            let item = item.as_ref().clone();
            let ty = plain_type(item.data_type());
            DataType::List(Arc::new(item.with_data_type(ty).with_nullable(true)))
        }
        other => other.clone(),
    }
}

fn unreadable(e: impl std::fmt::Display) -> Fault {
    Fault::new(format!("cannot be read as Parquet: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_say_the_same() {
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let list = |ty| DataType::List(Arc::new(Field::new("item", ty, true)));
        for (ty, expect) in [
            (DataType::Date32, instant.clone()),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), instant.clone()),
            (
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                DataType::Utf8,
            ),
            (DataType::FixedSizeBinary(16), DataType::Binary),
            (
                DataType::LargeList(Arc::new(Field::new("item", DataType::Date32, false))),
                list(instant),
            ),
            (DataType::Int64, DataType::Int64),
        ] {
            assert_eq!(plain_type(&ty), expect, "{ty}");
        }
    }
}
