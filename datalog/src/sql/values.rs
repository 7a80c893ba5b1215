//! SQL's values as Datalog's.

use crate::value::{Cell, Kind, array};
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use daodb_catalog::{Error, Result, SqlState};
use daodb_storage::{Value, ValueType};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

fn no_counterpart(ty: &DataType) -> Error {
    let message = format!("a value of type {ty} has no counterpart in Datalog");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message).hint("cast it: to timestamptz, to text")
}

/// Parts of the list that stands for one: as many as a query may take apart.
const PARTS: usize = 16;

/// Any value of a type: one that functions take, of which nothing is divided by zero or begins after its end.
pub fn of_type(ty: &DataType) -> Result<Cell> {
    use DataType as T;
    Ok(Some(match ty {
        T::Boolean => Value::Boolean(false),
        ty if ty.is_integer() => Value::Long(1),
        ty if ty.is_floating() => Value::Double(1.0),
        T::Decimal128(..) => Value::Bigdec(Arc::new(BigDecimal::new(BigInt::from(1), 0))),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Value::string("1"),
        T::Timestamp(..) => Value::Instant(0),
        T::Binary | T::LargeBinary | T::BinaryView => Value::Bytes([].into()),
        T::List(item) => Value::Tuple(vec![of_type(item.data_type())?; PARTS].into()),
        ty => return Err(no_counterpart(ty)),
    }))
}

/// The value that SQL's is; None is null.
pub fn of_scalar(value: &ScalarValue) -> Result<Cell> {
    use ScalarValue as S;
    let ty = value.data_type();
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match value {
        S::Boolean(Some(b)) => Value::Boolean(*b),
        S::Utf8(Some(s)) | S::LargeUtf8(Some(s)) | S::Utf8View(Some(s)) => Value::string(s),
        S::Binary(Some(b)) | S::LargeBinary(Some(b)) | S::BinaryView(Some(b)) => {
            Value::Bytes(b.as_slice().into())
        }
        S::Decimal128(Some(digits), _, scale) => {
            let exact = BigDecimal::new(BigInt::from(*digits), i64::from(*scale));
            Value::Bigdec(Arc::new(exact.normalized()))
        }
        S::List(list) => {
            let items = list.values();
            let cell = |i| of_scalar(&ScalarValue::try_from_array(items, i)?);
            let (start, end) = (list.value_offsets()[0], list.value_offsets()[1]);
            let places = (start as usize)..(end as usize);
            Value::Tuple(places.map(cell).collect::<Result<Vec<_>>>()?.into())
        }
        value if ty.is_integer() => match value.cast_to(&DataType::Int64)? {
            S::Int64(Some(n)) => Value::Long(n),
            _ => {
                let message = "the number does not fit a long";
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        },
        value if ty.is_floating() => match value.cast_to(&DataType::Float64)? {
            S::Float64(Some(d)) => Value::Double(d),
            _ => return Err(no_counterpart(&ty)),
        },
        value if matches!(ty, DataType::Timestamp(..)) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            match value.cast_to(&micros)? {
                S::TimestampMicrosecond(Some(us), _) => Value::Instant(us),
                _ => return Err(no_counterpart(&ty)),
            }
        }
        _ => return Err(no_counterpart(&ty)),
    }))
}

/// A column of SQL as one of this kind, where a cast does not make it one: decimals, lists.
/// `items`: what the texts of lists are.
pub fn from_sql(expr: Expr, kind: Kind, items: Option<ValueType>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::from(FromSql { kind, items, signature }).call(vec![expr])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FromSql {
    kind: Kind,
    items: Option<ValueType>,
    signature: Signature,
}

impl FromSql {
    /// An item as what the column's texts are.
    fn named(&self, item: Cell) -> Cell {
        match (item, self.items) {
            (Some(Value::String(s)), Some(ValueType::Keyword)) => Some(Value::Keyword(s)),
            (Some(Value::String(s)), Some(ValueType::Symbol)) => Some(Value::Symbol(s)),
            (Some(Value::String(s)), Some(ValueType::Uri)) => Some(Value::Uri(s)),
            (Some(Value::String(s)), Some(ValueType::Uuid)) => {
                Some(uuid::Uuid::parse_str(&s).map_or(Value::String(s), Value::Uuid))
            }
            (item, _) => item,
        }
    }
}

impl ScalarUDFImpl for FromSql {
    fn name(&self) -> &str {
        "from_sql"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.kind.arrow())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let column = args.args[0].to_array(args.number_rows)?;
        let mut cells = Vec::with_capacity(column.len());
        for i in 0..column.len() {
            let value = of_scalar(&ScalarValue::try_from_array(&column, i)?)?;
            cells.push(match (value, self.kind) {
                (Some(Value::Bigdec(d)), Kind::Typed(ValueType::Bigint)) => {
                    let (digits, _): (BigInt, i64) = d.with_scale(0).into_bigint_and_exponent();
                    Some(Value::Bigint(Arc::new(digits)))
                }
                (Some(Value::Tuple(items)), _) => {
                    let named = items.iter().map(|item| self.named(item.clone()));
                    Some(Value::Tuple(named.collect()))
                }
                (value, _) => value,
            });
        }
        Ok(ColumnarValue::Array(array(self.kind, cells.iter().map(Option::as_ref))))
    }
}
