//! `dao_among(x, values)`: `x IN (SELECT ...)` where the engine takes no subquery that it would join, as within an aggregate. The
//! values are those of the subquery, sorted.

use super::refused;
use datafusion::arrow::array::{Array, AsArray, BooleanArray, make_comparator};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::cmp::Ordering;
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Among {
    signature: Signature,
}

pub fn function() -> ScalarUDF {
    ScalarUDF::from(Among { signature: Signature::user_defined(Volatility::Immutable) })
}

impl ScalarUDFImpl for Among {
    fn name(&self) -> &str {
        "dao_among"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [x, DataType::List(item)] = types else {
            return internal_err!("dao_among of {types:?}");
        };
        let item = item.data_type();
        match comparison_coercion(x, item).filter(|common| is_sorted_alike(item, common)) {
            Some(common) => {
                let list = DataType::List(Arc::new(Field::new_list_field(common.clone(), true)));
                Ok(vec![common, list])
            }
            None => {
                let text = format!("IN: values of type {item} are not compared with {x}");
                Err(refused("42883", text))
            }
        }
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [x, lists] = args.args.as_slice() else {
            return internal_err!("dao_among takes two arguments");
        };
        let xs = x.to_array(args.number_rows)?;
        // One for all rows is not repeated.
        let (lists, same) = match lists {
            ColumnarValue::Scalar(list) => (list.to_array()?, true),
            ColumnarValue::Array(lists) => (Arc::clone(lists), false),
        };
        let lists = lists.as_list::<i32>();
        let (values, ends) = (lists.values(), lists.value_offsets());
        let order = SortOptions { descending: false, nulls_first: false };
        let compare = make_comparator(&xs, values, order)?;
        let is_among = |i: usize| {
            let row = if same { 0 } else { i };
            let (start, end) = (ends[row] as usize, ends[row + 1] as usize);
            if lists.is_null(row) || start == end {
                return Some(false);
            }
            if xs.is_null(i) {
                return None;
            }
            // Nulls are the last.
            let unknown = values.is_null(end - 1);
            let found = is_in(start..end, |j| compare(i, j));
            (found || !unknown).then_some(found)
        };
        let found: BooleanArray = (0..args.number_rows).map(is_among).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// Whether values stay sorted when they are cast.
fn is_sorted_alike(from: &DataType, to: &DataType) -> bool {
    from == to
        || from.is_null()
        || (from.is_numeric() && to.is_numeric())
        || (from.is_string() && to.is_string())
        || (from.is_temporal() && to.is_temporal())
}

fn is_in(range: std::ops::Range<usize>, compare: impl Fn(usize) -> Ordering) -> bool {
    let (mut start, mut end) = (range.start, range.end);
    while start < end {
        let middle = start + (end - start) / 2;
        match compare(middle) {
            Ordering::Equal => return true,
            Ordering::Less => end = middle,
            Ordering::Greater => start = middle + 1,
        }
    }
    false
}
