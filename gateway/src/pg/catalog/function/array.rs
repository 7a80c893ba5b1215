//! Arrays: bounds, subscripts, and `_pg_expandarray`. The system's vectors begin at 0, all others at 1.

use super::super::field_type::is_zero_based;
use super::each_row;
use datafusion::arrow::array::{Array, ArrayRef, Int32Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

pub const SUBSCRIPTS: &str = "pg_subscripts";
pub const EXPAND: &str = "_pg_expandarray";

pub fn functions() -> Vec<ScalarUDF> {
    [Kind::Lower, Kind::Upper, Kind::Subscripts, Kind::Expand]
        .into_iter()
        .map(|kind| ScalarUDF::new_from_impl(ArrayFunction::new(kind)))
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `array_lower(array, dimension)`.
    Lower,
    Upper,
    /// The subscripts as a list: `generate_subscripts` before it is unnested.
    Subscripts,
    /// `(x, n)` for each element, as a list.
    Expand,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayFunction {
    kind: Kind,
    signature: Signature,
}

impl ArrayFunction {
    fn new(kind: Kind) -> Self {
        Self { kind, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

fn element(field: &Field) -> Result<FieldRef> {
    match field.data_type() {
        DataType::List(item) => Ok(Arc::clone(item)),
        DataType::Null => Ok(Arc::new(Field::new_list_field(DataType::Null, true))),
        other => Err(DataFusionError::Plan(format!("an array is needed, not {other}"))),
    }
}

fn pair_fields(item: &Field) -> Fields {
    Fields::from(vec![
        Field::new("x", item.data_type().clone(), true),
        Field::new("n", DataType::Int32, true),
    ])
}

fn list_of(ty: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(ty, true)))
}

impl ScalarUDFImpl for ArrayFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Lower => "array_lower",
            Kind::Upper => "array_upper",
            Kind::Subscripts => SUBSCRIPTS,
            Kind::Expand => EXPAND,
        }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(DataFusionError::Internal("asked for a type without fields".to_owned()))
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let array = args.arg_fields.first();
        let item = array.map(|f| element(f)).transpose()?;
        let item = item.ok_or_else(|| DataFusionError::Plan("an array is needed".to_owned()))?;
        let ty = match self.kind {
            Kind::Lower | Kind::Upper => DataType::Int32,
            Kind::Subscripts => list_of(DataType::Int32),
            Kind::Expand => list_of(DataType::Struct(pair_fields(&item))),
        };
        Ok(Arc::new(Field::new(self.name(), ty, true)))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ty = args.return_field.data_type().clone();
        let first = i32::from(!args.arg_fields.first().is_some_and(|f| is_zero_based(f)));
        each_row(&args, &ty, |row| {
            let one_dimension = row.get(1).is_none_or(|d| d.to_string() == "1");
            match row.first() {
                Some(ScalarValue::List(list)) if !list.is_null(0) && one_dimension => {
                    self.of(&list.value(0), first, &ty)
                }
                _ => ScalarValue::try_from(&ty),
            }
        })
    }
}

impl ArrayFunction {
    fn of(&self, items: &ArrayRef, first: i32, ty: &DataType) -> Result<ScalarValue> {
        let len = i32::try_from(items.len()).unwrap_or(i32::MAX);
        let nothing = || ScalarValue::Int32(None);
        Ok(match self.kind {
            Kind::Lower if len > 0 => ScalarValue::Int32(Some(first)),
            Kind::Upper if len > 0 => ScalarValue::Int32(Some(first + len - 1)),
            // An empty array has no bounds.
            Kind::Lower | Kind::Upper => nothing(),
            Kind::Subscripts => {
                let all: Vec<ScalarValue> =
                    (first..first + len).map(|i| ScalarValue::Int32(Some(i))).collect();
                ScalarValue::List(ScalarValue::new_list_nullable(&all, &DataType::Int32))
            }
            Kind::Expand => {
                let DataType::List(item) = ty else { return ScalarValue::try_from(ty) };
                let DataType::Struct(fields) = item.data_type() else {
                    return ScalarValue::try_from(ty);
                };
                let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(1..=len));
                let pairs =
                    StructArray::try_new(fields.clone(), vec![Arc::clone(items), numbers], None)?;
                let pairs: ArrayRef = Arc::new(pairs);
                let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths([items.len()]);
                ScalarValue::List(Arc::new(datafusion::arrow::array::ListArray::try_new(
                    Arc::clone(item),
                    offsets,
                    pairs,
                    None,
                )?))
            }
        })
    }
}
