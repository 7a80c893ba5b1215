//! Rows of a table as EDN: a map a line, absent values left out.

use super::{Broken, Rows};
use crate::cli::Failure;
use crate::forms;
use daodb_datalog::edn::write as edn;
use datafusion::arrow::array::{Array, RecordBatch};
use std::io::Write;

pub struct Edn<'a>(pub &'a mut dyn Write);

impl Rows for Edn<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        Ok(self.0.write_all(edn(batch)?.as_bytes())?)
    }

    fn end(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

pub fn edn(batch: &RecordBatch) -> Result<String, Broken> {
    let schema = batch.schema();
    let mut out = String::new();
    for row in 0..batch.num_rows() {
        let mut before = '{';
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if column.is_null(row) {
                continue;
            }
            out.push(std::mem::replace(&mut before, ' '));
            edn::keyword(&mut out, &format!(":{}", field.name()));
            out.push(' ');
            match forms::cell(column, row, forms::shown_type(field))? {
                Some(form) => edn::form(&mut out, &form),
                None => return Err(unknown(&column.data_type().to_string())),
            }
        }
        out.push_str(if before == '{' { "{}\n" } else { "}\n" });
    }
    Ok(out)
}

fn unknown(what: &str) -> Broken {
    Failure::failed(format!("a column of {what} has no EDN")).hint("--format csv writes it").into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pg::encode::types::VALUE_TYPE;
    use datafusion::arrow::array::{
        ArrayRef, Decimal128Array, Int64Array, ListArray, StringViewArray,
    };
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use std::sync::Arc;

    #[test]
    fn a_map_a_row() {
        let tagged = |name: &str, ty: DataType, tag: &str| {
            Field::new(name, ty, true).with_metadata([(VALUE_TYPE.into(), tag.into())].into())
        };
        let numbers = Decimal128Array::from(vec![Some(15_000_000_000), None]);
        let numbers = numbers.with_precision_and_scale(38, 10).unwrap();
        let many =
            ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2)]), None]);
        let columns: Vec<(Field, ArrayRef)> = vec![
            (Field::new("_id", DataType::Int64, false), Arc::new(Int64Array::from(vec![7, 8]))),
            (
                tagged("kind", DataType::Utf8View, "keyword"),
                Arc::new(StringViewArray::from(vec![Some(":a/b"), None])),
            ),
            (
                tagged("friend", DataType::Int64, "ref"),
                Arc::new(Int64Array::from(vec![None, Some(9)])),
            ),
            (tagged("n", numbers.data_type().clone(), "bigdec"), Arc::new(numbers)),
            (Field::new("many", many.data_type().clone(), true), Arc::new(many)),
        ];
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        assert_eq!(
            edn(&batch).unwrap(),
            "{:_id 7 :kind :a/b :n 1.5M :many [1 2]}\n{:_id 8 :friend #dao/ref 9}\n"
        );
    }
}
