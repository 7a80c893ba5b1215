//! Git repositories for tests, made by the `git` program from a seed.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `git` in a folder; what it prints. An error carries what it says on stderr.
pub fn git(dir: &Path, args: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(io::Error::other(format!(
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// Whether there is a `git` program; where there is none, `suite` is left out.
pub fn program(suite: &str) -> bool {
    crate::program("git", suite)
}

/// Makes a bare repository with a random history of so many commits, on branch `main`.
pub fn generate(dir: &Path, seed: u64, commits: u32) -> io::Result<()> {
    git(dir, &["init", "-q", "--bare", "-b", "main"], b"")?;
    git(dir, &["fast-import", "--quiet", "--done"], &stream(seed, commits)).map(drop)
}

/// Makes a bare repository with a straight history of so many commits, each of two or three changes among 5,000 files.
pub fn generate_long(dir: &Path, seed: u64, commits: u32) -> io::Result<()> {
    git(dir, &["init", "-q", "--bare", "-b", "main"], b"")?;
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut stream = Vec::new();
    for mark in 1..=commits {
        let at = 1_500_000_000 + u64::from(mark) * 600;
        let who = mark % 37;
        let head = format!(
            "commit refs/heads/main\nmark :{mark}\ncommitter P{who} <p{who}@b.example> {at} +0000\ndata <<END\nchange {mark}\nEND\n"
        );
        stream.extend(head.bytes());
        for _ in 0..2 + mark % 2 {
            let file = rng.random_range(0..5000u32);
            let body = format!("{mark}\n").repeat(rng.random_range(1..60));
            let path = format!("src/m{}/f{file}.rs", file % 97);
            let change = match rng.random_range(0..50) {
                0 => format!("D {path}\n"),
                _ => format!("M 100644 inline {path}\ndata {}\n{body}\n", body.len()),
            };
            stream.extend(change.bytes());
        }
        stream.push(b'\n');
    }
    stream.extend(b"done\n");
    git(dir, &["fast-import", "--quiet", "--done"], &stream).map(drop)
}

/// Names that are files at one time and folders at another, and names that are hard to write down.
const NAMES: [&[u8]; 16] = [
    b"a",
    b"a/b",
    b"a/b/c",
    b"a.txt",
    b"a-b",
    b"d/e/f.rs",
    b"d/e",
    b"d/g.rs",
    b"say \"hi\"",
    b"back\\slash",
    b"two\nlines",
    b"tab\there/\x01",
    b"\xff\xfe",
    b"d/caf\xe9",
    "größe/ß.txt".as_bytes(),
    b"\"a\\377b\"",
];

const SUBMODULES: [&str; 2] =
    ["0123456789012345678901234567890123456789", "abcdefabcdefabcdefabcdefabcdefabcdefabcd"];

struct Generator {
    rng: SmallRng,
    out: Vec<u8>,
    /// Paths that some branch may hold.
    known: BTreeSet<Vec<u8>>,
    seconds: i64,
}

/// A `git fast-import` stream: additions, changes, deletions, modes, links, submodules, merges, clocks that run backwards.
fn stream(seed: u64, commits: u32) -> Vec<u8> {
    let rng = SmallRng::seed_from_u64(seed);
    let mut generator =
        Generator { rng, out: Vec::new(), known: BTreeSet::new(), seconds: 1_600_000_000 };
    // Marks of the tips: of main, and of side branches that no merge took yet.
    let (mut main, mut sides): (Option<u32>, Vec<u32>) = (None, Vec::new());
    for mark in 1..=commits {
        let dice = generator.rng.random_range(0..100);
        match main {
            Some(tip) if dice < 12 && sides.len() < 4 && mark < commits => {
                generator.commit(mark, "refs/heads/side", Some(tip), &[]);
                sides.push(mark);
            }
            Some(_) if dice < 20 && !sides.is_empty() && mark < commits => {
                let i = generator.rng.random_range(0..sides.len());
                generator.commit(mark, "refs/heads/side", Some(sides[i]), &[]);
                sides[i] = mark;
            }
            Some(tip) if dice < 32 && !sides.is_empty() => {
                let taken = generator.rng.random_range(1..=sides.len());
                let merged: Vec<u32> = sides.drain(..taken).collect();
                generator.commit(mark, "refs/heads/main", Some(tip), &merged);
                main = Some(mark);
            }
            tip => {
                generator.commit(mark, "refs/heads/main", tip, &[]);
                main = Some(mark);
            }
        }
    }
    generator.out.extend(b"done\n");
    generator.out
}

impl Generator {
    fn commit(&mut self, mark: u32, branch: &str, from: Option<u32>, merged: &[u32]) {
        let step = if self.rng.random_bool(0.1) { -50_000..0 } else { 0..20_000 };
        self.seconds += self.rng.random_range(step);
        let people = ["A <a@b.example>", "A. <a@b.example>", "B <b@b.example>", "C <>", " <>"];
        let who = people.choose(&mut self.rng).copied().unwrap_or(people[0]);
        let head = format!(
            "commit {branch}\nmark :{mark}\nauthor {who} {s} +0100\ncommitter {who} {s} +0000\ndata <<END\nchange {mark}\nEND\n",
            s = self.seconds
        );
        // A branch that moves elsewhere starts anew.
        self.line(&format!("reset {branch}\n"));
        self.line(&head);
        if let Some(from) = from {
            self.line(&format!("from :{from}\n"));
        }
        for other in merged {
            self.line(&format!("merge :{other}\n"));
        }
        for _ in 0..self.rng.random_range(0..4) {
            self.edit();
        }
        self.line("\n");
    }

    fn edit(&mut self) {
        let fresh = self.rng.random_range(0..200u32);
        let path: Vec<u8> = match self.rng.random_range(0..4) {
            0 => format!("src/m{}/f{fresh}.rs", fresh % 7).into_bytes(),
            _ => NAMES.choose(&mut self.rng).map(|n| n.to_vec()).unwrap_or_default(),
        };
        let known = self.known.iter().nth(fresh as usize % self.known.len().max(1)).cloned();
        match self.rng.random_range(0..12) {
            // A path that this branch does not hold makes no change.
            0 | 1 => {
                let Some(path) = known else { return };
                self.line("D ");
                self.path(&path);
                self.line("\n");
            }
            2 => {
                let module = SUBMODULES.choose(&mut self.rng).copied().unwrap_or(SUBMODULES[0]);
                self.line(&format!("M 160000 {module} "));
                self.path(&path);
                self.line("\n");
            }
            dice => {
                let mode = match dice {
                    3 => "120000",
                    4 | 5 => "100755",
                    _ => "100644",
                };
                let path = known.filter(|_| self.rng.random_bool(0.5)).unwrap_or(path);
                self.line(&format!("M {mode} inline "));
                self.path(&path);
                let body = format!("line {}\n", self.rng.random_range(0..40)).repeat(3);
                self.line(&format!("\ndata {}\n{body}\n", body.len()));
                self.known.insert(path);
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.out.extend(text.bytes());
    }

    /// Quoted, as every byte may stand in it.
    fn path(&mut self, path: &[u8]) {
        self.out.push(b'"');
        for &byte in path {
            match byte {
                b'"' | b'\\' => self.out.extend([b'\\', byte]),
                0x20..0x7f => self.out.push(byte),
                _ => self.out.extend(format!("\\{byte:03o}").bytes()),
            }
        }
        self.out.push(b'"');
    }
}
