//! `daodb log`: the transactions, as the log has them.

use super::remote::{Remote, number};
use super::render::{Broken, Format};
use super::{Failure, sql};
use crate::config::Settings;
use crate::http::formats::field;
use crate::http::report;
use clap::Args;
use daodb_catalog::Database;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::log::Transaction;
use daodb_storage::{FIRST_T, Stream, Value};
use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use futures::TryStreamExt;
use std::io::Write;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb log                          the last twenty, the newest first
  daodb log --from 1000 --to 1010    from the first one up to, and not with, the second
  daodb log --datoms --from 1035     whole, as EDN: a map {:t ... :tx-data [[e a v t m] ...]} a line, the oldest first

Each is chained to the one before by its hash (:previous). dao.changes by `daodb sql` tells old and new values.";

/// Show the transactions
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Log {
    /// The first t [default: that of the last transactions]
    #[arg(long, value_name = "T")]
    from: Option<i64>,
    /// The t after the last [default: up to the newest]
    #[arg(long, value_name = "T")]
    to: Option<i64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
    /// Whole transactions, as EDN
    #[arg(long, conflicts_with = "format")]
    datoms: bool,
    #[command(flatten)]
    on: sql::On,
    /// How rows are written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Log {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        Format::check(self.format)?;
        if let Some(server) = self.on.remote().await? {
            return match self.write_from(&server).await {
                Ok(()) | Err(Broken::Closed) => Ok(()),
                Err(Broken::Failed(failure)) => Err(failure),
            };
        }
        let on = self.on.clone();
        let opened = on.open(self.settings.clone()).await?;
        let read = async |database: &Arc<Database>| {
            tokio::select! {
                written = self.write(database) => written,
                () = stop.cancelled() => Err(Failure::failed("stopped before the end").into()),
            }
        };
        opened.look(read).await
    }

    /// From which t, and up to which, where `newest` is the last.
    fn range(&self, newest: i64) -> (i64, i64) {
        let end = self.to.unwrap_or(i64::MAX).min(newest + 1);
        let from = self.from.unwrap_or(end.saturating_sub(self.limit)).max(FIRST_T);
        (from, end.min(from.saturating_add(self.limit)))
    }

    async fn write(&self, database: &Database) -> Result<(), Broken> {
        let (from, end) = self.range(database.snapshot().newest().t);
        let mut out = std::io::BufWriter::new(std::io::stdout());
        if self.datoms {
            datoms(database.stream(), from, end, &mut out).await?;
        } else {
            let mut rows = Vec::new();
            each(database.stream(), from, end, |transaction| {
                rows.push(Row::of(&transaction));
                Ok(())
            })
            .await?;
            rows.reverse();
            table(&rows, Format::or_default(self.format), &mut out)?;
        }
        Ok(out.flush()?)
    }

    /// Of a server, page by page.
    async fn write_from(&self, server: &Remote) -> Result<(), Broken> {
        let newest = number(&server.get("/basis").await?, "t")?;
        let (mut from, end) = self.range(newest);
        let mut out = std::io::BufWriter::new(std::io::stdout());
        let mut rows = Vec::new();
        while from < end {
            let page = server.get(&format!("/log?from={from}&to={end}")).await?;
            let all = field(&page, "transactions").and_then(Node::sequence).unwrap_or_default();
            for transaction in all {
                match self.datoms {
                    true => writeln!(out, "{transaction}")?,
                    false => rows.push(Row::told(transaction)?),
                }
            }
            match number(&page, "next")? {
                next if next > from => from = next,
                _ => break,
            }
        }
        if !self.datoms {
            rows.reverse();
            table(&rows, Format::or_default(self.format), &mut out)?;
        }
        Ok(out.flush()?)
    }
}

/// The transactions from `from` up to, and without, `end`.
async fn each(
    stream: &Stream,
    from: i64,
    end: i64,
    mut take: impl FnMut(Transaction) -> Result<(), Broken>,
) -> Result<(), Broken> {
    if from >= end {
        return Ok(());
    }
    let mut log = stream.log().read_from(from);
    while let Some(transaction) = log.try_next().await? {
        let last = transaction.header.t + 1 >= end;
        take(transaction)?;
        if last {
            return Ok(());
        }
    }
    Ok(())
}

async fn datoms(stream: &Stream, from: i64, end: i64, out: &mut impl Write) -> Result<(), Broken> {
    each(stream, from, end, |transaction| {
        Ok(writeln!(out, "{}", report::transaction(&transaction))?)
    })
    .await
}

struct Row {
    t: i64,
    instant: i64,
    datoms: i64,
    hash: String,
}

impl Row {
    fn of(transaction: &Transaction) -> Row {
        let header = &transaction.header;
        let datoms = i64::try_from(transaction.datoms.len()).unwrap_or(i64::MAX);
        let hash = report::hash_text(&header.hash);
        Row { t: header.t, instant: header.instant, datoms, hash }
    }
}

impl Row {
    /// As a server tells it.
    fn told(transaction: &Node) -> Result<Row, Failure> {
        let instant = match field(transaction, "instant").map(|node| &node.form) {
            Some(Form::Value(Value::Instant(us))) => *us,
            _ => return Err(Failure::failed("the answer has no :instant")),
        };
        let datoms = field(transaction, "tx-data").and_then(Node::sequence).unwrap_or_default();
        let datoms = i64::try_from(datoms.len()).unwrap_or(i64::MAX);
        let hash = field(transaction, "hash").and_then(Node::string).unwrap_or_default();
        Ok(Row { t: number(transaction, "t")?, instant, datoms, hash: hash.to_owned() })
    }
}

fn table(rows: &[Row], format: Format, out: &mut dyn Write) -> Result<(), Broken> {
    let instants: TimestampMicrosecondArray = rows.iter().map(|r| Some(r.instant)).collect();
    let hashes: StringArray = rows.iter().map(|r| Some(r.hash.as_str())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", Arc::new(rows.iter().map(|r| Some(r.t)).collect::<Int64Array>())),
        ("instant", Arc::new(instants.with_timezone("UTC"))),
        ("datoms", Arc::new(rows.iter().map(|r| Some(r.datoms)).collect::<Int64Array>())),
        ("hash", Arc::new(hashes)),
    ];
    format.columns(columns, out)
}
