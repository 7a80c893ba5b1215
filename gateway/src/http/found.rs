//! What a query found, on its way out: `{:t 1042, :columns [{:name "?n", :type "long"}], :result [...]}` in the shape that
//! `:find` asks for, row by row where there are several; or the rows as CSV or Arrow.

use super::args;
use super::call::Call;
use super::errors::Result;
use super::formats::{Arrow, Format, RowFormat, long, map, node, plain_keys, text, value};
use super::server::Server;
use super::sql::with_type;
use super::stream::{self, Pieces, Running, Written, within};
use crate::cli::render::csv_field;
use crate::pg::encode::types::VALUE_TYPE;
use axum::response::Response;
use bytes::Bytes;
use daodb_catalog::Error;
use daodb_datalog::Answer;
use daodb_datalog::edn::{Form, Node};
use daodb_datalog::find::{Column, Shows};
use daodb_datalog::query::Shape;
use daodb_datalog::value::Kind;
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::time::Instant;

/// Sends the answer to a query of a database at `t`.
pub async fn send(
    server: &Arc<Server>,
    call: &mut Call,
    format: RowFormat,
    (answer, t): (Answer, i64),
    deadline: Option<Instant>,
) -> Result<Response> {
    let whole = matches!(answer.shape, Shape::Scalar | Shape::Tuple);
    if let (true, RowFormat::Forms(format)) = (whole, format) {
        let head = head(&answer, t, format);
        let form = within(deadline, answer.form()).await?;
        return call.answer(with_result(head, row_form(format, form)));
    }
    let pieces = Box::new(Found::new(answer, t, format)?);
    let running = Running { pieces, deadline, _place: call.place.take() };
    Ok(with_type(stream::rows(server, running).await?, format))
}

/// All before the result.
fn head(answer: &Answer, t: i64, format: Format) -> Vec<(Node, Node)> {
    let key = |name: &str| value(Value::keyword(name));
    let column = |c: &Column| map([("name", text(&c.name)), ("type", text(type_name(c)))]);
    let columns = node(Form::Vector(answer.columns.iter().map(column).collect()));
    let mut pairs = vec![(key("t"), long(t)), (key("columns"), columns)];
    if !answer.warnings.is_empty() {
        let warning = |w: &String| match format {
            // In JSON, a text that begins with a colon would be a keyword.
            Format::Json if w.starts_with(':') => text(format!("`{w}`")),
            _ => text(w),
        };
        let warnings = answer.warnings.iter().map(warning).collect();
        pairs.push((key("warnings"), node(Form::Vector(warnings))));
    }
    pairs
}

fn with_result(mut head: Vec<(Node, Node)>, result: Form) -> Node {
    head.push((value(Value::keyword("result")), node(result)));
    node(Form::Map(head))
}

fn type_name(column: &Column) -> String {
    match column.shows {
        Shows::Value => column.kind.to_string(),
        Shows::Set => "set".to_owned(),
        Shows::Ident { .. } => "keyword".to_owned(),
        Shows::Pull { .. } => "map".to_owned(),
    }
}

/// The keys that `:keys` gives a row are the answer's own: in JSON without their colon.
pub fn row_form(format: Format, form: Form) -> Form {
    match form {
        Form::Map(pairs) if format == Format::Json => {
            let plain = |(key, value): (Node, Node)| {
                let Form::Map(mut one) = plain_keys(Form::Map(vec![(key, node(Form::Nil))])) else {
                    return None;
                };
                one.pop().map(|(key, _)| (key, value))
            };
            Form::Map(pairs.into_iter().filter_map(plain).collect())
        }
        other => other,
    }
}

struct Found {
    answer: Answer,
    t: i64,
    out: Out,
}

enum Out {
    /// Whether the next row is the first.
    Forms(Format, bool),
    Csv,
    Arrow(Box<Arrow>, SchemaRef),
}

impl Found {
    fn new(answer: Answer, t: i64, format: RowFormat) -> Result<Found> {
        let out = match format {
            RowFormat::Forms(format) => Out::Forms(format, true),
            RowFormat::Csv => Out::Csv,
            RowFormat::Arrow => {
                let schema = schema(&answer.columns);
                Out::Arrow(Box::new(Arrow::new(&schema)?), schema)
            }
        };
        Ok(Found { answer, t, out })
    }

    /// One row as forms, in the shape that `:find` asks for.
    fn shaped(&self, row: Vec<Form>) -> Form {
        match self.answer.shape {
            Shape::Collection => row.into_iter().next().unwrap_or(Form::Nil),
            Shape::Relation | Shape::Scalar | Shape::Tuple => self.answer.row(row),
        }
    }

    fn write(&mut self, rows: Vec<Vec<Form>>) -> std::result::Result<Bytes, Error> {
        match &mut self.out {
            Out::Csv => Ok(csv(&rows).into()),
            Out::Arrow(arrow, schema) => {
                let batch = batch(&self.answer.columns, schema, &rows)?;
                Ok(arrow.batch(&batch)?.into())
            }
            Out::Forms(format, first) => {
                let (format, mut first) = (*format, std::mem::take(first));
                let mut out = String::new();
                for row in rows {
                    let comma = !std::mem::take(&mut first) && format != Format::Edn;
                    out.push_str(if comma { ",\n" } else { "\n" });
                    format.write(&mut out, &row_form(format, self.shaped(row)));
                }
                Ok(out.into())
            }
        }
    }
}

