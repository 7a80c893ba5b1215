//! The rows of a result, batch by batch: as forms `{:t 1042, :columns [...], :rows [[...] ...]}`, as CSV or as Arrow.
//!
//! Where rows fail after the first of them were sent, forms end with `:error`; the others cannot say it, so the connection
//! is cut.

use super::arrow::Arrow;
use super::csv::{self, Csv};
use super::{Format, RowFormat, node, text};
use crate::forms;
use crate::pg::encode::text::Style;
use crate::pg::encode::{self, Cells, Column};
use bytes::{Bytes, BytesMut};
use daodb_catalog::Error;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::ValueType;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;

type Written = Result<Bytes, Error>;

/// What an answer says before its rows.
pub struct Head {
    /// The transaction that the rows are as of.
    pub t: i64,
}

pub enum Rows {
    Forms(Forms),
    Csv(Csv),
    Arrow(Box<Arrow>),
}

pub struct Forms {
    format: Format,
    columns: Vec<Column>,
    tags: Vec<Option<ValueType>>,
    style: Style,
    t: i64,
    /// The next row is the first.
    first: bool,
}

impl Rows {
    pub fn new(
        format: RowFormat,
        schema: &Schema,
        style: Style,
        head: Head,
    ) -> Result<Rows, Error> {
        Ok(match format {
            RowFormat::Csv => Rows::Csv(Csv::new(schema, style)?),
            RowFormat::Arrow => Rows::Arrow(Box::new(Arrow::new(schema)?)),
            RowFormat::Forms(format) => {
                let columns = encode::columns(schema).map_err(|e| *e)?;
                let tags = schema.fields().iter().map(|f| forms::shown_type(f)).collect();
                Rows::Forms(Forms { format, columns, tags, style, t: head.t, first: true })
            }
        })
    }

    pub fn head(&mut self) -> Bytes {
        match self {
            Rows::Forms(forms) => forms.head().into(),
            Rows::Csv(csv) => csv.head().into(),
            Rows::Arrow(arrow) => arrow.written().into(),
        }
    }

    pub fn batch(&mut self, batch: &RecordBatch) -> Written {
        Ok(match self {
            Rows::Forms(forms) => forms.batch(batch)?.into(),
            Rows::Csv(csv) => csv.batch(batch)?.into(),
            Rows::Arrow(arrow) => arrow.batch(batch)?.into(),
        })
    }

    pub fn end(&mut self) -> Written {
        Ok(match self {
            Rows::Forms(forms) => forms.format.close(None).into(),
            Rows::Csv(_) => Bytes::new(),
            Rows::Arrow(arrow) => arrow.end()?.into(),
        })
    }

    /// The end of an answer that failed. None: this format cannot say so.
    pub fn failed(&mut self, error: &Node) -> Option<Bytes> {
        match self {
            Rows::Forms(forms) => Some(forms.format.close(Some(error)).into()),
            Rows::Csv(_) | Rows::Arrow(_) => None,
        }
    }
}

