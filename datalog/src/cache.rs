//! Compiled queries, kept for as long as a catalog is open: one that is asked again, also at a later basis, is neither read nor
//! resolved, ordered or optimized again.
//!
//! A compiled query is found by all that went into it as text (the query, its arguments with rules, patterns and collections,
//! its limit), and by what its sources are:
//! - the schema (names, cardinalities, what is unique and indexed), by its version: a database has one of each;
//! - whether a source shows its history, or what is since some t: other plans read these.
//!
//! It holds where nothing else that it was made of has changed:
//! - which attributes have facts, and of which types: columns, and what is known to be empty, depend on these;
//! - about how many facts each has ([`about`]): the order of joins, and whether one thread is enough, depend on it, not the
//!   answer, so that growth is followed, and not every transaction;
//! - the entities that lookup refs name, which are looked up each time.
//!
//! Of the basis itself nothing is kept: a plan's leaves are bound to the snapshots of the request ([`physical`]). Rows of SQL are
//! planned at their own snapshot; what reads them is not kept.
//!
//! [`physical`]: crate::lower::leaves::physical

use crate::algebra;
use crate::engine::{self, Work};
use crate::find;
use crate::lower::leaves;
use crate::query::Query;
use crate::resolve::inputs::Arg as Input;
use crate::resolve::lookup::Found;
use crate::resolve::{Inputs, Resolved};
use crate::run::QueryRequest;
use crate::source::{DbSource, Source};
use daodb_catalog::{Catalog, Schema};
use daodb_storage::{Attr, ValueType};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// So many are kept; of more the one that was not asked for the longest goes.
const MOST: usize = 256;
/// Longer texts are not kept: a collection of values, which nobody asks with again.
const LONGEST: usize = 16 << 10;

/// All stages of a query but for what it reads.
pub struct Compiled {
    pub query: Query,
    /// Without its sources.
    pub resolved: Resolved,
    pub rows: algebra::Plan,
    pub work: Work,
    pub columns: Vec<find::Column>,
    /// Optimized; its leaves are not bound.
    pub logical: LogicalPlan,
    pub filters: leaves::Filters,
    pub found: Found,
    pub of: Vec<Of>,
}

/// A type of an attribute's values, and about how many there were and are.
type Known = (Attr, ValueType, u32, u32);

/// What a compiled query knows of a source.
pub enum Of {
    Database {
        schema: Arc<Schema>,
        history: bool,
        since: bool,
        facts: Vec<Known>,
    },
    /// It is part of the text.
    Rows,
}

impl Of {
    pub fn source(source: &Source) -> Of {
        match source {
            Source::Database(db) => {
                let view = db.snapshot.view();
                let (history, since) = (view.history, view.since.is_some());
                Of::Database {
                    schema: Arc::clone(&db.schema),
                    history,
                    since,
                    facts: facts(db)
                        .map(|(a, ty, facts, open)| (a.clone(), ty, facts, open))
                        .collect(),
                }
            }
            Source::Rows(_) | Source::Table(_) => Of::Rows,
        }
    }

    fn is(&self, source: &Source) -> bool {
        match (self, source) {
            (Of::Database { schema, history, since, facts: known }, Source::Database(db)) => {
                let view = db.snapshot.view();
                Arc::ptr_eq(schema, &db.schema)
                    && (*history, *since) == (view.history, view.since.is_some())
                    && facts(db)
                        .eq(known.iter().map(|(a, ty, facts, open)| (a, *ty, *facts, *open)))
            }
            (Of::Rows, Source::Rows(_)) => true,
            _ => false,
        }
    }
}

/// A count as powers of two, from where it matters how many there are.
fn about(n: u64) -> u32 {
    (n / 64 + 1).ilog2()
}

fn facts(db: &DbSource) -> impl Iterator<Item = (&Attr, ValueType, u32, u32)> {
    db.each_stat().map(|s| (&s.a, s.value_type, about(s.facts), about(s.open)))
}

