//! The relations that a statement names, each resolved at one moment of the database.

use super::names;
use super::plan::{self, Scope};
use crate::error::{Error, Result, SqlState};
use crate::nearest::nearest;
use crate::table::{self, HISTORY_SUFFIX, TableDef, VersionRange};
use crate::timetravel::When;
use daodb_storage::Snapshot;
use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use std::sync::Arc;

/// A moment of the database that plain names are read at.
#[derive(Clone)]
pub struct At {
    /// What rows are read from.
    pub rows: Snapshot,
    /// The same without `since`: what says which tables there are.
    pub schema: Snapshot,
    pub tables: Arc<Vec<Arc<TableDef>>>,
}

impl At {
    async fn as_of(&self, t: i64, scope: &Scope<'_>) -> Result<At> {
        let schema = self.schema.as_of(t);
        let tables = scope.info.database.tables(&schema).await?;
        Ok(At { rows: self.rows.as_of(t), schema, tables })
    }

    fn table(&self, name: &str) -> Option<&Arc<TableDef>> {
        let at = self.tables.binary_search_by(|d| d.name.as_str().cmp(name)).ok()?;
        self.tables.get(at)
    }

    /// The table whose versions `person__history` shows.
    fn history_of(&self, name: &str) -> Option<&Arc<TableDef>> {
        self.table(name.strip_suffix(HISTORY_SUFFIX)?)
    }
}

/// A relation's name as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub schema: Option<String>,
    pub relation: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.relation),
            None => f.write_str(&self.relation),
        }
    }
}

type Found = Option<Arc<dyn TableProvider>>;

/// The relation of this name at this moment.
pub async fn relation(
    scope: &Scope<'_>,
    at: &At,
    name: &Name,
    when: Option<When>,
) -> Result<Arc<dyn TableProvider>> {
    let found = match (&name.schema, when) {
        (Some(schema), when) => in_schema(scope, at, schema, &name.relation, when).await?,
        (None, when) => on_path(scope, at, &name.relation, when).await?,
    };
    match found {
        Some(found) => Ok(found),
        None => Err(missing(scope, at, name, when).await?),
    }
}

/// `pg_catalog` is searched first, as in Postgres; all its names begin with `pg_`.
async fn on_path(scope: &Scope<'_>, at: &At, relation: &str, when: Option<When>) -> Result<Found> {
    if relation.starts_with("pg_")
        && let Some(found) = in_schema(scope, at, "pg_catalog", relation, when).await?
    {
        return Ok(Some(found));
    }
    for schema in scope.search_path {
        if !scope.schema_exists(schema) {
            continue;
        }
        if let Some(found) = in_schema(scope, at, schema, relation, when).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn in_schema(
    scope: &Scope<'_>,
    at: &At,
    schema: &str,
    relation: &str,
    when: Option<When>,
) -> Result<Found> {
    match schema {
        names::PUBLIC => in_public(scope, at, relation, when).await,
        names::DAO => match when {
            None => table::dao_table(relation, &scope.info.database, &at.rows),
            Some(When::AsOf(t)) => {
                let rows = at.rows.as_of(t);
                table::dao_table(relation, &scope.info.database, &rows)
            }
            Some(When::Versions(_)) => Err(no_versions(&format!("dao.{relation}"))
                .hint("it has columns of t and of instants: compare those")),
        },
        schema if scope.schema_exists(schema) => {
            let found = scope.extension.relation(schema, relation, scope.info)?;
            match (found, when) {
                (Some(_), Some(_)) => Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("{schema}.{relation} has no past of its own"),
                )
                .hint("SET daodb.as_of shows the system relations as they were")),
                (found, _) => Ok(found),
            }
        }
        schema => {
            Err(Error::new(SqlState::Code("3F000"), format!("schema \"{schema}\" does not exist"))
                .hint("there are public, dao, pg_catalog and information_schema"))
        }
    }
}

async fn in_public(
    scope: &Scope<'_>,
    at: &At,
    relation: &str,
    when: Option<When>,
) -> Result<Found> {
    let moved;
    let at = match when {
        Some(When::AsOf(t)) => {
            moved = at.as_of(t, scope).await?;
            &moved
        }
        _ => at,
    };
    let range = match when {
        Some(When::Versions(range)) => Some(range),
        _ => None,
    };
    if let Some(def) = at.table(relation) {
        let def = Arc::clone(def);
        let range = range.or(scope.history.then_some(VersionRange::ALL));
        return Ok(Some(match range {
            Some(range) => table::history_table(def, &at.rows, range, scope.bare),
            None => table::entity_table(def, &at.rows, scope.bare),
        }));
    }
    if let Some(def) = at.history_of(relation) {
        let range = range.unwrap_or(VersionRange::ALL);
        return Ok(Some(table::history_table(Arc::clone(def), &at.rows, range, scope.bare)));
    }
    let Some((_, sql)) = scope.info.views.iter().find(|(name, _)| name == relation) else {
        return Ok(None);
    };
    if range.is_some() {
        return Err(no_versions(&format!("view {relation}"))
            .hint("write the range at the tables inside the view"));
    }
    let body = Box::pin(plan::view(scope, at, relation, sql)).await?;
    Ok(Some(Arc::new(ViewTable::new(body, Some(sql.clone())))))
}

fn no_versions(what: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} has no versions to range over"))
}

async fn missing(scope: &Scope<'_>, at: &At, name: &Name, when: Option<When>) -> Result<Error> {
    let as_of = match when {
        Some(When::AsOf(t)) => Some(t),
        _ => at.schema.view().as_of,
    };
    let message = match as_of {
        Some(t) => format!("relation \"{name}\" does not exist as of t {t}"),
        None => format!("relation \"{name}\" does not exist"),
    };
    let e = Error::new(SqlState::UNDEFINED_TABLE, message);
    if as_of.is_some() {
        let newest = scope.info.database.tables(&scope.info.database.snapshot()).await?;
        let plain = name.relation.strip_suffix(HISTORY_SUFFIX).unwrap_or(&name.relation);
        if newest.iter().any(|d| d.name == plain) {
            return Ok(e.hint("it exists now: its first transaction came later"));
        }
    }
    let tables = at.tables.iter().map(|d| d.name.as_str());
    let views = scope.info.views.iter().map(|(name, _)| name.as_str());
    let known = tables.chain(views).chain(table::DAO_RELATIONS);
    Ok(match nearest(&name.relation, known) {
        Some(near) if table::DAO_RELATIONS.contains(&near) => {
            e.hint(format!("perhaps you meant dao.{near}"))
        }
        Some(near) => e.hint(format!("perhaps you meant \"{near}\"")),
        None => e,
    })
}
