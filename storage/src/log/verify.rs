//! Walking the whole chain: every object read, every hash computed again.

use super::{Head, Log};
use crate::error::Result;
use futures::TryStreamExt;

/// What an undamaged log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub head: Head,
    pub transactions: u64,
    pub datoms: u64,
}

impl Log {
    /// Reads the log from its first transaction and recomputes the chain; the error names the first broken object.
    pub async fn verify(&self) -> Result<Verified> {
        let start = Verified { head: Head::START, transactions: 0, datoms: 0 };
        self.read_after(Head::START)
            .try_fold(start, |so_far, transaction| async move {
                Ok(Verified {
                    head: Head::after(&transaction.header),
                    transactions: so_far.transactions + 1,
                    datoms: so_far.datoms + transaction.header.count,
                })
            })
            .await
    }
}
