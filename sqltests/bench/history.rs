//! The import of a long git history, made for it: time, memory and disk.

use crate::measure::{disk, peak_mib, round};
use crate::{Arguments, options};
use daodb_gateway::import::run::import;
use daodb_sqltests::{engine, git};
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let commits = arguments.number("--commits", 40_000)?;
    let temporary = tempfile::tempdir().map_err(|e| e.to_string())?;
    let repository = temporary.path().join("long.git");
    std::fs::create_dir(&repository).map_err(|e| e.to_string())?;
    git::generate_long(&repository, 1, commits as u32).map_err(|e| e.to_string())?;
    eprintln!("a repository of {commits} commits stands");
    let data = arguments.data().unwrap_or_else(|| temporary.path().join("data"));
    let (catalog, database) = engine::folder(&data, options()).await.map_err(|e| e.to_string())?;

    let start = Instant::now();
    let now = daodb_gateway::config::now();
    let stop = CancellationToken::new();
    let summary = import(Arc::clone(&database), &repository, now, &stop, &mut |_| {}).await;
    let summary = summary.map_err(|e| e.to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    catalog.close().await.map_err(|e| e.to_string())?;
    if summary.commits != commits as u64 {
        return Err(format!("{} commits of {commits} were imported", summary.commits));
    }
    let (bytes, files) = disk(&data);
    let report = json!({
        "bench": "history", "commits": summary.commits, "changes": summary.changes, "s": round(seconds),
        "commits_per_s": (summary.commits as f64 / seconds).round(),
        "disk_mib": bytes >> 20, "files": files, "peak_mib": peak_mib(),
    });
    println!("{report:#}");
    Ok(())
}
