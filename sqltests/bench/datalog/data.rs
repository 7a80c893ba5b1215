//! The data that all are asked about: people with a history, and graphs; in memory, in files for the peers, and in databases.

use daodb_catalog::{Database, EntityRef, Op, TxValue};
use daodb_sqltests::people::{People, updates};
use daodb_storage::{Attr, Value};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The data set of so many people.
pub fn people(n: usize) -> String {
    format!("people-{n}")
}

/// Ops in one transaction of a load.
const PER_TRANSACTION: usize = 5000;

/// The peers' people, each of whom follows another one; then a tenth of the salaries is changed, in 100 transactions.
pub struct Crowd {
    pub people: People,
    pub follows: Vec<usize>,
    pub updates: Vec<Vec<(usize, i64)>>,
}

impl Crowd {
    pub fn new(n: usize) -> Crowd {
        let mut rng = SmallRng::seed_from_u64(11);
        let follows = (0..n).map(|_| rng.random_range(0..n)).collect();
        Crowd { people: People::new(n), follows, updates: updates(n) }
    }

    /// How many updates come before the moment that queries of the past ask for.
    pub fn middle(&self) -> usize {
        self.updates.len() / 2
    }

    /// The salaries after so many updates.
    pub fn salaries(&self, updates: usize) -> Vec<i64> {
        let mut salary = self.people.salary.clone();
        self.updates[..updates].iter().flatten().for_each(|(row, new)| salary[*row] = *new);
        salary
    }
}

/// Nodes are numbered from 1 on.
pub struct Graph {
    pub nodes: usize,
    pub edges: Vec<(usize, usize)>,
}

impl Graph {
    fn chain(nodes: usize) -> Graph {
        Graph { nodes, edges: (1..nodes).map(|i| (i, i + 1)).collect() }
    }
    /// Each node above its `width` children, all leaves at one depth where `nodes` says so.
    fn tree(nodes: usize, width: usize) -> Graph {
        let edges = (2..=nodes).map(|i| ((i - 2) / width + 1, i));
        Graph { nodes, edges: edges.collect() }
    }
    /// The full tree of a depth: what is called wide in DataScript's benchmark.
    fn wide(depth: u32, width: usize) -> Graph {
        Graph::tree((0..=depth).map(|d| width.pow(d)).sum(), width)
    }
    /// So many chains of `depth` edges: what is called long there.
    fn long(depth: usize, chains: usize) -> Graph {
        let starts = (0..chains).map(|c| c * (depth + 1));
        let edges = starts.flat_map(|s| (1..=depth).map(move |i| (s + i, s + i + 1)));
        Graph { nodes: chains * (depth + 1), edges: edges.collect() }
    }
    fn random(nodes: usize, edges: usize) -> Graph {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut set = BTreeSet::new();
        while set.len() < edges {
            set.insert((rng.random_range(1..=nodes), rng.random_range(1..=nodes)));
        }
        Graph { nodes, edges: set.into_iter().collect() }
    }

    /// By node: where its edges lead.
    pub fn out(&self) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.nodes + 1];
        self.edges.iter().for_each(|(x, y)| out[*x].push(*y));
        out
    }
}

/// Small ones first, so that a peer that fails at large ones has answered what it can.
pub fn graphs() -> Vec<(&'static str, Graph)> {
    vec![
        ("wide-3x3", Graph::wide(3, 3)),
        ("wide-5x3", Graph::wide(5, 3)),
        ("wide-7x3", Graph::wide(7, 3)),
        ("wide-4x6", Graph::wide(4, 6)),
        ("long-10x3", Graph::long(10, 3)),
        ("long-30x3", Graph::long(30, 3)),
        ("long-30x5", Graph::long(30, 5)),
        ("tree-1k", Graph::tree(1000, 2)),
        ("tree-5k", Graph::tree(5000, 2)),
        ("random-10k", Graph::random(10_000, 20_000)),
        ("random-1k", Graph::random(1000, 2000)),
        ("chain-1k", Graph::chain(1000)),
        ("chain-5k", Graph::chain(5000)),
        // G(5,000, 0.001).
        ("gnp-5k", Graph::random(5000, 25_000)),
    ]
}

/// `id,name,surname,sex,age,salary,follows,update,new`: the update (from 1; 0: none) that gives a new salary. No heads.
pub fn write_people(folder: &Path, crowd: &Crowd) -> Result<(), String> {
    let changed: BTreeMap<usize, (usize, i64)> = crowd
        .updates
        .iter()
        .enumerate()
        .flat_map(|(k, update)| update.iter().map(move |(row, new)| (*row, (k + 1, *new))))
        .collect();
    let (p, mut out) = (&crowd.people, String::new());
    for i in 0..p.len() {
        let (update, new) = changed.get(&i).copied().unwrap_or((0, p.salary[i]));
        // Writing to a String never fails.
        let _ = write!(out, "{},{},{},{},{}", i + 1, p.name[i], p.last_name[i], p.sex[i], p.age[i]);
        let _ = writeln!(out, ",{},{},{update},{new}", p.salary[i], crowd.follows[i] + 1);
    }
    write(folder, &people(crowd.people.len()), &out)
}

