//! `pg_tablespace`: one, the data folder.

use super::super::objects::{OWNER, Objects};
use super::super::rows::Rows;
use super::pg_database::DEFAULT_TABLESPACE;

pub fn fill(_: &Objects, rows: &mut Rows) {
    for (oid, name) in [(DEFAULT_TABLESPACE, "pg_default"), (1664, "pg_global")] {
        rows.push([("oid", oid.into()), ("spcname", name.into()), ("spcowner", OWNER.into())]);
    }
}
