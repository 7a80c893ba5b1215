//! The rows of one cursor, read forward. A FETCH takes the reader out, cuts its rows from the batches that come, and gives
//! it back as soon as it has them, before they are written: what is left of a batch waits for the next FETCH.

use super::grammar::{ALL, Direction};
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::Result as DfResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use std::sync::Arc;

pub struct Rows {
    name: String,
    schema: SchemaRef,
    state: Mutex<State>,
}

enum State {
    Ready(Reader),
    /// A FETCH has the reader.
    Lent,
    /// A FETCH failed, or was stopped: nobody knows where the cursor stands.
    Failed,
}

struct Reader {
    /// None: the end was seen.
    stream: Option<SendableRecordBatchStream>,
    /// What the last FETCH left of its last batch.
    rest: Option<RecordBatch>,
    /// Rows given out.
    position: u64,
}

/// What a FETCH does: passes over rows, then gives some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    skip: u64,
    take: u64,
}

impl Rows {
    pub fn new(name: &str, stream: SendableRecordBatchStream) -> Rows {
        let schema = stream.schema();
        let reader = Reader { stream: Some(stream), rest: None, position: 0 };
        Rows { name: name.to_owned(), schema, state: Mutex::new(State::Ready(reader)) }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows of a FETCH.
    pub fn fetch(self: Arc<Self>, direction: Direction) -> Result<SendableRecordBatchStream> {
        let schema = Arc::clone(&self.schema);
        let (mut lent, steps) = self.lend(direction, false)?;
        if steps.take == 0 {
            lent.give_back();
            return Ok(Box::pin(EmptyRecordBatchStream::new(schema)));
        }
        let batches = lent.batches(steps);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    /// A MOVE: how many rows a FETCH would have given.
    pub async fn pass(self: Arc<Self>, direction: Direction) -> Result<u64> {
        let (mut lent, steps) = self.lend(direction, true)?;
        if steps.take == 0 {
            let on_row = lent.reader.as_ref().is_some_and(Reader::is_on_row);
            lent.give_back();
            return Ok(on_row.into());
        }
        let mut batches = std::pin::pin!(lent.batches(steps));
        let mut passed = 0;
        while let Some(batch) = batches.try_next().await? {
            passed += batch.num_rows() as u64;
        }
        Ok(passed)
    }

    /// It is not read any more.
    pub fn fail(&self) {
        *self.state.lock() = State::Failed;
    }

    fn lend(self: Arc<Self>, direction: Direction, moves: bool) -> Result<(Lent, Steps)> {
        let state = std::mem::replace(&mut *self.state.lock(), State::Lent);
        let reader = match state {
            State::Ready(reader) => reader,
            State::Lent => {
                return Err(Error::new(
                    SqlState::Code("55006"),
                    format!("cursor \"{}\" is being read by a portal", self.name),
                )
                .hint("read that FETCH to its end first"));
            }
            State::Failed => {
                self.fail();
                return Err(Error::new(
                    SqlState::WRONG_STATE,
                    format!("portal \"{}\" cannot be run", self.name),
                ));
            }
        };
        let steps = reader.steps(direction, moves);
        // Where it is an error, the cursor has failed as in Postgres: by not being given back.
        let lent = Lent { reader: Some(reader), rows: self };
        let steps = steps.ok_or_else(|| {
            Error::new(SqlState::WRONG_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan.")
        })?;
        Ok((lent, steps))
    }
}

impl Reader {
    fn is_at_start(&self) -> bool {
        self.position == 0
    }

    fn is_at_end(&self) -> bool {
        self.stream.is_none()
    }

    fn is_on_row(&self) -> bool {
        !self.is_at_start() && !self.is_at_end()
    }

    /// Postgres's rules, of which going backward is none here. None: it would.
    fn steps(&self, direction: Direction, moves: bool) -> Option<Steps> {
        let untouched = self.is_at_start() && !self.is_at_end();
        let nowhere = Steps { skip: 0, take: 0 };
        match direction {
            // The row that it stands on is read again; a MOVE only tells whether there is one.
            Direction::Forward(0) | Direction::Relative(0) => {
                (moves || !self.is_on_row()).then_some(nowhere)
            }
            Direction::Forward(n) if n > 0 => Some(Steps { skip: 0, take: n.unsigned_abs() }),
            Direction::Relative(n) if n > 0 => Some(Steps { skip: n.unsigned_abs() - 1, take: 1 }),
            Direction::Absolute(n) if n > 0 => {
                let here = self.position + u64::from(self.is_at_end());
                let skip = (n.unsigned_abs() - 1).checked_sub(here)?;
                Some(Steps { skip, take: 1 })
            }
            // Back to where it is already.
            Direction::Absolute(0) => untouched.then_some(nowhere),
            Direction::Forward(n) if moves && n == -ALL => untouched.then_some(nowhere),
            Direction::Forward(_) | Direction::Relative(_) | Direction::Absolute(_) => None,
        }
    }

    /// The next rows, at least one and at most so many; None: there are no more.
    async fn next(&mut self, most: u64) -> DfResult<Option<RecordBatch>> {
        let batch = loop {
            if let Some(batch) = self.rest.take().filter(|b| b.num_rows() > 0) {
                break batch;
            }
            let Some(stream) = &mut self.stream else { return Ok(None) };
            self.rest = stream.next().await.transpose()?;
            if self.rest.is_none() {
                // With it goes what its plan holds.
                self.stream = None;
            }
        };
        let length = batch.num_rows();
        let wanted = usize::try_from(most).map_or(length, |most| most.min(length));
        if wanted < length {
            self.rest = Some(batch.slice(wanted, length - wanted));
        }
        self.position += wanted as u64;
        Ok(Some(batch.slice(0, wanted)))
    }
}

/// A reader that a FETCH has. Dropped before it is given back, the cursor has failed.
struct Lent {
    rows: Arc<Rows>,
    reader: Option<Reader>,
}

impl Lent {
    fn give_back(&mut self) {
        let Some(reader) = self.reader.take() else { return };
        let mut state = self.rows.state.lock();
        // Stopped meanwhile, it stays so.
        if matches!(*state, State::Lent) {
            *state = State::Ready(reader);
        }
    }

    fn batches(self, steps: Steps) -> impl stream::Stream<Item = DfResult<RecordBatch>> + Send {
        stream::try_unfold((self, steps), |(mut lent, mut steps)| async move {
            let batch = lent.next(&mut steps).await?;
            Ok(batch.map(|batch| (batch, (lent, steps))))
        })
    }

    async fn next(&mut self, steps: &mut Steps) -> DfResult<Option<RecordBatch>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        while steps.skip > 0 {
            let Some(passed) = reader.next(steps.skip).await? else { break };
            steps.skip -= passed.num_rows() as u64;
        }
        let batch = reader.next(steps.take).await?;
        steps.take -= batch.as_ref().map_or(steps.take, |b| b.num_rows() as u64);
        if steps.take == 0 {
            self.give_back();
        }
        Ok(batch)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.reader.is_some() {
            self.rows.fail();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Direction::{Absolute, Forward, Relative};
    use super::*;
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::error::DataFusionError;

    /// A cursor over 1, 2, 3, ... in batches of these sizes; then an error, if it is to fail.
    fn cursor(sizes: &[i64], fails: bool) -> Arc<Rows> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let mut first = 1;
        let mut batches = Vec::new();
        for size in sizes {
            let column = Arc::new(Int64Array::from_iter_values(first..first + size));
            batches.push(Ok(RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap()));
            first += size;
        }
        if fails {
            batches.push(Err(DataFusionError::Execution("no more".into())));
        }
        let stream = RecordBatchStreamAdapter::new(schema, stream::iter(batches));
        Arc::new(Rows::new("c", Box::pin(stream)))
    }

    async fn fetch(cursor: &Arc<Rows>, direction: Direction) -> Result<Vec<i64>, String> {
        let stream = Arc::clone(cursor).fetch(direction).map_err(|e| e.message)?;
        let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(|e| e.to_string())?;
        let values = |b: &RecordBatch| b.column(0).as_primitive::<Int64Type>().values().to_vec();
        Ok(batches.iter().flat_map(values).collect())
    }

    async fn pass(cursor: &Arc<Rows>, direction: Direction) -> Result<u64, String> {
        Arc::clone(cursor).pass(direction).await.map_err(|e| e.message)
    }

    #[tokio::test]
    async fn rows_are_cut_from_batches() {
        let c = cursor(&[3, 0, 4, 3], false);
        let check = async |direction, expect: &[i64]| {
            assert_eq!(fetch(&c, direction).await.unwrap(), expect, "{direction:?}");
        };
        check(Forward(0), &[]).await;
        check(Absolute(0), &[]).await;
        check(Absolute(1), &[1]).await;
        check(Forward(1), &[2]).await;
        check(Forward(3), &[3, 4, 5]).await;
        check(Relative(2), &[7]).await;
        assert_eq!(pass(&c, Forward(0)).await, Ok(1));
        check(Absolute(9), &[9]).await;
        check(Forward(ALL), &[10]).await;
        check(Forward(ALL), &[]).await;
        check(Forward(0), &[]).await;
        assert_eq!(pass(&c, Relative(0)).await, Ok(0));
        assert_eq!(pass(&c, Absolute(20)).await, Ok(0));
    }

    #[tokio::test]
    async fn moving() {
        let c = cursor(&[3, 4], false);
        assert_eq!(pass(&c, Forward(-ALL)).await, Ok(0));
        assert_eq!(pass(&c, Forward(2)).await, Ok(2));
        assert_eq!(pass(&c, Absolute(4)).await, Ok(1));
        assert_eq!(fetch(&c, Forward(1)).await.unwrap(), [5]);
        assert_eq!(pass(&c, Forward(ALL)).await, Ok(2));
    }

    #[tokio::test]
    async fn backward_is_an_error_and_the_end_of_the_cursor() {
        let back = [Forward(-1), Forward(-ALL), Forward(0), Relative(-1), Relative(0)];
        let back = [&back[..], &[Absolute(-1), Absolute(0), Absolute(1), Absolute(2)]].concat();
        for direction in back {
            let c = cursor(&[5], false);
            assert_eq!(fetch(&c, Forward(2)).await.unwrap(), [1, 2]);
            let e = fetch(&c, direction).await.unwrap_err();
            assert_eq!(e, "cursor can only scan forward", "{direction:?}");
            let e = fetch(&c, Forward(1)).await.unwrap_err();
            assert_eq!(e, "portal \"c\" cannot be run");
        }
        let c = cursor(&[], false);
        assert_eq!(fetch(&c, Forward(1)).await.unwrap(), [0_i64; 0]);
        assert!(fetch(&c, Absolute(1)).await.is_err());
    }

    #[tokio::test]
    async fn a_query_that_fails_on_its_way() {
        let c = cursor(&[2], true);
        assert_eq!(fetch(&c, Forward(2)).await.unwrap(), [1, 2]);
        assert!(fetch(&c, Forward(1)).await.unwrap_err().contains("no more"));
        assert_eq!(fetch(&c, Forward(1)).await.unwrap_err(), "portal \"c\" cannot be run");
    }

    #[tokio::test]
    async fn one_fetch_at_a_time() {
        let c = cursor(&[3, 3], false);
        let mut first = Arc::clone(&c).fetch(Forward(4)).unwrap();
        assert_eq!(first.try_next().await.unwrap().unwrap().num_rows(), 3);
        assert!(fetch(&c, Forward(1)).await.unwrap_err().contains("is being read"));
        assert_eq!(first.try_next().await.unwrap().unwrap().num_rows(), 1);
        // It has its rows: the next may read although it has not been asked for more.
        assert_eq!(fetch(&c, Forward(1)).await.unwrap(), [5]);
        assert!(first.try_next().await.unwrap().is_none());
        // Stopped before its end.
        drop(Arc::clone(&c).fetch(Forward(1)).unwrap());
        assert_eq!(fetch(&c, Forward(1)).await.unwrap_err(), "portal \"c\" cannot be run");
    }
}
