//! What a stream takes from outside beside its store and its clock: ids, and threads for long work.

use crate::error::{Error, Result};
use std::sync::Arc;
use uuid::Uuid;

/// What an id is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdOf {
    /// The process that writes a log.
    Writer,
    /// One write of a log object.
    Put,
    Segment,
    /// The list of a run.
    Run,
}

/// Clones are the same world.
#[derive(Clone, Default)]
pub struct World {
    ids: Option<Arc<dyn Fn(IdOf) -> Uuid + Send + Sync>>,
    mutation: Option<Mutation>,
}

/// A fault that is put into the product on purpose, to see whether the tests find it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Segments are removed though snapshots read them.
    NoGrace,
    /// Merged runs lose the ends of facts.
    DroppedClosings,
    /// The tail lets go of what no root names yet.
    EarlyTruncation,
}

impl World {
    /// All ids come from `ids`, and no work leaves the thread it is called on: the same calls give the same run.
    #[doc(hidden)]
    pub fn simulated(
        ids: impl Fn(IdOf) -> Uuid + Send + Sync + 'static,
        mutation: Option<Mutation>,
    ) -> World {
        World { ids: Some(Arc::new(ids)), mutation }
    }

    pub(crate) fn id(&self, of: IdOf) -> Uuid {
        match &self.ids {
            Some(ids) => ids(of),
            None => Uuid::new_v4(),
        }
    }

    /// Whether long work must stay on the thread that it is called on.
    pub(crate) fn is_simulated(&self) -> bool {
        self.ids.is_some()
    }

    pub(crate) fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Runs long work on a thread that may block.
    pub(crate) async fn elsewhere<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.is_simulated() {
            return work();
        }
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|e| Error::internal(format!("long work did not finish: {e}")))?
    }
}
