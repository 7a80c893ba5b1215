//! `.slt` files on three engines: embedded, the simple protocol, the extended protocol. A fresh database a file.
//!
//! Rows are printed as `psql -A` prints them: `|` between columns, `NULL` for none, `(empty)` for an empty text, line ends
//! as `\n`. An error is its SQLSTATE, its message, its position and hint. Beside SQL a statement may be `transact ...`
//! (see [`crate::ops`]), `index` (lays the tail down as Parquet) or `database NAME` (makes another database).

pub mod binary;
mod embedded;
mod socket;

use crate::{engine, ops};
use daodb_catalog::{Catalog, Database};
use parking_lot::Mutex;
use sqllogictest::{ColumnType, DBOutput, MakeConnection, Runner};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Embedded,
    Simple,
    Extended,
}

impl Engine {
    /// For `onlyif` and `skipif`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Embedded => "embedded",
            Engine::Simple => "simple",
            Engine::Extended => "extended",
        }
    }
}

/// All `.slt` files under a folder, sorted; `SLT` in the environment keeps those whose path holds it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let wanted = std::env::var("SLT").unwrap_or_default();
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "slt") {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.to_string_lossy().contains(&wanted));
    found.sort();
    found
}

/// Runs one file on a fresh database; the text of the first failure. `complete` rewrites it with what came out.
pub async fn run(engine: Engine, file: &Path, complete: bool) -> Result<(), String> {
    let (catalog, database) = engine::memory(engine::options()).await.map_err(|e| e.to_string())?;
    let shared = Shared { catalog, database, names: Arc::default() };
    let result = match engine {
        Engine::Embedded => {
            let shared = &shared;
            let make = || async move { embedded::Embedded::open(shared.clone()).await };
            drive(engine, make, file, complete).await
        }
        Engine::Simple | Engine::Extended => {
            let served = engine::Served::start(&shared.catalog).await.map_err(|e| e.to_string())?;
            let (shared, address) = (&shared, served.address);
            let make =
                || async move { socket::Socket::open(shared.clone(), address, engine).await };
            let result = drive(engine, make, file, complete).await;
            served.stop().await.map_err(|e| e.to_string())?;
            result
        }
    };
    shared.catalog.close().await.map_err(|e| format!("closing: {e}"))?;
    result
}

async fn drive<M>(engine: Engine, make: M, file: &Path, complete: bool) -> Result<(), String>
where
    M: MakeConnection,
    M::Conn: sqllogictest::AsyncDB<ColumnType = Shown>,
{
    let mut runner = Runner::new(make);
    runner.add_label(engine.name());
    runner.with_validator(same_lines);
    runner.with_column_validator(same_types);
    let result = match complete {
        true => runner
            .update_test_file(file, "|", same_lines, sqllogictest::default_normalizer, same_types)
            .await
            .map_err(|e| e.to_string()),
        false => runner.run_file_async(file).await.map_err(|e| e.to_string()),
    };
    runner.shutdown_async().await;
    result
}

#[allow(clippy::ptr_arg)]
fn same_lines(_: sqllogictest::Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let actual = actual.iter().map(|row| row.join("|"));
    actual.eq(expected.iter().map(|line| line.trim_end().to_owned()))
}

/// The simple protocol's driver does not tell types.
#[allow(clippy::ptr_arg)]
fn same_types(actual: &Vec<Shown>, expected: &Vec<Shown>) -> bool {
    let same = |a: &Shown, e: &Shown| *a == Shown::Unknown || *e == Shown::Unknown || a == e;
    actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| same(a, e))
}

/// What a column holds: `I` integers, `R` other numbers, `B` booleans, `D` dates and times, `A` arrays, `T` texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Integer,
    Real,
    Boolean,
    Time,
    Array,
    Text,
    Unknown,
}

impl ColumnType for Shown {
    fn from_char(c: char) -> Option<Self> {
        Some(match c {
            'I' => Shown::Integer,
            'R' => Shown::Real,
            'B' => Shown::Boolean,
            'D' => Shown::Time,
            'A' => Shown::Array,
            'T' => Shown::Text,
            '?' => Shown::Unknown,
            _ => return None,
        })
    }
    fn to_char(&self) -> char {
        match self {
            Shown::Integer => 'I',
            Shown::Real => 'R',
            Shown::Boolean => 'B',
            Shown::Time => 'D',
            Shown::Array => 'A',
            Shown::Text => 'T',
            Shown::Unknown => '?',
        }
    }
}

/// What all connections of a file share.
#[derive(Clone)]
struct Shared {
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    names: Arc<Mutex<ops::Names>>,
}

type Output = DBOutput<Shown>;

impl Shared {
    /// Runs what is not SQL; None: it is SQL.
    async fn directive(&self, text: &str) -> Option<Result<Output, Failed>> {
        let mut words = text.split_whitespace();
        let done = match (words.next(), words.next()) {
            (Some("transact"), _) => self.transact(text).await,
            (Some("index"), None) => {
                let indexed = self.database.stream().index_now().await;
                indexed.map(|()| 0).map_err(|e| Failed::from(daodb_catalog::Error::from(e)))
            }
            (Some("database"), Some(name)) => {
                self.catalog.create(name).await.map(|_| 0).map_err(Failed::from)
            }
            _ => return None,
        };
        Some(done.map(DBOutput::StatementComplete))
    }

    /// How many datoms were written, the transaction's instant aside.
    async fn transact(&self, text: &str) -> Result<u64, Failed> {
        let mut names = self.names.lock().clone();
        let report = ops::transact(&self.database, &mut names, text).await?;
        *self.names.lock() = names;
        Ok((report.datoms.len() as u64).saturating_sub(1))
    }
}

/// A value as a line of a file shows it.
fn cell(text: Option<String>) -> String {
    match text {
        None => "NULL".into(),
        Some(text) if text.is_empty() => "(empty)".into(),
        Some(text) => text.replace('\n', "\\n"),
    }
}

/// An error, spelled the same on every engine.
#[derive(Debug, Clone)]
pub struct Failed {
    state: String,
    text: String,
}

impl Failed {
    fn new(state: &str, message: &str, position: Option<u32>, hint: Option<&str>) -> Failed {
        let mut text = format!("{state}: {message}");
        if let Some(position) = position {
            text += &format!(" at {position}");
        }
        if let Some(hint) = hint {
            text += &format!(" ({hint})");
        }
        Failed { state: state.to_owned(), text }
    }
}

impl From<daodb_catalog::Error> for Failed {
    fn from(e: daodb_catalog::Error) -> Self {
        let position = e.position.and_then(|p| u32::try_from(p).ok());
        Failed::new(e.state.as_str(), &e.message, position, e.hint.as_deref())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failed {}
