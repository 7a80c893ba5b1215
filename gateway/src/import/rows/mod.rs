//! Files of rows into one table: CSV, JSON and Parquet, each row an entity that its key names.
//!
//! A file is read row by row, and three times: [`survey`] finds out what its columns hold; then every cell is read as a value
//! of its column, so that nothing is written of a file that is not whole; then [`write`] makes transactions of so many rows
//! each, which go to a [`target`]. [`csv`], [`json`] and [`parquet`] give rows; [`columns`] says which attribute a column is, of which type; [`types`]
//! reads texts as that type. [`run`] leads through this.
//!
//! After an import each of its rows is as the file says: what a cell lacks is taken away. So the same file again changes
//! nothing, and one that was mended mends what is there. Of several rows with one key the last counts.

mod columns;
mod csv;
mod json;
mod parquet;
pub mod run;
mod survey;
mod target;
mod types;
mod write;

pub use columns::Wanted;
pub use target::{Done, Here, Target};

use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::Form;
use std::path::{Path, PathBuf};

/// No row is larger: what is, is a quote or a brace that nobody closed.
const ROW_BYTES: usize = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv { delimiter: u8 },
    Json,
    Parquet,
}

/// A file, and how it is read.
#[derive(Debug, Clone)]
pub struct File {
    /// As it is told of.
    pub path: PathBuf,
    /// Where it lies.
    pub place: PathBuf,
    pub format: Format,
}

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Absent,
    /// Its type is yet to be found.
    Text(String),
    /// A value, or a vector of values.
    Form(Form),
}

/// Where a row stands in its file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub row: u64,
    /// Of a text.
    pub line: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub place: Place,
    /// In the order of the names; those that are left out at the end are absent.
    pub cells: Vec<Cell>,
}

/// The rows of a file, one after the other.
pub trait Rows: Send {
    /// The columns met so far.
    fn names(&self) -> &[String];
    fn next(&mut self) -> Result<Option<Row>, Fault>;
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub place: Option<Place>,
    pub column: Option<String>,
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { place: None, column: None, message: message.into(), hint: None }
    }
    pub fn at(self, place: Place) -> Fault {
        Fault { place: Some(place), ..self }
    }
    pub fn column(self, name: &str) -> Fault {
        Fault { column: Some(name.to_owned()), ..self }
    }
    pub fn hint(self, hint: impl Into<String>) -> Fault {
        Fault { hint: Some(hint.into()), ..self }
    }

    /// With the file, the row and the column before its words.
    fn of(self, file: &Path) -> Error {
        let mut whole = file.display().to_string();
        if let Some(Place { row, line }) = self.place {
            whole.push_str(&format!(", row {row}"));
            whole.push_str(&line.map(|line| format!(" (line {line})")).unwrap_or_default());
        }
        if let Some(column) = &self.column {
            whole.push_str(&format!(", column {column}"));
        }
        let mut error = Error::new(SqlState::Code("22P04"), format!("{whole}: {}", self.message));
        error.hint = self.hint;
        error
    }
}

impl From<std::io::Error> for Fault {
    fn from(e: std::io::Error) -> Fault {
        Fault::new(format!("cannot be read: {e}"))
    }
}

impl File {
    fn open(&self) -> Result<Box<dyn Rows>, Fault> {
        let file = std::fs::File::open(&self.place)?;
        Ok(match self.format {
            Format::Csv { delimiter } => {
                Box::new(csv::Csv::open(std::io::BufReader::new(file), delimiter)?)
            }
            Format::Json => Box::new(json::Json::new(std::io::BufReader::new(file))),
            Format::Parquet => Box::new(parquet::Parquet::open(file)?),
        })
    }
}
