//! Rows to transactions, several on their way at a time so that they share log objects: the second reading of a file.

use super::columns::{Columns, ID};
use super::target::{Done, Target};
use super::{Cell, Fault, Place, Row};
use daodb_catalog::{EntityRef, Error, Op, Provenance, Result, Transaction, TxValue};
use daodb_storage::{Attr, Value};
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

/// What a transaction holds: this bounds memory, and the body of a request.
const ROWS: u64 = 5_000;
const PARTS: usize = 100_000;
const BYTES: usize = 8 << 20;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    pub transactions: u64,
    /// Datoms, apart from those about the transactions.
    pub changes: u64,
    /// The newest transaction.
    pub t: i64,
}

struct Entity {
    place: Place,
    attrs: Vec<(Attr, TxValue)>,
    /// What it has no value of.
    without: Vec<Attr>,
}

/// The rows of one transaction, by key.
#[derive(Default)]
struct Batch {
    entities: Vec<Entity>,
    /// The canonical bytes of the key.
    by_key: HashMap<Vec<u8>, usize>,
    /// For `_id`: whom a row is about.
    ids: Vec<Option<i64>>,
    /// Values, and that there are none; and how long those that are texts are.
    parts: usize,
    bytes: usize,
    rows: u64,
}

/// A transaction on its way: the row of each op, and how many rows it has.
type Sent = BoxFuture<'static, (Vec<Place>, u64, Result<Done>)>;

pub struct Writer {
    target: Arc<dyn Target>,
    file: PathBuf,
    columns: Columns,
    provenance: Provenance,
    batch: Batch,
    sent: FuturesOrdered<Sent>,
    /// Whether a row before may have had values where a later one has none.
    begun: bool,
    /// Whether the next rows are likely to be new, as most of those before were: they are not asked for first.
    fresh: bool,
    written: Written,
}

impl Writer {
    pub async fn new(
        target: Arc<dyn Target>,
        file: PathBuf,
        columns: Columns,
        provenance: Provenance,
    ) -> Result<Writer> {
        let t = target.newest().await?;
        let written = Written { t, ..Written::default() };
        let (batch, sent) = (Batch::default(), FuturesOrdered::new());
        Ok(Writer {
            target,
            file,
            columns,
            provenance,
            batch,
            sent,
            begun: false,
            fresh: false,
            written,
        })
    }

    /// How many rows are durable.
    pub fn rows(&self) -> u64 {
        self.written.rows
    }

    /// What must be declared before the first row, in a transaction of its own.
    pub async fn declare(&mut self) -> Result<()> {
        let ops = std::mem::take(&mut self.columns.declarations);
        if ops.is_empty() {
            return Ok(());
        }
        let done = Arc::clone(&self.target).transact(self.transaction(ops)).await;
        let done = done.map_err(|e| self.failed(Fault::new(""), e))?;
        self.count(0, done);
        Ok(())
    }

    pub async fn write(&mut self, row: Row) -> Result<()> {
        let place = row.place;
        self.take(row).map_err(|fault| fault.at(place).of(&self.file))?;
        let Batch { rows, parts, bytes, .. } = self.batch;
        if rows >= ROWS || parts >= PARTS || bytes >= BYTES {
            self.send().await?;
        }
        Ok(())
    }

    /// Waits until all rows are durable.
    pub async fn finish(mut self) -> Result<Written> {
        self.send().await?;
        while !self.sent.is_empty() {
            self.receive().await?;
        }
        Ok(self.written)
    }

