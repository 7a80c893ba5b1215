//! What the writers that are killed, and the test that kills them, agree on.

use daodb_catalog::{Database, Result};
use daodb_storage::Attr;
use std::collections::BTreeMap;

/// Writers that run at a time.
pub const WRITERS: i64 = 4;
/// Entities of each transaction.
pub const ENTITIES: i64 = 5;

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
