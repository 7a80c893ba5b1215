//! `pg_collation`: texts are compared byte for byte, under every name.

use super::super::objects::{DEFAULT_COLLATION, OWNER, Objects, PG_CATALOG};
use super::super::rows::{Cell, Rows};

pub fn fill(_: &Objects, rows: &mut Rows) {
    for (oid, name, provider, locale) in [
        (DEFAULT_COLLATION, "default", "d", None),
        (950, "C", "c", Some("C")),
        (951, "POSIX", "c", Some("POSIX")),
    ] {
        rows.push([
            ("oid", oid.into()),
            ("collname", name.into()),
            ("collnamespace", PG_CATALOG.into()),
            ("collowner", OWNER.into()),
            ("collprovider", provider.into()),
            ("collisdeterministic", true.into()),
            ("collencoding", Cell::Int(-1)),
            ("collcollate", locale.into()),
            ("collctype", locale.into()),
        ]);
    }
}
