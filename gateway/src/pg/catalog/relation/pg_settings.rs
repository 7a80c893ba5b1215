//! `pg_settings`: the session's settings.

use super::super::objects::Objects;
use super::super::rows::{Cell, Rows};

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for (name, value) in objects.settings.iter() {
        let of_ours = name.contains('.');
        rows.push([
            ("name", name.as_str().into()),
            ("setting", value.as_str().into()),
            (
                "category",
                if of_ours { "Customized Options" } else { "Client Connection Defaults" }.into(),
            ),
            ("short_desc", "".into()),
            ("context", "user".into()),
            ("vartype", kind(value).into()),
            ("source", "default".into()),
            ("boot_val", value.as_str().into()),
            ("reset_val", value.as_str().into()),
            ("pending_restart", Cell::Bool(false)),
        ]);
    }
}

fn kind(value: &str) -> &'static str {
    match value {
        "on" | "off" => "bool",
        v if v.parse::<i64>().is_ok() => "integer",
        _ => "string",
    }
}