impl Compiled {
    /// Whether it is what compiling the query with these would make.
    pub fn holds(&self, inputs: &Inputs, found: &Found) -> bool {
        let same = self.of.len() == inputs.sources.len();
        same && self.of.iter().zip(&inputs.sources).all(|(of, source)| of.is(source))
            && self.found == *found
    }
}

/// What a catalog's queries share.
#[derive(Default)]
pub struct Cache {
    kept: Mutex<Kept>,
    hits: AtomicU64,
    misses: AtomicU64,
    plain: OnceLock<Arc<SessionState>>,
    one_thread: OnceLock<Arc<SessionState>>,
    many_threads: OnceLock<Arc<SessionState>>,
}

#[derive(Default)]
struct Kept {
    /// Each with when it was last asked for.
    queries: HashMap<String, (Arc<Compiled>, u64)>,
    asked: u64,
}

/// How a catalog's cache has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFigures {
    pub queries: usize,
    pub hits: u64,
    pub misses: u64,
}

impl Cache {
    pub fn of(catalog: &Catalog) -> Arc<Cache> {
        catalog.kept()
    }

    pub fn get(&self, key: &str) -> Option<Arc<Compiled>> {
        let mut kept = self.kept.lock();
        kept.asked += 1;
        let now = kept.asked;
        let (compiled, asked) = kept.queries.get_mut(key)?;
        *asked = now;
        Some(Arc::clone(compiled))
    }

    pub fn hit(&self) {
        self.hits.fetch_add(1, Relaxed);
    }

    pub fn missed(&self) {
        self.misses.fetch_add(1, Relaxed);
    }

    pub fn keep(&self, key: String, compiled: &Arc<Compiled>) {
        let mut kept = self.kept.lock();
        let oldest = |kept: &Kept| {
            kept.queries.iter().min_by_key(|(_, (_, asked))| *asked).map(|(key, _)| key.clone())
        };
        if !kept.queries.contains_key(&key)
            && kept.queries.len() >= MOST
            && let Some(oldest) = oldest(&kept)
        {
            kept.queries.remove(&oldest);
        }
        let asked = kept.asked;
        kept.queries.insert(key, (Arc::clone(compiled), asked));
    }

    /// The engine's state for a plan; made once, since its rules are many.
    pub fn state(&self, catalog: &Catalog, work: Work) -> Arc<SessionState> {
        let state = match work {
            Work::Plain => &self.plain,
            Work::OneThread => &self.one_thread,
            Work::ManyThreads => &self.many_threads,
        };
        Arc::clone(state.get_or_init(|| Arc::new(engine::state(catalog.runtime(), work))))
    }

    pub fn figures(&self) -> CacheFigures {
        CacheFigures {
            queries: self.kept.lock().queries.len(),
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
        }
    }
}

/// All of a request that a plan is made of, as text; None: it is not kept. A schema is told by where it lies: another one may
/// lie there later, so that [`Compiled::holds`] looks again.
pub fn key(request: &QueryRequest, default: Option<&DbSource>, args: &[Input]) -> Option<String> {
    let mut key = Key(String::new());
    // A character that no text of EDN has ends each part.
    write!(key, "{:?} {:?}\0", request.limit, request.offset).ok()?;
    match request.query.string() {
        Some(text) => write!(key, "t{text}\0").ok()?,
        None => write!(key, "f{}\0", request.query).ok()?,
    }
    if let Some(db) = default {
        key.database(db).ok()?;
    }
    for arg in args {
        match arg {
            Input::Database(db) => key.database(db).ok()?,
            Input::Value(node) => write!(key, "v{node}\0").ok()?,
            Input::Table(_) => return None,
        }
    }
    Some(key.0)
}

impl Key {
    fn database(&mut self, db: &DbSource) -> fmt::Result {
        let view = db.snapshot.view();
        let schema = Arc::as_ptr(&db.schema);
        write!(self, "d{schema:p} {} {}\0", view.history, view.since.is_some())
    }
}

/// Stops where it would be too long.
struct Key(String);

impl Write for Key {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.0.len() + s.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(s);
        Ok(())
    }
}
