//! Where rows go: a database here, or one that a server has.

use daodb_catalog::{Database, Result, Schema, Transaction};
use futures::future::BoxFuture;
use std::sync::Arc;

pub trait Target: Send + Sync {
    /// What is known of attributes.
    fn schema(&self) -> BoxFuture<'_, Result<Arc<Schema>>>;
    /// The newest transaction.
    fn newest(&self) -> BoxFuture<'_, Result<i64>>;
    /// The order of calls is that in which they are first polled.
    fn transact(self: Arc<Self>, transaction: Transaction) -> BoxFuture<'static, Result<Done>>;
    /// How many datoms a transaction would make now, apart from those about it; nothing is written.
    fn would_change(self: Arc<Self>, transaction: Transaction) -> BoxFuture<'static, Result<u64>>;
    /// Transactions that may be on their way at a time without changing their order.
    fn at_once(&self) -> usize;
}

/// What a transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub t: i64,
    /// Datoms, apart from those about the transaction.
    pub changes: u64,
}

/// A database of this process.
pub struct Here(pub Arc<Database>);

impl Target for Here {
    fn schema(&self) -> BoxFuture<'_, Result<Arc<Schema>>> {
        Box::pin(async move { self.0.schema(&self.0.snapshot()).await })
    }

    fn newest(&self) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async move { Ok(self.0.snapshot().newest().t) })
    }

    fn transact(self: Arc<Self>, transaction: Transaction) -> BoxFuture<'static, Result<Done>> {
        Box::pin(async move {
            let report = self.0.transact(transaction).await?;
            let changes = report.datoms.iter().filter(|d| d.e != report.t).count();
            Ok(Done { t: report.t, changes: changes as u64 })
        })
    }

    fn would_change(self: Arc<Self>, transaction: Transaction) -> BoxFuture<'static, Result<u64>> {
        Box::pin(async move {
            let report = self.0.with(&self.0.snapshot(), transaction).await?;
            Ok(report.datoms.iter().filter(|d| d.e != report.t).count() as u64)
        })
    }

    fn at_once(&self) -> usize {
        // They share log objects.
        4
    }
}
