//! `pg_am`, `pg_opclass` and `pg_opfamily`: how tables are stored and indexes search, as far as clients ask.

use super::super::objects::{BTREE, HEAP, OWNER, Objects, PG_CATALOG};
use super::super::rows::Rows;

pub fn methods(_: &Objects, rows: &mut Rows) {
    for (oid, name, handler, kind) in
        [(HEAP, "heap", "heap_tableam_handler", "t"), (BTREE, "btree", "bthandler", "i")]
    {
        rows.push([
            ("oid", oid.into()),
            ("amname", name.into()),
            ("amhandler", handler.into()),
            ("amtype", kind.into()),
        ]);
    }
}

/// Class, family, name and type: the default B-tree ones of the types that index columns have.
const CLASSES: [(u32, u32, &str, u32); 9] = [
    (10003, 424, "bool_ops", 16),
    (10006, 428, "bytea_ops", 17),
    (3124, 1976, "int8_ops", 20),
    (3126, 1994, "text_ops", 25),
    (3123, 1970, "float8_ops", 701),
    (3122, 434, "date_ops", 1082),
    (3127, 434, "timestamptz_ops", 1184),
    (3125, 1988, "numeric_ops", 1700),
    (10065, 2968, "uuid_ops", 2950),
];

/// The operator class of an index on a column of this type; 0 where it has none.
pub fn class_of(type_oid: u32) -> u32 {
    CLASSES.iter().find(|c| c.3 == type_oid).map_or(0, |c| c.0)
}

pub fn classes(_: &Objects, rows: &mut Rows) {
    for (oid, family, name, input) in CLASSES {
        rows.push([
            ("oid", oid.into()),
            ("opcmethod", BTREE.into()),
            ("opcname", name.into()),
            ("opcnamespace", PG_CATALOG.into()),
            ("opcowner", OWNER.into()),
            ("opcfamily", family.into()),
            ("opcintype", input.into()),
            ("opcdefault", true.into()),
        ]);
    }
}

pub fn families(_: &Objects, rows: &mut Rows) {
    let mut families: Vec<(u32, &str)> =
        CLASSES.iter().map(|c| (c.1, family_name(c.1, c.2))).collect();
    families.dedup();
    for (oid, name) in families {
        rows.push([
            ("oid", oid.into()),
            ("opfmethod", BTREE.into()),
            ("opfname", name.into()),
            ("opfnamespace", PG_CATALOG.into()),
            ("opfowner", OWNER.into()),
        ]);
    }
}

/// Families of several types are named after the kind.
fn family_name(family: u32, class: &'static str) -> &'static str {
    match family {
        1976 => "integer_ops",
        1970 => "float_ops",
        434 => "datetime_ops",
        _ => class,
    }
}