/// `from,to`
pub fn write_graph(folder: &Path, name: &str, graph: &Graph) -> Result<(), String> {
    let lines = graph.edges.iter().map(|(x, y)| format!("{x},{y}\n"));
    write(folder, name, &lines.collect::<String>())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    std::fs::write(folder.join(format!("{name}.csv")), text).map_err(|e| format!("{name}.csv: {e}"))
}

const PEOPLE_SCHEMA: [(&str, &str, bool); 7] = [
    (":person/id", "long", true),
    (":person/name", "string", false),
    (":person/surname", "string", false),
    (":person/sex", "string", false),
    (":person/age", "long", false),
    (":person/salary", "long", false),
    (":person/follows", "ref", false),
];

fn declare(name: &str, ty: &str, unique: bool, many: bool) -> Op {
    let keyword = |text: String| TxValue::Value(Value::keyword(text));
    let cardinality = if many { "many" } else { "one" };
    let mut attrs = vec![
        (Attr::new(":db/ident"), keyword(name.trim_start_matches(':').to_owned())),
        (Attr::new(":db/valueType"), keyword(format!("db.type/{ty}"))),
        (Attr::new(":db/cardinality"), keyword(format!("db.cardinality/{cardinality}"))),
    ];
    if unique {
        attrs.push((Attr::new(":db/unique"), keyword("db.unique/identity".to_owned())));
    }
    Op::Map { id: None, attrs }
}

async fn transact(database: &Database, ops: Vec<Op>) -> Result<daodb_catalog::TxReport, String> {
    database.transact(ops).await.map_err(|e| e.to_string())
}

fn long(n: i64) -> TxValue {
    TxValue::Value(Value::Long(n))
}

/// The t of the middle of the updates.
pub async fn load_people(database: &Arc<Database>, crowd: &Crowd) -> Result<i64, String> {
    let declared = PEOPLE_SCHEMA.iter().map(|(name, ty, unique)| declare(name, ty, *unique, false));
    transact(database, declared.collect()).await?;
    let p = &crowd.people;
    let text = |text: &str| TxValue::Value(Value::string(text));
    let attrs = PEOPLE_SCHEMA.map(|(name, ..)| Attr::new(name));
    let all: Vec<usize> = (0..p.len()).collect();
    let mut ids = Vec::with_capacity(p.len());
    for some in all.chunks(PER_TRANSACTION) {
        let person = |i: &usize| {
            let i = *i;
            let values = [
                long(i as i64 + 1),
                text(p.name[i]),
                text(p.last_name[i]),
                text(p.sex[i]),
                long(p.age[i]),
                long(p.salary[i]),
            ];
            Op::Map { id: Some(temp(i)), attrs: attrs.iter().cloned().zip(values).collect() }
        };
        let report = transact(database, some.iter().map(person).collect()).await?;
        ids.extend(report.tempids.values().copied());
    }
    for some in all.chunks(PER_TRANSACTION) {
        let follow = |i: &usize| Op::Add {
            e: EntityRef::Id(ids[*i]),
            a: attrs[6].clone(),
            v: TxValue::Entity(EntityRef::Id(ids[crowd.follows[*i]])),
        };
        transact(database, some.iter().map(follow).collect()).await?;
    }
    let mut middle = database.snapshot().t();
    for (k, update) in crowd.updates.iter().enumerate() {
        let change = |(row, new): &(usize, i64)| Op::Add {
            e: EntityRef::Id(ids[*row]),
            a: attrs[5].clone(),
            v: long(*new),
        };
        let report = transact(database, update.iter().map(change).collect()).await?;
        if k + 1 == crowd.middle() {
            middle = report.t;
        }
    }
    database.stream().index_now().await.map_err(|e| e.to_string())?;
    Ok(middle)
}

/// Its name sorts as its number does: a report has its tempids in order.
fn temp(i: usize) -> EntityRef {
    EntityRef::Temp(format!("{i:09}").into())
}

pub async fn load_graph(database: &Arc<Database>, graph: &Graph) -> Result<(), String> {
    let schema =
        vec![declare(":node/id", "long", true, false), declare(":node/to", "ref", false, true)];
    transact(database, schema).await?;
    let (id, to) = (Attr::new(":node/id"), Attr::new(":node/to"));
    let node = |i: usize| Op::Add { e: temp(i), a: id.clone(), v: long(i as i64) };
    let report = transact(database, (1..=graph.nodes).map(node).collect()).await?;
    let ids: Vec<i64> = report.tempids.values().copied().collect();
    for some in graph.edges.chunks(PER_TRANSACTION) {
        let edge = |(x, y): &(usize, usize)| Op::Add {
            e: EntityRef::Id(ids[x - 1]),
            a: to.clone(),
            v: TxValue::Entity(EntityRef::Id(ids[y - 1])),
        };
        transact(database, some.iter().map(edge).collect()).await?;
    }
    database.stream().index_now().await.map_err(|e| e.to_string())
}
