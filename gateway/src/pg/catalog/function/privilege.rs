//! Privileges: everyone who is let in may read all, and nothing can be written by SQL yet.

use super::{Call1, Definition, boolean, strict};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    strict("has_any_column_privilege", 2..=3, "bool", has),
    strict("has_column_privilege", 3..=4, "bool", has),
    strict("has_database_privilege", 2..=3, "bool", has),
    strict("has_foreign_data_wrapper_privilege", 2..=3, "bool", has),
    strict("has_function_privilege", 2..=3, "bool", has),
    strict("has_language_privilege", 2..=3, "bool", has),
    strict("has_parameter_privilege", 2..=3, "bool", has),
    strict("has_schema_privilege", 2..=3, "bool", has),
    strict("has_sequence_privilege", 2..=3, "bool", has),
    strict("has_server_privilege", 2..=3, "bool", has),
    strict("has_table_privilege", 2..=3, "bool", has),
    strict("has_tablespace_privilege", 2..=3, "bool", has),
    strict("has_type_privilege", 2..=3, "bool", has),
    strict("pg_has_role", 2..=3, "bool", |_| boolean(true)),
    strict("row_security_active", 1..=1, "bool", |_| boolean(false)),
    strict("pg_relation_is_publishable", 1..=1, "bool", |_| boolean(false)),
    strict("pg_relation_is_updatable", 2..=2, "int4", |_| Ok(ScalarValue::Int32(Some(0)))),
    strict("pg_column_is_updatable", 3..=3, "bool", |_| boolean(false)),
];

/// The last argument names privileges, parted by commas; one of them is enough.
fn has(call: &Call1) -> Result<ScalarValue> {
    let wanted = call.text(call.args.len().saturating_sub(1)).unwrap_or_default().to_uppercase();
    let reads = ["SELECT", "USAGE", "CONNECT", "EXECUTE", "MEMBER"];
    boolean(wanted.split(',').any(|p| reads.contains(&p.split_whitespace().next().unwrap_or(""))))
}
