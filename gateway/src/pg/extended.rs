//! Extended queries: Parse, Bind, Describe, Execute, Close, Sync. A statement is planned anew at each Execute, so it sees the
//! newest snapshot.

use super::connection::Connection;
use super::encode;
use super::errors::{self, Failure, Result};
use super::frontend::{Bind, Target};
use super::params;
use super::portal::{Answer, Described, Portal, Prepared, Progress, State, Tag};
use super::run::stoppable;
use daodb_catalog::session::{Outcome, Session, Statement, TransactionStatus};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use pgwire::messages::PgWireBackendMessage as Backend;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::EmptyQueryResponse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Statements that one connection may keep prepared.
const MOST_STATEMENTS: usize = 10_000;
/// Portals that may be open at once; each may hold a running plan.
const MOST_PORTALS: usize = 1_000;

/// What a connection has prepared and bound. The empty name is the unnamed one.
#[derive(Default)]
pub struct Extended {
    /// None: an empty query.
    statements: HashMap<String, Option<Arc<Prepared>>>,
    portals: HashMap<String, Portal>,
    /// An error was told; the client does not know it yet.
    pub skipping: bool,
}

impl Extended {
    /// Portals live as long as their transaction.
    pub fn end_transaction(&mut self) {
        self.portals.clear();
    }

    pub fn forget_unnamed(&mut self) {
        self.statements.remove("");
        self.portals.remove("");
    }

    /// What a command has ended besides its own work.
    pub fn after(&mut self, tag: &Tag) {
        match tag.0.as_str() {
            "DISCARD ALL" => {
                self.portals.clear();
                self.statements.clear();
            }
            "DEALLOCATE ALL" => self.statements.clear(),
            // To Postgres a portal is a cursor.
            "CLOSE CURSOR ALL" => self.portals.clear(),
            _ => {}
        }
    }

    /// `DEALLOCATE name`, where Parse made the statement: drivers close theirs in SQL too.
    pub fn deallocate(&mut self, sql: &str) -> Option<Outcome> {
        let mut words = sql.trim_end_matches(';').split_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case("deallocate"))?;
        let mut name = words.next()?;
        if name.eq_ignore_ascii_case("prepare") {
            name = words.next()?;
        }
        let name = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_lowercase(),
        };
        self.statements.remove(&name)?;
        Some(Outcome::Command { tag: "DEALLOCATE".into() })
    }

    fn statement(&self, name: &str) -> Result<Option<Arc<Prepared>>> {
        self.statements.get(name).cloned().ok_or_else(|| {
            let message = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                name => format!("prepared statement \"{name}\" does not exist"),
            };
            errors::error("26000", message)
        })
    }

    fn portal(&mut self, name: &str) -> Result<&mut Portal> {
        self.portals
            .get_mut(name)
            .ok_or_else(|| errors::error("34000", format!("portal \"{name}\" does not exist")))
    }
}

fn too_many(what: &str, most: usize) -> Box<daodb_catalog::Error> {
    let mut e = errors::error("53400", format!("this connection has {most} {what} open"));
    e.hint = Some("close what is no longer needed".into());
    e
}

/// Runs a statement of the session, or one that only this connection knows of.
pub async fn run(
    session: &mut Session,
    extended: &mut Extended,
    statement: &Statement,
    params: &[ScalarValue],
) -> Result<Outcome> {
    if session.status() != TransactionStatus::Failed
        && let Some(outcome) = extended.deallocate(&statement.text)
    {
        return Ok(outcome);
    }
    session.execute(statement, params).await.map_err(Box::new)
}

