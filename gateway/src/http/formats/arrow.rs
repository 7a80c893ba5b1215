//! Arrow's streaming format: a schema, then a message a batch, as pyarrow, polars and DuckDB read it.

use daodb_catalog::Error;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::DataFusionError;

pub struct Arrow(StreamWriter<Vec<u8>>);

impl Arrow {
    pub fn new(schema: &Schema) -> Result<Arrow, Error> {
        Ok(Arrow(StreamWriter::try_new(Vec::new(), schema).map_err(failed)?))
    }

    pub fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, Error> {
        self.0.write(batch).map_err(failed)?;
        Ok(self.written())
    }

    pub fn end(&mut self) -> Result<Vec<u8>, Error> {
        self.0.finish().map_err(failed)?;
        Ok(self.written())
    }

    /// What was written since the last call; at first the schema.
    pub fn written(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }
}

fn failed(e: datafusion::arrow::error::ArrowError) -> Error {
    DataFusionError::from(e).into()
}