impl Forms {
    fn head(&self) -> String {
        let columns = self
            .columns
            .iter()
            .map(|c| super::map([("name", text(&c.name)), ("type", text(c.ty.name()))]));
        let columns = node(Form::Vector(columns.collect()));
        self.format.open(super::map([
            ("t", super::long(self.t)),
            ("columns", columns),
            ("rows", node(Form::Vector(Vec::new()))),
        ]))
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<String, Error> {
        // What no form stands for is its text on the wire; made for the columns that need it.
        let mut texts: Vec<Option<Cells>> = batch.columns().iter().map(|_| None).collect();
        let mut out = String::new();
        for row in 0..batch.num_rows() {
            let first = std::mem::take(&mut self.first);
            let comma = !first && self.format != Format::Edn;
            out.push_str(if comma { ",\n[" } else { "\n[" });
            for (i, column) in batch.columns().iter().enumerate() {
                let between = if self.format == Format::Edn { " " } else { "," };
                out.push_str(if i > 0 { between } else { "" });
                let form = match forms::cell(column, row, self.tags.get(i).copied().flatten())? {
                    Some(form) => form,
                    None => self.text(batch, i, row, &mut texts)?,
                };
                self.format.write(&mut out, &form);
            }
            out.push(']');
        }
        Ok(out)
    }

    fn text(
        &self,
        batch: &RecordBatch,
        i: usize,
        row: usize,
        texts: &mut [Option<Cells>],
    ) -> Result<Form, Error> {
        let (Some(slot), Some(column)) = (texts.get_mut(i), self.columns.get(i)) else {
            return Ok(Form::Nil);
        };
        let cells = match slot {
            Some(cells) => cells,
            None => {
                let cells = Cells::new(batch.column(i), column, &self.style).map_err(|e| *e)?;
                slot.insert(cells)
            }
        };
        let mut out = BytesMut::new();
        cells.write(row, &mut out).map_err(|e| *e)?;
        Ok(text(csv::utf8(&out)?).form)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{field, long, map};
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Date32Array, Int64Array, StringViewArray};
    use datafusion::arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let columns: Vec<(Field, ArrayRef)> = vec![
            (
                Field::new("n", DataType::Int64, true),
                Arc::new(Int64Array::from(vec![Some(7), None])),
            ),
            (
                Field::new("s", DataType::Utf8View, true),
                Arc::new(StringViewArray::from(vec!["a,\"b\"", ":c"])),
            ),
            (Field::new("d", DataType::Date32, true), Arc::new(Date32Array::from(vec![0, 1]))),
        ];
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn written(format: RowFormat, error: Option<&Node>) -> Vec<u8> {
        let batch = batch();
        let head = Head { t: 1042 };
        let mut rows = Rows::new(format, &batch.schema(), Style::default(), head).unwrap();
        let mut out = rows.head().to_vec();
        for row in [batch.slice(0, 1), batch.slice(1, 1)] {
            out.extend_from_slice(&rows.batch(&row).unwrap());
        }
        match error {
            Some(error) => out.extend_from_slice(&rows.failed(error).unwrap()),
            None => out.extend_from_slice(&rows.end().unwrap()),
        }
        out
    }

    #[test]
    fn forms_of_rows() {
        for format in Format::ALL {
            let whole = format.read(&written(RowFormat::Forms(format), None)).unwrap();
            assert_eq!(field(&whole, "t"), Some(&long(1042)), "{whole}");
            let rows = field(&whole, "rows").unwrap().to_string();
            assert_eq!(rows, "[[7 \"a,\\\"b\\\"\" \"1970-01-01\"] [nil \":c\" \"1970-01-02\"]]");
            assert_eq!(field(&whole, "columns").unwrap().sequence().unwrap().len(), 3);
            assert!(field(&whole, "error").is_none());

            let error = map([("code", text("57014"))]);
            let broken = format.read(&written(RowFormat::Forms(format), Some(&error))).unwrap();
            let said = field(field(&broken, "error").unwrap(), "code").unwrap();
            assert_eq!(said.string(), Some("57014"), "{broken}");
        }
    }

    #[test]
    fn rows_as_csv() {
        let text = String::from_utf8(written(RowFormat::Csv, None)).unwrap();
        assert_eq!(text, "n,s,d\n7,\"a,\"\"b\"\"\",1970-01-01\n,:c,1970-01-02\n");
    }

    #[test]
    fn rows_as_arrow() {
        use datafusion::arrow::ipc::reader::StreamReader;
        let bytes = written(RowFormat::Arrow, None);
        let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
        assert_eq!(batches, [batch().slice(0, 1), batch().slice(1, 1)]);
        // One that was cut has no end, and readers say so.
        let cut = bytes.get(..bytes.len() - 40).unwrap();
        let read: Result<Vec<_>, _> = StreamReader::try_new(cut, None).unwrap().collect();
        assert!(read.is_err() || read.unwrap().len() < 2);
    }
}
