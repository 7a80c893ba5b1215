//! `pg_type`: the types that columns and results have.

use super::super::builtin;
use super::super::objects::{OWNER, Objects, PG_CATALOG};
use super::super::rows::{Cell, Rows};

pub fn fill(_: &Objects, rows: &mut Rows) {
    for ty in builtin::types() {
        rows.push([
            ("oid", ty.oid.into()),
            ("typname", ty.name.into()),
            ("typnamespace", PG_CATALOG.into()),
            ("typowner", OWNER.into()),
            ("typlen", ty.len.into()),
            ("typbyval", ty.by_value.into()),
            ("typtype", ty.kind.into()),
            ("typcategory", ty.category.into()),
            ("typispreferred", ty.preferred.into()),
            ("typisdefined", true.into()),
            ("typdelim", ",".into()),
            ("typsubscript", ty.subscript.into()),
            ("typelem", ty.element.into()),
            ("typarray", ty.array.into()),
            ("typinput", ty.input.into()),
            ("typoutput", ty.output.into()),
            ("typreceive", ty.receive.into()),
            ("typsend", ty.send.into()),
            ("typmodin", ty.modifier_in.into()),
            ("typmodout", ty.modifier_out.into()),
            ("typanalyze", "-".into()),
            ("typalign", ty.align.into()),
            ("typstorage", ty.storage.into()),
            ("typtypmod", Cell::Int(-1)),
            ("typcollation", ty.collation.into()),
        ]);
    }
}
