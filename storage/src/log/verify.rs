//! Walking the whole chain: every object read, every hash computed again. And one object on its own.

use super::{Head, LARGE_BYTES, Log, Transaction, object};
use crate::error::Result;
use crate::world::World;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;

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

/// The transactions of one object, which begins with `first`: its seal, its headers and their hashes are checked; whether it
/// follows the object before it is not.
pub(crate) async fn decode(
    stream: &str,
    path: &Path,
    first: i64,
    bytes: Bytes,
) -> Result<Vec<Transaction>> {
    let (path, stream, large) = (path.clone(), stream.to_owned(), bytes.len() >= LARGE_BYTES);
    let decode = move || object::decode(path, first, &stream, &bytes);
    let decoded = if large { World::default().elsewhere(decode).await? } else { decode()? };
    Ok(decoded.transactions)
}
