//! `pg_namespace`: the schemas.

use super::super::objects::Objects;
use super::super::rows::Rows;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for namespace in &objects.namespaces {
        rows.push([
            ("oid", namespace.oid.into()),
            ("nspname", namespace.name.into()),
            ("nspowner", namespace.owner.into()),
        ]);
    }
}
