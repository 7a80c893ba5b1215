//! Datomic itself is the oracle of queries: the random worlds and questions of [`run`](super::run), without what only DaoDB has,
//! through its peer library in one process beside this one (`datomic.clj`), and through ours. `DAODB_SEED` is the first world,
//! `DAODB_QUERIES` says how many queries there are (5,000 where `CI` is set, 500 else).
//!
//! What Datomic refuses, or does not answer in time, is counted and not compared: its errors depend on the order of clauses
//! and on the rows that it happens to meet. Known differences are in docs/datomic-differences.md.

use super::queries::{Question, question};
use super::run::engine;
use super::world::{Of, RandomWorld};
use crate::support::{parse, told};
use daodb_datalog::edn::{Form, Node};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const QUESTIONS_OF_A_WORLD: usize = 40;
/// Differences that are told.
const TOLD: usize = 8;

/// Says loudly that the suite is left out, and why; where `CI` is set that is a failure.
fn left_out(why: &str) {
    let said = format!("Datomic's queries: {why}");
    assert!(std::env::var_os("CI").is_none(), "{said}, and CI leaves nothing out");
    // Not eprintln: the test harness would swallow it.
    let line = format!("\nLEFT OUT: {said}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// Where `.ci/run` puts it.
fn class_path() -> Option<String> {
    let place = std::env::home_dir()?.join(".cache/daodb/datomic/classpath");
    std::fs::read_to_string(place).ok().map(|text| text.trim().to_owned())
}

/// A world and its questions as `datomic.clj` reads them.
fn line(world: &RandomWorld, questions: &[Question]) -> String {
    let mut out = String::from("{:txs [");
    for tx in &world.transactions {
        let ids: Vec<String> = tx.tempids.iter().map(|(k, e)| format!("{k:?} {e}")).collect();
        write!(out, "{{:t {} :ids {{{}}} :forms {}}} ", tx.t, ids.join(" "), tx.forms).unwrap();
    }
    out += "] :questions [";
    for q in questions {
        let other = q.other.as_deref().unwrap_or("");
        let plain = q.plain.as_deref().unwrap_or("nil");
        let args = q.args.join(" ");
        let views = format!("{} {other}", q.on);
        write!(out, "{{:query {} :views [{views}] :plain {plain} :args [{args}]}} ", q.query)
            .unwrap();
    }
    out.replace('\n', " ") + "]}\n"
}

/// Its answers, in order.
fn theirs(class_path: &str, asked: &str) -> Vec<Node> {
    let folder = std::env::temp_dir().join(format!("daodb-datomic-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (from, to) = (folder.join("asked"), folder.join("answered"));
    std::fs::write(&from, asked).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/datalog/random/datomic.clj");
    let mut command = Command::new("java");
    // Whatever the locale says.
    command.args(["-Dfile.encoding=UTF-8", "-cp", class_path, "clojure.main"]);
    command.arg(Path::new(script)).stdin(std::fs::File::open(&from).unwrap());
    command.stdout(std::fs::File::create(&to).unwrap()).stderr(Stdio::piped());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&to).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    text.lines().map(parse).collect()
}

/// How a query falls into parts that share no variable: predicates bring none together.
#[derive(Debug, Default)]
struct Apart {
    outside: bool,
    /// Within a `not`, a `not-join` or a branch.
    within: bool,
}

fn apart(query: &Node) -> Apart {
    let parts = query.sequence().unwrap();
    let after = |key: &str| {
        let start = parts.iter().position(|p| p.keyword() == Some(key)).unwrap() + 1;
        let end = parts[start..].iter().position(|p| p.keyword().is_some());
        &parts[start..end.map_or(parts.len(), |end| start + end)]
    };
    let scalars: BTreeSet<String> =
        after(":in").iter().filter_map(Node::symbol).map(str::to_owned).collect();
    let bindings = after(":in").iter().filter(|p| p.symbol().is_none()).map(variables);
    let mut out = Apart::default();
    out.outside = parts_of(after(":where"), bindings.collect(), &scalars, &mut out.within) > 1;
    out
}

/// How many parts there are; `within`: whether clauses of one of these fall apart.
fn parts_of(
    clauses: &[Node],
    first: Vec<BTreeSet<String>>,
    scalars: &BTreeSet<String>,
    within: &mut bool,
) -> usize {
    let mut groups = first;
    for clause in clauses {
        let mut vars: BTreeSet<String> = variables(clause).difference(scalars).cloned().collect();
        let parts = clause.sequence().unwrap_or_default();
        let form = parts.iter().position(|p| {
            matches!(p.symbol(), Some("not" | "not-join" | "or" | "or-join" | "and"))
        });
        let name = form.and_then(|i| parts[i].symbol()).unwrap_or_default();
        if let Some(i) = form {
            let join = name.ends_with("-join");
            let heads: Vec<BTreeSet<String>> =
                parts.get(i + 1).filter(|_| join).map(variables).into_iter().collect();
            let body = &parts[i + 1 + usize::from(join)..];
            if name.starts_with("or") {
                for branch in body {
                    *within |= parts_of_branch(branch, &heads, scalars, within) > 1;
                }
            } else {
                *within |= parts_of(body, heads, scalars, within) > 1;
            }
        }
        let predicate = parts.len() == 1 && matches!(clause.form, Form::Vector(_));
        if (predicate || name.starts_with("not")) && !vars.is_empty() {
            continue;
        }
        let (meet, rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|g: &BTreeSet<String>| !g.is_disjoint(&vars));
        groups = rest;
        vars.extend(meet.into_iter().flatten());
        groups.push(vars);
    }
    groups.len()
}

fn parts_of_branch(
    branch: &Node,
    heads: &[BTreeSet<String>],
    scalars: &BTreeSet<String>,
    within: &mut bool,
) -> usize {
    match branch.sequence() {
        Some([and, rest @ ..]) if and.symbol() == Some("and") => {
            parts_of(rest, heads.to_vec(), scalars, within)
        }
        _ => parts_of(std::slice::from_ref(branch), heads.to_vec(), scalars, within),
    }
}

fn variables(node: &Node) -> BTreeSet<String> {
    match (node.symbol(), node.sequence()) {
        (Some(name), _) if name.starts_with('?') => [name.to_owned()].into(),
        (_, Some(parts)) => parts.iter().flat_map(variables).collect(),
        _ => BTreeSet::new(),
    }
}

/// What came of all questions.
#[derive(Debug, Default)]
struct Counts {
    compared: usize,
    with_rows: usize,
    late: usize,
    /// Answers that differ, as they may where a query falls apart: Datomic leaves out a part without rows of which nothing is
    /// found; here there is no row then.
    apart: usize,
    /// What Datomic says when it refuses a query or a world, without what differs each time.
    refused: BTreeMap<String, usize>,
    differences: usize,
}

impl Counts {
    fn refused(&mut self, why: &Node) {
        let text = why.string().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "");
        let text: String = text.chars().take(60).collect();
        *self.refused.entry(text).or_default() += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datomic_answers_the_same() {
    let java = Command::new("java").arg("-version").stderr(Stdio::null()).status();
    if !java.is_ok_and(|status| status.success()) {
        return left_out("there is no program java");
    }
    let Some(class_path) = class_path() else {
        return left_out("there is no ~/.cache/daodb/datomic/classpath");
    };
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let default = if std::env::var_os("CI").is_some() { 5_000 } else { 500 };
    let worlds = number("DAODB_QUERIES").unwrap_or(default).div_ceil(QUESTIONS_OF_A_WORLD) as u64;
    let first = number("DAODB_SEED").unwrap_or(0) as u64;

    let (mut asked, mut found) = (String::new(), Vec::new());
    for seed in first..first + worlds {
        let mut rng = SmallRng::seed_from_u64(seed);
        let world = RandomWorld::new(&mut rng, Of::Datomic).await;
        let questions: Vec<Question> =
            (0..QUESTIONS_OF_A_WORLD).map(|_| question(&mut rng, &world)).collect();
        asked += &line(&world, &questions);
        for question in questions {
            let args: Vec<Node> = question.args.iter().map(|text| parse(text)).collect();
            let answer = engine(&world, &question, &parse(&question.query), &args).await;
            found.push((seed, question, answer, world.story.clone()));
        }
    }
    let theirs = tokio::task::spawn_blocking(move || theirs(&class_path, &asked)).await.unwrap();
    assert_eq!(theirs.len(), found.len(), "datomic.clj answered a part of the questions");

    let (mut counts, mut story) = (Counts::default(), String::new());
    for ((seed, question, ours, world), theirs) in found.into_iter().zip(theirs) {
        if let Some(why) = theirs.get(":refused").or_else(|| theirs.get(":world")) {
            counts.refused(why);
            continue;
        }
        let Some(rows) = theirs.get(":rows").and_then(Node::sequence) else {
            counts.late += 1;
            continue;
        };
        let mut rows: Vec<String> = rows.iter().map(Node::to_string).collect();
        rows.sort();
        counts.compared += 1;
        counts.with_rows += usize::from(!rows.is_empty());
        if ours.as_ref().is_ok_and(|ours| *ours == rows) {
            continue;
        }
        let apart = apart(&parse(&question.query));
        if apart.within || (apart.outside && ours.as_ref().is_ok_and(Vec::is_empty)) {
            counts.apart += 1;
            continue;
        }
        counts.differences += 1;
        if counts.differences <= TOLD {
            let ours = ours.map_err(|e| told(&e));
            write!(
                story,
                "\n\nDAODB_SEED={seed}\n{world}on {} and {:?}, {:?}\nwith {}\n{}\nDatomic {rows:?}\nDaoDB   {ours:?}",
                question.on,
                question.other,
                question.plain,
                question.args.join("\n     "),
                question.query
            )
            .unwrap();
        }
    }
    println!("{counts:?}");
    assert!(counts.differences == 0, "{} answers differ ({counts:?}){story}", counts.differences);
    let asked = worlds as usize * QUESTIONS_OF_A_WORLD;
    assert!(counts.apart * 10 < asked, "too many fall apart: {counts:?}");
    assert!(counts.compared * 2 > asked, "too few are compared: {counts:?}");
    assert!(counts.with_rows * 4 > asked, "too few have rows: {counts:?}");
}
