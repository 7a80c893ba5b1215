//! Sizes. Facts of many tables share segments, so a table's size is an estimate from its rows and columns.

use super::super::builtin;
use super::super::objects::{Kind, Objects, Relation};
use super::regs::relation_argument;
use super::{Call1, Definition, strict, utf8};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    strict("pg_relation_size", 1..=2, "int8", relation),
    strict("pg_table_size", 1..=1, "int8", relation),
    strict("pg_total_relation_size", 1..=1, "int8", relation),
    strict("pg_indexes_size", 1..=1, "int8", |_| Ok(ScalarValue::Int64(Some(0)))),
    strict("pg_database_size", 1..=1, "int8", database),
    strict("pg_tablespace_size", 1..=1, "int8", database),
    strict("pg_size_pretty", 1..=1, "text", |call| utf8(pretty(call.int(0).unwrap_or(0)))),
];

/// Bytes that a fact about a short text takes in a segment, about.
const TEXT_BYTES: i64 = 16;
/// A number beside its entity id, both delta-encoded.
const NUMBER_BYTES: i64 = 4;

fn relation(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let found = relation_argument(call, &objects, 0)?;
    Ok(ScalarValue::Int64(found.map(bytes)))
}

/// Only the session's own database is open to it; the others are not counted.
fn database(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let name = call.text(0).unwrap_or_default();
    let own = objects.databases.iter().find(|d| d.1 == objects.database);
    let is_own = own.is_some_and(|d| d.1 == name || d.0.to_string() == name);
    Ok(ScalarValue::Int64(is_own.then(|| total(&objects))))
}

fn total(objects: &Objects) -> i64 {
    objects.relations.iter().map(bytes).sum()
}

fn bytes(relation: &Relation) -> i64 {
    if relation.kind != Kind::Table || relation.rows <= 0.0 {
        return 0;
    }
    let width = |oid| match builtin::type_by_oid(oid) {
        Some(ty) if ty.len > 0 => NUMBER_BYTES,
        _ => TEXT_BYTES,
    };
    let row: i64 = relation.columns.iter().skip(1).map(|c| width(c.type_oid)).sum();
    (relation.rows as i64).saturating_mul(row)
}

/// `8192 bytes`, `16 kB`: the next unit is taken at ten times 1024 of one, and halves are rounded up.
fn pretty(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let mut size = i128::from(bytes);
    let mut unit = 0;
    // From the second unit on a half is kept as the last bit.
    while unit + 1 < UNITS.len() && size.abs() >= if unit == 0 { 10 * 1024 } else { 20 * 1024 - 1 }
    {
        size >>= if unit == 0 { 9 } else { 10 };
        unit += 1;
    }
    if unit > 0 {
        size = (size + if size >= 0 { 1 } else { -1 }) / 2;
    }
    format!("{size} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_postgresql_prints_them() {
        for (bytes, expect) in [
            (0, "0 bytes"),
            (8192, "8192 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (16_384, "16 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (123_456_789, "118 MB"),
            (-16_384, "-16 kB"),
        ] {
            assert_eq!(pretty(bytes), expect, "{bytes}");
        }
    }
}
