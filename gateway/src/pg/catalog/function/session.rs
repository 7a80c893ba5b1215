//! What a session answers about itself.

use super::{Call1, Definition, boolean, lenient, maybe_utf8, strict, utf8};
use daodb_catalog::{Error, SqlState};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    strict("current_database", 0..=0, "name", database),
    strict("current_catalog", 0..=0, "name", database),
    strict("current_user", 0..=0, "name", user),
    strict("session_user", 0..=0, "name", user),
    strict("current_role", 0..=0, "name", user),
    strict("user", 0..=0, "name", user),
    strict("current_schema", 0..=0, "name", |_| utf8("public")),
    strict("current_schemas", 1..=1, "_name", schemas),
    strict("version", 0..=0, "text", version),
    strict("current_setting", 1..=2, "text", setting),
    strict("set_config", 3..=3, "text", set_config),
    strict("pg_is_in_recovery", 0..=0, "bool", |_| boolean(false)),
    strict("pg_is_wal_replay_paused", 0..=0, "bool", |_| boolean(false)),
    // There are no locks; drivers let go of theirs when they give a connection back.
    strict("pg_advisory_unlock_all", 0..=0, "text", |_| utf8("")),
    strict("pg_client_encoding", 0..=0, "name", |_| utf8("UTF8")),
    strict("getdatabaseencoding", 0..=0, "name", |_| utf8("UTF8")),
    strict("pg_my_temp_schema", 0..=0, "oid", |_| Ok(ScalarValue::UInt32(Some(0)))),
    strict("pg_is_other_temp_schema", 1..=1, "bool", |_| boolean(false)),
    // A session does not know its connection: as on a Unix-domain socket.
    lenient("inet_server_addr", 0..=0, "text", |_| maybe_utf8(None)),
    lenient("inet_client_addr", 0..=0, "text", |_| maybe_utf8(None)),
    lenient("inet_server_port", 0..=0, "int4", |_| Ok(ScalarValue::Int32(None))),
    lenient("inet_client_port", 0..=0, "int4", |_| Ok(ScalarValue::Int32(None))),
    strict("pg_backend_pid", 0..=0, "int4", |call| {
        Ok(ScalarValue::Int32(Some(call.bound.info.backend)))
    }),
    strict("txid_current", 0..=0, "int8", transaction),
    strict("pg_current_xact_id", 0..=0, "int8", transaction),
    lenient("txid_current_if_assigned", 0..=0, "int8", |_| Ok(ScalarValue::Int64(None))),
    strict("to_regnamespace", 1..=1, "oid", |call| {
        let objects = call.bound.objects()?;
        let name = call.text(0).unwrap_or_default();
        Ok(ScalarValue::UInt32(objects.namespace_named(&name).map(|n| n.oid)))
    }),
    strict("pg_stat_get_numscans", 1..=1, "int8", |_| Ok(ScalarValue::Int64(Some(0)))),
];

fn database(call: &Call1) -> Result<ScalarValue> {
    utf8(call.bound.info.database.name())
}

fn user(call: &Call1) -> Result<ScalarValue> {
    utf8(call.bound.info.user.clone())
}

/// The search path, with the implicit pg_catalog where asked for.
fn schemas(call: &Call1) -> Result<ScalarValue> {
    let names =
        if call.bool(0) == Some(true) { &["pg_catalog", "public"][..] } else { &["public"] };
    let names: Vec<ScalarValue> = names.iter().map(|n| ScalarValue::from(*n)).collect();
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&names, &DataType::Utf8)))
}

fn version(call: &Call1) -> Result<ScalarValue> {
    let settings = &call.bound.info.settings;
    let postgres = settings.get("server_version").map_or("15.0", String::as_str);
    let postgres = postgres.split_whitespace().next().unwrap_or("15.0");
    utf8(format!("PostgreSQL {postgres} (DaoDB {})", env!("CARGO_PKG_VERSION")))
}

fn setting(call: &Call1) -> Result<ScalarValue> {
    let name = call.text(0).unwrap_or_default();
    match call.bound.info.settings.get(&name.to_lowercase()) {
        Some(value) => utf8(value.clone()),
        None if call.bool(1) == Some(true) => maybe_utf8(None),
        None => Err(unknown_setting(&name).into()),
    }
}

fn unknown_setting(name: &str) -> Error {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    Error::new(SqlState::UNDEFINED_OBJECT, message)
}

/// A query cannot change its session: only what is so already is accepted.
fn set_config(call: &Call1) -> Result<ScalarValue> {
    let (name, wanted) = (call.text(0).unwrap_or_default(), call.text(1).unwrap_or_default());
    match call.bound.info.settings.get(&name.to_lowercase()) {
        Some(value) if value.eq_ignore_ascii_case(&wanted) => utf8(value.clone()),
        Some(value) => {
            let message = format!("set_config cannot change {name} from {value:?} to {wanted:?}");
            let hint = format!("use SET {name} = '{wanted}'");
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).hint(hint).into())
        }
        None => Err(unknown_setting(&name).into()),
    }
}

/// The transaction that the session sees.
fn transaction(call: &Call1) -> Result<ScalarValue> {
    Ok(ScalarValue::Int64(Some(call.bound.info.snapshot.t())))
}
