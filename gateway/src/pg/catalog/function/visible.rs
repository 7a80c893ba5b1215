//! `pg_*_is_visible`: whether a name alone finds an object.

use super::super::builtin;
use super::{Call1, Definition, boolean, strict};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    strict("pg_table_is_visible", 1..=1, "bool", table),
    strict("pg_type_is_visible", 1..=1, "bool", |call| {
        match call.oid(0).and_then(builtin::type_by_oid) {
            Some(_) => boolean(true),
            None => Ok(ScalarValue::Boolean(None)),
        }
    }),
    // All others are built in.
    strict("pg_collation_is_visible", 1..=1, "bool", always),
    strict("pg_conversion_is_visible", 1..=1, "bool", always),
    strict("pg_function_is_visible", 1..=1, "bool", always),
    strict("pg_opclass_is_visible", 1..=1, "bool", always),
    strict("pg_operator_is_visible", 1..=1, "bool", always),
    strict("pg_opfamily_is_visible", 1..=1, "bool", always),
    strict("pg_statistics_obj_is_visible", 1..=1, "bool", always),
    strict("pg_ts_config_is_visible", 1..=1, "bool", always),
    strict("pg_ts_dict_is_visible", 1..=1, "bool", always),
    strict("pg_ts_parser_is_visible", 1..=1, "bool", always),
    strict("pg_ts_template_is_visible", 1..=1, "bool", always),
];

fn always(_: &Call1) -> Result<ScalarValue> {
    boolean(true)
}

fn table(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let relation = call.oid(0).and_then(|oid| objects.relation(oid));
    Ok(ScalarValue::Boolean(relation.map(|r| objects.is_visible(r))))
}