impl Connection<'_> {
    pub fn parse(&mut self, name: String, sql: &str, types: &[u32]) -> Result<(), Failure> {
        if name.is_empty() {
            self.extended.statements.remove("");
        } else if self.extended.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(errors::error("42P05", message).into());
        }
        if self.extended.statements.len() >= MOST_STATEMENTS {
            return Err(too_many("prepared statements", MOST_STATEMENTS).into());
        }
        let mut statements = self.parsed(sql)?;
        if statements.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(errors::error("42601", message).into());
        }
        let given = types.iter().map(|oid| given(*oid)).collect::<Result<_>>()?;
        let prepared = statements.pop().map(|statement| {
            let (moments, described, told) = Default::default();
            Arc::new(Prepared { statement, given, moments, described, told })
        });
        self.extended.statements.insert(name, prepared);
        self.notices()?;
        Ok(self.writer.send(Backend::ParseComplete(ParseComplete::new()))?)
    }

    pub async fn bind(&mut self, bind: Bind) -> Result<(), Failure> {
        let statement = self.extended.statement(&bind.statement)?;
        if bind.portal.is_empty() {
            self.extended.portals.remove("");
        } else if self.extended.portals.contains_key(&bind.portal) {
            let message = format!("portal \"{}\" already exists", bind.portal);
            return Err(errors::error("42P03", message).into());
        } else if self.session.cursor_columns(&bind.portal).is_some() {
            let message = format!("cursor \"{}\" already exists", bind.portal);
            return Err(errors::error("42P03", message).into());
        }
        if self.extended.portals.len() >= MOST_PORTALS {
            return Err(too_many("portals", MOST_PORTALS).into());
        }
        let (params, described) = match &statement {
            Some(prepared) => self.bound(prepared, &bind).await?,
            None => (vec![], None),
        };
        let formats = bind.result_formats;
        formats.iter().try_for_each(|code| encode::Format::from_code(*code).map(|_| ()))?;
        let (state, told) = (State::Bound, false);
        let portal = Portal { statement, params, formats, state, described, told };
        self.extended.portals.insert(bind.portal, portal);
        Ok(self.writer.send(Backend::BindComplete(BindComplete::new()))?)
    }

    /// The values of parameters, and what they make of the statement where they say which versions of tables are read.
    async fn bound(
        &mut self,
        prepared: &Arc<Prepared>,
        bind: &Bind,
    ) -> Result<(Vec<ScalarValue>, Option<Arc<Described>>), Failure> {
        if bind.values.is_empty() && !prepared.statement.text.contains('$') {
            return Ok((vec![], None));
        }
        let zone = self.session.setting("timezone").unwrap_or_else(|| "UTC".to_owned());
        let value = |n: usize, value: &Option<_>, (ty, planned): &(Type, DataType)| {
            let formats = &bind.formats;
            let code = if formats.len() == 1 { formats.first() } else { formats.get(n) };
            let format = encode::Format::from_code(code.copied().unwrap_or(0))?;
            params::decode(ty, planned, format, Option::as_deref(value), &zone, n + 1)
        };
        let session = &self.session;
        let moments = prepared
            .moments
            .get_or_init(|| session.moments(&prepared.statement, &prepared.planned()));
        let moments = moments.values(&bind.values, |n, given, ty| {
            value(n, given, &prepared.parameter(n, ty.clone())?)
        })?;
        let own = moments.iter().any(Option::is_some);
        let described = match own {
            true => Arc::new(self.describe_at(prepared, &moments).await?),
            false => self.described(prepared).await?,
        };
        let (supplied, required) = (bind.values.len(), described.params.len());
        if supplied != required {
            return Err(errors::protocol(format!(
                "bind message supplies {supplied} parameters, but prepared statement \"{}\" requires {required}",
                bind.statement
            ))
            .into());
        }
        let formats = bind.formats.len();
        if formats > 1 && formats != supplied {
            return Err(errors::protocol(format!(
                "bind message has {formats} parameter formats but {supplied} parameters"
            ))
            .into());
        }
        let params = bind.values.iter().zip(&described.params).enumerate();
        let params = params.map(|(n, (given, ty))| value(n, given, ty));
        Ok((params.collect::<Result<_>>()?, own.then_some(described)))
    }

    /// Parameters and columns of a statement: planned once, when first asked for; of a FETCH each time.
    async fn described(&mut self, prepared: &Arc<Prepared>) -> Result<Arc<Described>, Failure> {
        if let Some(described) = &*prepared.described.lock() {
            return Ok(Arc::clone(described));
        }
        let described = Arc::new(self.describe_at(prepared, &[]).await?);
        // Under the name of a cursor there may be another one the next time.
        if !prepared.statement.is_fetch() {
            *prepared.described.lock() = Some(Arc::clone(&described));
        }
        Ok(described)
    }

    /// The same with the values of parameters that say which versions of tables are read.
    async fn describe_at(
        &mut self,
        prepared: &Prepared,
        moments: &[Option<ScalarValue>],
    ) -> Result<Described, Failure> {
        let given = prepared.planned();
        let limit = self.session.statement_timeout();
        let session = &self.session;
        let statement = &prepared.statement;
        let work =
            async { Ok(session.describe(statement, &given, moments).await.map_err(Box::new)?) };
        let running = &self.registration.running;
        let description = stoppable(self.reader, running, self.server, limit, work).await?;
        let params = description.parameters.into_iter().enumerate();
        let params = params.map(|(n, ty)| prepared.parameter(n, ty)).collect::<Result<_>>()?;
        let columns = description.columns.map(|schema| encode::columns(&schema)).transpose()?;
        Ok(Described { params, columns })
    }

    pub async fn describe(&mut self, target: &Target) -> Result<(), Failure> {
        // psycopg asks so for the columns of a cursor that it declared in SQL: to Postgres it is a portal.
        if let Target::Portal(name) = target
            && !self.extended.portals.contains_key(name)
            && let Some(schema) = self.session.cursor_columns(name)
        {
            return Ok(self.writer.send(encode::description(&encode::columns(&schema)?))?);
        }
        let (prepared, formats, bound) = match target {
            Target::Statement(name) => (self.extended.statement(name)?, None, None),
            Target::Portal(name) => {
                let portal = self.extended.portal(name)?;
                portal.told = true;
                (portal.statement.clone(), Some(portal.formats.clone()), portal.described.clone())
            }
        };
        let described = match (bound, &prepared) {
            (Some(described), _) => described,
            (None, Some(prepared)) => self.described(prepared).await?,
            (None, None) => Arc::new(Described { params: vec![], columns: None }),
        };
        if formats.is_none() {
            if let Some(prepared) = &prepared {
                prepared.told.store(true, Ordering::Relaxed);
            }
            let oids = described.params.iter().map(|(ty, _)| ty.oid()).collect();
            self.writer.send(Backend::ParameterDescription(ParameterDescription::new(oids)))?;
        }
        let columns = described.columns.clone();
        let message = match columns {
            Some(columns) => {
                let formats = formats.unwrap_or_default();
                encode::description(&encode::formatted(columns, &formats)?)
            }
            None => Backend::NoData(NoData::new()),
        };
        Ok(self.writer.send(message)?)
    }

    pub async fn execute(&mut self, name: &str, max_rows: i32) -> Result<(), Failure> {
        let most = u64::try_from(max_rows).ok().filter(|most| *most > 0);
        let limit = self.session.statement_timeout();
        // Taken out while it runs; one that fails does not come back.
        let portal = self.extended.portal(name)?;
        let Some(prepared) = portal.statement.clone() else {
            let empty = Backend::EmptyQueryResponse(EmptyQueryResponse::new());
            return Ok(self.writer.send(empty)?);
        };
        let told = portal.told();
        let params = std::mem::take(&mut portal.params);
        let formats = std::mem::take(&mut portal.formats);
        let state = std::mem::replace(&mut portal.state, State::Ended { rows: None });
        let (session, writer, extended) =
            (&mut self.session, &mut *self.writer, &mut self.extended);
        let work = async {
            let mut answer = match state {
                State::Running(answer) => answer,
                State::Bound => {
                    let outcome = run(session, extended, &prepared.statement, &params).await?;
                    let answer = Answer::new(outcome, &formats, session)?;
                    if let Answer::Rows { rows, .. } = &answer {
                        prepared.check(told.as_deref(), &rows.columns)?;
                    }
                    answer
                }
                State::Ended { rows: Some(tag) } => {
                    return Ok((Progress::Done(Tag::rows(tag, 0)), state));
                }
                State::Ended { rows: None } => {
                    let message = format!("portal \"{name}\" cannot be run");
                    return Err(errors::error("55000", message).into());
                }
            };
            for notice in session.take_notices() {
                writer.send(errors::notice(&notice))?;
            }
            let progress = answer.send(writer, most).await?;
            if let Progress::Done(_) = progress {
                session.finish();
            }
            let state = match (&progress, &answer) {
                (Progress::Suspended, _) => State::Running(answer),
                (_, Answer::Rows { tag, .. }) => State::Ended { rows: Some(*tag) },
                _ => State::Ended { rows: None },
            };
            Ok((progress, state))
        };
        let running = &self.registration.running;
        let (progress, state) = stoppable(self.reader, running, self.server, limit, work).await?;
        // DISCARD ALL takes its own portal with it.
        if let Ok(portal) = self.extended.portal(name) {
            portal.state = state;
            portal.formats = formats;
        }
        let message = match progress {
            Progress::Suspended => Backend::PortalSuspended(PortalSuspended::new()),
            Progress::Done(tag) => {
                self.extended.after(&tag);
                tag.message()
            }
        };
        Ok(self.writer.send(message)?)
    }

    pub fn close(&mut self, target: &Target) -> Result<(), Failure> {
        match target {
            Target::Statement(name) => {
                self.extended.statements.remove(name);
            }
            Target::Portal(name) => {
                if self.extended.portals.remove(name).is_none() {
                    self.session.close_cursor(name);
                }
            }
        };
        Ok(self.writer.send(Backend::CloseComplete(CloseComplete::new()))?)
    }

    pub fn sync(&mut self) -> Result<(), Failure> {
        self.extended.skipping = false;
        self.ready()
    }
}

/// The type of a parameter as the client declares it; None: to be inferred.
fn given(oid: u32) -> Result<Option<Type>> {
    match oid {
        0 => Ok(None),
        _ => match Type::from_oid(oid) {
            Some(Type::UNKNOWN) => Ok(None),
            Some(ty) => Ok(Some(ty)),
            None => Err(errors::error("42704", format!("type with OID {oid} does not exist"))),
        },
    }
}
