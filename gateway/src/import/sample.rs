//! A small made-up history, for a place where there is no git repository: the same every time, to the last byte, so that
//! the documents can show what it answers.

use super::plan::{Change, Commit, CommitPlan, File, Signature};
use daodb_catalog::{Error, Result, SqlState};
use std::collections::BTreeMap;

/// 2025-01-06T09:00:00Z, a Monday.
const START: i64 = 1_736_154_000;
const HOUR: i64 = 3600;

#[derive(Clone, Copy)]
struct Who(&'static str, &'static str);

const MIRA: Who = Who("Mira Osei", "mira@orchard.example");
const JONAS: Who = Who("Jonas Falk", "jonas@orchard.example");
const LIN: Who = Who("Lin Wei", "lin@orchard.example");
/// She takes another name on the way; her address stays.
const LIN_FALK: Who = Who("Lin Falk", "lin@orchard.example");

enum Edit {
    /// A text file of so many lines; of a file that is there, its last lines change.
    Text(&'static str, i64),
    Script(&'static str, i64),
    Link(&'static str, &'static str),
    /// So many bytes.
    Binary(&'static str, i64),
    Delete(&'static str),
}
use Edit::{Binary, Delete, Link, Script, Text};

/// Hours after [`START`], who, message, edits.
type Entry = (i64, Who, &'static str, &'static [Edit]);

const DAY: i64 = 24;

#[rustfmt::skip]
const HISTORY: [Entry; 36] = [
    (0, MIRA, "Start the orchard ledger", &[Text("README.md", 8), Text("LICENSE", 21)]),
    (2, MIRA, "Trees: rows, kinds, ages", &[Text("src/tree.rs", 40), Text("src/main.rs", 12)]),
    (2 * DAY, JONAS, "Read the ledger from a file", &[Text("src/read.rs", 55), Text("src/main.rs", 20)]),
    (3 * DAY + 4, JONAS, "Test reading", &[Text("tests/read.rs", 30)]),
    (7 * DAY, LIN, "Harvests: baskets by day", &[Text("src/harvest.rs", 64), Text("src/main.rs", 31)]),
    (9 * DAY + 1, LIN, "Say how to run it", &[Text("README.md", 19)]),
    (14 * DAY, MIRA, "Count baskets by kind", &[Text("src/harvest.rs", 92), Text("src/tree.rs", 48)]),
    (16 * DAY + 6, MIRA, "A logo", &[Binary("docs/logo.png", 9120)]),
    (21 * DAY, JONAS, "A script that makes the weekly report", &[Text("report.sh", 14)]),
    (21 * DAY + 1, JONAS, "The script runs", &[Script("report.sh", 14)]),
    (28 * DAY, LIN, "Frost warnings", &[Text("src/frost.rs", 47), Text("src/main.rs", 44)]),
    (30 * DAY + 3, LIN, "Frost: read the station's file", &[Text("src/frost.rs", 88), Text("src/station.rs", 61)]),
    (37 * DAY, MIRA, "Guide: first steps", &[Text("docs/guide.md", 33), Text("README.md", 22)]),
    (44 * DAY, JONAS, "Reading is faster", &[Text("src/read.rs", 71), Text("tests/read.rs", 42)]),
    (51 * DAY + 2, LIN, "Frost warnings were never used", &[Delete("src/frost.rs"), Delete("src/station.rs"), Text("src/main.rs", 35)]),
    (58 * DAY, MIRA, "Prices by kind and week", &[Text("src/price.rs", 52), Text("src/main.rs", 41)]),
    (60 * DAY + 5, MIRA, "Test prices", &[Text("tests/price.rs", 28)]),
    (72 * DAY, JONAS, "Guide: harvests", &[Text("docs/guide.md", 61)]),
    (79 * DAY, LIN_FALK, "Harvests may be corrected", &[Text("src/harvest.rs", 118), Text("tests/harvest.rs", 44)]),
    (86 * DAY + 1, MIRA, "The front page of the guide is the readme", &[Link("docs/index.md", "../README.md")]),
    (93 * DAY, JONAS, "Split reading: rows, columns", &[Delete("src/read.rs"), Text("src/read/mod.rs", 22), Text("src/read/row.rs", 38), Text("src/read/column.rs", 29)]),
    (100 * DAY, LIN_FALK, "After the frost of April: warnings again", &[Text("src/frost.rs", 76), Text("src/main.rs", 49)]),
    (102 * DAY + 2, LIN_FALK, "Frost: by valley", &[Text("src/frost.rs", 103)]),
    (114 * DAY, MIRA, "Prices: the currency is a column", &[Text("src/price.rs", 70), Text("tests/price.rs", 39)]),
    (121 * DAY, JONAS, "Guide: prices", &[Text("docs/guide.md", 84), Text("README.md", 27)]),
    (135 * DAY + 3, MIRA, "Trees remember who planted them", &[Text("src/tree.rs", 67), Text("tests/tree.rs", 25)]),
    (142 * DAY, LIN_FALK, "Harvests by planter", &[Text("src/harvest.rs", 131)]),
    (156 * DAY, JONAS, "Columns by name", &[Text("src/read/column.rs", 57), Text("tests/read.rs", 58)]),
    (163 * DAY + 6, MIRA, "A sharper logo", &[Binary("docs/logo.png", 14_336)]),
    (177 * DAY, LIN_FALK, "Summer: thinning and watering", &[Text("src/water.rs", 83), Text("src/main.rs", 57)]),
    (184 * DAY, JONAS, "The report has a page a kind", &[Script("report.sh", 31)]),
    (191 * DAY + 2, LIN_FALK, "Water by valley", &[Text("src/water.rs", 109), Text("tests/water.rs", 37)]),
    (205 * DAY, MIRA, "Guide: water", &[Text("docs/guide.md", 112)]),
    (212 * DAY, JONAS, "Rows that cannot be read are named", &[Text("src/read/row.rs", 66), Text("tests/read.rs", 75)]),
    (226 * DAY + 1, MIRA, "First harvest of the year", &[Text("src/harvest.rs", 137), Text("README.md", 31)]),
    (233 * DAY, LIN_FALK, "Less talk in the readme", &[Text("README.md", 24)]),
];

/// In this transaction of [`HISTORY`] (from 0) a merge brings in the one that stands in [`BROUGHT`].
const MERGE: usize = 21;
const BROUGHT: (i64, Who, &str) = (95 * DAY, LIN_FALK, "Frost: what the old warnings got wrong");

/// The whole history, oldest first.
pub fn plans() -> Result<Vec<CommitPlan>> {
    let mut tree = BTreeMap::new();
    let mut plans: Vec<CommitPlan> = Vec::with_capacity(HISTORY.len());
    for (i, (hours, who, message, edits)) in HISTORY.iter().enumerate() {
        let mut parents: Vec<String> =
            plans.last().map(|p| p.commit.sha.clone()).into_iter().collect();
        let mut brought = Vec::new();
        if i == MERGE {
            let (hours, who, message) = BROUGHT;
            let side = commit(hours, who, message, parents.clone())?;
            parents.push(side.sha.clone());
            brought.push(side);
        }
        let commit = commit(*hours, *who, message, parents)?;
        let changes = edits.iter().map(|edit| change(edit, i, &mut tree)).collect::<Result<_>>()?;
        plans.push(CommitPlan { commit, brought, changes });
    }
    Ok(plans)
}

fn commit(hours: i64, who: Who, message: &str, parents: Vec<String>) -> Result<Commit> {
    let at = (START + hours * HOUR) * 1_000_000;
    let signature = Signature { name: who.0.to_owned(), email: who.1.to_owned(), at };
    let text = format!("{parents:?} {} {} {at} {message}", who.0, who.1);
    Ok(Commit {
        sha: object_name(gix::objs::Kind::Commit, text.as_bytes())?,
        message: message.to_owned(),
        author: Some(signature.clone()),
        committer: Some(signature),
        parents,
    })
}

/// `tree`: the contents of the files that are there.
fn change(
    edit: &Edit,
    version: usize,
    tree: &mut BTreeMap<&'static str, String>,
) -> Result<Change> {
    let (path, mode, content, is_text) = match *edit {
        Delete(path) => {
            tree.remove(path);
            return Ok(Change { path: path.to_owned(), file: None });
        }
        Text(path, lines) => (path, "100644", text(path, lines, version, tree.get(path)), true),
        Script(path, lines) => (path, "100755", text(path, lines, version, tree.get(path)), true),
        Link(path, target) => (path, "120000", target.to_owned(), true),
        Binary(path, bytes) => (path, "100644", "\0".repeat(bytes as usize), false),
    };
    let lines = content.lines().count() as i64;
    let file = File {
        mode,
        blob: object_name(gix::objs::Kind::Blob, content.as_bytes())?,
        size: Some(content.len() as i64),
        lines: is_text.then_some(lines),
    };
    tree.insert(path, content);
    Ok(Change { path: path.to_owned(), file: Some(file) })
}

/// So many lines: those that were there, less the last three, and new ones. The same number: the same text.
fn text(path: &str, lines: i64, version: usize, old: Option<&String>) -> String {
    let old: Vec<&str> = old.map(|text| text.lines().collect()).unwrap_or_default();
    let lines = lines as usize;
    let kept = if old.len() == lines { lines } else { old.len().saturating_sub(3).min(lines) };
    let mut text = String::new();
    for line in &old[..kept] {
        text.push_str(line);
        text.push('\n');
    }
    for line in kept..lines {
        text.push_str(&format!("{path} line {} of change {version}\n", line + 1));
    }
    text
}

/// As git names an object of this content.
fn object_name(kind: gix::objs::Kind, content: &[u8]) -> Result<String> {
    let name = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, content);
    let name =
        name.map_err(|e| Error::new(SqlState::INTERNAL, format!("the sample history: {e}")))?;
    Ok(name.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_history_that_holds_together() {
        let plans = plans().unwrap();
        assert_eq!(plans, super::plans().unwrap());
        let mut tree = BTreeSet::new();
        let mut commits = BTreeSet::new();
        let mut newest = i64::MIN;
        for plan in &plans {
            for commit in plan.brought.iter().chain([&plan.commit]) {
                assert!(commit.parents.iter().all(|p| commits.contains(p)), "{}", commit.message);
                assert!(commits.insert(commit.sha.clone()), "{}", commit.message);
            }
            let at = plan.commit.committer.as_ref().map(|s| s.at).unwrap_or_default();
            assert!(at > newest, "{}", plan.commit.message);
            newest = at;
            for Change { path, file } in &plan.changes {
                let there = tree.contains(path);
                assert!(file.is_some() || there, "{path} is deleted and was not there");
                match file {
                    Some(_) => tree.insert(path.clone()),
                    None => tree.remove(path),
                };
            }
        }
        assert_eq!(plans.iter().filter(|p| !p.brought.is_empty()).count(), 1);
    }
}
