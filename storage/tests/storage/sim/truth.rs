//! What must be true of a log, whatever befell those who wrote it.
//!
//! - What was acknowledged, or shown by a snapshot, is there for ever.
//! - What was not acknowledged is there whole or not at all; what was refused is not there.
//! - There is one history: a t is acknowledged once, and never comes to mean something else.

use crate::model::Model;
use daodb_storage::log::{Head, Transaction};
use daodb_storage::{Attr, Datom, NewTransaction, Value};
use std::collections::BTreeMap;

/// Every transaction says which attempt made it.
pub const MARK: &str = ":tx/mark";

#[derive(Default)]
pub struct Truth {
    /// What the log has shown so far.
    history: Vec<Transaction>,
    model: Model,
    /// By their marks.
    attempts: BTreeMap<i64, Attempt>,
    /// By t: to whom, and the hash.
    acknowledged: BTreeMap<i64, (String, [u8; 32])>,
}

/// Writing one group; several writers may try the very same.
struct Attempt {
    group: Vec<NewTransaction>,
    sent: u32,
    acknowledged: u32,
    refused: u32,
}

fn mark(datoms: &[Datom]) -> i64 {
    let mark = datoms.iter().find(|d| d.a == Attr::new(MARK)).and_then(|d| d.v.as_i64());
    mark.expect("a transaction that no one made")
}

impl Truth {
    /// Up to where the log is known.
    pub fn head(&self) -> Head {
        self.history.last().map_or(Head::START, |t| Head::after(&t.header))
    }

    /// The highest t that must be there.
    pub fn must_have(&self) -> i64 {
        let acknowledged = self.acknowledged.keys().next_back().copied();
        acknowledged.unwrap_or(Head::START.t).max(self.head().t)
    }

    pub fn model(&self, t: i64) -> Model {
        assert!(t <= self.head().t, "transaction {t} was shown, and the log does not hold it");
        self.model.up_to(t)
    }

    pub fn head_at(&self, t: i64) -> Head {
        let at = usize::try_from(t - 1000).ok().map(|at| &self.history[at]);
        at.map_or(Head::START, |t| Head::after(&t.header))
    }

    pub fn sends(&mut self, group: &[NewTransaction]) -> i64 {
        let mark = mark(&group[0].datoms);
        let new = || Attempt { group: group.to_vec(), sent: 0, acknowledged: 0, refused: 0 };
        self.attempts.entry(mark).or_insert_with(new).sent += 1;
        mark
    }

    pub fn refused(&mut self, mark: i64) {
        self.attempts.get_mut(&mark).unwrap().refused += 1;
    }

    pub fn acknowledged(&mut self, to: &str, mark: i64, transactions: &[Transaction]) {
        let attempt = self.attempts.get_mut(&mark).unwrap();
        attempt.acknowledged += 1;
        assert_eq!(transactions.len(), attempt.group.len(), "transactions acknowledged to {to}");
        for Transaction { header, .. } in transactions {
            let (t, now) = (header.t, (to.to_owned(), header.hash));
            if let Some((before, _)) = self.acknowledged.insert(t, now) {
                panic!("t = {t} was acknowledged to {before} and to {to}");
            }
            if t <= self.head().t {
                let shown = self.head_at(t).hash;
                assert!(
                    shown == header.hash,
                    "t = {t}: acknowledged to {to}, and another is there"
                );
            }
        }
    }

    /// More of the log, right after its head.
    pub fn learn(&mut self, transactions: Vec<Transaction>) {
        for transaction in transactions {
            let t = transaction.header.t;
            assert_eq!(t, self.head().t + 1);
            if let Some((to, hash)) = self.acknowledged.get(&t) {
                let same = *hash == transaction.header.hash;
                assert!(same, "t = {t} was acknowledged to {to}, and another is there");
            }
            let mark = mark(&transaction.datoms);
            let attempt = self.attempts.get(&mark).expect("a transaction that no one sent");
            let said = |tx: &NewTransaction| {
                tx.instant == transaction.header.instant && tx.datoms == *transaction.datoms
            };
            let known = attempt.group.iter().any(said);
            assert!(known, "t = {t} is not what was sent: {:?}", transaction.datoms);
            let (instant, datoms) = (transaction.header.instant, transaction.datoms.to_vec());
            self.model.push(&NewTransaction { instant, datoms }, t);
            self.history.push(transaction);
        }
    }

    /// The whole log is known: nothing is missing, nothing is there by half or though it was refused.
    pub fn is_whole(&self) {
        if let Some((t, (to, _))) = self.acknowledged.range(self.head().t + 1..).next() {
            panic!("t = {t} was acknowledged to {to}, and is not there");
        }
        let mut there: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for Transaction { header, datoms } in &self.history {
            there.entry(mark(datoms)).or_default().push(header.t);
        }
        for (mark, Attempt { group, sent, acknowledged, refused }) in &self.attempts {
            let Some(ts) = there.get(mark) else {
                assert_eq!(*acknowledged, 0, "attempt {mark} is not there");
                continue;
            };
            let last = ts[0] + group.len() as i64 - 1;
            assert!(ts.iter().copied().eq(ts[0]..=last), "attempt {mark} is there by half: {ts:?}");
            assert!(refused < sent, "attempt {mark} was refused, and is there at {ts:?}");
        }
    }

    /// How many transactions there are, and how many of them nobody was told of.
    pub fn counts(&self) -> (usize, usize) {
        (self.history.len(), self.history.len() - self.acknowledged.len())
    }
}

/// What marks a transaction.
pub fn marking(t: i64, mark: i64) -> Datom {
    Datom { e: t, a: Attr::new(MARK), v: Value::Long(mark), t, m: 1, added: true }
}
