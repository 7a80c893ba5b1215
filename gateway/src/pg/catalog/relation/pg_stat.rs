//! `pg_stat_*`: what is counted without asking: rows of tables, the databases. Counters of use are not kept.

use super::super::objects::{Kind, Objects};
use super::super::rows::{Cell, Rows};

pub fn tables(objects: &Objects, rows: &mut Rows) {
    let tables = objects.relations.iter().filter(|r| r.kind == Kind::Table && !r.is_system());
    for table in tables {
        rows.push([
            ("relid", table.oid.into()),
            ("schemaname", objects.namespace(table.namespace).map(|n| n.name).into()),
            ("relname", table.name.as_str().into()),
            ("n_live_tup", Cell::Int(table.rows.max(0.0) as i64)),
            ("n_dead_tup", Cell::Int(0)),
        ]);
    }
}

pub fn databases(objects: &Objects, rows: &mut Rows) {
    for (oid, name) in &objects.databases {
        rows.push([("datid", (*oid).into()), ("datname", name.as_str().into())]);
    }
}
