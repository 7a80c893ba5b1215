//! What a database holds, in figures: `daodb info`, and `GET /api/{db}/info`.

use daodb_catalog::{Catalog, Result};
use daodb_storage::{FIRST_T, Usage};

pub struct About {
    pub database: String,
    /// The newest transaction and when it was; None: there is none.
    pub t: Option<i64>,
    pub instant: Option<i64>,
    pub transactions: i64,
    pub facts: u64,
    /// Facts that hold now.
    pub open: u64,
    pub attributes: usize,
    pub tables: usize,
    pub log_objects: u64,
    pub segments: u64,
    pub bytes: u64,
}

impl About {
    pub async fn of(catalog: &Catalog, name: &str) -> Result<About> {
        let database = catalog.database(name).await?;
        let snapshot = database.snapshot();
        let newest = snapshot.newest();
        let some = newest.t >= FIRST_T;
        let stats: Vec<_> = snapshot.attributes().collect();
        let mut names: Vec<_> = stats.iter().map(|s| &s.a).collect();
        names.dedup();
        let usage: Usage = catalog.usage(name).await?;
        Ok(About {
            database: database.name().to_owned(),
            t: some.then_some(newest.t),
            instant: some.then_some(newest.instant),
            transactions: newest.t - FIRST_T + 1,
            facts: stats.iter().map(|s| s.facts).sum(),
            open: stats.iter().map(|s| s.open).sum(),
            attributes: names.len(),
            tables: database.tables(&snapshot).await?.len(),
            log_objects: usage.log.objects,
            segments: usage.segments.objects,
            bytes: usage.bytes(),
        })
    }
}
