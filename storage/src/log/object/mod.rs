//! One object of the log: a Parquet file of whole transactions that a stranger can read.
//!
//! Columns: `e`, `a` (`:person/name`), one nullable column for each value type that occurs (`v_string`, `v_long`, ...),
//! `value_type` (which of them holds the value), `t`, `m`, `added`. Rows are in t order. Key-value metadata of the file:
//!
//! | key | value |
//! |---|---|
//! | `daodb.format` | `log/1` |
//! | `daodb.stream` | the stream's name |
//! | `daodb.writer`, `daodb.put` | UUIDs of the process and of the one write that made the object |
//! | `daodb.by` | who that process was, for people |
//! | `daodb.previous` | hash of the transaction before the first one, hex; zeros for the first of the stream |
//! | `daodb.transactions` | JSON: `[{"t":1000,"instant":"2026-01-01T00:00:00Z","count":3,"hash":"..."}, ...]`, with `parents` where there are any |

mod accept;
mod decode;
mod encode;
mod headers;

pub(super) use decode::{decode, decode_after, origin};
pub(crate) use encode::{columns as datom_columns, schema as datom_schema};
pub(super) use encode::{encode, join};

use super::Transaction;
use object_store::path::Path;
use uuid::Uuid;

const FORMAT: &str = "log/1";
const KEY_FORMAT: &str = "daodb.format";
const KEY_STREAM: &str = "daodb.stream";
const KEY_WRITER: &str = "daodb.writer";
const KEY_PUT: &str = "daodb.put";
const KEY_BY: &str = "daodb.by";
const KEY_PREVIOUS: &str = "daodb.previous";
const KEY_TRANSACTIONS: &str = "daodb.transactions";

/// What to do about a log object that is gone or damaged.
pub(super) const LOST: &str =
    "the log is the only copy of what it says: put the object back from a backup of the folder";

/// Which write made an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub stream: String,
    pub writer: Uuid,
    pub put: Uuid,
    /// A process and a machine, as it named itself.
    pub by: String,
}

/// An object whose rows agree with its headers, and these with each other.
#[derive(Debug)]
pub(super) struct LogObject {
    pub path: Path,
    pub transactions: Vec<Transaction>,
}
