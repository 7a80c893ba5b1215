//! One statement: a query, or a command of the session; everything else is refused before it does anything.

use super::cursor::grammar::Command;
use super::explain::{self, Options};
use super::moments::Moments;
use super::plan::{self, Parameters};
use super::{
    Bound, Description, Outcome, RowsTag, Session, Statement, copy, literals, rows, variables,
};
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{self, ObjectType};
use std::sync::Arc;

fn command(tag: &str) -> Result<Outcome> {
    Ok(Outcome::Command { tag: tag.to_owned() })
}

/// Statements that write rows have a place in the design, and none in the code yet.
pub fn writes_later(what: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported yet")).hint(
        "facts come in by transactions: `daodb transact`, POST /api/{db}/transact, `daodb import git`",
    )
}

/// The first words of a statement, for messages: `CREATE TABLE`.
fn what(text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|w| !w.is_empty())
        .take(2)
        .map(str::to_uppercase)
        .collect();
    match words.first().map(String::as_str) {
        Some("CREATE" | "ALTER" | "DROP" | "COPY") => words.join(" "),
        Some(first) => first.to_owned(),
        None => "this statement".to_owned(),
    }
}

impl Session {
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        params: &[ScalarValue],
    ) -> Result<Outcome> {
        use ast::Statement as S;
        if let Some(command) = &statement.cursor {
            return self.run_cursor(command, statement, params).await;
        }
        let ast = Arc::clone(&statement.ast);
        match ast.as_ref() {
            S::Query(_) => self.run_query(&ast, statement, params).await,
            S::Explain { .. } | S::ExplainTable { .. } => self.explain(statement, params).await,
            S::Copy { source, to, target, options, legacy_options, .. } => {
                let query = copy::query(source, *to, target)?;
                let options = copy::options(options, legacy_options)?;
                match self.run_query(&query, statement, params).await? {
                    Outcome::Rows { schema, stream, .. } => {
                        Ok(Outcome::CopyOut { schema, stream, options })
                    }
                    other => Ok(other),
                }
            }
            S::Set(set) => self.set(set).await,
            S::ShowVariable { variable } => self.show(variable),
            S::Reset(reset) => self.reset(&reset.reset),
            S::Discard { object_type } => self.discard(object_type),
            S::StartTransaction { modes, begin, statements, .. } if statements.is_empty() => {
                self.begin(modes, if *begin { "BEGIN" } else { "START TRANSACTION" }).await
            }
            S::Commit { chain, .. } => self.commit(*chain).await,
            S::Rollback { chain, savepoint } => self.rollback(savepoint.as_ref(), *chain).await,
            S::Savepoint { name } => self.set_savepoint(name),
            S::ReleaseSavepoint { name } => self.release_savepoint(name),
            S::Prepare { name, data_types, statement: inner } => {
                self.prepare(statement, name, data_types, inner)
            }
            S::Execute { name: Some(name), parameters, .. } => {
                let (prepared, values, _) = self.bound_arguments(name, parameters).await?;
                Box::pin(self.run(&prepared, &values)).await
            }
            S::Deallocate { name, .. } => self.deallocate(name),
            S::CreateView(view) => self.create_view(statement, view).await,
            S::Drop { object_type: ObjectType::View, if_exists, names, .. } => {
                self.drop_views(names, *if_exists).await
            }
            S::UNLISTEN { .. } => command("UNLISTEN"),
            other => {
                if is_write(other) {
                    self.refuse_if_read_only(&what(&statement.text))?;
                }
                Err(refused(other, &statement.text))
            }
        }
    }

    async fn run_query(
        &self,
        query: &ast::Statement,
        statement: &Statement,
        params: &[ScalarValue],
    ) -> Result<Outcome> {
        let (bound, physical) = self.physical(query, statement, params).await?;
        let (schema, stream) = rows::start(&bound.state, physical)?;
        Ok(Outcome::Rows { schema, stream, tag: RowsTag::Select })
    }

    /// The query of a DECLARE.
    pub(super) async fn query_later(
        &self,
        statement: &Statement,
        params: &[ScalarValue],
    ) -> Result<SendableRecordBatchStream> {
        let (bound, physical) = self.physical(&statement.ast, statement, params).await?;
        Ok(rows::later(&bound.state, physical))
    }

    async fn physical(
        &self,
        query: &ast::Statement,
        statement: &Statement,
        params: &[ScalarValue],
    ) -> Result<(Bound, Arc<dyn ExecutionPlan>)> {
        refuse_writes_within(query)?;
        let bound = self.bind().await?;
        let scope = bound.scope(self.extension.as_ref(), Parameters::Values(params));
        let planned = plan::query(&scope, &bound.at, query.clone(), &statement.source).await?;
        let physical = rows::physical(&bound.state, &planned.plan, &statement.source).await?;
        Ok((bound, physical))
    }

    async fn explain(&mut self, statement: &Statement, params: &[ScalarValue]) -> Result<Outcome> {
        let ast::Statement::Explain { analyze, verbose, statement: inner, format, options, .. } =
            statement.ast.as_ref()
        else {
            return Err(Error::new(SqlState::SYNTAX, "EXPLAIN takes a query")
                .hint("\\d shows the columns of a table"));
        };
        let options = Options::of(*analyze, *verbose, format.as_ref(), options.as_ref())?;
        let (query, values) = match inner.as_ref() {
            ast::Statement::Query(_) => (inner.as_ref().clone(), params.to_vec()),
            ast::Statement::Execute { name: Some(name), parameters, .. } => {
                let (prepared, values, _) = self.bound_arguments(name, parameters).await?;
                (prepared.ast.as_ref().clone(), values)
            }
            other => return Err(refused(other, &inner.to_string())),
        };
        refuse_writes_within(&query)?;
        let bound = self.bind().await?;
        let scope = bound.scope(self.extension.as_ref(), Parameters::Values(&values));
        let planned = plan::query(&scope, &bound.at, query, &statement.source).await?;
        explain::explain(&bound.state, &planned.plan, options, &statement.source).await
    }

    /// The prepared statement of an EXECUTE, the values of its parameters, and its columns.
    async fn bound_arguments(
        &self,
        name: &ast::ObjectName,
        arguments: &[ast::Expr],
    ) -> Result<(Statement, Vec<ScalarValue>, Option<SchemaRef>)> {
        let prepared = self.prepared.get(&name.to_string())?.clone();
        let given = &prepared.types;
        let bound = self.bind().await?;
        let scope = bound.scope(self.extension.as_ref(), Parameters::Values(&[]));
        let value = |argument: &ast::Expr, ty: &DataType| -> Result<ScalarValue> {
            let value = plan::constant_value(&scope, argument)?;
            let time = matches!(ty, DataType::Timestamp(..));
            let value = if time { literals::whole(value) } else { value };
            Ok(value.cast_to(ty)?)
        };
        let moments = self.moments(&prepared.statement, given);
        let moments = moments.values(arguments, |_, argument, ty| value(argument, ty))?;
        let described = self.describe_statement(&prepared.statement, given, &moments).await?;
        let Description { parameters: types, columns } = described;
        if types.len() != arguments.len() {
            return Err(Error::new(
                SqlState::SYNTAX,
                format!("wrong number of parameters for prepared statement \"{name}\""),
            )
            .detail(format!(
                "Expected {} parameters but got {}.",
                types.len(),
                arguments.len()
            )));
        }
        let values = arguments.iter().zip(&types).map(|(argument, ty)| value(argument, ty));
        Ok((prepared.statement, values.collect::<Result<_>>()?, columns))
    }

    /// The parameters that say which versions of tables are read. `given` as [`Session::describe`] has it.
    pub fn moments(&self, statement: &Statement, given: &[Option<DataType>]) -> Moments {
        use ast::Statement as S;
        let query = match statement.ast.as_ref() {
            _ if !statement.source.contains('$') => None,
            S::Query(_) => Some(statement.ast.as_ref().clone()),
            S::Explain { statement: inner, .. } => Some(inner.as_ref().clone()),
            S::Copy { source, to, target, .. } => copy::query(source, *to, target).ok(),
            _ => None,
        };
        let (text, database) = (&statement.source, self.database.name());
        let extension = self.extension.as_ref();
        query.map_or_else(Moments::default, |query| {
            plan::moments(query, text, database, extension, given)
        })
    }

    pub(super) async fn describe_statement(
        &self,
        statement: &Statement,
        given: &[Option<DataType>],
        moments: &[Option<ScalarValue>],
    ) -> Result<Description> {
        use ast::Statement as S;
        let none = |columns: Option<SchemaRef>| Ok(Description { parameters: vec![], columns });
        match statement.cursor.as_deref() {
            // Its rows come later.
            Some(Command::Declare(_)) => {
                return self.describe_query(&statement.ast, statement, given, moments, false).await;
            }
            // A cursor that is not there is told of when it is asked for rows, as in Postgres.
            Some(Command::Fetch(fetch)) if !fetch.moves => {
                return none(self.cursor_columns(&fetch.cursor));
            }
            Some(_) => return none(None),
            None => {}
        }
        match statement.ast.as_ref() {
            S::Query(_) => {
                self.describe_query(&statement.ast, statement, given, moments, true).await
            }
            S::Copy { source, to, target, .. } => {
                let query = copy::query(source, *to, target)?;
                self.describe_query(&query, statement, given, moments, false).await
            }
            S::Explain { statement: inner, .. } => match inner.as_ref() {
                query @ S::Query(_) => {
                    let described =
                        self.describe_query(query, statement, given, moments, false).await?;
                    Ok(Description { columns: Some(explain::schema()), ..described })
                }
                _ => none(Some(explain::schema())),
            },
            S::ShowVariable { variable } => none(Some(variables::show_columns(variable)?)),
            S::Execute { name: Some(name), parameters, .. } => {
                none(Box::pin(self.bound_arguments(name, parameters)).await?.2)
            }
            _ => none(None),
        }
    }

    async fn describe_query(
        &self,
        query: &ast::Statement,
        statement: &Statement,
        given: &[Option<DataType>],
        moments: &[Option<ScalarValue>],
        rows: bool,
    ) -> Result<Description> {
        refuse_writes_within(query)?;
        let bound = self.bind().await?;
        let scope = bound.scope(self.extension.as_ref(), Parameters::Types { given, moments });
        let mut planned = plan::query(&scope, &bound.at, query.clone(), &statement.source).await?;
        // What a function in FROM gives depends on types that only the whole statement tells.
        let known = planned.parameters.clone();
        if planned.called
            && known.iter().zip(given.iter().chain(std::iter::repeat(&None))).any(|(k, g)| k != g)
        {
            let given = Parameters::Types { given: &known, moments };
            let scope = bound.scope(self.extension.as_ref(), given);
            planned = plan::query(&scope, &bound.at, query.clone(), &statement.source).await?;
        }
        let parameters: Vec<DataType> =
            planned.parameters.into_iter().map(|t| t.unwrap_or(DataType::Utf8)).collect();
        let columns = match rows {
            true => {
                Some(plan::result_schema(&scope, planned.plan, &parameters, &statement.source)?)
            }
            false => None,
        };
        Ok(Description { parameters, columns })
    }
}

