//! `COPY ... TO STDOUT`: a row a message, in COPY's text, CSV or binary format.

use super::encode::text::Style;
use super::encode::{self, Cells, Column, message};
use super::errors::{Failure, Result};
use super::rows::Producer;
use super::wire::Writer;
use bytes::{BufMut, BytesMut};
use daodb_catalog::session::{CopyFormat, CopyOptions};
use datafusion::execution::SendableRecordBatchStream;
use pgwire::messages::PgWireBackendMessage as Backend;
use pgwire::messages::copy::{CopyDone, CopyOutResponse};

const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

pub struct CopyOut {
    columns: Vec<Column>,
    style: Style,
    options: CopyOptions,
    /// By column: `FORCE_QUOTE`.
    forced: Vec<bool>,
    producer: Producer,
}

impl CopyOut {
    pub fn new(
        stream: SendableRecordBatchStream,
        columns: Vec<Column>,
        style: Style,
        options: CopyOptions,
    ) -> Result<Self> {
        let code = i16::from(options.format == CopyFormat::Binary);
        let columns = encode::formatted(columns, &[code])?;
        let forced = |c: &Column| options.force_quote.iter().any(|q| q == "*" || *q == c.name);
        let forced = columns.iter().map(forced).collect();
        Ok(Self { columns, style, options, forced, producer: Producer::start(stream) })
    }

    /// Says how many rows there were.
    pub async fn send(&mut self, writer: &mut Writer) -> Result<u64, Failure> {
        let binary = self.options.format == CopyFormat::Binary;
        let codes = vec![i16::from(binary); self.columns.len()];
        let columns = i16::try_from(codes.len()).unwrap_or(i16::MAX);
        let response = CopyOutResponse::new(i8::from(binary), columns, codes);
        writer.send(Backend::CopyOutResponse(response))?;
        if self.options.header && !binary {
            data(&mut writer.out, |out| {
                self.header(out);
                Ok(())
            })?;
        }
        // Drivers take a message for a row: the header comes with the first one, or with the end, as Postgres sends it.
        let mut before: &[u8] = if binary { BINARY_HEADER } else { &[] };
        let mut rows = 0;
        while let Some(batch) = self.producer.next().await? {
            let cells = encode::cells(&batch, &self.columns, &self.style)?;
            for row in 0..batch.num_rows() {
                data(&mut writer.out, |out| {
                    out.put_slice(std::mem::take(&mut before));
                    self.row(&cells, row, out)
                })?;
                if writer.room() == 0 {
                    writer.flush().await?;
                }
            }
            rows += batch.num_rows() as u64;
        }
        if binary {
            data(&mut writer.out, |out| {
                out.put_slice(before);
                out.put_i16(-1);
                Ok(())
            })?;
        }
        writer.send(Backend::CopyDone(CopyDone::new()))?;
        Ok(rows)
    }

    fn header(&self, out: &mut BytesMut) {
        for (n, column) in self.columns.iter().enumerate() {
            if n > 0 {
                put_char(self.options.delimiter, out);
            }
            let start = out.len();
            out.put_slice(column.name.as_bytes());
            match self.options.format {
                CopyFormat::Csv => self.csv(start, false, out),
                _ => self.escape(start, out),
            }
        }
        out.put_u8(b'\n');
    }

