//! Conditions: what a transaction must leave true, else it is refused.
//!
//! The languages that they are asked in belong to crates above: these implement [`Condition`] for what a call brings along, and
//! [`Language`] for what an entity spec has by `:db.entity/query`.

use super::Op;
use super::op::refused;
use crate::database::Database;
use crate::error::{Error, Result, SqlState};
use futures::future::BoxFuture;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What all conditions of a transaction may take: others who write wait for them.
const TIME: Duration = Duration::from_secs(10);

pub trait Condition: fmt::Debug + Send + Sync {
    /// What a refusal calls it, after "condition".
    fn name(&self) -> String;
    /// Whether it holds. The newest snapshot of `after` has all that is written before the transaction, the transaction, and
    /// nothing else.
    fn holds(&self, after: Arc<Database>) -> BoxFuture<'static, Result<bool>>;
}

/// Reads the queries that entity specs have.
pub trait Language: Send + Sync {
    /// A query that must hold of entity `e`; `name` is what a refusal calls it.
    fn condition(&self, name: String, query: &str, e: i64) -> Arc<dyn Condition>;
}

/// That of a catalog, once a crate above has one.
pub(crate) type Spoken = Arc<OnceLock<Arc<dyn Language>>>;

/// A query of a spec, of whom it is asked, and by which op.
pub struct Asked {
    pub op: u32,
    pub e: i64,
    /// Of which spec, or of which predicate of it, for people.
    pub of: String,
    pub query: Arc<str>,
}

/// What a prepared transaction must leave true: what its specs ask, then what the call brought.
pub(super) fn all(
    asked: &[Asked],
    brought: &[Arc<dyn Condition>],
    spoken: &Spoken,
    ops: &[Op],
) -> Result<Vec<Must>> {
    let of_spec = |asked: &Asked| {
        let Asked { op, e, of, query } = asked;
        let Some(language) = spoken.get() else {
            let text = format!("{of} has a query, and nothing here reads queries");
            return Err(refused(ops, *op, Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)));
        };
        let name = format!("of {of} for entity {e}");
        Ok(Must { op: Some(*op), condition: language.condition(name, query, *e) })
    };
    let mut all = asked.iter().map(of_spec).collect::<Result<Vec<_>>>()?;
    all.extend(brought.iter().map(|c| Must { op: None, condition: Arc::clone(c) }));
    Ok(all)
}

pub(crate) struct Must {
    /// Who asks for it.
    op: Option<u32>,
    condition: Arc<dyn Condition>,
}

/// Asks them one after the other; the first that does not hold is the error.
pub(crate) async fn check(all: Vec<Must>, ops: &[Op], after: &Arc<Database>) -> Result<()> {
    let until = Instant::now() + TIME;
    for Must { op, condition } in all {
        let found = holds(condition.as_ref(), after, until).await;
        let name = condition.name();
        let failed = match found {
            Ok(true) => continue,
            Ok(false) => {
                let text = format!("condition {name} does not hold after it");
                Error::new(SqlState::CHECK_VIOLATION, text)
                    .hint("nothing was written; a condition holds when its query finds something")
            }
            // Places in it are those of another text than the transaction.
            Err(e) => {
                Error { message: format!("condition {name}: {}", e.message), position: None, ..e }
            }
        };
        return Err(match op {
            Some(op) => refused(ops, op, failed),
            None => Error { message: format!("transaction refused: {}", failed.message), ..failed },
        });
    }
    Ok(())
}

/// On a task of its own, so that one which never pauses does not keep the time from being counted. It ends with the wait.
async fn holds(condition: &dyn Condition, after: &Arc<Database>, until: Instant) -> Result<bool> {
    let mut task = JoinSet::new();
    task.spawn(condition.holds(Arc::clone(after)));
    match tokio::time::timeout_at(until, task.join_next()).await {
        Ok(Some(Ok(held))) => held,
        Ok(Some(Err(e))) => Err(Error::new(SqlState::INTERNAL, format!("it broke off: {e}"))),
        Ok(None) => Err(Error::new(SqlState::INTERNAL, "it was not asked")),
        Err(_) => {
            let text = format!("the conditions took longer than {} seconds", TIME.as_secs());
            Err(Error::new(SqlState::QUERY_CANCELED, text)
                .hint("nobody else writes meanwhile: ask for less, or of fewer entities"))
        }
    }
}
