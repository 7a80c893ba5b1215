//! A call that is made again because its answer was lost is the same transaction: found by its key, answered from the log.

use super::pending::Db;
use super::prepare::tempids_of;
use super::{TxReport, lookups};
use crate::error::{Error, Result, SqlState};
use crate::schema::builtin;
use daodb_storage::{Attr, Snapshot, Stream, Value};
use futures::TryStreamExt;
use std::sync::Arc;

/// The transaction that has this key.
pub async fn find(db: &mut Db, key: &Arc<str>) -> Result<Option<i64>> {
    let v = Value::String(Arc::clone(key));
    let found = db.lookup(&Attr::new(builtin::TX_KEY), std::slice::from_ref(&v)).await?;
    Ok(lookups::holder(&found, &v))
}

/// What the transaction t reported when it was made. `snapshot` holds it.
pub async fn report(stream: &Stream, snapshot: &Snapshot, t: i64) -> Result<TxReport> {
    let first = stream.log().read_from(t).try_next().await?;
    let Some(transaction) = first.filter(|transaction| transaction.header.t == t) else {
        let text = format!("transaction {t} is not in the log any more");
        return Err(
            Error::new(SqlState::DATA_CORRUPTED, text).hint("daodb verify tells what is missing")
        );
    };
    let kept = transaction.datoms.iter().find(|d| d.e == t && d.a.as_str() == builtin::TX_TEMPIDS);
    let tempids = kept.map(|d| tempids_of(&d.v)).unwrap_or_default();
    let header = transaction.header;
    Ok(TxReport {
        t,
        instant: header.instant,
        hash: header.hash,
        tempids,
        datoms: transaction.datoms,
        db_before: snapshot.as_of(t - 1),
        db_after: match t == snapshot.newest().t {
            true => snapshot.clone(),
            false => snapshot.as_of(t),
        },
    })
}
