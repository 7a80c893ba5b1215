//! Statements that a server runs, and their rows as they come: as Arrow, so that they are printed as those of a folder are.

use super::{EDN, Remote, View, refused};
use crate::cli::Failure;
use crate::cli::prompt::statements;
use crate::cli::render::{Broken, Format};
use crate::http::formats::{ARROW, field, map, text};
use daodb_datalog::edn::{self, Node};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamDecoder;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use std::io::Write;
use tokio_util::sync::CancellationToken;

impl Remote {
    /// Prints the rows of statements, one after the other, up to the first that fails.
    pub async fn show(
        &self,
        sql: &str,
        view: &View,
        format: Option<Format>,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let mut out = std::io::BufWriter::new(std::io::stdout());
        let printed = async {
            for statement in statements(sql) {
                self.print(statement, view, Format::or_default(format), &mut out).await?;
            }
            Ok::<_, Broken>(out.flush()?)
        };
        let printed = tokio::select! {
            printed = printed => printed,
            () = stop.cancelled() => Err(Failure::failed("stopped before the end").into()),
        };
        match printed {
            Ok(()) | Err(Broken::Closed) => Ok(()),
            Err(Broken::Failed(failure)) => Err(failure),
        }
    }

    /// Prints the rows of one statement.
    pub async fn print(
        &self,
        statement: &str,
        view: &View,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<(), Broken> {
        let mut rows = match self.run(statement, view).await? {
            Ran::Rows(rows) => rows,
            Ran::Tag(tag) if format == Format::Table => return Ok(writeln!(out, "{tag}")?),
            Ran::Tag(_) => return Ok(()),
        };
        let (schema, mut next) = rows.begin().await?;
        let mut printed = format.writer(&schema, &Default::default(), out)?;
        while let Some(batch) = next {
            printed.batch(&batch)?;
            next = rows.next().await?;
        }
        printed.end()
    }

    /// The rows of a statement that has some.
    pub async fn rows(&self, statement: &str, view: &View) -> Result<Box<Rows>, Failure> {
        match self.run(statement, view).await? {
            Ran::Rows(rows) => Ok(rows),
            Ran::Tag(_) => Err(Failure::failed(format!("{statement} gives no rows"))),
        }
    }

    async fn run(&self, statement: &str, view: &View) -> Result<Ran, Failure> {
        let url = format!("{}/sql", self.url);
        let [as_of, since, history] = view.keys();
        let body = map([("sql", text(statement)), as_of, since, history]);
        let request = self.client.post(&url).header(CONTENT_TYPE, EDN).body(body.to_string());
        let request = request.header(ACCEPT, format!("{ARROW}, {EDN};q=0.5"));
        let response = request.send().await.map_err(|e| super::lost(&url, &e))?;
        let (status, headers) = (response.status(), response.headers());
        if headers.get(CONTENT_TYPE).is_some_and(|ty| ty == ARROW) && status.is_success() {
            let (decoder, buffer) = (StreamDecoder::new(), Buffer::from_vec(Vec::<u8>::new()));
            return Ok(Ran::Rows(Box::new(Rows { response, decoder, buffer })));
        }
        let body = response.text().await.map_err(|e| super::lost(&url, &e))?;
        let read = edn::read(&body).ok();
        let said = |name: &str| read.as_ref().and_then(|node| field(node, name));
        match (said("error"), said("tag").and_then(Node::string)) {
            (Some(error), _) => Err(refused(error, Some(statement))),
            (None, Some(tag)) => Ok(Ran::Tag(tag.to_owned())),
            (None, None) => Err(Failure::failed(format!("{url}: {status}"))),
        }
    }
}

enum Ran {
    Rows(Box<Rows>),
    Tag(String),
}

/// Rows on their way.
pub struct Rows {
    response: reqwest::Response,
    decoder: StreamDecoder,
    /// What came and is not decoded yet.
    buffer: Buffer,
}

impl Rows {
    /// The columns, and the first rows, if there are any.
    pub async fn begin(&mut self) -> Result<(SchemaRef, Option<RecordBatch>), Failure> {
        // The schema comes before the first row, and where there is none.
        let first = self.next().await?;
        let schema = self.decoder.schema().ok_or_else(|| broken("it has no columns"))?;
        Ok((schema, first))
    }

    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        loop {
            if !self.buffer.is_empty() {
                let decoded = self.decoder.decode(&mut self.buffer);
                if let Some(batch) = decoded.map_err(unreadable)? {
                    return Ok(Some(batch));
                }
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer = Buffer::from_vec(chunk.to_vec()),
                Ok(None) => {
                    self.decoder.finish().map_err(unreadable)?;
                    return Ok(None);
                }
                Err(e) => return Err(broken(&e.to_string())),
            }
        }
    }
}

fn unreadable(e: ArrowError) -> Failure {
    broken(&e.to_string())
}

pub fn broken(why: &str) -> Failure {
    Failure::failed(format!("the answer broke off: {why}"))
        .hint("its rows are not all of the result; the server's log says more")
}
