//! The one map between Arrow fields and Postgres types: `pg_attribute` and the wire's row descriptions say the same.
//!
//! A field's metadata `daodb:type` names the value type shown (`uuid`, `instant`), or, in system relations and results of
//! system functions, the Postgres type itself (`pg:name`, `pg:int2vector`).

use super::builtin;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

const KEY: &str = "daodb:type";
const PREFIX: &str = "pg:";

/// The OID of the Postgres type that shows this field.
pub fn type_oid(field: &Field) -> u32 {
    let tag = field.metadata().get(KEY).map(String::as_str).unwrap_or_default();
    if let Some(ty) = tag.strip_prefix(PREFIX).and_then(builtin::type_by_name) {
        return ty.oid;
    }
    let tagged = match tag {
        "uuid" => Some("uuid"),
        "bigint" | "bigdec" => Some("numeric"),
        _ => None,
    };
    match (field.data_type(), tagged.and_then(builtin::type_by_name)) {
        (DataType::List(_) | DataType::LargeList(_), Some(element)) => element.array,
        (_, Some(ty)) => ty.oid,
        (ty, None) => arrow_type_oid(ty),
    }
}

/// The same for a type without metadata.
pub fn arrow_type_oid(ty: &DataType) -> u32 {
    if let DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) = ty
    {
        let element = builtin::type_by_oid(type_oid(item));
        return element
            .map(|e| e.array)
            .filter(|array| *array != 0)
            .unwrap_or_else(|| oid("_text"));
    }
    if let DataType::Dictionary(_, value) = ty {
        return arrow_type_oid(value);
    }
    oid(match ty {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "int2",
        DataType::Int32 | DataType::UInt16 => "int4",
        DataType::UInt32 => "oid",
        DataType::Int64 => "int8",
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => "numeric",
        DataType::Decimal32(..) | DataType::Decimal64(..) => "numeric",
        DataType::Float16 | DataType::Float32 => "float4",
        DataType::Float64 => "float8",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytea",
        _ => "text",
    })
}

fn oid(name: &str) -> u32 {
    builtin::type_by_name(name).map_or(0, |t| t.oid)
}

/// A field that shows the Postgres type of this name (`pg_type.typname`).
pub fn field_of(name: &str, type_name: &str, nullable: bool) -> Field {
    let metadata = HashMap::from([(KEY.to_owned(), format!("{PREFIX}{type_name}"))]);
    Field::new(name, arrow_type(type_name), nullable).with_metadata(metadata)
}

/// How we hold a Postgres type in Arrow. What has no better form is text.
pub fn arrow_type(type_name: &str) -> DataType {
    match type_name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "oid" | "xid" | "cid" | "regclass" | "regtype" | "regnamespace" | "regrole" => {
            DataType::UInt32
        }
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "numeric" => DataType::Decimal128(38, 0),
        "bytea" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "int2vector" => list("int2"),
        "oidvector" => list("oid"),
        name => match name.strip_prefix('_') {
            Some(element) => list(element),
            None => DataType::Utf8,
        },
    }
}

fn list(element: &str) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(arrow_type(element), true)))
}

/// A field of lists of what another field shows. The lists' items say nothing of it: arrays are compared with their types.
pub fn list_field(name: &str, item: &Field) -> Field {
    let ty = DataType::List(Arc::new(Field::new_list_field(item.data_type().clone(), true)));
    let field = Field::new(name, ty, true);
    match item.metadata().get(KEY) {
        Some(tag) => {
            let tag = match tag.strip_prefix(PREFIX) {
                Some(pg) => format!("{PREFIX}_{pg}"),
                None => tag.clone(),
            };
            field.with_metadata(HashMap::from([(KEY.to_owned(), tag)]))
        }
        None => field,
    }
}

/// Whether the first element of this array is number 0 (the vectors of the system relations), not 1.
pub fn is_zero_based(field: &Field) -> bool {
    let tag = field.metadata().get(KEY).map(String::as_str);
    matches!(tag, Some("pg:int2vector" | "pg:oidvector"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_show_their_types() {
        let tagged = |ty: DataType, tag: &str| {
            let metadata = HashMap::from([(KEY.to_owned(), tag.to_owned())]);
            type_oid(&Field::new("f", ty, true).with_metadata(metadata))
        };
        assert_eq!(tagged(DataType::Int64, "long"), 20);
        assert_eq!(tagged(DataType::Utf8View, "uuid"), 2950);
        assert_eq!(tagged(DataType::Utf8View, "keyword"), 25);
        assert_eq!(tagged(arrow_type("_text"), "uuid"), 2951);
        assert_eq!(tagged(DataType::Utf8, "pg:name"), 19);
        assert_eq!(type_oid(&field_of("k", "int2vector", true)), 22);
        assert_eq!(arrow_type_oid(&arrow_type("_int8")), 1016);
        assert_eq!(arrow_type_oid(&DataType::UInt32), 26);
    }
}
