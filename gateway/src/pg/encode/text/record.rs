//! Records: `(1,"a b",)`.

use super::array::{is_space, quote};
use super::{Style, fields_of, writer as value_writer};
use crate::pg::encode::{Write, plain};
use crate::pg::errors::Result;
use bytes::BufMut;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};

pub fn writer(array: &ArrayRef, style: &Style) -> Result<Write> {
    let types = fields_of(array.data_type())?;
    let mut fields = vec![];
    for (column, ty) in array.as_struct().columns().iter().zip(types) {
        let column = plain(column)?;
        fields.push((column.logical_nulls(), value_writer(&column, &ty, style)?));
    }
    Ok(Box::new(move |row, out| {
        out.put_u8(b'(');
        for (n, (nulls, write)) in fields.iter().enumerate() {
            if n > 0 {
                out.put_u8(b',');
            }
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let start = out.len();
            write(row, out)?;
            if needs_quotes(out.get(start..).unwrap_or_default()) {
                quote(start, out, |b| matches!(b, b'"' | b'\\').then_some(b));
            }
        }
        out.put_u8(b')');
        Ok(())
    }))
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.iter().any(|b| matches!(b, b'(' | b')' | b',' | b'"' | b'\\') || is_space(*b))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use datafusion::arrow::array::*;
    use datafusion::arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    #[test]
    fn records() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a \"b\" \\", ""]));
        let array = StructArray::from(vec![
            (Arc::new(Field::new("n", DataType::Int64, true)), numbers),
            (Arc::new(Field::new("s", DataType::Utf8, true)), texts),
        ]);
        check(array, &[r#"(1,"a ""b"" \\")"#, r#"(,"")"#]);
    }
}
