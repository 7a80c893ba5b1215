//! What a command says when it ends badly: `error:` and `hint:` on stderr.

use daodb_catalog::Error;
use std::process::ExitCode;

#[derive(Debug)]
pub struct Failure {
    status: u8,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// The command could not do what it was asked for.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { status: 1, message: message.into(), detail: None, hint: None }
    }
    /// It was asked wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { status: 2, ..Self::failed(message) }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Says where it happened.
    pub fn inside(mut self, place: impl std::fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    pub fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        if let Some(detail) = &self.detail {
            eprintln!("detail: {detail}");
        }
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.status)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self { detail: e.detail, hint: e.hint, ..Self::failed(e.message) }
    }
}
