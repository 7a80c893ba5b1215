//! CSV as `COPY ... WITH (FORMAT csv, HEADER)` writes it.

use super::cell::Columns;
use super::{Broken, Rows};
use datafusion::arrow::array::RecordBatch;
use std::io::Write;

pub struct Csv<'a> {
    out: &'a mut dyn Write,
    columns: Columns,
    headed: bool,
}

impl<'a> Csv<'a> {
    pub fn new(columns: Columns, out: &'a mut dyn Write) -> Self {
        Self { out, columns, headed: false }
    }

    /// Further rows of what has its header already.
    pub fn further(columns: Columns, out: &'a mut dyn Write) -> Self {
        Self { out, columns, headed: true }
    }

    fn head(&mut self) -> Result<(), Broken> {
        if !std::mem::replace(&mut self.headed, true) {
            let names = self.columns.names().map(field);
            writeln!(self.out, "{}", names.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }
}

/// Quoted where a reader would take it for something else; an empty text is told from an absent one.
pub fn field(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']) && text != "\\.";
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

impl Rows for Csv<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        self.head()?;
        let mut cells = self.columns.cells(batch)?;
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            for column in 0..batch.num_columns() {
                if column > 0 {
                    line.push(',');
                }
                if let Some(text) = cells.text(column, row)? {
                    line.push_str(&field(text));
                }
            }
            line.push('\n');
            self.out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.head()
    }
}
