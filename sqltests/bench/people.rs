//! The peers' people: ingest, 10 % of the salaries updated in 100 transactions, then the peers' queries now and as of the
//! middle of the updates; beside them the same queries by DataFusion over a wide Parquet file made by hand, as the limit.
//! Every answer's rows are counted and checked against a count over the plain columns.

use crate::measure::{Medians, disk, geometric_mean, peak_mib, round};
use crate::{Arguments, options};
use daodb_catalog::{Database, EntityRef, Op, Outcome, Session, TxValue};
use daodb_sqltests::engine;
use daodb_sqltests::people::{People, UPDATES, updates};
use daodb_storage::{Attr, FIRST_ENTITY, Value};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Name, SQL over `{p}` (once for each side of a join) with the entity's id as `{id}`.
const QUERIES: [(&str, &str); 8] = [
    ("q1", "SELECT {id} FROM {p} WHERE name='Ivan'"),
    ("q2", "SELECT {id},age FROM {p} WHERE name='Ivan'"),
    ("q3", "SELECT {id},age FROM {p} WHERE name='Ivan' AND sex='male'"),
    ("q4", "SELECT {id},last_name,age FROM {p} WHERE name='Ivan' AND sex='male'"),
    ("qpred1", "SELECT {id},salary FROM {p} WHERE salary>50000"),
    ("agg", "SELECT name,avg(salary) FROM {p} GROUP BY name"),
    (
        "join",
        "SELECT a.{id},b.{id} FROM {p} a JOIN {p} b ON a.last_name=b.last_name AND a.age=b.age \
         WHERE a.name='Ivan' AND b.name='Ivan'",
    ),
    ("point", "SELECT name,last_name,age,salary FROM {p} WHERE {id}={point}"),
];

/// People in one transaction of the load.
const PER_TRANSACTION: usize = 1000;
/// Transactions that wait for the writer at a time: they share log objects.
const IN_FLIGHT: usize = 8;
const WARM_UP: usize = 2;

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let n = arguments.number("--n", 1_000_000)?;
    let runs = arguments.number("--runs", 7)?.max(1);
    let temporary = tempfile::tempdir().map_err(|e| e.to_string())?;
    let data = arguments.data().unwrap_or_else(|| temporary.path().join("data"));
    let mut people = People::new(n);
    let (catalog, database) = engine::folder(&data, options()).await.map_err(|e| e.to_string())?;

    let load = load(&database, &people).await?;
    eprintln!("load {load}");
    let (updated, middle_salary, middle_t) = update(&database, &mut people).await?;
    eprintln!("updates {updated}");
    let start = Instant::now();
    database.stream().index_now().await.map_err(|e| e.to_string())?;
    let index_s = round(start.elapsed().as_secs_f64());
    let peak_after_writes = peak_mib();

    let wide = temporary.path().join("people.parquet");
    write_wide(&wide, &people).map_err(|e| e.to_string())?;
    let queries = Queries {
        session: engine::session(&catalog, &[]).await.map_err(|e| e.to_string())?,
        limit: limit(&wide).await.map_err(|e| e.to_string())?,
        people,
        middle_salary,
        middle_t,
        runs,
    };
    let results = queries.run().await?;
    let (bytes, files) = disk(&data);
    catalog.close().await.map_err(|e| e.to_string())?;
    let report = json!({
        "bench": "people", "n": n, "runs": runs, "load": load, "updates": updated, "index_s": index_s,
        "disk_mib": bytes >> 20, "files": files,
        "peak_mib_after_writes": peak_after_writes, "peak_mib": peak_mib(),
        "queries": results.0, "summary": results.1,
    });
    println!("{report:#}");
    Ok(())
}

fn attr(name: &str) -> Attr {
    Attr::new(format!(":person/{name}"))
}