/// Writes hide in CTEs too: `WITH x AS (DELETE ...) SELECT ...`, and `SELECT ... INTO`.
pub(super) fn refuse_writes_within(statement: &ast::Statement) -> Result<()> {
    use ast::{Query, Select, SetExpr, Visit, Visitor};
    use std::ops::ControlFlow;
    struct Writes;
    impl Visitor for Writes {
        type Break = Error;
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
            let what = match query.body.as_ref() {
                SetExpr::Insert(_) => "INSERT",
                SetExpr::Update(_) => "UPDATE",
                SetExpr::Delete(_) => "DELETE",
                SetExpr::Merge(_) => "MERGE",
                _ => return ControlFlow::Continue(()),
            };
            ControlFlow::Break(writes_later(what))
        }
        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
            match select.into {
                Some(_) => ControlFlow::Break(writes_later("SELECT INTO")),
                None => ControlFlow::Continue(()),
            }
        }
    }
    match statement.visit(&mut Writes) {
        ControlFlow::Break(e) => Err(e),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn is_write(statement: &ast::Statement) -> bool {
    use ast::Statement as S;
    matches!(
        statement,
        S::Insert(_)
            | S::Update { .. }
            | S::Delete(_)
            | S::Merge { .. }
            | S::Truncate { .. }
            | S::CreateTable(_)
    )
}

/// Why a statement is not run.
fn refused(statement: &ast::Statement, text: &str) -> Error {
    use ast::Statement as S;
    let what = what(text);
    let unsupported = |hint: &str| {
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported")).hint(hint)
    };
    match statement {
        _ if is_write(statement) => writes_later(&what),
        S::ShowTables { .. } | S::ShowSchemas { .. } | S::ShowColumns { .. } => unsupported(
            "\\dt lists tables, \\dn schemas, \\d a table's columns; or read information_schema",
        ),
        S::Declare { .. } | S::Fetch { .. } | S::Close { .. } => unsupported(
            "a cursor's statements stand by themselves; a query is prepared without one",
        ),
        S::CreateSchema { .. } | S::CreateDatabase { .. } => unsupported(
            "a database is made by `daodb import` or `daodb demo`; its schemas are public and dao",
        ),
        S::CreateIndex(_) | S::Analyze { .. } | S::Vacuum { .. } => {
            unsupported("indexes and statistics are kept by the database itself")
        }
        S::LISTEN { .. } | S::NOTIFY { .. } => {
            unsupported("dao.transactions and dao.changes show what is new")
        }
        _ => unsupported(
            "queries, settings, transactions, views, COPY ... TO STDOUT and EXPLAIN are",
        ),
    }
}
