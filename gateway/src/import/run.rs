//! An import: a thread reads the repository, the caller's task writes; a bounded channel between them.

use super::git::{Reader, head};
use super::plan::CommitPlan;
use super::write::Writer;
use daodb_catalog::{Database, Error, Result, SqlState};
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Plans that may wait for the writer.
const PLANS_READ_AHEAD: usize = 16;

/// How far an import has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Commits of the chain, done and in all.
    pub done: u64,
    pub total: u64,
    pub changes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Commits of the first-parent chain: transactions.
    pub commits: u64,
    /// Commits that merges brought in.
    pub brought: u64,
    /// File changes.
    pub changes: u64,
    /// The newest transaction now.
    pub t: i64,
    /// Stopped before the end; another run goes on.
    pub stopped: bool,
    /// Blobs that the repository lacks (a partial clone): their files have no size and lines.
    pub missing_blobs: u64,
}

enum Message {
    Total(u64),
    Plan(Box<CommitPlan>),
    MissingBlobs(u64),
    Failed(Error),
}

/// Takes the commits that `database` lacks of the repository at `path`, one transaction each. No transaction is newer than
/// `now` (microseconds). `stop` ends it between two transactions.
pub fn import<'a>(
    database: Arc<Database>,
    path: &'a Path,
    now: i64,
    stop: &'a CancellationToken,
    progress: &'a mut (dyn FnMut(Progress) + Send),
) -> BoxFuture<'a, Result<Summary>> {
    Box::pin(async move {
        let mut writer = Writer::open(database, now).await?;
        let imported = writer.recall().await?;
        let (tx, mut plans) = mpsc::channel(PLANS_READ_AHEAD);
        let last = writer.last_commit().map(str::to_owned);
        let path = PathBuf::from(path);
        let thread = std::thread::Builder::new().name("git-reader".into()).spawn(move || {
            if let Err(e) = read(&path, &imported, last.as_deref(), &tx) {
                // Nobody listens where the writer failed first.
                let _ = tx.blocking_send(Message::Failed(e));
            }
        });
        thread.map_err(|e| {
            Error::new(SqlState::IO, format!("the reading thread did not start: {e}"))
        })?;

        let mut summary = Summary::default();
        let mut state = Progress::default();
        loop {
            let message = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    summary.stopped = state.done < state.total;
                    break;
                }
                message = plans.recv() => message,
            };
            match message {
                None => break,
                Some(Message::Failed(e)) => {
                    writer.finish().await?;
                    return Err(e);
                }
                Some(Message::MissingBlobs(missing)) => summary.missing_blobs = missing,
                Some(Message::Total(total)) => state.total = total,
                Some(Message::Plan(plan)) => {
                    state.changes += plan.changes.len() as u64;
                    summary.brought += plan.brought.len() as u64;
                    writer.write(*plan).await?;
                    state.done += 1;
                }
            }
            progress(state);
        }
        writer.finish().await?;
        Ok(Summary { commits: state.done, changes: state.changes, t: writer.t(), ..summary })
    })
}

/// The thread's part; ends early where nobody listens any more.
fn read(
    path: &Path,
    imported: &[Arc<str>],
    last: Option<&str>,
    out: &mpsc::Sender<Message>,
) -> Result<()> {
    let mut reader = Reader::open(path, imported)?;
    let chain = reader.chain(last)?;
    if out.blocking_send(Message::Total(chain.len() as u64)).is_err() {
        return Ok(());
    }
    for id in chain {
        let plan = Box::new(reader.plan(id)?);
        if out.blocking_send(Message::Plan(plan)).is_err() {
            return Ok(());
        }
    }
    let _ = out.blocking_send(Message::MissingBlobs(reader.missing_blobs()));
    Ok(())
}

/// Whether `database` holds HEAD of the repository at `path` as its newest commit: nothing to import.
pub fn is_complete<'a>(database: &'a Arc<Database>, path: &'a Path) -> BoxFuture<'a, Result<bool>> {
    Box::pin(async move {
        let writer = Writer::open(Arc::clone(database), i64::MAX).await?;
        Ok(writer.last_commit().is_some() && writer.last_commit() == head(path)?.as_deref())
    })
}

/// Takes plans that are made, not read: those that `database` lacks, counted from its first transaction.
pub fn take(
    database: Arc<Database>,
    plans: Vec<CommitPlan>,
    now: i64,
) -> BoxFuture<'static, Result<i64>> {
    Box::pin(async move {
        let mut writer = Writer::open(database, now).await?;
        writer.recall().await?;
        let known = match writer.last_commit() {
            None => 0,
            Some(last) => {
                plans.iter().position(|p| p.commit.sha == last).map_or(plans.len(), |i| i + 1)
            }
        };
        for plan in plans.into_iter().skip(known) {
            writer.write(plan).await?;
        }
        writer.finish().await?;
        Ok(writer.t())
    })
}
