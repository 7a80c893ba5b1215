//! The readers of EDN, JSON, Transit and of Datalog's queries, under texts that nobody meant: the corpora of the targets of `cargo
//! fuzz` (`datalog/fuzz`, `gateway/fuzz`), and what a loop makes of them by changes and words of a dictionary. A text that leads to
//! an answer that was not seen before is kept and changed further. It knows nothing of the branches that ran, so it finds less in an
//! hour than `cargo fuzz`; it needs no other compiler, and runs what is shipped.
//!
//! `DAODB_FUZZ_SECONDS` says how long for each reader (3), `DAODB_SEED` repeats a run.

use daodb_datalog::fuzz::Held;
use daodb_sqltests::{how_many, seed_or_any};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More than any text of a corpus takes.
const LONGEST: usize = 1 << 14;
/// No text of this length may take longer.
const PATIENCE: Duration = Duration::from_secs(5);

struct Target {
    name: &'static str,
    /// Of the workspace: the crate whose folder `fuzz` has the corpus and the dictionary.
    of: &'static str,
    holds: fn(&str) -> Held,
}

const TARGETS: [Target; 4] = [
    Target { name: "edn", of: "datalog", holds: daodb_datalog::fuzz::edn },
    Target { name: "query", of: "datalog", holds: daodb_datalog::fuzz::query },
    Target { name: "json", of: "gateway", holds: daodb_gateway::http::fuzz::json },
    Target { name: "transit", of: "gateway", holds: daodb_gateway::http::fuzz::transit },
];

impl Target {
    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.of).join("fuzz")
    }

    /// Texts by the names of their files, in order.
    fn corpus(&self) -> Vec<(String, String)> {
        let folder = self.folder().join("corpus").join(self.name);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        };
        files.into_iter().map(read).collect()
    }

    fn dictionary(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder().join(format!("{}.dict", self.name)));
        text.unwrap().lines().map(word).collect()
    }

    /// Err: what does not hold, or how it panicked.
    fn ask(&self, text: &str) -> Held {
        let start = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| (self.holds)(text))) {
            Err(panic) => {
                let told = panic.downcast_ref::<String>().map(String::as_str);
                Err(format!("panicked: {}", told.or(panic.downcast_ref().copied()).unwrap_or("")))
            }
            Ok(Ok(_)) if start.elapsed() > PATIENCE => Err(format!("took {:?}", start.elapsed())),
            Ok(held) => held,
        }
    }

    fn check(&self, text: &str, how: &str) {
        if let Err(fault) = self.ask(text) {
            panic!("{} of {how}: {fault}\n{text:?}", self.name);
        }
    }
}

/// A line of a dictionary of libFuzzer: `"token"`, with `\"`, `\\` and `\x` and two digits.
fn word(line: &str) -> String {
    let inner = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect(line);
    let (mut out, mut bytes) = (Vec::new(), inner.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next().expect(line) {
                b'x' => {
                    let digits = [bytes.next().expect(line), bytes.next().expect(line)];
                    let digits = std::str::from_utf8(&digits).expect(line);
                    out.push(u8::from_str_radix(digits, 16).expect(line));
                }
                plain => out.push(plain),
            },
            plain => out.push(plain),
        }
    }
    String::from_utf8(out).expect(line)
}

