//! Objects as the SQL that would make them, in PostgreSQL's own spelling.

use super::builtin;
use super::callable::Callable;
use super::objects::{Kind, Objects, Relation};

/// A type's SQL name; None for OID 0. A modifier (length, precision) is printed where the type has one.
pub fn format_type(oid: u32, modifier: Option<i64>) -> Option<String> {
    if oid == 0 {
        return Some("-".to_owned());
    }
    let Some(ty) = builtin::type_by_oid(oid) else { return Some("???".to_owned()) };
    let modifier = modifier.filter(|m| *m >= 0);
    let Some(m) = modifier else {
        // Without a modifier bpchar has a name of its own.
        return Some(ty.sql_name.to_owned());
    };
    Some(match ty.name {
        "varchar" | "bpchar" => format!("{}({})", ty.sql_name, m - 4),
        "numeric" => format!("numeric({},{})", (m - 4) >> 16, (m - 4) & 0xffff),
        "timestamp" => format!("timestamp({m}) without time zone"),
        "timestamptz" => format!("timestamp({m}) with time zone"),
        _ => ty.sql_name.to_owned(),
    })
}

/// An identifier, in quotes where SQL needs them.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Words that cannot name a column or table without quotes (PostgreSQL's appendix C, "reserved").
fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 98] = [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "binary",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "natural",
        "not",
        "notnull",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "overlaps",
        "placing",
        "primary",
        "references",
        "returning",
        "right",
        "select",
        "session_user",
        "similar",
        "some",
        "symmetric",
        "table",
        "tablesample",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "variadic",
        "verbose",
        "when",
        "where",
    ];
    RESERVED.contains(&word) || matches!(word, "window" | "with")
}

/// A relation's name as `regclass` prints it: with its schema where the search path would not find it.
pub fn relation_name(objects: &Objects, relation: &Relation) -> String {
    let name = quote_identifier(&relation.name);
    if objects.is_visible(relation) {
        return name;
    }
    match objects.namespace(relation.namespace) {
        Some(namespace) => format!("{}.{name}", quote_identifier(namespace.name)),
        None => name,
    }
}

/// `CREATE UNIQUE INDEX file_pkey ON public.file USING btree (_id)`.
pub fn index_definition(objects: &Objects, relation: &Relation) -> Option<String> {
    let index = relation.index()?;
    let table = objects.relation(index.table)?;
    let schema = objects.namespace(table.namespace)?;
    Some(format!(
        "CREATE {}INDEX {} ON {}.{} USING btree ({})",
        if index.unique { "UNIQUE " } else { "" },
        quote_identifier(&relation.name),
        quote_identifier(schema.name),
        quote_identifier(&table.name),
        quote_identifier(&relation.columns.first()?.name),
    ))
}

/// `PRIMARY KEY (_id)`.
pub fn constraint_definition(objects: &Objects, constraint: u32) -> Option<String> {
    let relation = objects
        .relations
        .iter()
        .find(|r| r.index().is_some_and(|i| i.constraint == Some(constraint)))?;
    let column = quote_identifier(&relation.columns.first()?.name);
    let kind = if relation.index()?.primary { "PRIMARY KEY" } else { "UNIQUE" };
    Some(format!("{kind} ({column})"))
}

/// `text`, `SETOF bigint`.
pub fn function_result(f: &Callable) -> String {
    let ty = format_type(f.returns, None).unwrap_or_default();
    if f.returns_set { format!("SETOF {ty}") } else { ty }
}

/// `text, integer`, `VARIADIC "any"`.
pub fn function_arguments(f: &Callable) -> String {
    let last = f.args.len().saturating_sub(1);
    let argument = |(i, oid): (usize, &u32)| {
        let ty = format_type(*oid, None).unwrap_or_default();
        if f.variadic != 0 && i == last { format!("VARIADIC {ty}") } else { ty }
    };
    f.args.iter().enumerate().map(argument).collect::<Vec<_>>().join(", ")
}

/// A view's SQL with a semicolon at its end.
pub fn view_definition(relation: &Relation) -> Option<String> {
    match &relation.kind {
        Kind::View(sql) => Some(format!(" {};", sql.trim().trim_end_matches(';').trim_end())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types() {
        let check = |oid, modifier, expect: &str| {
            assert_eq!(format_type(oid, modifier).unwrap(), expect);
        };
        check(20, None, "bigint");
        check(20, Some(-1), "bigint");
        check(1016, None, "bigint[]");
        check(1184, None, "timestamp with time zone");
        check(1700, Some((10 << 16 | 2) + 4), "numeric(10,2)");
        check(1043, Some(14), "character varying(10)");
        check(0, None, "-");
        check(4_000_000, None, "???");
    }

    #[test]
    fn identifiers() {
        for (name, expect) in [
            ("file", "file"),
            ("File", "\"File\""),
            ("order", "\"order\""),
            ("a b", "\"a b\""),
            ("1a", "\"1a\""),
            ("a\"b", "\"a\"\"b\""),
        ] {
            assert_eq!(quote_identifier(name), expect);
        }
    }
}
