//! `pg_language`: functions are built in.

use super::super::objects::{OWNER, Objects};
use super::super::rows::Rows;

/// `internal`.
pub const INTERNAL: u32 = 12;

pub fn fill(_: &Objects, rows: &mut Rows) {
    rows.push([
        ("oid", INTERNAL.into()),
        ("lanname", "internal".into()),
        ("lanowner", OWNER.into()),
    ]);
}
