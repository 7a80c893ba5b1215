//! `daodb diff`: what holds at one moment and not at another.

use super::remote::View;
use super::render::Format;
use super::{Failure, sql};
use crate::config::Settings;
use clap::Args;
use daodb_catalog::Database;
use daodb_catalog::basis::Moment;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb diff 1015 1035
  daodb diff 2026-01-01 2026-02-01
  daodb diff 1015 1035 --format csv | grep :file/lines

A row a fact: - holds at the first moment only, + at the second only. What changed in between and changed back is in neither.";

/// Show what differs between two moments
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Diff {
    /// A t, an instant, a date
    #[arg(value_name = "BASIS")]
    from: String,
    #[arg(value_name = "BASIS")]
    to: String,
    #[command(flatten)]
    on: sql::On,
    /// How rows are written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Diff {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        Format::check(self.format)?;
        if let Some(server) = self.on.remote().await? {
            let query = between(server.t(&self.from).await?, server.t(&self.to).await?);
            return server.show(&query, &View::default(), self.format, stop).await;
        }
        let opened = self.on.open(self.settings).await?;
        let query = async |database: &Database| {
            let from = t(database, &self.from).await?;
            Ok(between(from, t(database, &self.to).await?))
        };
        opened.show(query, Vec::new(), self.format, stop).await
    }
}

async fn t(database: &Database, text: &str) -> Result<i64, Failure> {
    let snapshot = database.snapshot();
    Ok(Moment::parse(text)?.resolve(&snapshot, database.now()).await?)
}

/// A fact whose first and last event after the earlier moment are the same one kind did not hold at one end and does at the
/// other: an assertion and a retraction take turns.
fn between(from: i64, to: i64) -> String {
    let (first, last) = (from.min(to), from.max(to));
    let (there, gone) = if from <= to { ('+', '-') } else { ('-', '+') };
    format!(
        "SELECT CASE WHEN begins THEN '{there}' ELSE '{gone}' END AS op, e, a, v, type FROM (\
           SELECT e, a, v, type, first_value(added ORDER BY t) AS begins, last_value(added ORDER BY t) AS ends \
           FROM dao.datoms WHERE t > {first} AND t <= {last} GROUP BY e, a, v, type\
         ) AS events WHERE begins = ends ORDER BY e, a, op, v"
    )
}
