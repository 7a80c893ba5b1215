//! CSV as `COPY ... WITH (FORMAT csv, HEADER)` writes it: values as psql shows them, absent ones empty, empty texts `""`.

use crate::cli::render::csv_field;
use crate::pg::encode::text::Style;
use crate::pg::encode::{self, Column};
use bytes::BytesMut;
use daodb_catalog::{Error, SqlState};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;

pub struct Csv {
    columns: Vec<Column>,
    style: Style,
}

impl Csv {
    pub fn new(schema: &Schema, style: Style) -> Result<Csv, Error> {
        Ok(Csv { columns: encode::columns(schema).map_err(|e| *e)?, style })
    }

    pub fn head(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|c| csv_field(&c.name)).collect();
        format!("{}\n", names.join(","))
    }

    pub fn batch(&self, batch: &RecordBatch) -> Result<String, Error> {
        let cells = encode::cells(batch, &self.columns, &self.style).map_err(|e| *e)?;
        let (mut out, mut text) = (String::new(), BytesMut::new());
        for row in 0..batch.num_rows() {
            for (i, cell) in cells.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                if cell.is_null(row) {
                    continue;
                }
                text.clear();
                cell.write(row, &mut text).map_err(|e| *e)?;
                out.push_str(&csv_field(utf8(&text)?));
            }
            out.push('\n');
        }
        Ok(out)
    }
}

/// A value's text on the wire.
pub fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes)
        .map_err(|e| Error::new(SqlState::INTERNAL, format!("a value is no text: {e}")))
}
