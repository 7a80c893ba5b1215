//! What the writers that are killed, and the tests that kill them, agree on.

use crate::engine::options_with_tail;
use daodb_catalog::database::CatalogOptions;
use daodb_catalog::{Database, Result};
use daodb_gateway::config;
use daodb_storage::{Attr, Location, StreamOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Writers that run at a time.
pub const WRITERS: i64 = 16;
/// Entities of each transaction.
pub const ENTITIES: i64 = 5;

/// A tail so small that indexing goes on all the time; the real clock, since what lies on a bucket is collected by its age.
pub fn options() -> CatalogOptions {
    let small = options_with_tail(500);
    let stream = StreamOptions { clock: Arc::new(config::now), ..small.stream.clone() };
    CatalogOptions { clock: Arc::new(config::now), stream, ..small }
}

/// `bench writers` at a location; credentials go by way of its environment.
pub fn writers(bench: &Path, location: &Location) -> Command {
    let mut command = Command::new(bench);
    command.arg("writers").arg(&location.data);
    for (flag, value) in [("--endpoint", &location.endpoint), ("--region", &location.region)] {
        if let Some(value) = value {
            command.args([flag, value]);
        }
    }
    command.envs(location.options.iter().map(|(key, value)| (key.to_uppercase(), value)));
    command
}

/// For each writer the sequence number after the greatest that is stored.
pub async fn next_sequences(database: &Database) -> Result<BTreeMap<i64, i64>> {
    let snapshot = database.snapshot();
    let sequences = snapshot.all(&Attr::new(":write/sequence")).await?;
    let sequences: BTreeMap<i64, i64> =
        sequences.iter().filter_map(|f| Some((f.e, f.v.as_i64()?))).collect();
    let mut next = BTreeMap::new();
    for fact in snapshot.all(&Attr::new(":write/writer")).await? {
        let (Some(writer), Some(sequence)) = (fact.v.as_i64(), sequences.get(&fact.e)) else {
            continue;
        };
        let entry = next.entry(writer).or_insert(0);
        *entry = (*entry).max(sequence + 1);
    }
    Ok(next)
}
