//! Comments: `obj_description`, `col_description`, `shobj_description`.

use super::super::{builtin, callable};
use super::{Call1, Definition, maybe_utf8, strict};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub const FUNCTIONS: &[Definition] = &[
    strict("obj_description", 1..=2, "text", object),
    strict("col_description", 2..=2, "text", column),
    strict("shobj_description", 2..=2, "text", |_| maybe_utf8(None)),
];

fn object(call: &Call1) -> Result<ScalarValue> {
    let Some(oid) = call.oid(0) else { return maybe_utf8(None) };
    let class = call.text(1).unwrap_or_else(|| "pg_class".to_owned());
    let objects = call.bound.objects()?;
    let non_empty = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    maybe_utf8(match class.as_str() {
        "pg_class" => objects.relation(oid).and_then(|r| r.description.clone()),
        "pg_proc" => callable::by_oid(oid).and_then(|f| non_empty(f.description)),
        "pg_type" => builtin::type_by_oid(oid).and_then(|t| non_empty(t.description)),
        "pg_namespace" => objects.namespace(oid).and_then(|n| non_empty(n.description)),
        _ => None,
    })
}

fn column(call: &Call1) -> Result<ScalarValue> {
    let objects = call.bound.objects()?;
    let found = || {
        let relation = objects.relation(call.oid(0)?)?;
        let i = usize::try_from(call.int(1)?).ok()?.checked_sub(1)?;
        relation.columns.get(i)?.description.clone()
    };
    maybe_utf8(found())
}
