//! Which Postgres type shows an Arrow column, and which Arrow type takes a parameter of a Postgres type.

use crate::pg::catalog::field_type;
use crate::pg::errors::{self, Result};
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use pgwire::api::Type;
use std::sync::Arc;

/// Metadata of a field: the value type that it shows (`uuid`, `keyword`, `bigdec`, ...).
pub const VALUE_TYPE: &str = "daodb:type";

/// The Postgres type that a column is described and written as.
pub fn of_field(field: &Field) -> Result<Type> {
    let tag = field.metadata().get(VALUE_TYPE).map(String::as_str);
    if tag.is_some_and(|t| t.starts_with("pg:")) {
        // What is named by an OID in Postgres is text here, and nobody could use that as the OID that binary wants.
        return Ok(match Type::from_oid(field_type::type_oid(field)) {
            Some(ty) if !is_reg(&ty) => ty,
            _ => Type::TEXT,
        });
    }
    let ty = of(field.data_type())?;
    Ok(match (tag, ty) {
        (Some("uuid"), Type::TEXT | Type::BYTEA) => Type::UUID,
        (Some("uuid"), Type::TEXT_ARRAY | Type::BYTEA_ARRAY) => Type::UUID_ARRAY,
        (_, ty) => ty,
    })
}

/// Whether a column shows decimals whose zeros at the end nobody wrote: those of tables, and what is made of them.
pub fn is_bigdec(field: &Field) -> bool {
    let tagged = field.metadata().get(VALUE_TYPE).is_some_and(|tag| tag == "bigdec");
    // Bigdecs have ten places; products and quotients of numerics have more.
    tagged || matches!(field.data_type(), DataType::Decimal128(38, 10..))
}

fn is_reg(ty: &Type) -> bool {
    ty.name().starts_with("reg")
}

/// The same without a field's metadata: parameters.
pub fn of(ty: &DataType) -> Result<Type> {
    Ok(match ty {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => Type::INT2,
        DataType::UInt16 | DataType::Int32 => Type::INT4,
        // System relations and functions have OIDs; nothing else has this type.
        DataType::UInt32 => Type::OID,
        // row_number() and its like are unsigned in DataFusion and bigint in Postgres.
        DataType::Int64 | DataType::UInt64 => Type::INT8,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Type::NUMERIC,
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::TEXT,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::Struct(_) => Type::RECORD,
        DataType::Map(..) => Type::RECORD_ARRAY,
        DataType::Dictionary(_, value) => of(value)?,
        DataType::RunEndEncoded(_, value) => of_field(value)?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => array_of(&of_field(item)?)?,
        DataType::Union(..) => return Err(no_type(ty)),
    })
}

fn no_type(ty: &DataType) -> Box<daodb_catalog::Error> {
    let mut e = errors::error("0A000", format!("a column of type {ty} has no Postgres type"));
    e.hint = Some("cast it to text in the query".into());
    e
}

