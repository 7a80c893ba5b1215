//! BEGIN to COMMIT: reads at one snapshot; the states and warnings that drivers rely on.

use super::settings::{Level, Mark};
use super::{Outcome, Session, TransactionStatus};
use crate::error::{Error, Result, SqlState};
use chrono::{DateTime, Utc};
use daodb_storage::Snapshot;
use datafusion::sql::sqlparser::ast::{
    Ident, Statement, TransactionAccessMode, TransactionIsolationLevel, TransactionMode,
};

#[derive(Default)]
pub struct State(Option<Open>);

struct Open {
    snapshot: Snapshot,
    started: DateTime<Utc>,
    failed: bool,
    /// The innermost last.
    savepoints: Vec<(String, Mark)>,
}

impl State {
    pub fn status(&self) -> TransactionStatus {
        match &self.0 {
            None => TransactionStatus::Idle,
            Some(open) if open.failed => TransactionStatus::Failed,
            Some(_) => TransactionStatus::Active,
        }
    }
    pub fn fail(&mut self) {
        if let Some(open) = &mut self.0 {
            open.failed = true;
        }
    }
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.0.as_ref().map(|open| &open.snapshot)
    }
    /// How many are set; None: no transaction is open.
    pub fn savepoints(&self) -> Option<usize> {
        self.0.as_ref().map(|open| open.savepoints.len())
    }
    pub fn started(&self) -> Option<DateTime<Utc>> {
        self.0.as_ref().map(|open| open.started)
    }
}

fn command(tag: &str) -> Outcome {
    Outcome::Command { tag: tag.to_owned() }
}

