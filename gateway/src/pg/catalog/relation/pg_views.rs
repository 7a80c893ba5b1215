//! `pg_views`: the database's views, with their SQL.

use super::super::objects::{Kind, Objects};
use super::super::rows::Rows;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for view in &objects.relations {
        let Kind::View(sql) = &view.kind else { continue };
        rows.push([
            ("schemaname", objects.namespace(view.namespace).map(|n| n.name).into()),
            ("viewname", view.name.as_str().into()),
            ("viewowner", objects.user.as_str().into()),
            ("definition", sql.as_str().into()),
        ]);
    }
}
