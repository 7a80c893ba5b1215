//! What a prompt asks: a database of a folder, in one session, or one that a server has.

use super::words::Words;
use crate::cli::remote::{Remote, View};
use crate::cli::render::{Broken, Format};
use crate::cli::{Failure, query, sql};
use daodb_catalog::basis::Moment;
use daodb_catalog::{Catalog, Database, Session};
use daodb_datalog::QueryRequest;
use std::io::Write;
use std::sync::Arc;

pub enum Place<'a> {
    Here {
        catalog: &'a Catalog,
        database: &'a Arc<Database>,
        session: Box<Session>,
    },
    /// A request has no session there: what is set of times is kept here.
    There {
        server: Box<Remote>,
        view: View,
    },
}

impl<'a> Place<'a> {
    pub fn here(catalog: &'a Catalog, database: &'a Arc<Database>, session: Session) -> Place<'a> {
        Place::Here { catalog, database, session: Box::new(session) }
    }

    pub fn there(server: Remote, view: View) -> Place<'a> {
        Place::There { server: Box::new(server), view }
    }

    pub fn database(&self) -> &str {
        match self {
            Place::Here { database, .. } => database.name(),
            Place::There { server, .. } => server.database(),
        }
    }

    /// Names that may be typed.
    pub async fn words(&self) -> Result<Words, Failure> {
        match self {
            Place::Here { database, .. } => Ok(Words::of(database).await?),
            Place::There { server, .. } => Words::there(server).await,
        }
    }

    /// Runs statements.
    pub async fn sql(&mut self, text: &str, format: Format) -> Result<(), Broken> {
        let mut out = std::io::stdout();
        let (server, view) = match self {
            Place::Here { session, .. } => return sql::run(session, text, format, &mut out).await,
            Place::There { server, view } => (server, view),
        };
        for statement in super::statements(text) {
            let Some((name, value)) = setting(statement) else {
                server.print(statement, view, format, &mut out).await?;
                continue;
            };
            set(server, view, &name, value).await?;
            if format == Format::Table {
                writeln!(out, "SET")?;
            }
        }
        Ok(())
    }

    /// Runs a query of Datalog, of the database as statements see it.
    pub async fn ask(&self, text: &str, format: Format) -> Result<(), Broken> {
        let mut out = std::io::stdout();
        let (catalog, database, session) = match self {
            Place::Here { catalog, database, session } => (catalog, database, session),
            Place::There { server, view } => {
                return query::through(server, text, view, format, &mut out).await;
            }
        };
        let set = |name: &str| session.setting(name).filter(|value| !value.is_empty());
        let moment = |name: &str| set(name).map(|text| Moment::parse(&text)).transpose();
        let (as_of, since) = (moment("daodb.as_of")?, moment("daodb.since")?);
        let history = set("daodb.history").is_some_and(|on| on == "on");
        let mut request = QueryRequest::text(text);
        request.default = Some(query::at(database, as_of, since, history).await?);
        let answer = daodb_datalog::query(catalog, request).await;
        let answer = answer.map_err(|e| Failure::of_statement(e, text))?;
        query::print(answer, text, format, &mut out).await
    }
}

/// A setting of times takes effect, once the server knows the time.
async fn set(
    server: &Remote,
    view: &mut View,
    name: &str,
    value: Option<String>,
) -> Result<(), Failure> {
    if let (Some(time), "as_of" | "since") = (&value, name) {
        server.t(time).await?;
    }
    match (name, value) {
        ("as_of", value) => view.as_of = value,
        ("since", value) => view.since = value,
        (_, None) => view.history = false,
        (_, Some(value)) => match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "1" | "yes" => view.history = true,
            "off" | "false" | "0" | "no" => view.history = false,
            other => {
                let text = format!("daodb.history is on or off, not {other}");
                return Err(Failure::usage(text));
            }
        },
    }
    Ok(())
}

/// `SET daodb.as_of = '...'` and its like, `RESET daodb.as_of`: which of the times, and its value; None is now. Other statements
/// are the server's.
fn setting(statement: &str) -> Option<(String, Option<String>)> {
    let (word, rest) = statement.trim().split_once(char::is_whitespace)?;
    let rest = rest.trim();
    let known = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        let name = name.strip_prefix("daodb.")?;
        matches!(name, "as_of" | "since" | "history").then(|| name.to_owned())
    };
    if word.eq_ignore_ascii_case("reset") {
        return Some((known(rest)?, None));
    }
    if !word.eq_ignore_ascii_case("set") {
        return None;
    }
    let rest = match rest.split_once(char::is_whitespace) {
        Some((word, rest)) if word.eq_ignore_ascii_case("session") => rest.trim(),
        _ => rest,
    };
    let (name, value) = match rest.split_once('=') {
        Some(both) => both,
        None => {
            let (name, rest) = rest.split_once(char::is_whitespace)?;
            let (to, value) = rest.trim().split_once(char::is_whitespace)?;
            to.eq_ignore_ascii_case("to").then_some((name, value))?
        }
    };
    let value = value.trim();
    let text = match value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(quoted) => quoted.replace("''", "'"),
        None if value.eq_ignore_ascii_case("default") => String::new(),
        None => value.to_owned(),
    };
    Some((known(name)?, Some(text).filter(|text| !text.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::setting;

    #[test]
    fn settings_of_times() {
        let check = |statement: &str, expect: Option<(&str, Option<&str>)>| {
            let expect = expect.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
            assert_eq!(setting(statement), expect, "{statement}");
        };
        check("SET daodb.as_of = '2026-01-01'", Some(("as_of", Some("2026-01-01"))));
        check("set DAODB.AS_OF to 1042", Some(("as_of", Some("1042"))));
        check("SET SESSION daodb.since=1000", Some(("since", Some("1000"))));
        check("SET daodb.history = on", Some(("history", Some("on"))));
        check("SET daodb.as_of = ''", Some(("as_of", None)));
        check("SET daodb.as_of TO DEFAULT", Some(("as_of", None)));
        check("RESET daodb.as_of", Some(("as_of", None)));
        check("RESET ALL", None);
        check("SET timezone = 'UTC'", None);
        check("SELECT 1", None);
        check("SET", None);
    }
}