    fn take(&mut self, row: Row) -> Result<(), Fault> {
        let mut cells = row.cells.into_iter();
        let (mut attrs, mut without, mut key) = (Vec::new(), Vec::new(), None);
        for (i, column) in self.columns.all.iter().enumerate() {
            let cell = cells.next().unwrap_or(Cell::Absent);
            let Some(column) = column else { continue };
            let value = column.value(cell)?;
            if i == self.columns.key {
                let missing = || Fault::new("the key is missing").column(&column.name);
                key = Some(value.clone().ok_or_else(missing)?);
                if column.name == ID {
                    continue;
                }
            }
            match value {
                Some(value) => attrs.push((column.attribute.clone(), value)),
                None if column.used || self.begun => without.push(column.attribute.clone()),
                None => {}
            }
        }
        let entity = Entity { place: row.place, attrs, without };
        match key {
            Some(TxValue::Value(v)) => self.batch.put(&v, None, entity),
            Some(TxValue::Entity(EntityRef::Id(id))) => {
                self.batch.put(&Value::Ref(id), Some(id), entity);
            }
            _ => return Err(Fault::new("the key is no single value")),
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let rows = batch.rows;
        let key_is_id = self.columns.all.get(self.columns.key);
        let key_is_id = key_is_id.and_then(Option::as_ref).is_some_and(|c| c.name == ID);
        let (ops, places) = batch.ops(key_is_id);
        if ops.is_empty() {
            self.written.rows += rows;
            return Ok(());
        }
        if !self.fresh {
            // What is on its way may change what these rows find.
            while !self.sent.is_empty() {
                self.receive().await?;
            }
            let would = Arc::clone(&self.target).would_change(self.transaction(ops.clone())).await;
            let changes = would.map_err(|e| self.failed_at(&places, e))?;
            self.fresh = changes > rows;
            if changes == 0 {
                self.written.rows += rows;
                return Ok(());
            }
        }
        self.begun = true;
        let (target, transaction) = (Arc::clone(&self.target), self.transaction(ops));
        let call = async move { (places, rows, target.transact(transaction).await) };
        // Unconstrained: a poll that only yields would let the next call overtake.
        let mut call: Sent = tokio::task::unconstrained(call).boxed();
        // The first poll puts it into the transactor's queue, so the order of calls is the order of transactions.
        match futures::poll!(&mut call) {
            Poll::Ready(done) => self.sent.push_back(futures::future::ready(done).boxed()),
            Poll::Pending => self.sent.push_back(call),
        }
        while self.sent.len() >= self.target.at_once() {
            self.receive().await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<()> {
        let Some((places, rows, done)) = self.sent.next().await else { return Ok(()) };
        match done {
            Ok(done) => {
                self.fresh &= done.changes > rows;
                self.count(rows, done);
                Ok(())
            }
            Err(e) => Err(self.failed_at(&places, e)),
        }
    }

    fn transaction(&self, ops: Vec<Op>) -> Transaction {
        Transaction { provenance: self.provenance.clone(), ..ops.into() }
    }

    fn count(&mut self, rows: u64, done: Done) {
        self.written.rows += rows;
        self.written.transactions += 1;
        self.written.t = done.t;
        self.written.changes += done.changes;
    }

    fn failed_at(&self, places: &[Place], e: Error) -> Error {
        let place = e.op.and_then(|op| places.get(op as usize).copied());
        self.failed(Fault { place, ..Fault::new("") }, e)
    }

    /// An error of the transactor, with the place in the file.
    fn failed(&self, fault: Fault, e: Error) -> Error {
        let message = Fault { message: e.message, ..fault }.of(&self.file).message;
        let detail = match self.written.rows {
            0 => e.detail,
            rows => {
                Some(format!("{rows} rows before it are written; the same command again goes on"))
            }
        };
        Error { message, detail, ..e }
    }
}

impl Batch {
    /// Of two rows with one key, the later one counts.
    fn put(&mut self, key: &Value, id: Option<i64>, entity: Entity) {
        let mut bytes = Vec::new();
        key.write_canonical(&mut bytes);
        self.rows += 1;
        self.parts += 1 + entity.without.len() + entity.attrs.len();
        self.bytes += entity.attrs.iter().map(|(_, v)| length(v)).sum::<usize>();
        match self.by_key.get(&bytes) {
            Some(at) => self.entities[*at] = entity,
            None => {
                self.by_key.insert(bytes, self.entities.len());
                self.entities.push(entity);
                self.ids.push(id);
            }
        }
    }

    fn ops(self, by_id: bool) -> (Vec<Op>, Vec<Place>) {
        let count = self.entities.len();
        let (mut ops, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (i, (entity, id)) in self.entities.into_iter().zip(self.ids).enumerate() {
            let e = match id.filter(|_| by_id) {
                Some(id) => EntityRef::Id(id),
                None => EntityRef::Temp(i.to_string().into()),
            };
            for a in entity.without {
                ops.push(Op::Retract { e: e.clone(), a, v: None });
            }
            if !entity.attrs.is_empty() {
                ops.push(Op::Map { id: Some(e), attrs: entity.attrs });
            }
            places.resize(ops.len(), entity.place);
        }
        (ops, places)
    }
}

/// About how long a value is where it is long.
fn length(v: &TxValue) -> usize {
    match v {
        TxValue::Value(Value::String(text)) => text.len(),
        TxValue::Value(Value::Bytes(bytes)) => bytes.len() * 2,
        TxValue::Many(all) => all.iter().map(length).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(row: u64, n: i64, without: &[&str]) -> Entity {
        Entity {
            place: Place { row, line: None },
            attrs: vec![(Attr::new(":p/n"), TxValue::Value(Value::Long(n)))],
            without: without.iter().map(Attr::new).collect(),
        }
    }

    #[test]
    fn the_last_row_of_a_key_counts() {
        let mut batch = Batch::default();
        batch.put(&Value::Long(1), None, entity(1, 7, &[":p/x"]));
        batch.put(&Value::Long(2), None, entity(2, 8, &[]));
        batch.put(&Value::Long(1), None, entity(3, 9, &[]));
        let (ops, places) = batch.ops(false);
        let shown: Vec<String> = ops.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["{:db/id \"0\", :p/n 9}", "{:db/id \"1\", :p/n 8}"]);
        let rows: Vec<u64> = places.iter().map(|place| place.row).collect();
        assert_eq!(rows, [3, 2]);
    }

    #[test]
    fn what_a_row_lacks_is_taken_away() {
        let mut batch = Batch::default();
        batch.put(&Value::Ref(70), Some(70), entity(1, 7, &[":p/x", ":p/y"]));
        let (ops, places) = batch.ops(true);
        let shown: Vec<String> = ops.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["[:db/retract 70 :p/x]", "[:db/retract 70 :p/y]", "{:db/id 70, :p/n 7}"]
        );
        assert_eq!(places.len(), 3);
    }
}
