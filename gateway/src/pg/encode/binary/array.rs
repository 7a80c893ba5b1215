//! Arrays: dimensions, then the elements, each after its length.

use super::{Style, writer as value_writer};
use crate::pg::encode::{Write, items, sized, types};
use crate::pg::errors::{self, Result};
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::DataType;
use pgwire::api::Type;
use std::ops::Range;

/// Postgres's limit.
const MOST_DIMENSIONS: usize = 6;

/// A level of nesting: the elements of each value of the level above.
struct Level {
    range: Box<dyn Fn(usize) -> Range<usize> + Send + Sync>,
    /// Which elements are null.
    null: Box<dyn Fn(usize) -> bool + Send + Sync>,
}

pub fn writer(array: &ArrayRef, ty: &Type, style: &Style) -> Result<Write> {
    let item = types::item_of(ty).unwrap_or(Type::TEXT);
    let mut levels = vec![];
    let mut values = ArrayRef::clone(array);
    while matches!(
        values.data_type(),
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Map(..)
    ) {
        let (inner, range) = items(&values)?;
        let nulls = inner.logical_nulls();
        let null = move |i| nulls.as_ref().is_some_and(|nulls| nulls.is_null(i));
        levels.push(Level { range, null: Box::new(null) });
        values = inner;
    }
    if levels.len() > MOST_DIMENSIONS {
        let message = format!(
            "number of array dimensions ({}) exceeds the maximum allowed ({MOST_DIMENSIONS})",
            levels.len()
        );
        return Err(errors::error("54000", message));
    }
    let write = value_writer(&values, &item, style)?;
    Ok(Box::new(move |row, out| {
        let lengths = lengths(&levels, row);
        let start = out.len();
        let empty = lengths.contains(&0);
        out.put_u32(if empty { 0 } else { lengths.len() as u32 });
        out.put_u32(0);
        out.put_u32(item.oid());
        if empty {
            return Ok(());
        }
        for length in &lengths {
            out.put_u32(*length as u32);
            out.put_u32(1);
        }
        let mut has_null = false;
        put(&levels, &lengths, row, &write, &mut has_null, out)?;
        if let Some(flag) = out.get_mut(start + 7) {
            *flag = has_null.into();
        }
        Ok(())
    }))
}

/// The length of each dimension, by the first element of each.
fn lengths(levels: &[Level], row: usize) -> Vec<usize> {
    let mut lengths = vec![];
    let mut at = Some(row);
    for level in levels {
        let range = at.map_or(0..0, &level.range);
        lengths.push(range.len());
        at = range.clone().next();
    }
    lengths
}

fn put(
    levels: &[Level],
    lengths: &[usize],
    row: usize,
    write: &Write,
    has_null: &mut bool,
    out: &mut BytesMut,
) -> Result<()> {
    let (Some((level, levels)), Some((length, lengths))) =
        (levels.split_first(), lengths.split_first())
    else {
        return Ok(());
    };
    let range = (level.range)(row);
    if range.len() != *length {
        return Err(not_rectangular());
    }
    for i in range {
        match ((level.null)(i), levels.is_empty()) {
            (true, true) => {
                *has_null = true;
                out.put_i32(-1);
            }
            (false, true) => sized(out, |out| write(i, out))?,
            (true, false) => return Err(not_rectangular()),
            (false, false) => put(levels, lengths, i, write, has_null, out)?,
        }
    }
    Ok(())
}

fn not_rectangular() -> Box<daodb_catalog::Error> {
    let message = "multidimensional arrays must have sub-arrays with matching dimensions";
    errors::error("2202E", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::{bytes, check};
    use datafusion::arrow::array::*;
    use datafusion::arrow::datatypes::*;
    use std::sync::Arc;

    fn words(words: &[i32]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    #[test]
    fn arrays() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(7), None])]);
        check(list, &words(&[1, 1, 23, 2, 1, 4, 7, -1]));
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![])]);
        check(list, &words(&[0, 0, 23]));
    }

    #[test]
    fn two_dimensions_are_rectangular_or_refused() {
        let nested = |second: Vec<Option<i32>>| {
            let mut builder = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
            builder.values().append_value([Some(1), Some(2)]);
            builder.values().append_value(second);
            builder.append(true);
            builder.finish()
        };
        let expect = words(&[2, 0, 23, 2, 1, 2, 1, 4, 1, 4, 2, 4, 3, 4, 4]);
        check(nested(vec![Some(3), Some(4)]), &expect);
        let ragged = nested(vec![Some(3)]);
        let field = Field::new("c", ragged.data_type().clone(), true);
        assert_eq!(bytes(Arc::new(ragged), &field).unwrap_err().state.as_str(), "2202E");
    }
}
