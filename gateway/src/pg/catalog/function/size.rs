//! Sizes. Facts of many tables share segments, so a table's size is its share of them; of what lies in the tail, an estimate
//! from rows and columns.

use super::super::builtin;
use super::super::objects::{Kind, Objects, Relation};
use super::super::statement::Bound;
use super::regs::relation_argument;
use super::{Call1, Definition, strict, utf8};
use daodb_catalog::table::HISTORY_SUFFIX;
use daodb_storage::Attr;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::collections::HashMap;

pub const FUNCTIONS: &[Definition] = &[
    strict("pg_relation_size", 1..=2, "int8", relation),
    strict("pg_table_size", 1..=1, "int8", relation),
    strict("pg_total_relation_size", 1..=1, "int8", relation),
    strict("pg_indexes_size", 1..=1, "int8", |_| Ok(ScalarValue::Int64(Some(0)))),
    strict("pg_database_size", 1..=1, "int8", database),
    strict("pg_tablespace_size", 1..=1, "int8", database),
    strict("pg_size_pretty", 1..=1, "text", |call| utf8(pretty(call.int(0).unwrap_or(0)))),
];

/// Shares of the segments' bytes: a segment's are shared out among its attributes by their facts.
fn shares(bound: &Bound) -> Shares {
    let snapshot = &bound.info.snapshot;
    let mut facts: HashMap<&Attr, u64> = HashMap::new();
    for stat in snapshot.attributes() {
        *facts.entry(&stat.a).or_default() += stat.facts;
    }
    let mut shares = Shares::default();
    for segment in snapshot.segments() {
        shares.total += segment.bytes;
        let of = |a: &Attr| facts.get(a).copied().unwrap_or(0);
        let all: u64 = segment.attributes.iter().map(of).sum();
        for a in &segment.attributes {
            let bytes = u128::from(segment.bytes) * u128::from(of(a)) / u128::from(all.max(1));
            *shares.of.entry((a.clone(), segment.kind == HISTORY)).or_default() += bytes as u64;
        }
    }
    shares
}

/// The kind of segment that holds superseded facts.
const HISTORY: &str = "history";

#[derive(Default)]
struct Shares {
    total: u64,
    /// By attribute, and whether of superseded facts.
    of: HashMap<(Attr, bool), u64>,
}

impl Shares {
    /// Of a table, or of its history.
    fn table(&self, bound: &Bound, name: &str) -> u64 {
        let plain = name.strip_suffix(HISTORY_SUFFIX);
        let table = |name: &str| bound.info.tables.iter().find(|t| t.name == name);
        let (def, history) = match (table(name), plain.and_then(table)) {
            (Some(def), _) => (def, false),
            (None, Some(def)) => (def, true),
            (None, None) => return 0,
        };
        let of = |a: &Attr| self.of.get(&(a.clone(), history)).copied().unwrap_or(0);
        def.columns.iter().map(|c| of(&c.a)).sum()
    }
}

/// Bytes that a fact about a short text takes in a segment, about.
const TEXT_BYTES: i64 = 16;
/// A number beside its entity id, both delta-encoded.
const NUMBER_BYTES: i64 = 4;

fn relation(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let found = relation_argument(call, &objects, 0)?;
    let size = |relation: &Relation| {
        let kept = match relation.kind {
            Kind::Table if !relation.is_system() => {
                shares(call.bound).table(call.bound, &relation.name)
            }
            _ => 0,
        };
        // What the tail holds is in no segment yet.
        i64::try_from(kept).unwrap_or(i64::MAX).max(if kept == 0 { bytes(relation) } else { 0 })
    };
    Ok(ScalarValue::Int64(found.map(size)))
}

/// Only the session's own database is open to it; the others are not counted.
fn database(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let name = call.text(0).unwrap_or_default();
    let own = objects.databases.iter().find(|d| d.1 == objects.database);
    let is_own = own.is_some_and(|d| d.1 == name || d.0.to_string() == name);
    let kept = i64::try_from(shares(call.bound).total).unwrap_or(i64::MAX);
    Ok(ScalarValue::Int64(is_own.then(|| kept.max(total(&objects)))))
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
