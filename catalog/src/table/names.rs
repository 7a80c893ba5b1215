//! How attributes are grouped into tables and named: `:person/last-name` is column `last_name` of table `person`.

use super::{ColumnDef, TableDef, types};
use crate::schema::{Attribute, Cardinality, Schema, Unique};
use daodb_storage::{Attr, FIRST_T, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The table of attributes without a namespace.
const NO_NAMESPACE: &str = "entity";
/// Columns that every table or its history has by itself.
const RESERVED_COLUMNS: [&str; 5] = ["_id", "_t_from", "_t_to", "_valid_from", "_valid_to"];
/// The history of table `person` is `person__history`.
pub const HISTORY_SUFFIX: &str = "__history";

/// Attributes of the database itself are not shown as tables (`dao.datoms` and `dao.attributes` show them).
pub fn hidden(a: &Attr) -> bool {
    let Some(ns) = a.namespace() else { return false };
    ns == "db" || ns.starts_with("db.") || ns == "dao" || ns.starts_with("dao.")
}

/// A built-in attribute that no transaction used: `:tx/author` makes a table only where somebody is named.
fn is_unsaid(a: &Attribute) -> bool {
    a.observed.is_empty() && a.entity.is_some_and(|e| e < FIRST_T)
}

/// The tables of a snapshot, sorted by name, by the schema at its basis.
pub fn tables(snapshot: &Snapshot, schema: &Schema) -> Vec<Arc<TableDef>> {
    let mut open: BTreeMap<&Attr, u64> = BTreeMap::new();
    for stat in snapshot.attributes() {
        *open.entry(&stat.a).or_default() += stat.open;
    }
    let mut groups: BTreeMap<Option<&str>, Vec<&Attribute>> = BTreeMap::new();
    for attribute in schema.attributes.values().filter(|a| !hidden(&a.ident) && !is_unsaid(a)) {
        groups.entry(attribute.name.namespace()).or_default().push(attribute);
    }
    // By the names that they have now.
    groups.values_mut().for_each(|group| group.sort_by(|x, y| x.name.cmp(&y.name)));
    let wanted: Vec<&str> = groups.keys().map(|ns| ns.unwrap_or(NO_NAMESPACE)).collect();
    let names = table_names(&wanted);
    let mut tables: Vec<_> = names
        .into_iter()
        .zip(groups.values())
        .map(|(name, attributes)| Arc::new(table(name, attributes, &open)))
        .collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

fn table(name: String, attributes: &[&Attribute], open: &BTreeMap<&Attr, u64>) -> TableDef {
    let wanted: Vec<&str> = attributes.iter().map(|a| a.name.name()).collect();
    let names = sql_names(&wanted, &RESERVED_COLUMNS);
    let mut columns: Vec<_> =
        names.into_iter().zip(attributes).map(|(n, a)| column(n, a)).collect();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    let rows = attributes.iter().filter_map(|a| open.get(&a.ident)).max().copied().unwrap_or(0);
    TableDef { name, columns, rows }
}

fn column(name: String, a: &Attribute) -> ColumnDef {
    let stored: BTreeSet<_> = a.observed.iter().copied().chain(a.value_type).collect();
    let stored: Vec<_> = stored.into_iter().collect();
    let many = a.cardinality == Cardinality::Many;
    ColumnDef {
        name,
        a: a.ident.clone(),
        data_type: types::column_type(types::shown(&stored), many),
        stored,
        many,
        unique: a.unique.is_some(),
        identity: a.unique == Some(Unique::Identity),
        indexed: a.index || a.unique.is_some(),
        doc: a.doc.clone(),
    }
}

/// The SQL spelling of a keyword's part.
fn sql_name(name: &str) -> String {
    name.replace(['-', '.'], "_")
}

/// Names of tables: also apart from the history tables of the others.
fn table_names(wanted: &[&str]) -> Vec<String> {
    let histories: Vec<String> =
        wanted.iter().map(|w| format!("{}{HISTORY_SUFFIX}", sql_name(w))).collect();
    let histories: Vec<&str> = histories.iter().map(String::as_str).collect();
    sql_names(wanted, &histories)
}

/// One SQL name for each wanted one (given in keyword order). Where several meet, the one that is spelled so keeps the name,
/// else the first; the others get `_2`, `_3` and so on, skipping names that stand for themselves.
fn sql_names(wanted: &[&str], reserved: &[&str]) -> Vec<String> {
    let natural: BTreeSet<String> = wanted.iter().map(|w| sql_name(w)).collect();
    let mut taken: BTreeSet<String> = reserved.iter().map(|r| r.to_string()).collect();
    let mut names: Vec<Option<String>> = vec![None; wanted.len()];
    let exact_first = (0..wanted.len())
        .filter(|i| sql_name(wanted[*i]) == wanted[*i])
        .chain((0..wanted.len()).filter(|i| sql_name(wanted[*i]) != wanted[*i]));
    for i in exact_first {
        let plain = sql_name(wanted[i]);
        let free = |name: &String| !taken.contains(name);
        let name = Some(plain.clone())
            .filter(free)
            .or_else(|| {
                (2..).map(|n| format!("{plain}_{n}")).find(|n| free(n) && !natural.contains(n))
            })
            .unwrap_or(plain);
        taken.insert(name.clone());
        names[i] = Some(name);
    }
    names.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[&str], expect: &[&str]) {
        assert_eq!(sql_names(wanted, &RESERVED_COLUMNS), expect);
    }

    #[test]
    fn names() {
        check(&["last-name", "name"], &["last_name", "name"]);
        check(&["a-b", "a.b", "a_b", "a_b_2"], &["a_b_3", "a_b_4", "a_b", "a_b_2"]);
        check(&["_id", "Name", "name"], &["_id_2", "Name", "name"]);
        check(&["a-b", "a.b"], &["a_b", "a_b_2"]);
    }

    #[test]
    fn history_names_are_kept_free() {
        assert_eq!(table_names(&["p", "p__history"]), ["p", "p__history_2"]);
        assert_eq!(table_names(&["entity", "entity"]), ["entity", "entity_2"]);
    }

    #[test]
    fn the_database_hides_its_own() {
        for (a, expect) in [
            (":db/ident", true),
            (":db.attr/preds", true),
            (":dao.view/sql", true),
            (":dbx/a", false),
            (":a", false),
        ] {
            assert_eq!(hidden(&Attr::new(a)), expect, "{a}");
        }
    }
}
