//! Datomic itself is the oracle of queries: the random worlds and questions of [`run`](super::run), without what only DaoDB has,
//! through its peer library in a process beside this one (`datomic.clj`), and through ours. `DAODB_SEED` asks one world again, or
//! is the first one; `DAODB_QUERIES` says how many queries there are (5,000 where `CI` is set, 500 else).
//!
//! What Datomic refuses, or does not answer in time, is counted and not compared: its errors depend on the order of clauses
//! and on the rows that it happens to meet. What the answers to both are is an [`answer`]; a query may fall [`mod@apart`]. Known differences are in docs/datomic-differences.md.

mod answer;
mod apart;

use super::queries::{Question, question};
use super::run::form;
use super::world::{Of, RandomWorld};
use crate::support::{parse, told};
use answer::Answer;
use apart::apart;
use daodb_catalog::Result;
use daodb_datalog::edn::Node;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const QUESTIONS_OF_A_WORLD: usize = 40;
/// So that 100,000 queries and their answers fit in memory.
const WORLDS_OF_A_PROCESS: usize = 250;
/// Differences that are told.
const TOLD: usize = 12;

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

/// Its answers, in order. A process that gave up a query ends with that world, and another one goes on.
fn theirs(class_path: &str, asked: &str) -> Vec<Node> {
    let worlds: Vec<&str> = asked.lines().collect();
    let mut answers = Vec::new();
    while answers.len() < worlds.len() * QUESTIONS_OF_A_WORLD {
        let more = of_a_process(class_path, &worlds[answers.len() / QUESTIONS_OF_A_WORLD..]);
        assert!(!more.is_empty(), "datomic.clj answered nothing");
        answers.extend(more);
    }
    answers
}

fn of_a_process(class_path: &str, worlds: &[&str]) -> Vec<Node> {
    let folder = std::env::temp_dir().join(format!("daodb-datomic-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (from, to) = (folder.join("asked"), folder.join("answered"));
    std::fs::write(&from, worlds.join("\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/datalog/random/datomic/datomic.clj");
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

/// What came of all questions.
#[derive(Debug, Default)]
struct Counts {
    compared: usize,
    with_rows: usize,
    late: usize,
    /// Answers that differ, as they may where a query falls apart (docs/datomic-differences.md).
    apart: usize,
    /// What Datomic says when it refuses a query or a world, without what differs each time; how often, and one such query.
    refused: BTreeMap<String, (usize, String)>,
    differences: usize,
}

impl Counts {
    fn refused(&mut self, why: &Node, query: &str) {
        let text = why.string().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "");
        let text: String = text.chars().take(60).collect();
        self.refused.entry(text).or_insert_with(|| (0, query.to_owned())).0 += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { compared, with_rows, late, apart, differences, refused } = self;
        let all: usize = refused.values().map(|(n, _)| n).sum();
        writeln!(
            f,
            "Datomic: {compared} queries compared ({with_rows} with rows), {differences} differ, {apart} fall apart, {late} late, {all} refused:"
        )?;
        refused.iter().try_for_each(|(why, (n, query))| writeln!(f, "  {n} {why}: {query}"))
    }
}

/// One question, and our answer.
struct Asked {
    seed: u64,
    question: Question,
    story: Arc<str>,
    ours: Result<Answer>,
}

async fn ours(world: &RandomWorld, question: &Question) -> Result<Answer> {
    let args: Vec<Node> = question.args.iter().map(|text| parse(text)).collect();
    let found = form(world, question, &parse(&question.query), &args).await?;
    let Some(all) = &question.all else { return Ok(Answer::whole(&found)) };
    Ok(Answer::one(&found, &form(world, question, &parse(all), &args).await?))
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
    // A seed alone is one world; without it all runs ask the same.
    let first = number("DAODB_SEED");
    let few = match (first, std::env::var_os("CI")) {
        (Some(_), _) => QUESTIONS_OF_A_WORLD,
        (None, Some(_)) => 5_000,
        (None, None) => 500,
    };
    let worlds = number("DAODB_QUERIES").unwrap_or(few).div_ceil(QUESTIONS_OF_A_WORLD) as u64;
    let first = first.unwrap_or(0) as u64;
    println!("DAODB_SEED={first}, {worlds} worlds");

    let (mut counts, mut story) = (Counts::default(), String::new());
    let seeds: Vec<u64> = (first..first + worlds).collect();
    for seeds in seeds.chunks(WORLDS_OF_A_PROCESS) {
        let (asked, texts) = asked(seeds).await;
        let class_path = class_path.clone();
        let theirs =
            tokio::task::spawn_blocking(move || theirs(&class_path, &texts)).await.unwrap();
        assert_eq!(theirs.len(), asked.len(), "datomic.clj answered a part of the questions");
        for (asked, theirs) in asked.into_iter().zip(theirs) {
            if let Some(said) = compare(asked, &theirs, &mut counts) {
                counts.differences += 1;
                if counts.differences <= TOLD {
                    story += &said;
                }
            }
        }
    }
    println!("{counts}");
    assert!(counts.differences == 0, "{counts}{story}");
    // One world may be refused as a whole.
    let all = worlds as usize * QUESTIONS_OF_A_WORLD;
    if all >= 500 {
        assert!(counts.apart * 10 < all, "too many fall apart: {counts}");
        assert!(counts.compared * 3 > all * 2, "too few are compared: {counts}");
        assert!(counts.with_rows * 3 > all, "too few have rows: {counts}");
    }
}

/// The questions of these worlds with our answers, and all of it as `datomic.clj` reads it.
async fn asked(seeds: &[u64]) -> (Vec<Asked>, String) {
    let (mut asked, mut texts) = (Vec::new(), String::new());
    for &seed in seeds {
        let mut rng = SmallRng::seed_from_u64(seed);
        let world = RandomWorld::new(&mut rng, Of::Datomic).await;
        let questions: Vec<Question> =
            (0..QUESTIONS_OF_A_WORLD).map(|_| question(&mut rng, &world)).collect();
        texts += &line(&world, &questions);
        let story: Arc<str> = world.story.as_str().into();
        for question in questions {
            let ours = ours(&world, &question).await;
            asked.push(Asked { seed, question, story: Arc::clone(&story), ours });
        }
    }
    (asked, texts)
}

/// What differs, as it is told.
fn compare(asked: Asked, theirs: &Node, counts: &mut Counts) -> Option<String> {
    let Asked { seed, question, story, ours } = asked;
    if let Some(why) = theirs.get(":refused").or_else(|| theirs.get(":world")) {
        counts.refused(why, &question.query);
        return None;
    }
    let Some(theirs) = theirs.get(":answer") else {
        counts.late += 1;
        return None;
    };
    let theirs = Answer::theirs(&theirs.form, question.all.is_some());
    counts.compared += 1;
    counts.with_rows += usize::from(!theirs.is_empty());
    if ours.as_ref().is_ok_and(|ours| ours.same(&theirs)) {
        return None;
    }
    let apart = apart(&parse(&question.query));
    if apart.within || (apart.outside && ours.as_ref().is_ok_and(Answer::is_empty)) {
        counts.apart += 1;
        return None;
    }
    let ours = ours.map_err(|e| told(&e));
    Some(format!(
        "\n\nDAODB_SEED={seed}\n{story}on {} and {:?}, {:?}\nwith {}\n{}\nDatomic {theirs:?}\nDaoDB   {ours:?}",
        question.on,
        question.other,
        question.plain,
        question.args.join("\n     "),
        question.query
    ))
}
