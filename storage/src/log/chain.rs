//! Following the chain from object to object: no transaction missing, none foreign, none from another history.

use super::object::{LOST, LogObject};
use super::{Head, Transaction};
use crate::datom::FIRST_T;
use crate::error::{Error, Result};

/// Transactions go up to `head`; within an object the chain is checked where it is decoded.
pub(super) struct Chain {
    head: Head,
    /// The object in which `head` lies may be entered in its middle.
    entered: bool,
    /// The hash of `head` is not known: the first transaction after it says it.
    trusting: bool,
}

impl Chain {
    pub(super) fn at(head: Head) -> Self {
        Self { head, entered: false, trusting: false }
    }

    /// From transaction `t` on, whatever was before it.
    pub(super) fn from(t: i64) -> Self {
        match t > FIRST_T {
            true => {
                let head = Head { t: t - 1, ..Head::START };
                Self { head, entered: false, trusting: true }
            }
            false => Self::at(Head::START),
        }
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// The log was listed anew: the object in which `head` lies may be another one.
    pub(super) fn enter_anew(&mut self) {
        self.entered = false;
    }

    /// Whether transactions are missing between what was followed so far and an object.
    pub(super) fn lacks_before(&self, object: &LogObject) -> bool {
        object.transactions.first().is_some_and(|first| first.header.t > self.head.t + 1)
    }

    /// The transactions of `object` that come after what was followed so far.
    pub(super) fn follow(&mut self, object: LogObject) -> Result<Vec<Transaction>> {
        let LogObject { path, mut transactions } = object;
        let Some(first) = transactions.first().map(|t| t.header.clone()) else {
            return Ok(transactions);
        };
        let bad = |what: String| Err(Error::data(&path, what).hint(LOST));
        if first.t > self.head.t + 1 {
            return bad(format!(
                "the log goes on with transaction {} here, but {} to {} are missing",
                first.t,
                self.head.t + 1,
                first.t - 1
            ));
        }
        let mut before = (first.previous, i64::MIN);
        if first.t <= self.head.t {
            if self.entered || self.head.t < FIRST_T {
                return bad(format!("transaction {} stands in the log twice", first.t));
            }
            let known = usize::try_from(self.head.t - first.t).unwrap_or(usize::MAX);
            match transactions.get(known) {
                Some(t) => before = (t.header.hash, t.header.instant),
                None => return bad(format!("transaction {} is missing from its end", self.head.t)),
            }
            transactions.drain(..=known);
        }
        if !std::mem::take(&mut self.trusting) && before.0 != self.head.hash {
            return bad(format!(
                "transaction {} has another hash here than where it was read before: \
                 the histories differ",
                self.head.t
            ));
        }
        if before.1.max(self.head.instant)
            > transactions.first().map_or(i64::MAX, |t| t.header.instant)
        {
            return bad(format!("transaction {} is older than the one before", self.head.t + 1));
        }
        self.entered = true;
        if let Some(last) = transactions.last() {
            self.head = Head::after(&last.header);
        }
        Ok(transactions)
    }
}
