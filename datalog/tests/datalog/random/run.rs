//! Asks both, and compares.

use super::queries::{Question, permuted, permuted_rules, question};
use super::world::{Of, RandomWorld};
use crate::naive::data::{Db, Source, View};
use crate::naive::{Arg, Result as Answer, Stop, answer, syntax};
use crate::support::{long, parse, told};
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use futures::FutureExt;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

const QUERIES_OF_A_WORLD: usize = 20;
const PATIENCE: Duration = Duration::from_secs(20);
/// Differences that are told before it ends.
const TOLD: usize = 6;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What came of all questions.
#[derive(Debug, Default)]
struct Counts {
    asked: usize,
    with_rows: usize,
    unbound: usize,
    large: usize,
    differences: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries() {
    // A change is judged by what it does and not by chance: CI asks the same every time.
    let (few, start) = match std::env::var_os("CI") {
        Some(_) => (5_000, 1),
        None => (1_000, rand::rng().random_range(0..1 << 40)),
    };
    let wanted = number("DAODB_QUERIES").unwrap_or(few);
    let first = number("DAODB_SEED").unwrap_or(start);
    println!("DAODB_SEED={first}");
    let mut counts = Counts::default();
    let mut seed = first;
    while counts.asked < wanted as usize && counts.differences.len() < TOLD {
        let mut rng = SmallRng::seed_from_u64(seed);
        let world = RandomWorld::new(&mut rng, Of::All).await;
        for _ in 0..QUERIES_OF_A_WORLD {
            let question = question(&mut rng, &world);
            ask(seed, &mut rng, &world, &question, &mut counts).await;
        }
        seed += 1;
    }
    assert!(counts.differences.is_empty(), "{}", counts.differences.join("\n\n"));
    println!("{counts:?}");
    assert!(counts.with_rows * 3 > counts.asked, "too few questions have an answer: {counts:?}");
    assert!(counts.unbound * 5 < counts.asked, "too many are refused: {counts:?}");
}

fn view(node: &Node) -> View {
    let flag = |n: &Node| n.form == Form::Value(Value::Boolean(true));
    View {
        as_of: node.get(":as-of").map(long),
        since: node.get(":since").map(long),
        history: node.get(":history").is_some_and(flag),
    }
}

fn naive(world: &RandomWorld, question: &Question) -> Answer<Vec<String>> {
    let db = |text: &str| {
        Arg::Source(Source::Database(Db::new(&world.datoms, &world.own, view(&parse(text)))))
    };
    let sources = std::iter::once(&question.on).chain(&question.other).map(|text| db(text));
    let plain = question.plain.iter().map(|text| Arg::Source(Source::Rows(plain(text))));
    let sources = sources.chain(plain);
    let values = question.args.iter().map(|text| Arg::Value(parse(text)));
    answer(&syntax::query(&parse(&question.query)), sources.chain(values).collect())
}

fn plain(text: &str) -> Vec<Vec<Option<Value>>> {
    let rows = parse(text);
    let row = |n: &Node| n.sequence().unwrap().iter().map(syntax::cell).collect();
    rows.sequence().unwrap().iter().map(row).collect()
}

/// What the engine finds. A panic is told with its question, too, and what never ends.
pub async fn form(
    world: &RandomWorld,
    question: &Question,
    query: &Node,
    args: &[Node],
) -> daodb_catalog::Result<Form> {
    let other = question.other.as_ref().map(|text| parse(&format!("#db {text}")));
    let plain = question.plain.as_ref().map(|text| parse(text));
    let args: Vec<Node> = other.into_iter().chain(plain).chain(args.iter().cloned()).collect();
    let request = world.world.request(query, Some(&parse(&question.on)), &args);
    let asked = AssertUnwindSafe(world.world.ask(request)).catch_unwind();
    let failed = |what: &str| Err(Error::new(SqlState::INTERNAL, what));
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => failed("the engine does not answer"),
        Ok(Err(_)) => failed("the engine panicked"),
        Ok(Ok(answer)) => Ok(answer?.1),
    }
}

async fn engine(
    world: &RandomWorld,
    question: &Question,
    query: &Node,
    args: &[Node],
) -> daodb_catalog::Result<Vec<String>> {
    let form = form(world, question, query, args).await?;
    let Form::Vector(rows) = form else { panic!("{form} is no relation") };
    let mut rows: Vec<String> = rows.iter().map(Node::to_string).collect();
    rows.sort();
    Ok(rows)
}

async fn ask(
    seed: u64,
    rng: &mut SmallRng,
    world: &RandomWorld,
    question: &Question,
    counts: &mut Counts,
) {
    let expected = match naive(world, question) {
        Err(Stop::Large) => {
            counts.large += 1;
            return;
        }
        other => other,
    };
    counts.asked += 1;
    let query = parse(&question.query);
    let args: Vec<Node> = question.args.iter().map(|text| parse(text)).collect();
    let mut turned = args.clone();
    if let (Some(rules), true) = (turned.first_mut(), question.query.contains('%')) {
        *rules = permuted_rules(rng, rules);
    }
    let forms = [(query.clone(), args), (permuted(rng, &query), turned)];
    for (query, args) in forms {
        let found = engine(world, question, &query, &args).await;
        let same = match (&expected, &found) {
            (Ok(expected), Ok(found)) => expected == found,
            (Err(Stop::Unbound(_)), Err(e)) => e.state == SqlState::UNDEFINED_COLUMN,
            _ => false,
        };
        if !same {
            let found = found.map_err(|e| told(&e));
            let shown: Vec<String> = args.iter().map(Node::to_string).collect();
            counts.differences.push(format!(
                "DAODB_SEED={seed}\n{}\non {} and {:?}, {:?}\nwith {}\n{query}\nnaive  {expected:?}\nengine {found:?}",
                world.story,
                question.on,
                question.other,
                question.plain,
                shown.join("\n     "),
            ));
            return;
        }
    }
    match expected {
        Ok(rows) => counts.with_rows += usize::from(!rows.is_empty()),
        Err(_) => counts.unbound += 1,
    }
}
