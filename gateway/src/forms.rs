//! A cell of a result as a form: what `daodb export` and the answers over HTTP write rows with.

use crate::pg::encode::types::VALUE_TYPE;
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::{Form, Node, Span};
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

/// The value type that a column says it shows.
pub fn shown_type(field: &Field) -> Option<ValueType> {
    field.metadata().get(VALUE_TYPE).and_then(|tag| ValueType::parse(tag))
}

/// The form of a cell; nil where it is null. None: no form stands for values of this column.
pub fn cell(column: &ArrayRef, row: usize, tag: Option<ValueType>) -> Result<Option<Form>, Error> {
    if column.is_null(row) {
        return Ok(Some(Form::Nil));
    }
    let value = match column.data_type() {
        DataType::Null => return Ok(Some(Form::Nil)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => match long::<Int64Type>(column, row) {
            n if tag == Some(ValueType::Ref) => Value::Ref(n),
            n => Value::Long(n),
        },
        DataType::Int8 => Value::Long(long::<Int8Type>(column, row)),
        DataType::Int16 => Value::Long(long::<Int16Type>(column, row)),
        DataType::Int32 => Value::Long(long::<Int32Type>(column, row)),
        DataType::UInt8 => Value::Long(long::<UInt8Type>(column, row)),
        DataType::UInt16 => Value::Long(long::<UInt16Type>(column, row)),
        DataType::UInt32 => Value::Long(long::<UInt32Type>(column, row)),
        DataType::UInt64 => integer(&column.as_primitive::<UInt64Type>().value(row).to_string())?,
        DataType::Float64 => Value::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => {
            Value::Double(f64::from(column.as_primitive::<Float32Type>().value(row)))
        }
        DataType::Timestamp(_, Some(_)) => {
            match column.as_primitive_opt::<TimestampMicrosecondType>() {
                Some(instants) => Value::Instant(instants.value(row)),
                None => return Ok(None),
            }
        }
        DataType::Utf8View => text(column.as_string_view().value(row), tag),
        DataType::Utf8 => text(column.as_string::<i32>().value(row), tag),
        DataType::LargeUtf8 => text(column.as_string::<i64>().value(row), tag),
        DataType::BinaryView => bytes(column.as_binary_view().value(row), tag)?,
        DataType::Binary => bytes(column.as_binary::<i32>().value(row), tag)?,
        DataType::LargeBinary => bytes(column.as_binary::<i64>().value(row), tag)?,
        DataType::Decimal128(_, scale) => {
            let digits = column.as_primitive::<Decimal128Type>().value_as_string(row);
            decimal(&digits, *scale, tag)?
        }
        DataType::Decimal256(_, scale) => {
            let digits = column.as_primitive::<Decimal256Type>().value_as_string(row);
            decimal(&digits, *scale, tag)?
        }
        DataType::List(_) => return list(&column.as_list::<i32>().value(row), tag),
        _ => return Ok(None),
    };
    Ok(Some(Form::Value(value)))
}

fn long<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> i64
where
    T::Native: Into<i64>,
{
    let column: &PrimitiveArray<T> = column.as_primitive::<T>();
    column.value(row).into()
}

fn list(items: &ArrayRef, tag: Option<ValueType>) -> Result<Option<Form>, Error> {
    let mut nodes = Vec::with_capacity(items.len());
    for item in 0..items.len() {
        let Some(form) = cell(items, item, tag)? else { return Ok(None) };
        nodes.push(Node { form, span: Span::default() });
    }
    Ok(Some(Form::Vector(nodes)))
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

fn bytes(bytes: &[u8], tag: Option<ValueType>) -> Result<Value, Error> {
    match tag {
        Some(ValueType::Tuple) => Ok(Value::from_canonical(bytes)?),
        _ => Ok(Value::Bytes(bytes.into())),
    }
}

/// Of a bigdec the column's zeros are left out. What SQL computed without digits after the point is a long where it fits.
fn decimal(digits: &str, scale: i8, tag: Option<ValueType>) -> Result<Value, Error> {
    match (scale, tag) {
        (0, Some(_)) => big(&format!("{digits}N")),
        (0, None) => integer(digits),
        _ => {
            let plain = digits.trim_end_matches('0');
            big(&format!("{}M", plain.strip_suffix('.').unwrap_or(plain)))
        }
    }
}

fn integer(digits: &str) -> Result<Value, Error> {
    match digits.parse() {
        Ok(n) => Ok(Value::Long(n)),
        Err(_) => big(&format!("{digits}N")),
    }
}

fn big(edn: &str) -> Result<Value, Error> {
    match daodb_datalog::edn::read(edn).map(|node| node.form) {
        Ok(Form::Value(value)) => Ok(value),
        _ => Err(Error::new(SqlState::INTERNAL, format!("{edn} is no number of a result"))),
    }
}
