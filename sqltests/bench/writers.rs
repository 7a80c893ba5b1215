//! Concurrent writers that say, line by line, what was acknowledged: `ack WRITER SEQUENCE T HASH`. They run until this
//! process is killed; who killed it then looks whether everything acknowledged is there.

use crate::Arguments;
use daodb_catalog::{Database, EntityRef, Op, TxValue};
use daodb_sqltests::crash::{ENTITIES, WRITERS, next_sequences};
use daodb_sqltests::engine;
use daodb_storage::{Attr, Value};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let folder = arguments.operand().ok_or("writers: which folder?")?;
    // A tail so small that indexing goes on all the time.
    let options = engine::options_with_tail(500);
    let (_catalog, database) =
        engine::folder(Path::new(folder), options).await.map_err(|e| e.to_string())?;
    let next = next_sequences(&database).await.map_err(|e| e.to_string())?;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let first = next.get(&writer).copied().unwrap_or(0);
        tasks.spawn(write(Arc::clone(&database), writer, first));
    }
    match tasks.join_next().await {
        Some(Ok(Err(e))) => Err(e),
        Some(Err(e)) => Err(e.to_string()),
        _ => Err("a writer ended".into()),
    }
}

async fn write(database: Arc<Database>, writer: i64, first: i64) -> Result<(), String> {
    for sequence in first.. {
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
        let report = database.transact(ops.collect()).await.map_err(|e| e.to_string())?;
        let hash: String = report.hash.iter().map(|b| format!("{b:02x}")).collect();
        // One write to the pipe: what the parent reads is whole.
        let line = format!("ack {writer} {sequence} {} {hash}\n", report.t);
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(|e| e.to_string())?;
    }
    Ok(())
}
