//! Simple queries: a string of statements, run one after the other up to the first that fails.

use super::connection::Connection;
use super::encode;
use super::errors::{self, Failure, Result};
use super::extended::run;
use super::portal::{Answer, Progress};
use super::run::stoppable;
use daodb_catalog::session::{Outcome, RowsTag, Statement};
use pgwire::messages::PgWireBackendMessage as Backend;
use pgwire::messages::response::EmptyQueryResponse;

impl Connection<'_> {
    pub async fn simple(&mut self, sql: &str) -> Result<(), Failure> {
        // As in Postgres, a simple query takes the unnamed statement and portal with it.
        self.extended.forget_unnamed();
        let statements = self.parsed(sql)?;
        if statements.is_empty() {
            let empty = Backend::EmptyQueryResponse(EmptyQueryResponse::new());
            return Ok(self.writer.send(empty)?);
        }
        for statement in &statements {
            self.run_one(statement).await?;
        }
        Ok(())
    }

    /// Splits and parses; a panic of the parser is the statement's error.
    pub fn parsed(&self, sql: &str) -> Result<Vec<Statement>> {
        let parse = std::panic::AssertUnwindSafe(|| self.session.parse(sql));
        match std::panic::catch_unwind(parse) {
            Ok(parsed) => parsed.map_err(Box::new),
            Err(payload) => Err(errors::panicked(payload.as_ref())),
        }
    }

    async fn run_one(&mut self, statement: &Statement) -> Result<(), Failure> {
        let limit = self.session.statement_timeout();
        let (session, writer, extended) =
            (&mut self.session, &mut *self.writer, &mut self.extended);
        let work = async {
            let outcome = run(session, extended, statement, &[]).await?;
            for notice in session.take_notices() {
                writer.send(errors::notice(&notice))?;
            }
            // All as text, but for the rows of a binary cursor.
            let formats: &[i16] = match &outcome {
                Outcome::Rows { tag: RowsTag::Fetch { binary: true }, .. } => &[1],
                _ => &[],
            };
            let mut answer = Answer::new(outcome, formats, session)?;
            if let Answer::Rows { rows, .. } = &answer {
                writer.send(encode::description(&rows.columns))?;
            }
            let progress = answer.send(writer, None).await?;
            session.finish();
            match progress {
                Progress::Done(tag) => {
                    extended.after(&tag);
                    Ok(writer.send(tag.message())?)
                }
                Progress::Suspended => Ok(()),
            }
        };
        stoppable(self.reader, &self.registration.running, self.server, limit, work).await
    }
}
