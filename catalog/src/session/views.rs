//! Views: each an entity with `:dao.view/name` and `:dao.view/sql`, so that a view too is seen from its transaction on.

use super::plan::{Parameters, Scope};
use super::relations::At;
use super::{Extension, Outcome, Session, SessionInfo, Statement, columns, names, plan};
use crate::error::{Error, Result, SqlState};
use crate::transact::{EntityRef, Op, TxValue};
use chrono::Utc;
use daodb_storage::{Attr, Snapshot, Value};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{CreateView, ObjectName};
use std::collections::HashMap;
use std::sync::Arc;

const NAME: &str = ":dao.view/name";
const SQL: &str = ":dao.view/sql";
const DUPLICATE_TABLE: SqlState = SqlState::Code("42P07");

pub struct View {
    pub e: i64,
    pub name: String,
    pub sql: String,
}

/// The views at the snapshot's basis, sorted by name.
pub async fn at(snapshot: &Snapshot) -> Result<Vec<View>> {
    let names = snapshot.all(&Attr::new(NAME)).await?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let sqls = snapshot.all(&Attr::new(SQL)).await?;
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let sqls: HashMap<i64, String> = sqls.iter().filter_map(|f| Some((f.e, text(&f.v)?))).collect();
    let mut views: Vec<View> = names
        .iter()
        .filter_map(|f| Some(View { e: f.e, name: text(&f.v)?, sql: sqls.get(&f.e)?.clone() }))
        .collect();
    views.sort_by(|a, b| (&a.name, a.e).cmp(&(&b.name, b.e)));
    views.dedup_by(|a, b| a.name == b.name);
    Ok(views)
}

/// The columns of a view, for a front end's own relations.
pub async fn schema(
    info: &SessionInfo,
    extension: &dyn Extension,
    state: &SessionState,
    (name, sql): &(String, String),
) -> Result<SchemaRef> {
    let path = info.settings.get("search_path").map_or(names::PUBLIC, String::as_str);
    let search_path = names::search_path(path, &info.user);
    let scope = Scope {
        info,
        extension,
        state,
        search_path: &search_path,
        zone: "UTC",
        now: Utc::now(),
        history: false,
        bare: false,
        parameters: Parameters::Values(&[]),
        depth: 0,
    };
    let at = At {
        rows: info.snapshot.clone(),
        schema: info.snapshot.clone(),
        tables: Arc::clone(&info.tables),
    };
    let plan = plan::view(&scope, &at, name, sql).await?;
    let schema = Arc::clone(plan.schema().inner());
    Ok(columns::shown(&schema).unwrap_or(schema))
}

fn public_name(name: &ObjectName, database: &str) -> Result<String> {
    let name = names::relation_name(name, database)?;
    match name.schema.as_deref() {
        None | Some(names::PUBLIC) => Ok(name.relation),
        Some(schema) => Err(Error::new(
            SqlState::Code("42501"),
            format!("permission denied for schema {schema}"),
        )
        .hint("views are made in schema public")),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Session {
    pub(super) async fn create_view(
        &mut self,
        statement: &Statement,
        view: &CreateView,
    ) -> Result<Outcome> {
        self.refuse_change("CREATE VIEW")?;
        let unsupported = |what: &str| {
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} are not supported"))
        };
        if view.materialized {
            return Err(unsupported("materialized views").hint("CREATE VIEW makes a plain one"));
        } else if view.temporary {
            return Err(unsupported("temporary views").hint("use WITH, or CREATE VIEW"));
        }
        let Some(query) = statement.view_query.as_deref() else {
            return Err(Error::new(SqlState::SYNTAX, "a view needs a query after AS"));
        };
        let name = public_name(&view.name, self.database.name())?;
        let sql = match view.columns.as_slice() {
            [] => query.to_owned(),
            columns => {
                let columns: Vec<String> =
                    columns.iter().map(|c| quoted(&names::fold(&c.name))).collect();
                format!("SELECT * FROM ({query}) AS {} ({})", quoted(&name), columns.join(", "))
            }
        };
        let bound = self.bind().await?;
        if bound.info.tables.iter().any(|t| t.name == name) {
            return Err(Error::new(DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
                .detail("It is a table."));
        }
        let scope = bound.scope(self.extension.as_ref(), plan::Parameters::Values(&[]));
        // A view within itself would be found only when it is read.
        let existing = at(&bound.at.schema).await?.into_iter().find(|v| v.name == name);
        check(&scope, &bound.at, &name, &sql).await?;
        let e = match existing {
            Some(_) if view.if_not_exists => {
                return Ok(Outcome::Command { tag: "CREATE VIEW".into() });
            }
            Some(v) if view.or_replace => EntityRef::Id(v.e),
            Some(_) => {
                return Err(Error::new(
                    DUPLICATE_TABLE,
                    format!("relation \"{name}\" already exists"),
                )
                .hint("CREATE OR REPLACE VIEW replaces it"));
            }
            None => EntityRef::Temp("view".into()),
        };
        let text = |s: &str| TxValue::Value(Value::string(s));
        let add = |a: &str, v| Op::Add { e: e.clone(), a: Attr::new(a), v };
        self.database.transact(vec![add(NAME, text(&name)), add(SQL, text(&sql))]).await?;
        Ok(Outcome::Command { tag: "CREATE VIEW".into() })
    }

    pub(super) async fn drop_views(
        &mut self,
        wanted: &[ObjectName],
        if_exists: bool,
    ) -> Result<Outcome> {
        self.refuse_change("DROP VIEW")?;
        let views = at(&self.database.snapshot()).await?;
        let mut ops = Vec::new();
        for name in wanted {
            let name = public_name(name, self.database.name())?;
            match views.iter().find(|v| v.name == name) {
                Some(view) => ops.push(Op::RetractEntity { e: EntityRef::Id(view.e) }),
                None if if_exists => self.notices.push(Error::new(
                    SqlState::Code("00000"),
                    format!("view \"{name}\" does not exist, skipping"),
                )),
                None => {
                    return Err(Error::new(
                        SqlState::UNDEFINED_TABLE,
                        format!("view \"{name}\" does not exist"),
                    ));
                }
            }
        }
        if !ops.is_empty() {
            self.database.transact(ops).await?;
        }
        Ok(Outcome::Command { tag: "DROP VIEW".into() })
    }
}

/// The query plans, and names the view itself nowhere.
async fn check(scope: &plan::Scope<'_>, at: &super::At, name: &str, sql: &str) -> Result<()> {
    let without = super::SessionInfo {
        views: std::sync::Arc::new(
            scope.info.views.iter().filter(|(n, _)| n != name).cloned().collect(),
        ),
        ..scope.info.clone()
    };
    let scope = plan::Scope { info: &without, ..*scope };
    plan::view(&scope, at, name, sql).await.map(|_| ())
}
