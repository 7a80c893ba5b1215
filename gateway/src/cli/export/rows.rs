//! Rows of a table as EDN: a map a line, absent values left out.

use super::super::Failure;
use super::super::render::Broken;
use crate::pg::encode::types::VALUE_TYPE;
use daodb_datalog::edn::write as edn;
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use std::fmt::Write;

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
            let tag = field.metadata().get(VALUE_TYPE).and_then(|tag| ValueType::parse(tag));
            cell(&mut out, column, row, tag)?;
        }
        out.push_str(if before == '{' { "{}\n" } else { "}\n" });
    }
    Ok(out)
}

fn cell(
    out: &mut String,
    column: &ArrayRef,
    row: usize,
    tag: Option<ValueType>,
) -> Result<(), Broken> {
    let value = match column.data_type() {
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => {
            let n = column.as_primitive::<Int64Type>().value(row);
            if tag == Some(ValueType::Ref) { Value::Ref(n) } else { Value::Long(n) }
        }
        DataType::Float64 => Value::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(_, _) => {
            let instants = column.as_primitive_opt::<TimestampMicrosecondType>();
            let instants = instants.ok_or_else(|| unknown(&column.data_type().to_string()))?;
            Value::Instant(instants.value(row))
        }
        DataType::Utf8View => text(column.as_string_view().value(row), tag),
        DataType::Utf8 => text(column.as_string::<i32>().value(row), tag),
        DataType::BinaryView => match tag {
            Some(ValueType::Tuple) => Value::from_canonical(column.as_binary_view().value(row))?,
            _ => Value::Bytes(column.as_binary_view().value(row).into()),
        },
        DataType::Decimal128(_, scale) => {
            let digits = column.as_primitive::<Decimal128Type>().value_as_string(row);
            decimal(out, &digits, *scale);
            return Ok(());
        }
        DataType::List(_) => return list(out, &column.as_list::<i32>().value(row), tag),
        other => return Err(unknown(&other.to_string())),
    };
    edn::value(out, &value);
    Ok(())
}

fn unknown(what: &str) -> Broken {
    Failure::failed(format!("a column of {what} has no EDN")).hint("--format csv writes it").into()
}

fn list(out: &mut String, items: &ArrayRef, tag: Option<ValueType>) -> Result<(), Broken> {
    out.push('[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(' ');
        }
        match items.is_null(item) {
            true => out.push_str("nil"),
            false => cell(out, items, item, tag)?,
        }
    }
    out.push(']');
    Ok(())
}

fn text(text: &str, tag: Option<ValueType>) -> Value {
    match tag {
        Some(ValueType::Keyword) => Value::keyword(text),
        Some(ValueType::Symbol) => Value::Symbol(text.into()),
        Some(ValueType::Uri) => Value::Uri(text.into()),
        Some(ValueType::Uuid) => match text.parse() {
            Ok(uuid) => Value::Uuid(uuid),
            Err(_) => Value::string(text),
        },
        _ => Value::string(text),
    }
}

/// A bigint has no digits after the point; of a bigdec the column's zeros are left out.
fn decimal(out: &mut String, digits: &str, scale: i8) {
    // Writing to a String never fails.
    let _ = match scale {
        0 => write!(out, "{digits}N"),
        _ => {
            let plain = digits.trim_end_matches('0');
            write!(out, "{}M", plain.strip_suffix('.').unwrap_or(plain))
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::array::{Decimal128Array, Int64Array, ListArray, StringViewArray};
    use datafusion::arrow::datatypes::{Field, Schema};
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