async fn load(database: &Arc<Database>, people: &People) -> Result<Json, String> {
    let attrs = ["name", "last-name", "sex", "age", "salary"].map(attr);
    let texts: HashMap<&str, Value> = [&people.name, &people.last_name, &people.sex]
        .into_iter()
        .flatten()
        .map(|text| (*text, Value::string(text)))
        .collect();
    let op = |i: usize| {
        let values = [
            texts[people.name[i]].clone(),
            texts[people.last_name[i]].clone(),
            texts[people.sex[i]].clone(),
            Value::Long(people.age[i]),
            Value::Long(people.salary[i]),
        ];
        let attrs = attrs.iter().cloned().zip(values.map(TxValue::Value));
        Op::Map { id: None, attrs: attrs.collect() }
    };
    let start = Instant::now();
    let starts = (0..people.len()).step_by(PER_TRANSACTION);
    let written = futures::stream::iter(starts)
        .map(|first| {
            let last = people.len().min(first + PER_TRANSACTION);
            database.transact((first..last).map(op).collect::<Vec<_>>())
        })
        .buffered(IN_FLIGHT)
        .map_ok(|report| report.datoms.len())
        .try_fold(0, |sum, datoms| async move { Ok(sum + datoms) });
    let datoms = written.await.map_err(|e| e.to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    if datoms < people.len() * 5 {
        return Err(format!("{datoms} datoms were written of {} people", people.len()));
    }
    Ok(
        json!({ "datoms": datoms, "s": round(seconds), "datoms_per_s": (datoms as f64 / seconds).round() }),
    )
}

/// The updates, one after the other; the salaries at the middle, and its t.
async fn update(
    database: &Arc<Database>,
    people: &mut People,
) -> Result<(Json, Vec<i64>, i64), String> {
    let salary = attr("salary");
    let (mut middle, mut middle_t) = (people.salary.clone(), database.snapshot().t());
    let start = Instant::now();
    for (i, update) in updates(people.len()).into_iter().enumerate() {
        let ops = update.iter().map(|(row, new)| Op::Add {
            e: EntityRef::Id(FIRST_ENTITY + *row as i64),
            a: salary.clone(),
            v: TxValue::Value(Value::Long(*new)),
        });
        let report = database.transact(ops.collect::<Vec<_>>()).await.map_err(|e| e.to_string())?;
        update.iter().for_each(|(row, new)| people.salary[*row] = *new);
        if i + 1 == UPDATES / 2 {
            (middle, middle_t) = (people.salary.clone(), report.t);
        }
    }
    let seconds = round(start.elapsed().as_secs_f64());
    Ok((json!({ "transactions": UPDATES, "s": seconds }), middle, middle_t))
}

fn write_wide(path: &Path, people: &People) -> Result<(), Box<dyn std::error::Error>> {
    let ids = FIRST_ENTITY..FIRST_ENTITY + people.len() as i64;
    let text = |v: &[&'static str]| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(v.iter().copied()))
    };
    let long = |v: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(v.to_vec())) };
    let batch = RecordBatch::try_from_iter([
        ("id", long(&ids.collect::<Vec<_>>())),
        ("name", text(&people.name)),
        ("last_name", text(&people.last_name)),
        ("sex", text(&people.sex)),
        ("age", long(&people.age)),
        ("salary", long(&people.salary)),
    ])?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(131_072))
        .build();
    let file = std::fs::File::create(path)?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

async fn limit(wide: &Path) -> Result<SessionContext, datafusion::error::DataFusionError> {
    let partitions = std::thread::available_parallelism().map_or(2, |n| n.get());
    let config = SessionConfig::new().with_target_partitions(partitions);
    let context = SessionContext::new_with_config(config);
    context
        .register_parquet("people", wide.to_string_lossy(), ParquetReadOptions::default())
        .await?;
    Ok(context)
}

struct Queries {
    session: Session,
    limit: SessionContext,
    people: People,
    middle_salary: Vec<i64>,
    middle_t: i64,
    runs: usize,
}

impl Queries {
    async fn run(mut self) -> Result<(Json, Json), String> {
        let mut results = serde_json::Map::new();
        let (mut to_limit, mut to_now) = (Vec::new(), Vec::new());
        for (name, sql) in QUERIES {
            let point = FIRST_ENTITY + 12_344.min(self.people.len() as i64 - 1);
            let sql = sql.replace("{point}", &point.to_string());
            let ours = sql.replace("{id}", "_id");
            let now = ours.replace("{p}", "person");
            let then = ours.replace("{p}", &format!("person VERSION AS OF {}", self.middle_t));
            let limit = sql.replace("{id}", "id").replace("{p}", "people");
            let expected = [
                expected(name, &self.people, &self.people.salary),
                expected(name, &self.people, &self.people.salary),
                expected(name, &self.people, &self.middle_salary),
            ];
            let mut medians = Medians::new(3);
            for run in 0..WARM_UP + self.runs {
                for (i, text) in [&limit, &now, &then].into_iter().enumerate() {
                    let start = Instant::now();
                    let batches = match i {
                        0 => on_limit(&self.limit, text).await,
                        _ => on_session(&mut self.session, text).await,
                    };
                    let batches = batches.map_err(|e| format!("{text}: {e}"))?;
                    if run >= WARM_UP {
                        medians.add(i, start);
                    }
                    check(name, text, &batches, &expected[i])?;
                }
            }
            let [limit_ms, now_ms, then_ms] = [0, 1, 2].map(|i| medians.of(i));
            to_limit.push(now_ms / limit_ms);
            to_now.push(then_ms / now_ms);
            let result = json!({
                "rows": expected[1].rows, "rows_asof": expected[2].rows, "limit_ms": round(limit_ms),
                "now_ms": round(now_ms), "asof_ms": round(then_ms),
                "now_to_limit": round(now_ms / limit_ms), "asof_to_now": round(then_ms / now_ms),
            });
            eprintln!("{name} {result}");
            results.insert(name.to_owned(), result);
        }
        let worst = to_limit.iter().copied().fold(0.0, f64::max);
        let summary = json!({
            "now_to_limit": round(geometric_mean(&to_limit)), "now_to_limit_worst": round(worst),
            "asof_to_now": round(geometric_mean(&to_now)),
        });
        Ok((Json::Object(results), summary))
    }
}

