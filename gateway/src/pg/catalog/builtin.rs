//! What every PostgreSQL 15 has from the start: the columns of its system relations, and its types.
//!
//! The two data files say what a PostgreSQL 15 answers about itself (`pg_class`, `pg_attribute`, `pg_type`), less the types
//! that no column or function of ours can have.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A relation of `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub struct SystemRelation {
    pub schema: &'static str,
    pub name: &'static str,
    pub oid: u32,
    /// `r` or `v`.
    pub kind: &'static str,
    pub columns: Vec<SystemColumn>,
}

#[derive(Debug)]
pub struct SystemColumn {
    pub name: &'static str,
    /// `typname` of its type; of the type beneath, where it is a domain.
    pub type_name: &'static str,
    pub not_null: bool,
}

/// A type as `pg_type` has it; the functions by name.
#[derive(Debug)]
pub struct SystemType {
    pub oid: u32,
    pub name: &'static str,
    pub len: i16,
    pub by_value: bool,
    pub kind: &'static str,
    pub category: &'static str,
    pub preferred: bool,
    pub subscript: &'static str,
    pub element: u32,
    pub array: u32,
    pub input: &'static str,
    pub output: &'static str,
    pub receive: &'static str,
    pub send: &'static str,
    pub modifier_in: &'static str,
    pub modifier_out: &'static str,
    pub align: &'static str,
    pub storage: &'static str,
    pub collation: u32,
    /// As `format_type` names it without a modifier.
    pub sql_name: &'static str,
    pub description: &'static str,
}

static RELATIONS: LazyLock<Vec<SystemRelation>> =
    LazyLock::new(|| parse_relations(include_str!("data/relations.txt")));

static TYPES: LazyLock<Vec<SystemType>> =
    LazyLock::new(|| include_str!("data/types.txt").lines().filter_map(parse_type).collect());

static RELATION_BY_NAME: LazyLock<HashMap<(&'static str, &'static str), &'static SystemRelation>> =
    LazyLock::new(|| RELATIONS.iter().map(|r| ((r.schema, r.name), r)).collect());

static TYPE_BY_OID: LazyLock<HashMap<u32, &'static SystemType>> =
    LazyLock::new(|| TYPES.iter().map(|t| (t.oid, t)).collect());

static TYPE_BY_NAME: LazyLock<HashMap<&'static str, &'static SystemType>> =
    LazyLock::new(|| TYPES.iter().map(|t| (t.name, t)).collect());

/// All system relations, by schema (`pg_catalog` first) and name.
pub fn relations() -> &'static [SystemRelation] {
    &RELATIONS
}

pub fn relation(schema: &str, name: &str) -> Option<&'static SystemRelation> {
    RELATION_BY_NAME.get(&(schema, name)).copied()
}

/// All types, by OID.
pub fn types() -> &'static [SystemType] {
    &TYPES
}

pub fn type_by_oid(oid: u32) -> Option<&'static SystemType> {
    TYPE_BY_OID.get(&oid).copied()
}

/// By `typname` (`int8`, `_text`).
pub fn type_by_name(name: &str) -> Option<&'static SystemType> {
    TYPE_BY_NAME.get(name).copied()
}

/// By any name that SQL has for it: `bigint`, `int8`, `text[]`.
pub fn type_by_sql_name(name: &str) -> Option<&'static SystemType> {
    let name = name.trim();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name).trim_matches('"').to_lowercase();
    type_by_name(&name)
        .or_else(|| TYPES.iter().find(|t| t.sql_name == name))
        .or_else(|| type_by_alias(&name))
        .or_else(|| {
            let element = type_by_sql_name(name.strip_suffix("[]")?)?;
            type_by_oid(element.array)
        })
}

fn type_by_alias(name: &str) -> Option<&'static SystemType> {
    type_by_name(match name {
        "int" => "int4",
        "float" | "double" => "float8",
        "decimal" => "numeric",
        "string" => "text",
        _ => return None,
    })
}

fn parse_relations(text: &'static str) -> Vec<SystemRelation> {
    let mut all: Vec<SystemRelation> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if line.starts_with(' ') {
            let not_null = words.next() == Some("!");
            if let Some(relation) = all.last_mut() {
                relation.columns.push(SystemColumn { name: first, type_name: second, not_null });
            }
        } else if let (Some((schema, name)), Ok(oid)) = (first.split_once('.'), second.parse()) {
            let kind = words.next().unwrap_or("r");
            all.push(SystemRelation { schema, name, oid, kind, columns: Vec::new() });
        }
    }
    all
}

fn parse_type(line: &'static str) -> Option<SystemType> {
    let mut cells = line.split('|');
    Some(SystemType {
        oid: cells.next()?.parse().ok()?,
        name: cells.next()?,
        len: cells.next()?.parse().ok()?,
        by_value: cells.next()? == "1",
        kind: cells.next()?,
        category: cells.next()?,
        preferred: cells.next()? == "1",
        subscript: cells.next()?,
        element: cells.next()?.parse().ok()?,
        array: cells.next()?.parse().ok()?,
        input: cells.next()?,
        output: cells.next()?,
        receive: cells.next()?,
        send: cells.next()?,
        modifier_in: cells.next()?,
        modifier_out: cells.next()?,
        align: cells.next()?,
        storage: cells.next()?,
        collation: cells.next()?.parse().ok()?,
        sql_name: cells.next()?,
        description: cells.next()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_line_is_read() {
        let lines = include_str!("data/relations.txt").lines();
        let columns: usize = relations().iter().map(|r| r.columns.len()).sum();
        assert_eq!(lines.count(), relations().len() + columns);
        assert_eq!(include_str!("data/types.txt").lines().count(), types().len());
    }

    #[test]
    fn every_column_has_a_type_that_we_know_or_show_as_text() {
        let class = relation("pg_catalog", "pg_class").unwrap();
        assert_eq!((class.oid, class.columns[0].type_name), (1259, "oid"));
        assert!(relation("pg_catalog", "nothing").is_none());
    }

    #[test]
    fn types_by_the_names_that_sql_has() {
        for (name, oid) in
            [("bigint", 20), ("int8", 20), ("text[]", 1009), ("pg_catalog.int4", 23), ("INT", 23)]
        {
            assert_eq!(type_by_sql_name(name).unwrap().oid, oid, "{name}");
        }
        assert!(type_by_sql_name("hstore").is_none());
    }
}
