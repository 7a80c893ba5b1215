//! A result on its way: produced in a task of its own, a batch ahead of the one that is written, and no further. So a slow
//! client stops the producer, and a statement that is stopped or forgotten takes its plan with it.

use super::encode::text::Style;
use super::encode::{self, Cells, Column};
use super::errors::{self, Failure, Result};
use super::wire::Writer;
use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Batches of a running plan.
pub struct Producer {
    batches: mpsc::Receiver<Result<RecordBatch, DataFusionError>>,
    task: Option<JoinHandle<()>>,
}

impl Producer {
    pub fn start(mut stream: SendableRecordBatchStream) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            while let Some(batch) = stream.next().await {
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { batches, task: Some(task) }
    }

    /// None: there are no more.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.batches.recv().await {
            return batch.map(Some).map_err(errors::execution);
        }
        // The end, or the producer panicked: then the rows before it are not the result.
        match self.task.take() {
            Some(task) => match task.await {
                Ok(()) => Ok(None),
                Err(e) if e.is_panic() => Err(errors::panicked(e.into_panic().as_ref())),
                Err(_) => Err(errors::error("57014", "canceling statement due to user request")),
            },
            None => Ok(None),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What became of a request for rows.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// So many, and there are no more.
    All(u64),
    /// As many as were asked for; there may be more.
    Some,
}

/// Rows that are sent as DataRow messages.
pub struct Rows {
    pub columns: Vec<Column>,
    style: Style,
    producer: Producer,
    /// The batch that is being written: its columns, its length, its next row.
    batch: Option<(Vec<Cells>, usize, usize)>,
    /// No more will come: told again without asking again.
    ended: bool,
}

impl Rows {
    pub fn new(stream: SendableRecordBatchStream, columns: Vec<Column>, style: Style) -> Self {
        Self { columns, style, producer: Producer::start(stream), batch: None, ended: false }
    }

    /// Sends rows, at most `most`.
    pub async fn send(&mut self, writer: &mut Writer, most: Option<u64>) -> Result<Sent, Failure> {
        let mut sent = 0;
        loop {
            if most.is_some_and(|most| sent >= most) {
                return Ok(Sent::Some);
            }
            if !self.load().await? {
                return Ok(Sent::All(sent));
            }
            sent += self.write(writer, most.map(|most| most - sent))?;
            writer.flush_full().await?;
        }
    }

    /// Makes sure that there is a row to write. False: there is none left.
    async fn load(&mut self) -> Result<bool> {
        loop {
            match &self.batch {
                Some((_, length, next)) if next < length => return Ok(true),
                _ if self.ended => return Ok(false),
                _ => {}
            }
            match self.producer.next().await? {
                Some(batch) => {
                    let cells = encode::cells(&batch, &self.columns, &self.style)?;
                    self.batch = Some((cells, batch.num_rows(), 0));
                }
                None => {
                    self.ended = true;
                    self.batch = None;
                }
            }
        }
    }

    /// Writes rows of the batch while there is room; says how many.
    fn write(&mut self, writer: &mut Writer, most: Option<u64>) -> Result<u64> {
        let Some((cells, length, next)) = &mut self.batch else { return Ok(0) };
        let start = *next;
        let left = *length - start;
        let most = most.map_or(left, |most| left.min(usize::try_from(most).unwrap_or(left)));
        while *next < start + most && writer.room() > 0 {
            encode::data_row(cells, *next, &mut writer.out)?;
            *next += 1;
        }
        Ok((*next - start) as u64)
    }
}
