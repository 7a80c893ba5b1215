//! The questions asked of us: in process, over HTTP, and in SQL where it can say them.

use super::questions::{Question, View};
use crate::measure::Medians;
use crate::people::on_session;
use daodb_catalog::{Catalog, Database, Session};
use daodb_datalog::QueryRequest;
use daodb_gateway::http::{self, Limits};
use daodb_sqltests::engine::{self, DATABASE};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::reader::StreamReader;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// As the others are measured (`peer.clj`, `datascript.js`): a question is asked for so long before it counts.
const WARM_UP: Duration = Duration::from_secs(2);
const RUNS: usize = 15;
/// Answers with more rows are not asked for over HTTP: what is measured there would be the copying.
const MOST_OVER_HTTP: usize = 2_000_000;

/// Medians in milliseconds.
#[derive(Debug)]
pub struct Times {
    pub in_process: f64,
    pub over_http: Option<f64>,
    pub sql: Option<f64>,
}

pub struct Ours {
    catalog: Arc<Catalog>,
    database: Arc<Database>,
    session: Session,
    /// The t of [`View::Middle`].
    middle: i64,
    client: reqwest::Client,
    url: String,
    stop: CancellationToken,
    server: JoinHandle<daodb_catalog::Result<()>>,
}

impl Ours {
    pub async fn new(
        catalog: Arc<Catalog>,
        database: Arc<Database>,
        middle: i64,
    ) -> Result<Ours, String> {
        let session = engine::session(&catalog, &[]).await.map_err(|e| e.to_string())?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let stop = CancellationToken::new();
        let served =
            http::serve_within(listener, Arc::clone(&catalog), Limits::default(), stop.clone());
        let server = tokio::spawn(served);
        let client = reqwest::Client::builder().no_proxy().build().map_err(|e| e.to_string())?;
        let url = format!("http://{address}/api/{DATABASE}/query");
        Ok(Ours { catalog, database, session, middle, client, url, stop, server })
    }

    pub async fn close(self) -> Result<(), String> {
        self.stop.cancel();
        self.server.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        self.catalog.close().await.map_err(|e| e.to_string())
    }

    /// Err: also an answer of another number of rows than it should have.
    pub async fn ask(&mut self, question: &Question) -> Result<Times, String> {
        let in_process = measure(question, async || self.in_process(question).await).await?;
        let over_http = match question.rows <= MOST_OVER_HTTP {
            true => Some(measure(question, async || self.over_http(question).await).await?),
            false => None,
        };
        let sql = match question.sql {
            Some(sql) => {
                let table = match question.view {
                    View::Middle => format!("person VERSION AS OF {}", self.middle),
                    _ => "person".to_owned(),
                };
                let sql = sql.replace("{p}", &table);
                let session = &mut self.session;
                let ask = async || {
                    let batches =
                        on_session(session, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
                    Ok(batches.iter().map(RecordBatch::num_rows).sum())
                };
                Some(measure(question, ask).await?)
            }
            None => None,
        };
        Ok(Times { in_process, over_http, sql })
    }

    /// All rows as columns.
    async fn in_process(&self, question: &Question) -> Result<usize, String> {
        let snapshot = self.database.snapshot();
        let snapshot = match question.view {
            View::Now => snapshot,
            View::Middle => snapshot.as_of(self.middle),
            View::History => snapshot.history(),
        };
        let mut request = QueryRequest::text(question.query).of(&self.database, &snapshot);
        for arg in arguments(question) {
            request = request.arg(daodb_datalog::value(&arg).map_err(|e| e.to_string())?);
        }
        let answer = daodb_datalog::query(&self.catalog, request).await;
        let mut answer = answer.map_err(|e| e.to_string())?;
        let mut rows = 0;
        while let Some(batch) = answer.batch().await.map_err(|e| e.to_string())? {
            rows += batch.num_rows();
        }
        Ok(rows)
    }

    /// As Arrow, on one connection.
    async fn over_http(&self, question: &Question) -> Result<usize, String> {
        let view = match question.view {
            View::Now => String::new(),
            View::Middle => format!(":as-of {}", self.middle),
            View::History => ":history true".to_owned(),
        };
        let args = arguments(question).collect::<Vec<_>>().join(" ");
        let body = format!("{{:query {} :args [{args}] {view}}}", question.query);
        let request = self.client.post(&self.url).header("Content-Type", "application/edn");
        let request = request.header("Accept", "application/vnd.apache.arrow.stream").body(body);
        let answer = request.send().await.map_err(|e| e.to_string())?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|e| e.to_string())?;
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&bytes)));
        }
        let reader = StreamReader::try_new(bytes.as_ref(), None).map_err(|e| e.to_string())?;
        let rows = reader.map(|batch| batch.map(|b| b.num_rows()));
        rows.sum::<Result<usize, _>>().map_err(|e| e.to_string())
    }
}

/// Those after `$`, as text.
fn arguments(question: &Question) -> impl Iterator<Item = String> {
    let rules = question.rules.map(str::to_owned).into_iter();
    rules.chain(question.args.iter().map(i64::to_string))
}

/// The median of several runs after the warm-up; the first one where that is long already.
async fn measure(
    question: &Question,
    mut ask: impl AsyncFnMut() -> Result<usize, String>,
) -> Result<f64, String> {
    let mut asked = async || {
        let start = Instant::now();
        let rows = ask().await.map_err(|e| format!("{}: {e}", question.name))?;
        match rows == question.rows {
            true => Ok(start),
            false => Err(format!("{}: {rows} rows, not {}", question.name, question.rows)),
        }
    };
    let mut medians = Medians::new(1);
    let began = asked().await?;
    if began.elapsed() > WARM_UP {
        medians.add(0, began);
        return Ok(medians.of(0));
    }
    while began.elapsed() < WARM_UP {
        asked().await?;
    }
    for _ in 0..RUNS {
        let start = asked().await?;
        medians.add(0, start);
    }
    Ok(medians.of(0))
}
