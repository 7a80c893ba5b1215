//! `pg_proc`: the functions that SQL can call.

use super::super::callable;
use super::super::objects::{OWNER, Objects, PG_CATALOG};
use super::super::rows::{Cell, Rows};
use super::pg_language::INTERNAL;

pub fn fill(_: &Objects, rows: &mut Rows) {
    for f in callable::all() {
        rows.push([
            ("oid", f.oid.into()),
            ("proname", f.name.as_str().into()),
            ("pronamespace", PG_CATALOG.into()),
            ("proowner", OWNER.into()),
            ("prolang", INTERNAL.into()),
            ("procost", Cell::Float(1.0)),
            ("provariadic", f.variadic.into()),
            ("prosupport", "-".into()),
            ("prokind", f.kind.as_str().into()),
            ("proisstrict", f.strict.into()),
            ("proretset", f.returns_set.into()),
            ("provolatile", f.volatility.as_str().into()),
            ("proparallel", f.parallel.as_str().into()),
            ("pronargs", i16::try_from(f.args.len()).unwrap_or(i16::MAX).into()),
            ("prorettype", f.returns.into()),
            ("proargtypes", f.args.clone().into()),
            ("prosrc", f.name.as_str().into()),
        ]);
    }
}
