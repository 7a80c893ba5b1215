//! Casts to types that only Postgres has: names of types in pg_catalog, OIDs and their aliases, arrays from text.

use super::super::literal::array_elements;
use super::build::{call, called, fold, literal, null, take, text};
use daodb_catalog::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, DataType, ExactNumberInfo, Expr, TimezoneInfo,
};

/// Types whose value is an OID and whose text is a name; each has functions `...in` and `...out`.
const REGS: [&str; 4] = ["regclass", "regtype", "regnamespace", "regrole"];

pub fn rewrite(expr: &mut Expr) -> Result<()> {
    let Expr::Cast { expr: inner, data_type, .. } = expr else { return Ok(()) };
    let name = type_name(data_type);
    let reg = name.as_deref().and_then(|n| REGS.into_iter().find(|r| *r == n));
    if let Some(reg) = reg {
        *expr = call(&format!("{reg}in"), vec![take(inner)]);
        return Ok(());
    }
    if matches!(name.as_deref(), Some("oid" | "xid" | "cid")) {
        let function = called(inner).is_some_and(|(name, _)| name == "regprocin");
        *expr = call(if function { "regprocoid" } else { "oidin" }, vec![take(inner)]);
        return Ok(());
    }
    if matches!(name.as_deref(), Some("regproc" | "regprocedure" | "regoper" | "regoperator")) {
        *expr = call("regprocin", vec![take(inner)]);
        return Ok(());
    }
    *data_type = plain(data_type)?;
    if is_text(data_type) && shown(inner).is_some() {
        *expr = shown(inner).unwrap_or_else(null);
        return Ok(());
    }
    if let (DataType::Array(_), Some(elements)) =
        (&*data_type, literal(inner).and_then(array_elements))
    {
        let elem = elements.into_iter().map(|e| e.map_or_else(null, text)).collect();
        **inner = Expr::Array(Array { elem, named: true });
    }
    Ok(())
}

/// What an OID alias shows: the name of the object. None: the expression is none.
pub fn shown(expr: &Expr) -> Option<Expr> {
    let (name, _) = called(expr)?;
    let reg = name.strip_suffix("in").filter(|r| REGS.contains(r))?;
    Some(call(&format!("{reg}out"), vec![expr.clone()]))
}

fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Text | DataType::Varchar(_))
}

/// The bare name of a type that SQL's grammar does not know.
fn type_name(ty: &DataType) -> Option<String> {
    match ty {
        DataType::Regclass => Some("regclass".to_owned()),
        DataType::Custom(name, _) => {
            let parts: Vec<String> = name.0.iter().filter_map(|p| p.as_ident().map(fold)).collect();
            match parts.as_slice() {
                [name] => Some(name.clone()),
                [schema, name] if schema == "pg_catalog" || schema == "information_schema" => {
                    Some(name.clone())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A type that the planner knows.
fn plain(ty: &DataType) -> Result<DataType> {
    if let DataType::Array(ArrayElemTypeDef::SquareBracket(item, size)) = ty {
        let item = Box::new(match plain(item)? {
            DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::Character(_) => {
                DataType::Text
            }
            item => item,
        });
        return Ok(DataType::Array(ArrayElemTypeDef::SquareBracket(item, *size)));
    }
    match ty {
        DataType::Uuid | DataType::Regclass => return Ok(DataType::Text),
        DataType::CharacterVarying(None) | DataType::Character(None) => return Ok(DataType::Text),
        DataType::Custom(..) => {}
        other => return Ok(other.clone()),
    }
    let name = type_name(ty);
    Ok(match name.as_deref() {
        Some(
            "text" | "varchar" | "bpchar" | "name" | "char" | "cstring" | "unknown" | "uuid"
            | "regproc" | "regclass" | "regtype" | "regconfig" | "regdictionary" | "sql_identifier"
            | "character_data" | "yes_or_no" | "pg_node_tree" | "aclitem" | "inet" | "citext",
        ) => DataType::Text,
        Some("int2") => DataType::SmallInt(None),
        Some("int4" | "cardinal_number") => DataType::Int(None),
        Some("int8") => DataType::BigInt(None),
        Some("oid" | "xid" | "cid") => DataType::IntUnsigned(None),
        Some("float4") => DataType::Real,
        Some("float8") => DataType::DoublePrecision,
        Some("bool") => DataType::Boolean,
        Some("numeric") => DataType::Numeric(ExactNumberInfo::None),
        Some("date") => DataType::Date,
        Some("timestamp") => DataType::Timestamp(None, TimezoneInfo::None),
        Some("timestamptz") => DataType::Timestamp(None, TimezoneInfo::Tz),
        Some("bytea") => DataType::Bytea,
        _ => {
            let message = format!("type \"{ty}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, message));
        }
    })
}
