//! JSON: an array of objects, or a line an object. Absent values are `null`, instants are ISO 8601.

use super::{Broken, Rows};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::json::WriterBuilder;
use datafusion::arrow::json::writer::{JsonArray, LineDelimited, Writer};
use std::io::Write;

pub enum Shape {
    Array,
    Lines,
}

pub enum Json<'a> {
    Array(Writer<&'a mut dyn Write, JsonArray>),
    Lines(Writer<&'a mut dyn Write, LineDelimited>),
}

impl<'a> Json<'a> {
    pub fn new(out: &'a mut dyn Write, shape: Shape) -> Self {
        let options = WriterBuilder::new().with_explicit_nulls(true);
        match shape {
            Shape::Array => Json::Array(options.build(out)),
            Shape::Lines => Json::Lines(options.build(out)),
        }
    }
}

impl Rows for Json<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        match self {
            Json::Array(writer) => writer.write(batch)?,
            Json::Lines(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        match self {
            Json::Array(writer) => {
                writer.finish()?;
                writeln!(writer.get_mut())?;
            }
            Json::Lines(writer) => writer.finish()?,
        }
        Ok(())
    }
}
