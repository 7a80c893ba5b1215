//! Datalog: the peers' questions about people, the past and graphs, in process, over HTTP, in our SQL, and beside Datomic,
//! Datalevin, DataScript and DuckDB, on the same data in one run.
//!
//! Names of questions are of one data set; every answer's rows are counted, ours and theirs.

mod data;
mod expect;
mod ours;
mod peers;
mod questions;

use crate::measure::round;
use crate::{Arguments, options};
use daodb_sqltests::engine;
use data::Crowd;
use ours::{Ours, Times};
use peers::{Answers, Told};
use questions::Question;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Numbers of people.
const SIZES: [usize; 2] = [20_000, 1_000_000];
/// At which queries must be quick, and those that must be far ahead.
const MANY: usize = 1_000_000;
/// Rows from which a query is one of many rows.
const MANY_ROWS: usize = 1000;

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let sizes = match arguments.number("--n", 0)? {
        0 => SIZES.to_vec(),
        // The point that is asked for is person 12,345.
        n if n >= SIZES[0] => vec![n],
        n => return Err(format!("--n {n}: there must be {} people at least", SIZES[0])),
    };
    let patience = Duration::from_secs(arguments.number("--patience", 30)? as u64);
    let only = arguments.after("--only");
    let wanted =
        |q: &Question| only.is_none_or(|only| q.data.contains(only) || q.name.contains(only));
    let temporary = tempfile::tempdir().map_err(|e| e.to_string())?;
    let folder = arguments.data().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;

    let crowds: Vec<Crowd> = sizes.into_iter().map(Crowd::new).collect();
    let graphs = data::graphs();
    let mut sets: Vec<Vec<Question>> = Vec::new();
    for crowd in &crowds {
        sets.push(questions::of_people(crowd)?.into_iter().filter(wanted).collect());
    }
    // How many rows a graph's questions have takes long to find.
    let asked = |graph: &str| only.is_none_or(|only| graph.contains(only) || only.contains(graph));
    for (name, graph) in &graphs {
        let all = if asked(name) { questions::of_graph(name, graph) } else { vec![] };
        sets.push(all.into_iter().filter(wanted).collect());
    }

    let mut ours: BTreeMap<(String, String), Times> = BTreeMap::new();
    for (i, set) in sets.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
        let place = folder.join(&set[0].data);
        let (catalog, database) =
            engine::folder(&place, options()).await.map_err(|e| e.to_string())?;
        let middle = match i.checked_sub(crowds.len()) {
            None => data::load_people(&database, &crowds[i]).await?,
            Some(i) => data::load_graph(&database, &graphs[i].1).await.map(|()| 0)?,
        };
        let mut asked = Ours::new(catalog, database, middle).await?;
        for question in set {
            let times = asked.ask(question).await?;
            eprintln!("{}: {}: {times:?}", question.data, question.name);
            ours.insert((question.data.clone(), question.name.clone()), times);
        }
        asked.close().await?;
    }

    let theirs = match arguments.has("--alone") {
        true => Vec::new(),
        false => beside(&folder, &crowds, &graphs, &sets, patience)?,
    };
    let mut lines = Vec::new();
    for question in sets.iter().flatten() {
        if let Some(times) = ours.get(&(question.data.clone(), question.name.clone())) {
            lines.push(line(question, times, &theirs));
        }
    }
    let missed: Vec<&Json> = lines.iter().filter(|l| l.get("missed").is_some()).collect();
    eprintln!("{} of {} miss a target", missed.len(), lines.len());
    println!(
        "{:#}",
        json!({ "bench": "datalog", "patience_s": patience.as_secs(), "missed": missed.len(), "questions": lines })
    );
    Ok(())
}

/// What each peer answered, by data set.
type Theirs = Vec<(&'static str, BTreeMap<String, Answers>)>;

fn beside(
    folder: &Path,
    crowds: &[Crowd],
    graphs: &[(&'static str, data::Graph)],
    sets: &[Vec<Question>],
    patience: Duration,
) -> Result<Theirs, String> {
    peers::write_data(folder, crowds, graphs)?;
    let mut out = Vec::new();
    // Names are unique within people of one number, and among all graphs.
    let (people, of_graphs) = sets.split_at(crowds.len());
    let mut runs: Vec<Vec<&Question>> = people.iter().map(|set| set.iter().collect()).collect();
    runs.push(of_graphs.iter().flatten().collect());
    for peer in peers::found() {
        let mut by_data: BTreeMap<String, Answers> = BTreeMap::new();
        for (i, questions) in runs.iter().enumerate() {
            let middle = crowds.get(i).map_or(0, Crowd::middle);
            for (name, told) in peer.ask(folder, questions, middle, patience)? {
                let data = questions.iter().find(|q| q.name == name).map(|q| q.data.clone());
                by_data.entry(data.unwrap_or_default()).or_default().insert(name, told);
            }
        }
        out.push((peer.name, by_data));
    }
    Ok(out)
}

fn line(question: &Question, times: &Times, theirs: &Theirs) -> Json {
    let mut peers = Map::new();
    let mut fastest: BTreeMap<bool, f64> = BTreeMap::new();
    for (name, by_data) in theirs {
        let told = by_data.get(&question.data).and_then(|answers| answers.get(&question.name));
        match told {
            None => {}
            Some(Told::Failed(why)) => {
                peers.insert((*name).to_owned(), json!({ "failed": why }));
            }
            Some(Told::Milliseconds(ms)) => {
                peers.insert(
                    (*name).to_owned(),
                    json!({ "ms": round(*ms), "times_ours": round(ms / times.in_process) }),
                );
                let least = fastest.entry(*name == "duckdb").or_insert(f64::INFINITY);
                *least = least.min(*ms);
            }
        }
    }
    let missed = missed(question, times, fastest.get(&false).copied(), fastest.get(&true).copied());
    let mut line = json!({
        "data": question.data, "question": question.name, "rows": question.rows,
        "in_process_ms": round(times.in_process), "over_http_ms": times.over_http.map(round),
        "sql_ms": times.sql.map(round), "to_sql": times.sql.map(|sql| round(times.in_process / sql)), "peers": peers,
    });
    if !missed.is_empty() {
        line["missed"] = json!(missed);
        eprintln!("missed: {}: {}: {}", question.data, question.name, missed.join(", "));
    }
    line
}

/// What the times should have been and are not. `datalog`, `duckdb`: the fastest of those who speak Datalog, and DuckDB.
fn missed(q: &Question, times: &Times, datalog: Option<f64>, duckdb: Option<f64>) -> Vec<String> {
    let (ours, mut missed) = (times.in_process, Vec::new());
    let mut must = |limit: Option<f64>, what: &str| {
        if let Some(limit) = limit.filter(|limit| ours > *limit) {
            missed.push(format!("{what} ({ours:.3} ms, not {limit:.3})"));
        }
    };
    if q.is_recursive() {
        must(datalog, "faster than the others' recursion");
        must(duckdb, "faster than DuckDB's recursion");
        return missed;
    }
    must(times.sql.map(|sql| sql * 1.3), "1.3 times our SQL");
    match q.data == data::people(MANY) {
        true if q.rows > MANY_ROWS => {
            must(datalog.map(|d| d / 5.0), "5 times as fast as the fastest")
        }
        true => {}
        false => {
            must(Some(5.0), "5 ms");
            must(datalog.map(|d| d * 2.0), "2 times the fastest");
        }
    }
    missed
}
