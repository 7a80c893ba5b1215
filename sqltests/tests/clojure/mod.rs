//! Clojure itself is the oracle of EDN: what we write its reader reads as the same value, what it prints we read as the same value,
//! and what it refuses we refuse. `DAODB_SEED` repeats a run, `DAODB_EDN` says of how many forms and texts (4,000 each; 40,000 where
//! `CI` is set).
//!
//! In the order data flows: [`random`] makes forms and texts, `clojure.clj` says what they are as words, and so does [`mod@told`].

mod random;
mod told;

use daodb_datalog::edn::{self, Node, base64, from_base64};
use daodb_sqltests::servers::datomic;
use daodb_sqltests::{how_many, left_out, program, seed_or_any};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Stdio;

const SUITE: &str = "Clojure's reader of EDN";
/// Differences that are told of at once.
const SHOWN: usize = 30;

/// What Clojure says of a text.
struct Theirs {
    /// The forms as words, and as Clojure prints them; or why there are none.
    read: Result<(String, String), String>,
}

/// What Clojure says of each text. None: it is not here, and the suite is left out.
fn theirs(texts: &[String]) -> Option<Vec<Theirs>> {
    if !program("java", SUITE) {
        return None;
    }
    let Some(class_path) = datomic::class_path() else {
        left_out(SUITE, "there is no ~/.cache/daodb/datomic/classpath");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let (asked, answered) = (folder.path().join("asked"), folder.path().join("answered"));
    let lines = texts.iter().map(|text| format!("{}\n", base64(text.as_bytes())));
    std::fs::write(&asked, lines.collect::<String>()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clojure/clojure.clj");
    let mut command = datomic::command(&class_path, Path::new(script));
    command.stdin(std::fs::File::open(asked).unwrap());
    command.stdout(std::fs::File::create(&answered).unwrap()).stderr(Stdio::piped());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(answered).unwrap();
    let all: Vec<Theirs> = text.lines().map(answer).collect();
    assert_eq!(all.len(), texts.len(), "clojure.clj answered a part of the texts");
    Some(all)
}

fn answer(line: &str) -> Theirs {
    let text = |word: &str| String::from_utf8(from_base64(word).unwrap()).unwrap();
    let (kind, rest) = line.split_once(' ').unwrap();
    let read = match kind {
        "ok" => rest.split_once(' ').map(|(words, printed)| (words.to_owned(), text(printed))),
        _ => return Theirs { read: Err(text(rest)) },
    };
    Theirs { read: Ok(read.unwrap()) }
}

fn rng() -> (u64, SmallRng) {
    let seed = seed_or_any();
    eprintln!("EDN beside Clojure: DAODB_SEED={seed}");
    (seed, SmallRng::seed_from_u64(seed))
}

fn count() -> u64 {
    how_many("DAODB_EDN", if std::env::var_os("CI").is_some() { 40_000 } else { 4_000 })
}

fn ours(text: &str) -> Result<Vec<Node>, String> {
    edn::read_all(text).map_err(|e| e.message)
}

/// What we write Clojure reads as the same; what Clojure prints we read as the same.
#[test]
fn forms_there_and_back() {
    let (seed, mut rng) = rng();
    // Two keys that are equal are refused by both: they are for the other test.
    let whole = |node: &Node| !ours(&node.to_string()).is_err_and(|e| e.contains("stands twice"));
    let forms: Vec<Node> = (0..count()).map(|_| random::form(&mut rng, 3)).filter(whole).collect();
    let texts: Vec<String> = forms.iter().map(Node::to_string).collect();
    let Some(theirs) = theirs(&texts) else { return };
    let (mut wrong, mut story) = (0, String::new());
    for ((form, text), theirs) in forms.iter().zip(&texts).zip(theirs) {
        let told = told::told(form);
        let what = match &theirs.read {
            Err(e) => format!("Clojure refuses what we write: {e}"),
            Ok((words, _)) if *words != told => format!("Clojure reads {words}, not {told}"),
            Ok((_, printed)) => match ours(printed).map(|nodes| told::all(&nodes)) {
                Ok(words) if words == told => continue,
                read => format!("Clojure prints {printed}, which we read as {read:?}"),
            },
        };
        wrong += 1;
        if wrong <= SHOWN {
            let _ = write!(story, "\n{text}\n  {what}");
        }
    }
    assert!(wrong == 0, "DAODB_SEED={seed}: {wrong} of {} forms:{story}", forms.len());
    assert!(forms.len() > 100, "{} forms", forms.len());
}

/// Why we refuse what Clojure takes: docs/formats.md tells of each.
const TOLD: &[&str] = &[
    "is no number",
    "begins with a zero",
    "is no symbol",
    "is no keyword",
    "is no character",
    "# begins nothing that EDN knows",
    "an escape that EDN does not know",
    "a character that does not exist",
    "expected",
    "has an exponent beyond",
    "is no tag",
    "#: begins a map with a namespace",
    "only symbols and collections have metadata",
];

/// What both read they read as the same, and what Clojure refuses we refuse.
#[test]
fn texts_are_taken_and_refused_alike() {
    let (seed, mut rng) = rng();
    let mut texts: Vec<String> = random::pieces().collect();
    texts.extend((0..count()).map(|_| random::nearly(&mut rng)));
    let Some(theirs) = theirs(&texts) else { return };
    let (mut taken, mut refused, mut stricter) = (0, 0, BTreeMap::<&str, u64>::new());
    let (mut wrong, mut story) = (0, String::new());
    for (text, theirs) in texts.iter().zip(theirs) {
        let what = match (&theirs.read, ours(text)) {
            (Err(_), Err(_)) => {
                refused += 1;
                continue;
            }
            (Ok((words, _)), Ok(nodes)) => match told::all(&nodes) {
                told if told == *words => {
                    taken += 1;
                    continue;
                }
                told => format!("Clojure reads {words}, we {told}"),
            },
            (Err(e), Ok(nodes)) => {
                format!("Clojure refuses it ({e}), we read {}", told::all(&nodes))
            }
            (Ok((words, _)), Err(e)) => match TOLD.iter().find(|told| e.contains(**told)) {
                Some(told) => {
                    *stricter.entry(told).or_default() += 1;
                    continue;
                }
                None => format!("we refuse it ({e}), Clojure reads {words}"),
            },
        };
        wrong += 1;
        if wrong <= SHOWN {
            let _ = write!(story, "\n{text:?}\n  {what}");
        }
    }
    assert!(wrong == 0, "DAODB_SEED={seed}: {wrong} of {} texts:{story}", texts.len());
    eprintln!("EDN beside Clojure: {taken} taken, {refused} refused, only by us {stricter:?}");
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
}