impl Session {
    /// In a failed transaction only its end is accepted.
    pub(super) fn refuse_if_failed(&self, statement: &Statement) -> Result<()> {
        let ends = matches!(statement, Statement::Commit { .. } | Statement::Rollback { .. });
        match self.transaction.status() {
            TransactionStatus::Failed if !ends => Err(Error::new(
                SqlState::FAILED_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
            _ => Ok(()),
        }
    }

    /// Why this session only reads now, if so.
    pub(super) fn refuse_if_read_only(&self, what: &str) -> Result<()> {
        let read_only =
            |why: &str| Error::new(SqlState::READ_ONLY, format!("cannot execute {what} in {why}"));
        if self.settings.t(super::settings::AS_OF).is_some() {
            return Err(read_only("a session that reads as of a time")
                .hint("RESET daodb.as_of, or connect without a time, to write"));
        } else if self.settings.t(super::settings::SINCE).is_some() {
            return Err(
                read_only("a session that reads since a time").hint("RESET daodb.since to write")
            );
        }
        let setting = match self.transaction.status() {
            TransactionStatus::Idle => "default_transaction_read_only",
            _ => "transaction_read_only",
        };
        if self.settings.is_on(setting) {
            return Err(read_only("a read-only transaction"));
        }
        Ok(())
    }

    /// Why this session may not make or drop views now, if so.
    pub(super) fn refuse_change(&self, what: &str) -> Result<()> {
        self.refuse_if_read_only(what)?;
        match self.transaction.status() {
            TransactionStatus::Idle => Ok(()),
            _ => Err(Error::new(
                SqlState::ACTIVE_TRANSACTION,
                format!("{what} cannot run inside a transaction block"),
            )
            .hint("COMMIT first: it takes effect at once, as a transaction of its own")),
        }
    }

    pub(super) async fn begin(&mut self, modes: &[TransactionMode], tag: &str) -> Result<Outcome> {
        if self.transaction.0.is_some() {
            self.notices.push(Error::new(
                SqlState::ACTIVE_TRANSACTION,
                "there is already a transaction in progress",
            ));
        } else {
            self.settings.begin();
            let snapshot = self.database.snapshot();
            self.transaction.0 =
                Some(Open { snapshot, started: self.now(), failed: false, savepoints: vec![] });
            for what in ["read_only", "isolation", "deferrable"] {
                let default = self.setting(&format!("default_transaction_{what}"));
                self.assign(
                    &format!("transaction_{what}"),
                    &default.unwrap_or_default(),
                    Level::Transaction,
                )
                .await?;
            }
        }
        self.set_modes(modes, false).await?;
        Ok(command(tag))
    }

    /// `SET TRANSACTION`, and of new ones `SET SESSION CHARACTERISTICS`.
    pub(super) async fn set_modes(&mut self, modes: &[TransactionMode], new: bool) -> Result<()> {
        let (prefix, level) = match new {
            true => ("default_transaction", Level::Session),
            false => ("transaction", Level::Transaction),
        };
        for mode in modes {
            let (what, value) = match mode {
                TransactionMode::AccessMode(TransactionAccessMode::ReadOnly) => ("read_only", "on"),
                TransactionMode::AccessMode(TransactionAccessMode::ReadWrite) => {
                    ("read_only", "off")
                }
                TransactionMode::IsolationLevel(level) => ("isolation", isolation(level)?),
            };
            self.assign(&format!("{prefix}_{what}"), value, level).await?;
        }
        Ok(())
    }

    fn no_transaction(&mut self) {
        self.notices.push(Error::new(
            SqlState::NO_ACTIVE_TRANSACTION,
            "there is no transaction in progress",
        ));
    }

    pub(super) async fn commit(&mut self, chain: bool) -> Result<Outcome> {
        let Some(open) = self.transaction.0.take() else {
            self.no_transaction();
            return Ok(command("COMMIT"));
        };
        self.settings.end(!open.failed);
        self.cursors.end(!open.failed);
        if chain {
            self.begin(&[], "BEGIN").await?;
        }
        Ok(command(if open.failed { "ROLLBACK" } else { "COMMIT" }))
    }

    pub(super) async fn rollback(
        &mut self,
        savepoint: Option<&Ident>,
        chain: bool,
    ) -> Result<Outcome> {
        if let Some(name) = savepoint {
            let at = self.savepoint(name)?;
            if let Some(open) = &mut self.transaction.0 {
                open.savepoints.truncate(at + 1);
                open.failed = false;
                if let Some((_, mark)) = open.savepoints.last() {
                    self.settings.undo(mark);
                }
            }
            self.cursors.undo(at + 1);
            return Ok(command("ROLLBACK"));
        }
        if self.transaction.0.take().is_none() {
            self.no_transaction();
        } else {
            self.settings.end(false);
            self.cursors.end(false);
            if chain {
                self.begin(&[], "BEGIN").await?;
            }
        }
        Ok(command("ROLLBACK"))
    }

    /// Nothing is written within a transaction yet, so a savepoint is a name to come back to, and the settings there.
    pub(super) fn set_savepoint(&mut self, name: &Ident) -> Result<Outcome> {
        match &mut self.transaction.0 {
            Some(open) => {
                open.savepoints.push((super::names::fold(name), self.settings.mark()));
                Ok(command("SAVEPOINT"))
            }
            None => Err(Error::new(
                SqlState::NO_ACTIVE_TRANSACTION,
                "SAVEPOINT can only be used in transaction blocks",
            )),
        }
    }

    pub(super) fn release_savepoint(&mut self, name: &Ident) -> Result<Outcome> {
        let at = self.savepoint(name)?;
        if let Some(open) = &mut self.transaction.0 {
            open.savepoints.truncate(at);
        }
        self.cursors.release(at);
        Ok(command("RELEASE"))
    }

    fn savepoint(&self, name: &Ident) -> Result<usize> {
        let Some(open) = &self.transaction.0 else {
            return Err(Error::new(
                SqlState::NO_ACTIVE_TRANSACTION,
                "savepoints can only be used in transaction blocks",
            ));
        };
        let name = super::names::fold(name);
        open.savepoints.iter().rposition(|(s, _)| *s == name).ok_or_else(|| {
            Error::new(SqlState::Code("3B001"), format!("savepoint \"{name}\" does not exist"))
        })
    }
}

fn isolation(level: &TransactionIsolationLevel) -> Result<&'static str> {
    use TransactionIsolationLevel as L;
    Ok(match level {
        L::ReadUncommitted => "read uncommitted",
        L::ReadCommitted => "read committed",
        L::RepeatableRead => "repeatable read",
        L::Serializable => "serializable",
        L::Snapshot => {
            return Err(Error::new(SqlState::SYNTAX, "syntax error at or near \"SNAPSHOT\"")
                .hint("every transaction reads one snapshot; REPEATABLE READ is its name"));
        }
    })
}