/// A place between two letters.
fn place(rng: &mut SmallRng, text: &str) -> usize {
    let mut at = rng.random_range(0..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn range(rng: &mut SmallRng, text: &str) -> std::ops::Range<usize> {
    let (a, b) = (place(rng, text), place(rng, text));
    a.min(b)..a.max(b)
}

fn change(rng: &mut SmallRng, text: &mut String, pool: &[String], words: &[String]) {
    match rng.random_range(0..10) {
        0 => text.replace_range(range(rng, text), ""),
        1 => {
            let part = text[range(rng, text)].to_owned();
            let times = if rng.random_bool(0.1) { rng.random_range(1..400) } else { 1 };
            text.insert_str(place(rng, text), &part.repeat(times));
        }
        2 => {
            let other = pool.choose(rng).map_or("", String::as_str);
            let part = &other[range(rng, other)];
            text.insert_str(place(rng, text), part);
        }
        3 => {
            let other = pool.choose(rng).map_or("", String::as_str);
            let rest = &other[place(rng, other)..];
            text.truncate(place(rng, text));
            text.push_str(rest);
        }
        4 => {
            let at = place(rng, text);
            if let Some(old) = text[at..].chars().next() {
                let byte = (rng.random_range(0..128) as u8) as char;
                text.replace_range(at..at + old.len_utf8(), byte.encode_utf8(&mut [0; 4]));
            }
        }
        5 => {
            let word = words.choose(rng).map_or("", String::as_str);
            text.replace_range(range(rng, text), word);
        }
        _ => {
            let word = words.choose(rng).map_or("", String::as_str);
            text.insert_str(place(rng, text), word);
        }
    }
    text.truncate((0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
}

/// What became of a text, coarsely: names and numbers in a message are none of it.
fn outcome(told: &str) -> String {
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphabetic() || "(),\"".contains(c));
    told.split_whitespace().filter(plain).take(60).collect()
}

#[test]
fn corpora() {
    for target in TARGETS {
        let corpus = target.corpus();
        assert!(corpus.len() > 10, "{}: {} texts", target.name, corpus.len());
        assert!(target.dictionary().len() > 20, "{}", target.name);
        for (name, text) in corpus {
            target.check(&text, &name);
        }
    }
}

/// The loop finds what is wrong: a target that fails on what no text of a corpus has.
#[test]
fn a_fault_is_found() {
    fn fragile(text: &str) -> Held {
        assert!(!text.contains("##NaN##Inf"), "it breaks");
        daodb_datalog::fuzz::edn(text)
    }
    let target = Target { holds: fragile, ..TARGETS[0] };
    let found = run(&target, 1, Duration::from_secs(20)).expect_err("it is found");
    assert!(found.contains("it breaks"), "{found}");
}

#[test]
fn changed_texts() {
    let seed = seed_or_any();
    let seconds = Duration::from_secs(how_many("DAODB_FUZZ_SECONDS", 3));
    eprintln!("readers, {seconds:?} each: DAODB_SEED={seed}");
    std::thread::scope(|scope| {
        let all =
            TARGETS.map(|target| scope.spawn(move || (target.name, run(&target, seed, seconds))));
        for (name, result) in all.map(|thread| thread.join().unwrap()) {
            match result {
                Ok((asked, kept)) => eprintln!("{name}: {asked} texts, {kept} kept"),
                Err(fault) => panic!("DAODB_SEED={seed} {fault}"),
            }
        }
    });
}

/// How many texts were asked, and how many kept; or what does not hold of one.
fn run(target: &Target, seed: u64, time: Duration) -> Result<(u64, usize), String> {
    let (start, mut rng) = (Instant::now(), SmallRng::seed_from_u64(seed));
    let words = target.dictionary();
    let mut pool: Vec<String> = target.corpus().into_iter().map(|(_, text)| text).collect();
    let mut seen: HashSet<String> = HashSet::new();
    let (mut asked, first) = (0, pool.len());
    while start.elapsed() < time {
        let mut text = pool.choose(&mut rng).cloned().unwrap_or_default();
        for _ in 0..rng.random_range(1..6) {
            change(&mut rng, &mut text, &pool, &words);
        }
        asked += 1;
        let told = target.ask(&text);
        let told = told.map_err(|fault| format!("{}: {fault}\n{text:?}", target.name))?;
        if pool.len() < 20_000 && seen.insert(outcome(&told)) {
            pool.push(text);
        }
    }
    Ok((asked, pool.len() - first))
}
