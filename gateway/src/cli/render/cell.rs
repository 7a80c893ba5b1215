//! One value as text: what the wire would send.

use super::Broken;
use crate::pg::encode::text::Style;
use crate::pg::encode::{self, Column};
use bytes::BytesMut;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use pgwire::api::Type;

/// The columns of a result.
pub struct Columns {
    columns: Vec<Column>,
    style: Style,
}

impl Columns {
    pub fn of(schema: &Schema, style: &Style) -> Result<Self, Broken> {
        let columns = encode::columns(schema).map_err(|e| *e)?;
        Ok(Self { columns, style: style.clone() })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.name.as_str())
    }

    /// psql prints these to the right.
    pub fn is_number(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| {
            [
                Type::INT2,
                Type::INT4,
                Type::INT8,
                Type::FLOAT4,
                Type::FLOAT8,
                Type::NUMERIC,
                Type::OID,
            ]
            .contains(&column.ty)
        })
    }

    pub fn cells(&self, batch: &RecordBatch) -> Result<Cells, Broken> {
        let cells = encode::cells(batch, &self.columns, &self.style).map_err(|e| *e)?;
        Ok(Cells { cells, text: BytesMut::new() })
    }
}

/// The values of a batch.
pub struct Cells {
    cells: Vec<encode::Cells>,
    text: BytesMut,
}

impl Cells {
    /// None for an absent value.
    pub fn text(&mut self, column: usize, row: usize) -> Result<Option<&str>, Broken> {
        let Some(cell) = self.cells.get(column).filter(|cell| !cell.is_null(row)) else {
            return Ok(None);
        };
        self.text.clear();
        cell.write(row, &mut self.text).map_err(|e| *e)?;
        let text = std::str::from_utf8(&self.text);
        Ok(Some(text.map_err(|e| super::Failure::failed(format!("a value is no text: {e}")))?))
    }
}
