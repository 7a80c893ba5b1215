//! A transaction that is prepared and checked as any other, and then not written.

use super::condition::{self, Must};
use super::pending::Db;
use super::prepare::{Place, prepare};
use super::{Spoken, Transaction, TxReport};
use crate::error::{Error, Result};
use crate::schema::Schema;
use daodb_storage::{NewTransaction, Snapshot};

/// `snapshot` is a newest one, `schema` its schema. What must be true after it is for the caller to ask.
pub async fn what_if(
    snapshot: &Snapshot,
    schema: &Schema,
    transaction: &Transaction,
    now: i64,
    spoken: &Spoken,
) -> Result<(TxReport, Vec<Must>)> {
    let newest = snapshot.newest();
    let place = Place { t: newest.t + 1, previous: newest.instant, now };
    let prepared = prepare(&mut Db::new(snapshot.clone()), schema, transaction, place).await?;
    for (attribute, checks) in &prepared.checks {
        checks
            .run(snapshot, attribute)
            .await
            .map_err(|e| Error { message: format!("transaction refused: {}", e.message), ..e })?;
    }
    let Transaction { ops, conditions, .. } = transaction;
    let must = condition::all(&prepared.asked, conditions, spoken, ops)?;
    let transaction = NewTransaction { instant: prepared.instant, datoms: prepared.datoms };
    let db_after = snapshot.with(&transaction).await?;
    let basis = db_after.newest();
    let report = TxReport {
        t: basis.t,
        instant: basis.instant,
        hash: basis.hash,
        tempids: prepared.tempids,
        datoms: transaction.datoms.into(),
        db_before: snapshot.clone(),
        db_after: db_after.clone(),
    };
    Ok((report, must))
}
