//! `pg_class`: tables, views and indexes.

use super::super::objects::{BTREE, HEAP, Kind, OWNER, Objects};
use super::super::rows::{Cell, Rows};
use super::pg_attribute::number;

/// Pages are estimated as PostgreSQL would fill them: 8 kB, about a hundred rows each.
const ROWS_PER_PAGE: f32 = 100.0;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    let indexed: std::collections::HashSet<u32> =
        objects.relations.iter().filter_map(|r| Some(r.index()?.table)).collect();
    for relation in &objects.relations {
        let method = match relation.kind {
            Kind::Table => HEAP,
            Kind::Index(_) => BTREE,
            Kind::View(_) | Kind::SystemView => 0,
        };
        let stored = matches!(relation.kind, Kind::Table | Kind::Index(_));
        let pages = if relation.rows > 0.0 { (relation.rows / ROWS_PER_PAGE).ceil() } else { 0.0 };
        let natts = relation.columns.len().checked_sub(1).map_or(0, number);
        let is_view = !stored;
        rows.push([
            ("oid", relation.oid.into()),
            ("relname", relation.name.as_str().into()),
            ("relnamespace", relation.namespace.into()),
            ("relowner", OWNER.into()),
            ("relam", method.into()),
            ("relfilenode", if stored { relation.oid } else { 0 }.into()),
            ("relpages", Cell::Int(pages as i64)),
            ("reltuples", relation.rows.into()),
            ("relhasindex", indexed.contains(&relation.oid).into()),
            ("relpersistence", "p".into()),
            ("relkind", relation.kind_char().into()),
            ("relnatts", natts.into()),
            ("relhasrules", is_view.into()),
            ("relispopulated", true.into()),
            ("relreplident", replica_identity(relation.is_system(), &relation.kind).into()),
        ]);
    }
}

fn replica_identity(system: bool, kind: &Kind) -> &'static str {
    match kind {
        Kind::Table if !system => "d",
        _ => "n",
    }
}
