//! The `options` of a start-up packet: a command line of Postgres's server, of which the settings are taken.

use super::errors::{self, Result};

/// `-c name=value`, `-cname=value`, `--name=value`, as many as there are; a backslash takes the next character as it is.
pub fn parse(line: &str) -> Result<Vec<(String, String)>> {
    let mut words = words(line).into_iter();
    let mut settings = vec![];
    while let Some(word) = words.next() {
        let assignment = if word == "-c" || word == "--" {
            words.next().ok_or_else(|| invalid(&word))?
        } else if let Some(long) = word.strip_prefix("--") {
            long.to_owned()
        } else if let Some(short) = word.strip_prefix("-c") {
            short.to_owned()
        } else {
            return Err(invalid(&word));
        };
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| errors::error("42601", format!("-c {assignment} requires a value")))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn invalid(word: &str) -> Box<daodb_catalog::Error> {
    let mut e =
        errors::error("42601", format!("invalid command-line argument for server process: {word}"));
    e.hint = Some("settings are given as -c name=value or --name=value".into());
    e
}

/// Split at white space that no backslash precedes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_way_to_write_a_setting() {
        let check = |line, expect: &[(&str, &str)]| {
            let settings = parse(line).unwrap();
            let settings: Vec<_> = settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(settings, expect, "{line}");
        };
        check("", &[]);
        check("  ", &[]);
        check("-c daodb.as_of=1042", &[("daodb.as_of", "1042")]);
        check("-cdaodb.as_of=1042", &[("daodb.as_of", "1042")]);
        check("--daodb.as-of=1042", &[("daodb.as_of", "1042")]);
        check(
            "-c a=b\t--statement-timeout=5min -cc=",
            &[("a", "b"), ("statement_timeout", "5min"), ("c", "")],
        );
        check(r"-c daodb.as_of=2026-01-01\ 12:00", &[("daodb.as_of", "2026-01-01 12:00")]);
        check(r"-c a=\\\'b=c", &[("a", r"\'b=c")]);
    }

    #[test]
    fn what_is_no_setting() {
        for line in ["-c", "work_mem=1", "-B 5", "-c work_mem", "--work_mem"] {
            assert_eq!(parse(line).unwrap_err().state.as_str(), "42601", "{line}");
        }
    }
}
