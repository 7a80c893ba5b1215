//! Rows as text: a table as psql draws it, CSV, JSON, EDN; or as Arrow. Batch by batch, so that no result must fit in memory.

mod arrow;
mod cell;
mod csv;
mod edn;
mod json;
mod table;

pub use csv::field as csv_field;
pub use edn::edn;

use super::Failure;
use crate::pg::encode::text::Style;
use cell::Columns;
use clap::ValueEnum;
use daodb_catalog::Error;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{Field, Schema};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::Arc;

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As psql draws it
    Table,
    /// A header, then a line a row; an absent value is empty, an empty text is ""
    Csv,
    /// One array of objects
    Json,
    /// A line an object
    Jsonl,
    /// A map a line, without what is absent
    Edn,
    /// Arrow's streaming format, for a file or a pipe
    Arrow,
}

impl Format {
    /// Bytes are not for a terminal.
    pub fn check(given: Option<Format>) -> Result<(), Failure> {
        match given {
            Some(Format::Arrow) if io::stdout().is_terminal() => {
                let text = "Arrow is bytes, which a terminal cannot show";
                Err(Failure::usage(text).hint("write it to a file: --format arrow > rows.arrows"))
            }
            _ => Ok(()),
        }
    }

    /// What was asked for; else a table for a person, CSV for a pipe.
    pub fn or_default(given: Option<Format>) -> Format {
        given.unwrap_or(match io::stdout().is_terminal() {
            true => Format::Table,
            false => Format::Csv,
        })
    }

    /// What writes one result into `out`.
    pub fn writer<'a>(
        self,
        schema: &Schema,
        style: &Style,
        out: &'a mut dyn Write,
    ) -> Result<Box<dyn Rows + 'a>, Broken> {
        Ok(match self {
            Format::Table => Box::new(table::Table::new(Columns::of(schema, style)?, out)),
            Format::Csv => Box::new(csv::Csv::new(Columns::of(schema, style)?, out)),
            Format::Json => Box::new(json::Json::new(out, json::Shape::Array)),
            Format::Jsonl => Box::new(json::Json::new(out, json::Shape::Lines)),
            Format::Edn => Box::new(edn::Edn(out)),
            Format::Arrow => Box::new(arrow::Arrow::new(schema, out)?),
        })
    }
}

/// CSV, with its header where these are the `first` rows.
pub fn csv<'a>(
    schema: &Schema,
    style: &Style,
    out: &'a mut dyn Write,
    first: bool,
) -> Result<csv::Csv<'a>, Broken> {
    let columns = Columns::of(schema, style)?;
    Ok(match first {
        true => csv::Csv::new(columns, out),
        false => csv::Csv::further(columns, out),
    })
}

impl Format {
    /// Writes one small table.
    pub fn columns(
        self,
        columns: Vec<(&str, ArrayRef)>,
        out: &mut dyn Write,
    ) -> Result<(), Broken> {
        let field = |(name, c): &(&str, ArrayRef)| Field::new(*name, c.data_type().clone(), true);
        let fields: Vec<Field> = columns.iter().map(field).collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let mut rows = self.writer(&batch.schema(), &Style::default(), out)?;
        rows.batch(&batch)?;
        rows.end()
    }
}

/// Writes the batches of one result.
pub trait Rows {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Broken>;
    /// After the last batch.
    fn end(&mut self) -> Result<(), Broken>;
}

/// Why rows were not written.
#[derive(Debug)]
pub enum Broken {
    /// Nobody reads any more (`| head`): no failure, and nothing more to do.
    Closed,
    Failed(Failure),
}

impl From<io::Error> for Broken {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            ErrorKind::BrokenPipe => Broken::Closed,
            _ => Broken::Failed(Failure::failed(format!("cannot write the output: {e}"))),
        }
    }
}

impl From<datafusion::arrow::error::ArrowError> for Broken {
    fn from(e: datafusion::arrow::error::ArrowError) -> Self {
        match e {
            datafusion::arrow::error::ArrowError::IoError(_, e) => e.into(),
            e => Broken::Failed(Failure::failed(format!("a value cannot be printed: {e}"))),
        }
    }
}

impl From<Error> for Broken {
    fn from(e: Error) -> Self {
        Broken::Failed(e.into())
    }
}

impl From<daodb_storage::Error> for Broken {
    fn from(e: daodb_storage::Error) -> Self {
        Broken::Failed(e.into())
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Broken::Failed(failure)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{
        BooleanArray, Float64Array, Int64Array, ListBuilder, StringViewBuilder,
        TimestampMicrosecondArray,
    };

    fn batch() -> RecordBatch {
        let mut names = ListBuilder::new(StringViewBuilder::new());
        names.append_value([Some("a"), Some("b c"), None]);
        names.append_null();
        let mut text = StringViewBuilder::new();
        text.append_value("größe, \"x\"");
        text.append_value("two\nlines");
        let at =
            TimestampMicrosecondArray::from(vec![1_736_154_000_000_000, 1_736_154_000_250_000]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("n", Arc::new(Int64Array::from(vec![Some(7), None]))),
            ("text", Arc::new(text.finish())),
            ("at", Arc::new(at.with_timezone("UTC"))),
            ("names", Arc::new(names.finish())),
            ("ok", Arc::new(BooleanArray::from(vec![true, false]))),
            ("x", Arc::new(Float64Array::from(vec![1.0, 2.5]))),
        ];
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn check(format: Format, expect: &str) {
        let (batch, mut out) = (batch(), Vec::new());
        let mut rows = format.writer(&batch.schema(), &Style::default(), &mut out).unwrap();
        rows.batch(&batch.slice(0, 1)).unwrap();
        rows.batch(&batch.slice(1, 1)).unwrap();
        rows.end().unwrap();
        drop(rows);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn a_table_is_what_psql_draws() {
        check(
            Format::Table,
            concat!(
                " n |    text    |            at             |     names      | ok |  x  \n",
                "---+------------+---------------------------+----------------+----+-----\n",
                " 7 | größe, \"x\" | 2025-01-06 09:00:00+00    | {a,\"b c\",NULL} | t  |   1\n",
                "   | two       +| 2025-01-06 09:00:00.25+00 |                | f  | 2.5\n",
                "   | lines      |                           |                |    | \n",
                "(2 rows)\n\n",
            ),
        );
    }

    #[test]
    fn csv() {
        check(
            Format::Csv,
            "n,text,at,names,ok,x\n\
             7,\"größe, \"\"x\"\"\",2025-01-06 09:00:00+00,\"{a,\"\"b c\"\",NULL}\",t,1\n\
             ,\"two\nlines\",2025-01-06 09:00:00.25+00,,f,2.5\n",
        );
    }

    #[test]
    fn json() {
        let one = r#"{"n":7,"text":"größe, \"x\"","at":"2025-01-06T09:00:00Z","names":["a","b c",null],"ok":true,"x":1.0}"#;
        let two = r#"{"n":null,"text":"two\nlines","at":"2025-01-06T09:00:00.250Z","names":null,"ok":false,"x":2.5}"#;
        check(Format::Jsonl, &format!("{one}\n{two}\n"));
        check(Format::Json, &format!("[{one},{two}]\n"));
    }
}
