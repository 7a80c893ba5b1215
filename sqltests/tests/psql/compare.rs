//! What psql prints on two servers, compared line by line, and the listing of the differences that are meant.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What psql prints for one command (a meta-command or a query), errors included, in the order of its output.
pub fn psql(port: u16, database: &str, command: &str) -> String {
    let mut child = Command::new("psql")
        .args(["-X", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "tester", "-d", database])
        .env("PGCONNECT_TIMEOUT", "10")
        .env("PGTZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut stdin = child.stdin.take().expect("psql has an input");
    stdin.write_all(format!("{command}\n").as_bytes()).expect("psql reads");
    drop(stdin);
    let done = child.wait_with_output().expect("psql ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&done.stdout) + &text(&done.stderr)
}

/// The lines without what no two servers share: sizes, ports, times, and the widths of columns that these change.
pub fn comparable(text: &str, port: u16) -> Vec<String> {
    let text = text.replace(&format!("port \"{port}\""), "port \"...\"");
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut out: Vec<String> = Vec::new();
        for (i, word) in words.iter().enumerate() {
            let before_unit = words.get(i + 1).is_some_and(|u| is_unit(u));
            let number = word.parse::<f64>().is_ok();
            let rule = word.len() > 1 && word.chars().all(|c| c == '-' || c == '+');
            out.push(match () {
                () if number && before_unit => "...".to_owned(),
                () if is_unit(word) && i > 0 => "size".to_owned(),
                () if word.len() > 1 && word.chars().all(|c| c == '-') => "---".to_owned(),
                () if rule => word.split('+').map(|_| "---").collect::<Vec<_>>().join("+"),
                () => (*word).to_owned(),
            });
        }
        out.join(" ")
    };
    text.lines().map(line).collect()
}

fn is_unit(word: &str) -> bool {
    matches!(word, "bytes" | "kB" | "MB" | "GB" | "ms")
}

/// The lines that only one of the two has, in order: `-` PostgreSQL's, `+` ours.
pub fn difference(postgres: &[String], ours: &[String]) -> Vec<String> {
    // The longest common subsequence, from the end.
    let mut length = vec![vec![0_u32; ours.len() + 1]; postgres.len() + 1];
    for (i, a) in postgres.iter().enumerate().rev() {
        for (j, b) in ours.iter().enumerate().rev() {
            length[i][j] = if a == b {
                length[i + 1][j + 1] + 1
            } else {
                length[i + 1][j].max(length[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < postgres.len() || j < ours.len() {
        if i < postgres.len() && j < ours.len() && postgres[i] == ours[j] {
            i += 1;
            j += 1;
        } else if j == ours.len() || (i < postgres.len() && length[i + 1][j] >= length[i][j + 1]) {
            out.push(format!("- {}", postgres[i]).trim_end().to_owned());
            i += 1;
        } else {
            out.push(format!("+ {}", ours[j]).trim_end().to_owned());
            j += 1;
        }
    }
    out
}

/// A difference that is meant: why, and its lines.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Meant {
    pub why: String,
    pub lines: Vec<String>,
}

/// Differences by command.
pub type Listing = BTreeMap<String, Meant>;

/// A section a command: `=== \l`, `why: ...`, then its lines.
pub fn read(text: &str) -> Listing {
    let mut listing = Listing::new();
    let mut last: Option<&mut Meant> = None;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("=== ") {
            last = Some(listing.entry(command.to_owned()).or_default());
        } else if let Some(meant) = last.as_deref_mut() {
            match line.strip_prefix("why: ") {
                Some(why) => meant.why = why.to_owned(),
                None if line.starts_with(['-', '+']) => meant.lines.push(line.to_owned()),
                None => {}
            }
        }
    }
    listing
}

pub fn write(listing: &Listing, commands: &[&str]) -> String {
    let mut out = String::from(
        "# What psql 15 prints otherwise on DaoDB than on PostgreSQL 15 (-: PostgreSQL, +: DaoDB), and why that is meant.\n\
         # Spaces, rules and sizes are not compared. DAODB_UPDATE=1 writes this file anew and keeps the reasons.\n",
    );
    for command in commands {
        let Some(meant) = listing.get(*command) else { continue };
        let _ = write!(out, "\n=== {command}\nwhy: {}\n", meant.why);
        meant.lines.iter().for_each(|line| out.push_str(&format!("{line}\n")));
    }
    out
}

/// What is found against what is listed: the complaints, and the listing as it would have to be.
pub fn judge(found: &BTreeMap<String, Vec<String>>, listed: &Listing) -> (Vec<String>, Listing) {
    let mut complaints = Vec::new();
    let mut listing = Listing::new();
    for (command, lines) in found {
        let meant = listed.get(command).cloned().unwrap_or_default();
        if lines.is_empty() {
            if !meant.lines.is_empty() {
                complaints.push(format!("{command}: listed as different, and is not"));
            }
            continue;
        }
        if meant.lines != *lines {
            complaints
                .push(format!("{command}: differs otherwise than listed:\n{}", lines.join("\n")));
        } else if meant.why.trim().is_empty() {
            complaints.push(format!("{command}: differs, and nobody says why"));
        }
        listing.insert(command.clone(), Meant { why: meant.why, lines: lines.clone() });
    }
    for command in listed.keys().filter(|c| !found.contains_key(*c)) {
        complaints.push(format!("{command}: listed, and not among the commands"));
    }
    (complaints, listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        comparable(text, 5433)
    }

    #[test]
    fn lines_that_differ() {
        let ours = lines(" a  | 12 kB\n----+---\nport \"5433\"\nx");
        let theirs = lines(" a | 8192 bytes\n---+----\nport \"5433\"\ny");
        assert_eq!(difference(&theirs, &ours), ["- y", "+ x"]);
    }

    #[test]
    fn the_listing_comes_back_as_it_went() {
        let found = BTreeMap::from([("\\l".to_owned(), vec!["- a".to_owned()])]);
        let (complaints, mut listing) = judge(&found, &Listing::new());
        assert_eq!(complaints.len(), 1);
        listing.entry("\\l".to_owned()).or_default().why = "one less".to_owned();
        assert_eq!(read(&write(&listing, &["\\l"])), listing);
        assert!(judge(&found, &listing).0.is_empty());
        let same = BTreeMap::from([("\\l".to_owned(), vec![])]);
        assert_eq!(judge(&same, &listing).0, ["\\l: listed as different, and is not"]);
    }
}
