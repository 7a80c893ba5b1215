//! `pg_tables`.

use super::super::objects::{Kind, Objects};
use super::super::rows::Rows;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for table in objects.relations.iter().filter(|r| r.kind == Kind::Table) {
        rows.push([
            ("schemaname", objects.namespace(table.namespace).map(|n| n.name).into()),
            ("tablename", table.name.as_str().into()),
            ("tableowner", objects.user.as_str().into()),
            ("hasindexes", (!objects.indexes(table.oid).is_empty()).into()),
            ("hasrules", false.into()),
            ("hastriggers", false.into()),
            ("rowsecurity", false.into()),
        ]);
    }
}