/// Element types and their array types.
const ARRAYS: [(Type, Type); 26] = [
    (Type::BOOL, Type::BOOL_ARRAY),
    (Type::INT2, Type::INT2_ARRAY),
    (Type::INT4, Type::INT4_ARRAY),
    (Type::INT8, Type::INT8_ARRAY),
    (Type::OID, Type::OID_ARRAY),
    (Type::FLOAT4, Type::FLOAT4_ARRAY),
    (Type::FLOAT8, Type::FLOAT8_ARRAY),
    (Type::NUMERIC, Type::NUMERIC_ARRAY),
    (Type::TEXT, Type::TEXT_ARRAY),
    (Type::VARCHAR, Type::VARCHAR_ARRAY),
    (Type::BPCHAR, Type::BPCHAR_ARRAY),
    (Type::NAME, Type::NAME_ARRAY),
    (Type::CHAR, Type::CHAR_ARRAY),
    (Type::BYTEA, Type::BYTEA_ARRAY),
    (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
    (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
    (Type::DATE, Type::DATE_ARRAY),
    (Type::TIME, Type::TIME_ARRAY),
    (Type::INTERVAL, Type::INTERVAL_ARRAY),
    (Type::UUID, Type::UUID_ARRAY),
    (Type::JSON, Type::JSON_ARRAY),
    (Type::JSONB, Type::JSONB_ARRAY),
    (Type::XML, Type::XML_ARRAY),
    (Type::RECORD, Type::RECORD_ARRAY),
    // After the arrays of the same elements, which are the rule.
    (Type::INT2, Type::INT2_VECTOR),
    (Type::OID, Type::OID_VECTOR),
];

/// The array type of an element type; an array of arrays is one array of more dimensions.
fn array_of(item: &Type) -> Result<Type> {
    let found = ARRAYS.iter().find(|(of, array)| of == item || array == item);
    found
        .map(|(_, array)| array.clone())
        .ok_or_else(|| errors::error("0A000", format!("there is no array type of {item}")))
}

/// The element type of an array type. None: it is no array.
pub fn item_of(array: &Type) -> Option<Type> {
    ARRAYS.iter().find(|(_, of)| of == array).map(|(item, _)| item.clone())
}

/// Bytes of a value as pg_type.typlen has it; -1: as long as it is.
pub fn size(ty: &Type) -> i16 {
    match *ty {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::XID | Type::CID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL | Type::UUID => 16,
        Type::NAME => 64,
        _ => -1,
    }
}

/// The Arrow type that a parameter declared as `ty` is planned with. None: left to the statement.
pub fn planned(ty: &Type) -> Option<DataType> {
    Some(match *ty {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::OID => DataType::UInt32,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::BYTEA => DataType::Binary,
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Microsecond),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        Type::UNKNOWN => return None,
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::CHAR
        | Type::UUID
        | Type::JSON
        | Type::JSONB
        | Type::XML
        | Type::REGCLASS
        | Type::REGTYPE
        | Type::REGPROC
        | Type::REGNAMESPACE => DataType::Utf8,
        ref array => {
            let item = planned(&item_of(array)?)?;
            DataType::List(Arc::new(Field::new_list_field(item, true)))
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_of_fields() {
        let check = |field: Field, expect| assert_eq!(of_field(&field).unwrap(), expect);
        let tagged = |ty, tag: &str| {
            Field::new("c", ty, true).with_metadata([(VALUE_TYPE.into(), tag.into())].into())
        };
        let list = |ty| DataType::List(Arc::new(Field::new_list_field(ty, true)));
        check(tagged(DataType::Utf8View, "uuid"), Type::UUID);
        check(tagged(DataType::FixedSizeBinary(16), "uuid"), Type::UUID);
        check(tagged(list(DataType::Utf8View), "uuid"), Type::UUID_ARRAY);
        check(tagged(DataType::Utf8View, "keyword"), Type::TEXT);
        check(tagged(DataType::Int64, "ref"), Type::INT8);
        check(tagged(DataType::Decimal128(38, 0), "bigint"), Type::NUMERIC);
        check(Field::new("c", list(list(DataType::Int32)), true), Type::INT4_ARRAY);
        let dictionary = DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into());
        check(Field::new("c", dictionary, true), Type::TEXT);
    }

    #[test]
    fn parameters_come_back_as_they_went() {
        for ty in [
            Type::BOOL,
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::FLOAT4,
            Type::FLOAT8,
            Type::NUMERIC,
            Type::TEXT,
            Type::BYTEA,
            Type::TIMESTAMP,
            Type::TIMESTAMPTZ,
            Type::DATE,
            Type::TIME,
            Type::INTERVAL,
            Type::INT8_ARRAY,
            Type::TEXT_ARRAY,
        ] {
            assert_eq!(of(&planned(&ty).unwrap()).unwrap(), ty);
        }
    }
}