impl Pieces for Found {
    fn head(&mut self) -> Bytes {
        match &mut self.out {
            Out::Forms(format, _) => {
                let head = head(&self.answer, self.t, *format);
                format.open(with_result(head, Form::Vector(Vec::new()))).into()
            }
            Out::Csv => {
                let names = self.answer.columns.iter().map(|c| csv_field(&c.name));
                format!("{}\n", names.collect::<Vec<_>>().join(",")).into()
            }
            Out::Arrow(arrow, _) => arrow.written().into(),
        }
    }

    fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Written>, Error>> {
        Box::pin(async move {
            let Some(rows) = self.answer.rows().await? else { return Ok(None) };
            let count = rows.len();
            Ok(Some(Written { bytes: self.write(rows)?, rows: count }))
        })
    }

    fn end(&mut self) -> std::result::Result<Bytes, Error> {
        match &mut self.out {
            Out::Forms(format, _) => Ok(format.close(None).into()),
            Out::Csv => Ok(Bytes::new()),
            Out::Arrow(arrow, _) => Ok(arrow.end()?.into()),
        }
    }

    fn failed(&mut self, error: &Node) -> Option<Bytes> {
        match &mut self.out {
            Out::Forms(format, _) => Some(format.close(Some(error)).into()),
            Out::Csv | Out::Arrow(..) => None,
        }
    }
}

/// Values as SQL's CSV has them; what has no such text is EDN.
fn csv(rows: &[Vec<Form>]) -> String {
    let mut out = String::new();
    for row in rows {
        for (i, form) in row.iter().enumerate() {
            out.push_str(if i > 0 { "," } else { "" });
            if *form != Form::Nil {
                out.push_str(&csv_field(&plain(form)));
            }
        }
        out.push('\n');
    }
    out
}

/// A form as a text without its type.
pub fn plain(form: &Form) -> String {
    match form {
        Form::Value(value) => args::of_value(value).unwrap_or_else(|()| form.to_string()),
        Form::Char(c) => c.to_string(),
        other => other.to_string(),
    }
}

/// The type of a column of which Arrow has one. None: it is EDN.
fn arrow_type(column: &Column) -> Option<ValueType> {
    match (&column.shows, column.kind) {
        (Shows::Value, Kind::Typed(ValueType::Tuple)) => None,
        (Shows::Value, Kind::Typed(ty)) => Some(ty),
        (Shows::Ident { .. }, _) => Some(ValueType::Keyword),
        (Shows::Value | Shows::Set | Shows::Pull { .. }, _) => None,
    }
}

pub fn schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn field(column: &Column) -> Field {
    let tag = |ty: ValueType| [(VALUE_TYPE.to_owned(), ty.name().to_owned())].into();
    match arrow_type(column) {
        Some(ty) => Field::new(&column.name, ty.arrow(), true).with_metadata(tag(ty)),
        None => Field::new(&column.name, DataType::Utf8View, true),
    }
}

/// Rows as columns; what is of no one type is EDN.
pub fn batch(
    columns: &[Column],
    schema: &SchemaRef,
    rows: &[Vec<Form>],
) -> std::result::Result<RecordBatch, Error> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        let forms = rows.iter().map(|row| row.get(i));
        arrays.push(match arrow_type(column) {
            Some(ty) => ty.array(forms.map(|form| match form {
                Some(Form::Value(value)) => Some(value),
                _ => None,
            })),
            None => {
                let text = |form: Option<&Form>| {
                    form.filter(|form| **form != Form::Nil).map(ToString::to_string)
                };
                Arc::new(forms.map(text).collect::<StringViewArray>())
            }
        });
    }
    let failed = datafusion::error::DataFusionError::from;
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|e| failed(e).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use daodb_datalog::edn::read;

    #[test]
    fn forms_as_csv() {
        let row = |edn: &str| -> Vec<Form> {
            read(edn).unwrap().sequence().unwrap().iter().map(|n| n.form.clone()).collect()
        };
        let rows = [
            row("[1 nil \"a,b\" \"\" :k/w #inst \"2026-01-01\"]"),
            row("[1.5M true [1 2] {:a \"x\"} #{1} ##NaN]"),
        ];
        assert_eq!(
            csv(&rows),
            "1,,\"a,b\",\"\",:k/w,2026-01-01T00:00:00Z\n1.5,true,[1 2],\"{:a \"\"x\"\"}\",#{1},NaN\n"
        );
    }

    #[test]
    fn the_keys_of_a_row_are_plain_in_json() {
        let form = || read("{:name \"Ada\", :boss {:p/name \"Lin\", :n 1}}").unwrap().form;
        let mut out = String::new();
        Format::Json.write(&mut out, &row_form(Format::Json, form()));
        assert_eq!(out, "{\"name\":\"Ada\",\"boss\":{\":p/name\":\"Lin\",\":n\":1}}");
        assert_eq!(row_form(Format::Edn, form()), form());
    }
}
