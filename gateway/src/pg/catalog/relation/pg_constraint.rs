//! `pg_constraint`: each table's primary key, and its unique attributes.

use super::super::objects::{Objects, PUBLIC};
use super::super::rows::{Cell, Rows};

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for relation in &objects.relations {
        let Some(index) = relation.index() else { continue };
        let Some(constraint) = index.constraint else { continue };
        rows.push([
            ("oid", constraint.into()),
            ("conname", relation.name.as_str().into()),
            ("connamespace", PUBLIC.into()),
            ("contype", if index.primary { "p" } else { "u" }.into()),
            ("convalidated", true.into()),
            ("conrelid", index.table.into()),
            ("conindid", relation.oid.into()),
            ("confupdtype", " ".into()),
            ("confdeltype", " ".into()),
            ("confmatchtype", " ".into()),
            ("conislocal", true.into()),
            ("connoinherit", true.into()),
            ("conkey", Cell::List(vec![index.column.into()])),
        ]);
    }
}
