//! `pg_attribute`: the columns of all relations.

use super::super::builtin;
use super::super::objects::{Column, Objects, Relation};
use super::super::rows::{Cell, Rows};

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for relation in &objects.relations {
        for (i, column) in relation.columns.iter().enumerate() {
            add(relation, i, column, rows);
        }
    }
}

fn add(relation: &Relation, i: usize, column: &Column, rows: &mut Rows) {
    let Some(ty) = builtin::type_by_oid(column.type_oid) else { return };
    rows.push([
        ("attrelid", relation.oid.into()),
        ("attname", column.name.as_str().into()),
        ("atttypid", ty.oid.into()),
        ("attstattarget", Cell::Int(-1)),
        ("attlen", ty.len.into()),
        ("attnum", number(i).into()),
        ("attndims", Cell::Int((ty.category == "A").into())),
        ("attcacheoff", Cell::Int(-1)),
        ("atttypmod", Cell::Int(-1)),
        ("attbyval", ty.by_value.into()),
        ("attalign", ty.align.into()),
        ("attstorage", ty.storage.into()),
        ("attnotnull", column.not_null.into()),
        ("attislocal", true.into()),
        ("attcollation", ty.collation.into()),
    ]);
}

/// Column numbers begin at 1.
pub fn number(i: usize) -> i16 {
    i16::try_from(i + 1).unwrap_or(i16::MAX)
}