    fn row(&self, cells: &[Cells], row: usize, out: &mut BytesMut) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            out.put_u16(cells.len() as u16);
            return cells.iter().try_for_each(|cell| cell.write_sized(row, out));
        }
        for (n, cell) in cells.iter().enumerate() {
            if n > 0 {
                put_char(self.options.delimiter, out);
            }
            if cell.is_null(row) {
                out.put_slice(self.options.null.as_bytes());
                continue;
            }
            let start = out.len();
            cell.write(row, out)?;
            match self.options.format {
                CopyFormat::Csv => {
                    self.csv(start, self.forced.get(n).copied().unwrap_or(false), out);
                }
                _ => self.escape(start, out),
            }
        }
        out.put_u8(b'\n');
        Ok(())
    }

    /// COPY's text format: a backslash before what would end a value, and C's escapes.
    fn escape(&self, start: usize, out: &mut BytesMut) {
        let delimiter = u8::try_from(self.options.delimiter).unwrap_or(b'\t');
        let special = |b: u8| b == b'\\' || b == delimiter || matches!(b, 8..=13);
        let value = out.get(start..).unwrap_or_default();
        if !value.iter().any(|b| special(*b)) {
            return;
        }
        for b in out.split_off(start) {
            let letter = match b {
                8 => b'b',
                9 => b't',
                10 => b'n',
                11 => b'v',
                12 => b'f',
                13 => b'r',
                b => b,
            };
            if special(b) {
                out.put_u8(b'\\');
            }
            out.put_u8(letter);
        }
    }

    /// CSV: between quotes where it would be read as something else without.
    fn csv(&self, start: usize, forced: bool, out: &mut BytesMut) {
        let o = &self.options;
        let value = out.get(start..).unwrap_or_default();
        let is = |b: u8, c: char| u8::try_from(c) == Ok(b);
        let special = |b: &u8| is(*b, o.delimiter) || is(*b, o.quote) || matches!(b, b'\n' | b'\r');
        let alone = self.columns.len() == 1 && value == b"\\.";
        if !forced && !alone && value != o.null.as_bytes() && !value.iter().any(special) {
            return;
        }
        let value = out.split_off(start);
        put_char(o.quote, out);
        for b in value {
            if is(b, o.quote) || is(b, o.escape) {
                put_char(o.escape, out);
            }
            out.put_u8(b);
        }
        put_char(o.quote, out);
    }
}

fn put_char(c: char, out: &mut BytesMut) {
    out.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A CopyData message. Where its row cannot be written, nothing of it stays in `out`.
fn data(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
    let start = out.len();
    let written = message(out, b'd', body);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_plan::EmptyRecordBatchStream;
    use std::sync::Arc;

    fn options(format: CopyFormat) -> CopyOptions {
        let csv = format == CopyFormat::Csv;
        CopyOptions {
            format,
            delimiter: if csv { ',' } else { '\t' },
            null: if csv { String::new() } else { "\\N".into() },
            header: false,
            quote: '"',
            escape: '"',
            force_quote: vec![],
        }
    }

    async fn lines(options: CopyOptions, texts: Vec<Option<&str>>) -> String {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("a,b", DataType::Utf8, true),
        ]));
        let numbers = Int64Array::from_iter_values(0..texts.len() as i64);
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(numbers), Arc::new(StringArray::from(texts))],
        )
        .unwrap();
        let stream = Box::pin(EmptyRecordBatchStream::new(Arc::clone(&schema)));
        let columns = encode::columns(&schema).unwrap();
        let copy = CopyOut::new(stream, columns, Style::default(), options).unwrap();
        let cells = encode::cells(&batch, &copy.columns, &copy.style).unwrap();
        let mut out = BytesMut::new();
        if copy.options.header {
            copy.header(&mut out);
        }
        for row in 0..batch.num_rows() {
            copy.row(&cells, row, &mut out).unwrap();
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[tokio::test]
    async fn text() {
        let rows = vec![Some("a\tb\\c\nd"), None, Some("")];
        let expect = "0\ta\\tb\\\\c\\nd\n1\t\\N\n2\t\n";
        assert_eq!(lines(options(CopyFormat::Text), rows.clone()).await, expect);
        let with = CopyOptions { header: true, delimiter: '|', ..options(CopyFormat::Text) };
        assert_eq!(lines(with, vec![Some("x|y")]).await, "n|a,b\n0|x\\|y\n");
    }

    #[tokio::test]
    async fn csv() {
        let rows = vec![Some("plain"), Some("a,b"), Some("say \"hi\"\n"), None, Some("")];
        let expect = "0,plain\n1,\"a,b\"\n2,\"say \"\"hi\"\"\n\"\n3,\n4,\"\"\n";
        assert_eq!(lines(options(CopyFormat::Csv), rows).await, expect);
        let all =
            CopyOptions { header: true, force_quote: vec!["*".into()], ..options(CopyFormat::Csv) };
        assert_eq!(lines(all, vec![Some("x")]).await, "n,\"a,b\"\n\"0\",\"x\"\n");
    }

    #[tokio::test]
    async fn binary() {
        let text = lines(options(CopyFormat::Binary), vec![Some("x")]).await;
        assert_eq!(text, "\0\u{2}\0\0\0\u{8}\0\0\0\0\0\0\0\0\0\0\0\u{1}x");
        assert_eq!(BINARY_HEADER.len(), 19);
    }
}
