//! The schemas of a database by the t that made them: reading as of some t asks for none twice.

use crate::error::Result;
use crate::schema::{Schema, change_points};
use daodb_storage::Snapshot;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

const KEPT: usize = 64;

pub struct Schemas {
    state: Mutex<State>,
}

struct State {
    /// Every t at which the schema changed, sorted.
    changes: Vec<i64>,
    /// Up to which t they are known, where another process writes; None: this one does, and tells of each.
    known: Option<i64>,
    kept: BTreeMap<i64, Arc<Schema>>,
}

impl State {
    /// The change that made the schema of `t`; 0 where none was before it.
    fn made_at(&self, t: i64) -> i64 {
        match self.changes.partition_point(|change| *change <= t) {
            0 => 0,
            n => self.changes[n - 1],
        }
    }

    fn keep(&mut self, made_at: i64, schema: &Arc<Schema>) {
        while self.kept.len() >= KEPT {
            self.kept.pop_first();
        }
        self.kept.insert(made_at, Arc::clone(schema));
    }
}

impl Schemas {
    /// `snapshot` is the newest one.
    pub async fn read(snapshot: &Snapshot, follows: bool) -> Result<Schemas> {
        let changes = change_points(snapshot).await?;
        let known = follows.then(|| snapshot.newest().t);
        Ok(Schemas { state: Mutex::new(State { changes, known, kept: BTreeMap::new() }) })
    }

    /// The schema as of `t`. `newest` is a snapshot that shows everything.
    pub async fn at(&self, newest: &Snapshot, t: i64) -> Result<Arc<Schema>> {
        if self.state.lock().known.is_some_and(|known| known < t) {
            let changes = change_points(newest).await?;
            let mut state = self.state.lock();
            (state.changes, state.known) = (changes, Some(newest.newest().t));
        }
        let made_at = {
            let state = self.state.lock();
            let made_at = state.made_at(t);
            if let Some(schema) = state.kept.get(&made_at) {
                return Ok(Arc::clone(schema));
            }
            made_at
        };
        let schema = Arc::new(Schema::read(&newest.as_of(t)).await?);
        self.state.lock().keep(made_at, &schema);
        Ok(schema)
    }

    /// The transaction t, not yet durable, makes this schema.
    pub fn changed(&self, t: i64, schema: &Arc<Schema>) {
        let mut state = self.state.lock();
        state.changes.push(t);
        state.keep(t, schema);
    }

    /// The transactions after t were not written.
    pub fn forget_after(&self, t: i64) {
        let mut state = self.state.lock();
        state.changes.retain(|change| *change <= t);
        state.kept.retain(|made_at, _| *made_at <= t);
    }
}
