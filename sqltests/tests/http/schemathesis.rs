//! schemathesis (PyPI) against a server of this process: requests made of the OpenAPI document, good and bad ones, with statements,
//! queries and transactions of its own (`suites/schemathesis/hooks.py`). No 5xx, no answer that the document does not tell of, none
//! that takes what the document forbids.
//!
//! `DAODB_SCHEMATHESIS` says for how many seconds (60 where `CI` is set, 20 else), `DAODB_SEED` repeats a run.

use super::support::{Door, EDN, JSON};
use crate::fuzz::Panics;
use daodb_gateway::http::Limits;
use daodb_sqltests::{engine, how_many, left_out, seed_or_any};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

const SUITE: &str = "schemathesis";
const SCHEMA: &str = "{:tx-data [{:db/ident :person/email :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :person/friend :db/valueType :db.type/ref}
    {:db/ident :person/tags :db/cardinality :db.cardinality/many}]}";
const PEOPLE: &str = "{:tx-data [{:db/id \"a\" :person/name \"Ann\" :person/age 40 :person/email \"a@b\" :person/friend \"b\"
    :person/tags [\"x\" \"y\"]} {:db/id \"b\" :person/name \"Bob\" :person/age 50} {:item/n 1}]}";

/// The Python that has it.
async fn python() -> Option<String> {
    let python = std::env::var("DAODB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python).args(["-c", "import schemathesis"]).output().await;
    if asked.is_ok_and(|answer| answer.status.success()) {
        return Some(python);
    }
    let why = format!("{python} cannot import schemathesis (DAODB_PYTHON names another)");
    left_out(SUITE, &why);
    None
}

/// A database in a folder, as servers have them, with what the requests speak of.
async fn door(folder: &Path) -> Door {
    let (catalog, database) = engine::folder(folder, engine::options()).await.unwrap();
    let limits = Limits { statement_timeout: Some(Duration::from_secs(5)), ..Limits::default() };
    let door = Door::of(catalog, database, limits).await;
    // The one that DELETE may have.
    assert_eq!(door.post("//api", EDN, JSON, "{:db-name \"put_away\"}").await.status, 201);
    for data in [SCHEMA, PEOPLE] {
        let done = door.post("/transact", EDN, JSON, data).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    door
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_made_of_the_document() {
    let Some(python) = python().await else { return };
    let panics = Panics::watch();
    let folder = tempfile::tempdir().unwrap();
    let door = door(&folder.path().join("data")).await;
    let ci = std::env::var_os("CI").is_some();
    let default = if ci { 60 } else { 20 };
    let seconds = how_many("DAODB_SCHEMATHESIS", default);
    let seed = seed_or_any();
    eprintln!("schemathesis: DAODB_SEED={seed}");
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/schemathesis");
    let mut command = Command::new(python);
    // Not beside the suite: it keeps what it found.
    command.current_dir(folder.path()).env("PYTHONPATH", &suite);
    command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(suite.join("schemathesis.toml"));
    // More workers share caches of hypothesis, and trip over each other.
    command.args(["run", "--no-color", "--workers", "1"]);
    command.args(["--max-time", &seconds.to_string(), "--seed", &seed.to_string()]);
    command.arg(door.url("//api/openapi.json"));
    let said = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "DAODB_SEED={seed} repeats it\n{text}\n{errors}");
    assert_eq!(panics.seen(), Vec::<String>::new(), "DAODB_SEED={seed}");
    let cases = text.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    eprintln!("schemathesis, {seconds} s: {}", cases.trim());
    // A few seconds on a machine that does much else may not get around.
    if seconds >= 60 {
        asked_everything(&door).await;
    }
    let rows = door.post("/sql", "application/sql", JSON, "SELECT count(*) FROM person").await;
    assert_eq!(rows.status, 200, "{rows:?}");
    door.close().await;
}

/// A run that asked little has shown little: each path was asked, and what writes and reads was taken.
async fn asked_everything(door: &Door) {
    let metrics = door.get("//metrics", "text/plain").await;
    let document = door.get("//api/openapi.json", JSON).await.json();
    let answered = |route: &str, status: &str| {
        let start = format!("daodb_http_requests_total{{route=\"{route}\"");
        let counts = metrics.text().lines().filter(|line| line.starts_with(&start));
        let of_status = counts.filter(|line| line.contains(&format!("status=\"{status}")));
        of_status.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(answered(path, "") > 0, "{path} was not asked");
    }
    for path in ["/api/{db}/transact", "/api/{db}/basis", "/api/{db}/log", "/api/{db}/tx-range"] {
        assert!(answered(path, "200") > 0, "{path} answered nothing: {}", metrics.text());
    }
}
