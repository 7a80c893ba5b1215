//! The storage error: a small public kind, a message that says what and where, and a hint that says what to do.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault it is: this decides SQLSTATE and exit status further up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller asked for something that cannot be.
    User,
    /// A stored object is damaged or foreign.
    Data,
    /// The store (disk, network) refused or failed.
    Io,
    /// Another writer owns the stream or the folder.
    Fenced,
    /// A limit of memory was reached; try again later.
    Busy,
    /// The disk is full: nothing was written.
    Full,
    /// Our own bug.
    Internal,
}

#[derive(Debug, Clone, thiserror::Error)]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, message)
    }
    /// `place` names the object or file that is damaged.
    pub fn data(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Data, format!("{place}: {message}"))
    }
    pub fn io(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Io, format!("{place}: {message}"))
    }
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<object_store::Error> for Error {
    fn from(e: object_store::Error) -> Self {
        Error::new(ErrorKind::Io, e.to_string())
    }
}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(e: Error) -> Self {
        datafusion::error::DataFusionError::External(Box::new(e))
    }
}
