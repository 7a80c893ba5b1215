//! Arrays: `{1,NULL,"a b"}`; a list in a list is a further dimension.

use super::{Style, writer as value_writer};
use crate::pg::encode::{Write, items, types};
use crate::pg::errors::Result;
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::DataType;
use pgwire::api::Type;

pub fn writer(array: &ArrayRef, ty: &Type, style: &Style) -> Result<Write> {
    let (values, range) = items(array)?;
    let inner = matches!(
        values.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    );
    let item = if inner { ty.clone() } else { types::item_of(ty).unwrap_or(Type::TEXT) };
    let write = value_writer(&values, &item, style)?;
    let nulls = values.logical_nulls();
    let plain = inner || never_quoted(&item);
    // The vectors of the system relations print as `1 2 3`.
    let vector = matches!(*ty, Type::INT2_VECTOR | Type::OID_VECTOR);
    let comma = if vector { b' ' } else { b',' };
    Ok(Box::new(move |row, out| {
        if !vector {
            out.put_u8(b'{');
        }
        for (n, i) in range(row).enumerate() {
            if n > 0 {
                out.put_u8(comma);
            }
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(i)) {
                out.put_slice(b"NULL");
                continue;
            }
            let start = out.len();
            write(i, out)?;
            if !plain && needs_quotes(out.get(start..).unwrap_or_default()) {
                quote(start, out, |b| matches!(b, b'"' | b'\\').then_some(b'\\'));
            }
        }
        if !vector {
            out.put_u8(b'}');
        }
        Ok(())
    }))
}

fn never_quoted(item: &Type) -> bool {
    matches!(
        *item,
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::OID
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::NUMERIC
            | Type::DATE
            | Type::TIME
            | Type::UUID
    )
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case(b"null")
        || text.iter().any(|b| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || is_space(*b))
}

/// As Postgres's array_isspace.
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Puts what follows `start` between quotes, and before some bytes another.
pub fn quote(start: usize, out: &mut BytesMut, escape: impl Fn(u8) -> Option<u8>) {
    let text = out.split_off(start);
    out.reserve(text.len() + 2);
    out.put_u8(b'"');
    for b in text {
        if let Some(before) = escape(b) {
            out.put_u8(before);
        }
        out.put_u8(b);
    }
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::check;
    use datafusion::arrow::array::*;
    use datafusion::arrow::datatypes::*;

    #[test]
    fn arrays_of_numbers_and_nulls() {
        let array = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), None, Some(3)]),
            None,
            Some(vec![]),
        ]);
        check(array.clone(), &["{1,NULL,3}", "NULL", "{}"]);
        check(array.slice(2, 1), &["{}"]);
    }

    #[test]
    fn texts_are_quoted_where_they_must() {
        let mut builder = ListBuilder::new(StringViewBuilder::new());
        for text in ["a", "", "null", "NULLs", "a b", "a,b", "a\"b", "a\\b", "{}", "ä", "a\n"] {
            builder.values().append_value(text);
        }
        builder.append(true);
        check(
            builder.finish(),
            &[r#"{a,"","null",NULLs,"a b","a,b","a\"b","a\\b","{}",ä,"a
"}"#],
        );
    }

    #[test]
    fn instants_contain_a_space() {
        let mut builder = ListBuilder::new(TimestampMicrosecondBuilder::new());
        builder.values().append_value(0);
        builder.append(true);
        check(builder.finish(), &[r#"{"1970-01-01 00:00:00"}"#]);
    }

    #[test]
    fn lists_in_lists() {
        let mut builder = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
        builder.values().append_value([Some(1), Some(2)]);
        builder.values().append_value([Some(3), None]);
        builder.append(true);
        check(builder.finish(), &["{{1,2},{3,NULL}}"]);
        let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
            [Some(vec![Some(1), Some(2)]), Some(vec![Some(3), Some(4)])],
            2,
        );
        check(fixed.slice(1, 1), &["{3,4}"]);
    }
}
