//! Records: how many fields, then each one's type, length and bytes.

use super::{Style, writer as value_writer};
use crate::pg::encode::{Write, plain, sized, types};
use crate::pg::errors::Result;
use bytes::BufMut;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};

pub fn writer(array: &ArrayRef, style: &Style) -> Result<Write> {
    let array = array.as_struct();
    let mut fields = vec![];
    for (column, field) in array.columns().iter().zip(array.fields()) {
        let (column, ty) = (plain(column)?, types::of_field(field)?);
        fields.push((ty.oid(), column.logical_nulls(), value_writer(&column, &ty, style)?));
    }
    Ok(Box::new(move |row, out| {
        out.put_u32(fields.len() as u32);
        for (oid, nulls, write) in &fields {
            out.put_u32(*oid);
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.put_i32(-1);
            } else {
                sized(out, |out| write(row, out))?;
            }
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use datafusion::arrow::array::*;
    use datafusion::arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    #[test]
    fn records() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        let array = StructArray::from(vec![
            (Arc::new(Field::new("n", DataType::Int32, true)), numbers),
            (Arc::new(Field::new("s", DataType::Utf8, true)), texts),
        ]);
        let expect = [2, 23, 4, 7, 25, -1];
        check(array, &expect.iter().flat_map(|w: &i32| w.to_be_bytes()).collect::<Vec<_>>());
    }
}
