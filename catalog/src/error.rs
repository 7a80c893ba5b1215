//! The catalog's error. Each kind has one SQLSTATE; the wires map nothing else.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The SQLSTATEs that we raise (Postgres, appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlState {
    /// 08P01, 0A000, ...: the five characters.
    Code(&'static str),
}

impl SqlState {
    pub const FEATURE_NOT_SUPPORTED: Self = Self::Code("0A000");
    pub const INVALID_PARAMETER_VALUE: Self = Self::Code("22023");
    pub const INVALID_TEXT_REPRESENTATION: Self = Self::Code("22P02");
    pub const UNIQUE_VIOLATION: Self = Self::Code("23505");
    pub const DATATYPE_MISMATCH: Self = Self::Code("42804");
    pub const CARDINALITY_VIOLATION: Self = Self::Code("21000");
    /// An entity that is referred to and is not there.
    pub const FOREIGN_KEY_VIOLATION: Self = Self::Code("23503");
    /// `:db/cas` found another value than it expected.
    pub const COMPARE_FAILED: Self = Self::Code("40001");
    pub const INVALID_NAME: Self = Self::Code("42602");
    pub const RESERVED_NAME: Self = Self::Code("42939");
    pub const SHUTTING_DOWN: Self = Self::Code("57P01");
    pub const CHECK_VIOLATION: Self = Self::Code("23514");
    pub const ACTIVE_TRANSACTION: Self = Self::Code("25001");
    pub const READ_ONLY: Self = Self::Code("25006");
    pub const NO_ACTIVE_TRANSACTION: Self = Self::Code("25P01");
    pub const FAILED_TRANSACTION: Self = Self::Code("25P02");
    pub const SYNTAX: Self = Self::Code("42601");
    pub const UNDEFINED_TABLE: Self = Self::Code("42P01");
    pub const UNDEFINED_COLUMN: Self = Self::Code("42703");
    pub const UNDEFINED_FUNCTION: Self = Self::Code("42883");
    pub const UNDEFINED_OBJECT: Self = Self::Code("42704");
    pub const UNDEFINED_DATABASE: Self = Self::Code("3D000");
    pub const DUPLICATE_DATABASE: Self = Self::Code("42P04");
    pub const UNDEFINED_CURSOR: Self = Self::Code("34000");
    pub const DUPLICATE_CURSOR: Self = Self::Code("42P03");
    /// "Object not in prerequisite state".
    pub const WRONG_STATE: Self = Self::Code("55000");
    pub const DISK_FULL: Self = Self::Code("53100");
    pub const OUT_OF_MEMORY: Self = Self::Code("53200");
    pub const QUERY_CANCELED: Self = Self::Code("57014");
    pub const IO: Self = Self::Code("58030");
    pub const DATA_CORRUPTED: Self = Self::Code("XX001");
    pub const INTERNAL: Self = Self::Code("XX000");

    pub fn as_str(self) -> &'static str {
        let Self::Code(code) = self;
        code
    }
}

#[derive(Debug, Clone)]
pub struct Error {
    pub state: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// 1-based character position in the statement's text.
    pub position: Option<usize>,
    /// The op of a transaction that is at fault, from 0.
    pub op: Option<u32>,
}

impl Error {
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), detail: None, hint: None, position: None, op: None }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl From<daodb_storage::Error> for Error {
    fn from(e: daodb_storage::Error) -> Self {
        use daodb_storage::ErrorKind as K;
        let state = match e.kind {
            K::User => SqlState::INVALID_PARAMETER_VALUE,
            K::Data => SqlState::DATA_CORRUPTED,
            K::Io => SqlState::IO,
            K::Fenced => SqlState::READ_ONLY,
            K::Busy => SqlState::OUT_OF_MEMORY,
            K::Full => SqlState::DISK_FULL,
            K::Internal => SqlState::INTERNAL,
        };
        Error { hint: e.hint, ..Error::new(state, e.message) }
    }
}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(e: Error) -> Self {
        datafusion::error::DataFusionError::External(Box::new(e))
    }
}
