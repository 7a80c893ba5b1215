//! Concurrent writers that say, line by line, what was acknowledged: `ack WRITER SEQUENCE T HASH`. They run until this
//! process is killed; who killed it then looks whether everything acknowledged is there.
//!
//! With `--go-on` a refused write is told (`refused SQLSTATE MESSAGE`) and tried again, and somebody reads beside them
//! (`read TRANSACTIONS`); without, the first refusal ends them.

use crate::Arguments;
use daodb_catalog::{Catalog, Database, EntityRef, Error, Op, TxReport, TxValue};
use daodb_sqltests::crash::{ENTITIES, WRITERS, next_sequences, options};
use daodb_sqltests::engine;
use daodb_storage::{Access, Attr, Location, Value};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Between tries of what was refused, and between reads.
const PAUSE: Duration = Duration::from_millis(20);

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let data = arguments.operand().ok_or("writers: where?")?;
    let text = |flag: &str| arguments.after(flag).map(str::to_owned);
    let location = Location {
        endpoint: text("--endpoint"),
        region: text("--region"),
        ..Location::folder(data)
    };
    let failed = |e: Error| e.to_string();
    let catalog =
        Catalog::open_at(&location, Access::ReadWrite, options()).await.map_err(failed)?;
    let database = engine::open_or_create(&catalog).await.map_err(failed)?;
    let next = next_sequences(&database).await.map_err(failed)?;
    let goes_on = arguments.has("--go-on");
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let first = next.get(&writer).copied().unwrap_or(0);
        tasks.spawn(write(Arc::clone(&database), writer, first, goes_on));
    }
    if goes_on {
        tasks.spawn(read(Arc::clone(&catalog)));
    }
    match tasks.join_next().await {
        Some(Ok(Err(e))) => Err(e),
        Some(Err(e)) => Err(e.to_string()),
        _ => Err("a writer ended".into()),
    }
}

async fn write(
    database: Arc<Database>,
    writer: i64,
    first: i64,
    goes_on: bool,
) -> Result<(), String> {
    for sequence in first.. {
        let report = loop {
            match transact(&database, writer, sequence).await {
                Err(e) if goes_on => {
                    say(&format!("refused {} {}", e.state.as_str(), e.message))?;
                    tokio::time::sleep(PAUSE).await;
                }
                done => break done.map_err(|e| e.to_string())?,
            }
        };
        let hash: String = report.hash.iter().map(|b| format!("{b:02x}")).collect();
        say(&format!("ack {writer} {sequence} {} {hash}", report.t))?;
    }
    Ok(())
}

async fn transact(database: &Database, writer: i64, sequence: i64) -> Result<TxReport, Error> {
    let ops = (0..ENTITIES).map(|part| {
        let long = |n: i64| TxValue::Value(Value::Long(n));
        Op::Map {
            id: Some(EntityRef::Temp(format!("part{part}").into())),
            attrs: vec![
                (Attr::new(":write/writer"), long(writer)),
                (Attr::new(":write/sequence"), long(sequence)),
                (Attr::new(":write/part"), long(part)),
            ],
        }
    });
    database.transact(ops.collect::<Vec<_>>()).await
}

async fn read(catalog: Arc<Catalog>) -> Result<(), String> {
    loop {
        let sql = "SELECT count(*) FROM write WHERE part = 0";
        match engine::rows(&catalog, sql).await {
            Ok(rows) => say(&format!("read {}", rows.concat().concat()))?,
            // Before the first write there is no table.
            Err(e) if e.state == daodb_catalog::SqlState::UNDEFINED_TABLE => {}
            Err(e) => return Err(format!("reading: {e}")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn say(line: &str) -> Result<(), String> {
    // One write to the pipe: what the parent reads is whole.
    let line = format!("{line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(|e| e.to_string())
}
