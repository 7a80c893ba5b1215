//! `pg_index` and `pg_indexes`: what finds an entity without a scan.

use super::super::builtin;
use super::super::definition::index_definition;
use super::super::objects::Objects;
use super::super::rows::{Cell, Rows};
use super::pg_access::class_of;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for relation in &objects.relations {
        let (Some(index), Some(column)) = (relation.index(), relation.columns.first()) else {
            continue;
        };
        let collation = builtin::type_by_oid(column.type_oid).map_or(0, |t| t.collation);
        rows.push([
            ("indexrelid", relation.oid.into()),
            ("indrelid", index.table.into()),
            ("indnatts", 1.into()),
            ("indnkeyatts", 1.into()),
            ("indisunique", index.unique.into()),
            ("indisprimary", index.primary.into()),
            ("indimmediate", true.into()),
            ("indisvalid", true.into()),
            ("indisready", true.into()),
            ("indislive", true.into()),
            ("indkey", Cell::List(vec![index.column.into()])),
            ("indcollation", Cell::List(vec![collation.into()])),
            ("indclass", Cell::List(vec![class_of(column.type_oid).into()])),
            ("indoption", Cell::List(vec![Cell::Int(0)])),
        ]);
    }
}

pub fn indexes(objects: &Objects, rows: &mut Rows) {
    for relation in &objects.relations {
        let Some(index) = relation.index() else { continue };
        rows.push([
            ("schemaname", "public".into()),
            ("tablename", objects.relation(index.table).map(|t| t.name.as_str()).into()),
            ("indexname", relation.name.as_str().into()),
            ("indexdef", index_definition(objects, relation).into()),
        ]);
    }
}
