//! `pg_cursors`: the session's cursors that were declared in SQL.

use super::super::objects::Objects;
use super::super::rows::{Cell, Rows};

pub fn fill(objects: &Objects, rows: &mut Rows) {
    for cursor in objects.cursors.iter() {
        rows.push([
            ("name", cursor.name.as_str().into()),
            ("statement", cursor.statement.as_ref().into()),
            ("is_holdable", cursor.is_holdable.into()),
            ("is_binary", cursor.is_binary.into()),
            ("is_scrollable", false.into()),
            ("creation_time", Cell::Int(cursor.created.timestamp_micros())),
        ]);
    }
}
