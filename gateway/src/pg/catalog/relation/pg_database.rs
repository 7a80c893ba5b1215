//! `pg_database`: the server's databases.

use super::super::objects::{OWNER, Objects};
use super::super::rows::{Cell, Rows};

/// `pg_default` of `pg_tablespace`.
pub const DEFAULT_TABLESPACE: u32 = 1663;
/// UTF8.
const ENCODING: i32 = 6;

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for (oid, name) in &objects.databases {
        rows.push([
            ("oid", (*oid).into()),
            ("datname", name.as_str().into()),
            ("datdba", OWNER.into()),
            ("encoding", ENCODING.into()),
            ("datlocprovider", "c".into()),
            ("datallowconn", true.into()),
            ("datconnlimit", Cell::Int(-1)),
            ("dattablespace", DEFAULT_TABLESPACE.into()),
            ("datcollate", "C".into()),
            ("datctype", "C".into()),
        ]);
    }
}
