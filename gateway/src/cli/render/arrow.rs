//! Arrow's streaming format, as pyarrow, polars and DuckDB read it from a pipe or a file.

use super::{Broken, Rows};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::ipc::writer::StreamWriter;
use std::io::Write;

pub struct Arrow<'a>(StreamWriter<&'a mut dyn Write>);

impl<'a> Arrow<'a> {
    pub fn new(schema: &Schema, out: &'a mut dyn Write) -> Result<Self, Broken> {
        Ok(Arrow(StreamWriter::try_new(out, schema)?))
    }
}

impl Rows for Arrow<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        Ok(self.0.write(batch)?)
    }

    fn end(&mut self) -> Result<(), Broken> {
        Ok(self.0.finish()?)
    }
}
