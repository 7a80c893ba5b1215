//! `pg_description`: comments of tables and columns (the keyword and the attribute's own words), of types and schemas.

use super::super::objects::Objects;
use super::super::rows::{Cell, Rows};
use super::super::{builtin, callable};
use super::pg_attribute::number;

/// The relations that describe tables, types, schemas and functions (`pg_class`, `pg_type`, `pg_namespace`, `pg_proc`).
pub const CLASS: u32 = 1259;
pub const TYPE: u32 = 1247;
pub const NAMESPACE: u32 = 2615;
pub const PROCEDURE: u32 = 1255;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    let mut add = |object: u32, class: u32, column: i16, text: &str| {
        rows.push([
            ("objoid", object.into()),
            ("classoid", class.into()),
            ("objsubid", Cell::Int(column.into())),
            ("description", text.into()),
        ]);
    };
    for relation in &objects.relations {
        if let Some(text) = &relation.description {
            add(relation.oid, CLASS, 0, text);
        }
        for (i, column) in relation.columns.iter().enumerate() {
            if let Some(text) = &column.description {
                add(relation.oid, CLASS, number(i), text);
            }
        }
    }
    for ty in builtin::types().iter().filter(|t| !t.description.is_empty()) {
        add(ty.oid, TYPE, 0, ty.description);
    }
    for f in callable::all().iter().filter(|f| !f.description.is_empty()) {
        add(f.oid, PROCEDURE, 0, f.description);
    }
    for namespace in objects.namespaces.iter().filter(|n| !n.description.is_empty()) {
        add(namespace.oid, NAMESPACE, 0, namespace.description);
    }
}
