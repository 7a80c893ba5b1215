//! Reading beside the process that writes: the log is asked for the next commit, again and again.
//!
//! A tail that grows too long is given up for a newer root, which the writer has laid down meanwhile.

use super::{Inner, State, head};
use crate::error::{Error, ErrorKind, Result};
use crate::index::root;
use crate::log::Transaction;
use futures::TryStreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// So many looks at the next name are followed by a listing: commits may have been joined, and have another name then.
const LOOKS_A_LISTING: u32 = 30;
/// A tail of so many times its wanted size is given up for a newer root.
const TAIL_LIMIT: usize = 2;

#[derive(Debug)]
pub struct Following {
    at: AtomicI64,
}

impl Default for Following {
    fn default() -> Following {
        Following { at: AtomicI64::new(i64::MIN) }
    }
}

impl Following {
    /// When the log's end was last known, in microseconds.
    pub fn at(&self) -> i64 {
        self.at.load(Ordering::SeqCst)
    }
}

/// Reads all that the log holds by now.
pub async fn catch_up(inner: &Inner) -> Result<()> {
    let now = (inner.options.clock)();
    let start = inner.state();
    let basis = start.basis.t;
    let state = read_on(inner, start).await?;
    if state.basis.t > basis {
        publish(inner, state);
    }
    known(inner, now);
    Ok(())
}

/// The state after all that the log holds after it.
async fn read_on(inner: &Inner, mut state: Arc<State>) -> Result<Arc<State>> {
    let mut rest = inner.log.read_after(head(&state.basis)).try_chunks(256);
    while let Some(group) = rest.try_next().await.map_err(|e| e.1)? {
        state = after(&state, &group).await?;
    }
    Ok(state)
}

async fn after(state: &Arc<State>, group: &[Transaction]) -> Result<Arc<State>> {
    let Some(last) = group.last() else { return Ok(Arc::clone(state)) };
    let datoms = || group.iter().flat_map(|tx| tx.datoms.iter());
    let added = state.added(datoms, last.header.t).await?;
    Ok(Arc::new(state.with(&added, &last.header)?))
}

/// Only the one task that follows publishes here.
fn publish(inner: &Inner, state: Arc<State>) {
    *inner.state.write() = state;
}

fn known(inner: &Inner, now: i64) {
    if let Some(following) = &inner.following {
        following.at.store(now, Ordering::SeqCst);
    }
}

/// Reads commits one by one until there is no next one.
async fn look(inner: &Inner) -> Result<()> {
    loop {
        let now = (inner.options.clock)();
        let state = inner.state();
        match inner.log.read_next(&head(&state.basis)).await? {
            Some(group) => publish(inner, after(&state, &group).await?),
            None => {
                known(inner, now);
                return Ok(());
            }
        }
    }
}

/// Changes over to a newer root, if there is one; whether it has the newest now. One that knows more of the log than was read
/// so far is for the next look, which must come soon: the older root's segments do not lie there for ever.
async fn renew(inner: &Inner) -> Result<bool> {
    let state = inner.state();
    let (root, _) = root::newest(&inner.files, &state.root.runs).await?;
    if root.n == state.root.n {
        return Ok(true);
    }
    if root.basis.t > state.basis.t {
        return Ok(false);
    }
    let renewed = Arc::new(State::at(Arc::clone(&state.files), Arc::new(root)));
    publish(inner, read_on(inner, renewed).await?);
    Ok(true)
}

/// What its root names may be gone where it was away for long: then only a newer root helps.
async fn recover(inner: &Inner, why: Error) -> Result<()> {
    let state = inner.state();
    let (root, _) = root::newest(&inner.files, &state.root.runs).await?;
    if root.n == state.root.n {
        return Err(why);
    }
    let recovered = Arc::new(State::at(Arc::clone(&state.files), Arc::new(root)));
    let recovered = read_on(inner, recovered).await?;
    if recovered.basis.t >= state.basis.t {
        publish(inner, recovered);
    }
    Ok(())
}

pub fn start(inner: &Arc<Inner>) {
    let every = inner.options.follow_every;
    let signals = inner.indexer.signals();
    let (weak, now) = (Arc::downgrade(inner), (inner.options.clock)());
    let task = tokio::spawn(async move {
        let (mut looks, mut renewed) = (0, now);
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = signals.stopped() => return,
            }
            let Some(inner) = weak.upgrade() else { return };
            looks += 1;
            let done = match looks % LOOKS_A_LISTING {
                0 => catch_up(&inner).await,
                _ => look(&inner).await,
            };
            let full = inner.state().tail.rows() >= inner.tail_datoms().saturating_mul(TAIL_LIMIT);
            // What a root names lies there for the grace after another one took its place.
            let now = (inner.options.clock)();
            let old = now.saturating_sub(renewed) >= inner.grace() / 4;
            let done = match done {
                Ok(()) if full || old => renew(&inner).await.map(|is_newest| {
                    if is_newest {
                        renewed = now;
                    }
                }),
                Err(e) if e.kind == ErrorKind::Data => recover(&inner, e).await,
                done => done,
            };
            if let Err(e) = done {
                tracing::error!("following the log failed and is tried again: {e}");
            }
        }
    });
    inner.indexer.keep(task);
}