async fn on_limit(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let frame = context.sql(sql).await.map_err(|e| e.to_string())?;
    frame.collect().await.map_err(|e| e.to_string())
}

pub async fn on_session(session: &mut Session, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let mut batches = Vec::new();
    for statement in session.parse(sql).map_err(|e| e.to_string())? {
        let outcome = session.execute(&statement, &[]).await.map_err(|e| e.to_string())?;
        if let Outcome::Rows { stream, .. } = outcome {
            batches = stream.try_collect().await.map_err(|e| e.to_string())?;
        }
    }
    Ok(batches)
}

/// What a query must answer.
struct Expected {
    rows: usize,
    /// Of the last column, where it is a salary: a checksum, to which rows of another time do not come.
    salaries: Option<i64>,
    /// The average salary by name.
    averages: HashMap<&'static str, f64>,
}

fn expected(query: &str, people: &People, salary: &[i64]) -> Expected {
    let all = 0..people.len();
    let ivan = |i: &usize| people.name[*i] == "Ivan";
    let male = |i: &usize| people.sex[*i] == "male";
    let mut expected = Expected { rows: 0, salaries: None, averages: HashMap::new() };
    expected.rows = match query {
        "q1" | "q2" => all.filter(ivan).count(),
        "q3" | "q4" => all.filter(ivan).filter(male).count(),
        "qpred1" => {
            let rich: Vec<i64> = salary.iter().copied().filter(|s| *s > 50_000).collect();
            expected.salaries = Some(rich.iter().sum());
            rich.len()
        }
        "agg" => {
            let mut sums: HashMap<&'static str, (i64, i64)> = HashMap::new();
            for i in all {
                let sum = sums.entry(people.name[i]).or_default();
                *sum = (sum.0 + salary[i], sum.1 + 1);
            }
            let averages = sums.iter().map(|(name, (sum, n))| (*name, *sum as f64 / *n as f64));
            expected.averages = averages.collect();
            sums.len()
        }
        "join" => {
            let mut groups: HashMap<(&str, i64), usize> = HashMap::new();
            for i in all.filter(ivan) {
                *groups.entry((people.last_name[i], people.age[i])).or_default() += 1;
            }
            groups.values().map(|size| size * size).sum()
        }
        _ => {
            expected.salaries = salary.get(12_344.min(people.len() - 1)).copied();
            1
        }
    };
    expected
}

fn check(
    query: &str,
    sql: &str,
    batches: &[RecordBatch],
    expected: &Expected,
) -> Result<(), String> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows != expected.rows {
        return Err(format!("{query}: {rows} rows, not {}: {sql}", expected.rows));
    }
    if let Some(salaries) = expected.salaries {
        let sum: i64 = batches
            .iter()
            .filter_map(|b| b.columns().last()?.as_any().downcast_ref::<Int64Array>())
            .flat_map(|column| column.values().iter().copied())
            .sum();
        if sum != salaries {
            return Err(format!("{query}: salaries of {sum}, not {salaries}: {sql}"));
        }
    }
    if !expected.averages.is_empty() {
        for row in daodb_sqltests::show::rows(batches) {
            let average: f64 = row[1].parse().map_err(|e| format!("{query}: {}: {e}", row[1]))?;
            let right = expected.averages.get(row[0].as_str());
            if !right.is_some_and(|right| (right - average).abs() < 1e-6) {
                return Err(format!("{query}: {} earn {average}, not {right:?}: {sql}", row[0]));
            }
        }
    }
    Ok(())
}
