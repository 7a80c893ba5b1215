//! What a command says when it ends badly: `error:` and `hint:` on stderr.

use daodb_catalog::Error;
use std::process::ExitCode;
use unicode_width::UnicodeWidthStr;

#[derive(Debug)]
pub struct Failure {
    status: u8,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    /// The line of a statement where it happened, and a mark below.
    place: Option<String>,
}

impl Failure {
    /// The command could not do what it was asked for.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { status: 1, message: message.into(), detail: None, hint: None, place: None }
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

    /// The failure of a statement: shows where, as psql does.
    pub fn of_statement(error: Error, text: &str) -> Self {
        let place = error.position.and_then(|position| place(text, position));
        Self { place, ..error.into() }
    }

    pub fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        if let Some(place) = &self.place {
            eprintln!("{place}");
        }
        if let Some(detail) = &self.detail {
            eprintln!("detail: {detail}");
        }
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.status)
    }
}

/// `position`: characters, from 1.
fn place(text: &str, position: usize) -> Option<String> {
    let before: String = text.chars().take(position.checked_sub(1)?).collect();
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let number = before.matches('\n').count() + 1;
    let line = text.get(start..)?.lines().next()?;
    let head = format!("LINE {number}: ");
    let gap = head.len() + UnicodeWidthStr::width(&before[start..]);
    Some(format!("{head}{line}\n{}^", " ".repeat(gap)))
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

impl From<daodb_storage::Error> for Failure {
    fn from(e: daodb_storage::Error) -> Self {
        Error::from(e).into()
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn places_in_statements() {
        let check = |text: &str, position: usize, expect: Option<&str>| {
            assert_eq!(place(text, position).as_deref(), expect, "{text} {position}");
        };
        check("SELECT x", 8, Some("LINE 1: SELECT x\n               ^"));
        check("SELECT\n  'ß', x\nFROM y", 15, Some("LINE 2:   'ß', x\n               ^"));
        check("SELECT", 7, Some("LINE 1: SELECT\n              ^"));
        check("", 1, None);
        check("x", 0, None);
    }
}
