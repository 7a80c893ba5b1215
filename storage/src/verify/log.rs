//! Walking the log from object to object. What is damaged is named, and the walk goes on behind it.

use super::sums::LogSums;
use super::{Found, Reach, Steps, Stream, said};
use crate::datom::FIRST_T;
use crate::error::{Error, Result};
use crate::index::root;
use crate::layout::LogObject;
use crate::log::{self, Head, Transaction};
use crate::snapshot::Basis;
use crate::tail::Fresh;
use futures::{StreamExt, stream};
use object_store::path::Path;
use std::collections::HashMap;

/// Objects read and decoded ahead.
const READ_AHEAD: usize = 4;

/// What the log says, for the index to be compared with.
pub struct Told {
    pub head: Head,
    pub transactions: u64,
    pub datoms: u64,
    /// Nothing was missing or damaged.
    pub is_whole: bool,
    /// At the root's basis; None where that was not met.
    pub at_root: Option<Basis>,
    pub fresh: Fresh,
    /// Of all events up to the root's basis, where they were asked for.
    pub sums: LogSums,
}

/// `root` is the one that the index will be read by.
pub async fn walk(
    of: &Stream<'_>,
    root: Option<&(Path, root::Told)>,
    deep: bool,
    found: &mut Found,
    steps: &mut Steps<'_>,
) -> Told {
    let objects = &of.objects.log;
    let basis = root.map_or(FIRST_T - 1, |(_, root)| root.basis.t);
    let faults = (found.faults.len(), found.more_faults);
    let mut walk = Walk { after: Some(Head::START), t: FIRST_T - 1, joined: HashMap::new() };
    let mut told = Told {
        head: Head::START,
        transactions: 0,
        datoms: 0,
        is_whole: true,
        at_root: None,
        fresh: Fresh::default(),
        sums: LogSums::default(),
    };
    let mut reads =
        stream::iter(0..objects.len()).map(|n| read(of, &objects[n])).buffered(READ_AHEAD);
    let mut n = 0;
    while let Some(read) = reads.next().await {
        let object = &objects[n];
        n += 1;
        match read {
            Ok(transactions) => {
                for transaction in walk.follow(object, &transactions, found) {
                    told.add(transaction, basis, deep);
                }
            }
            Err(e) => walk.skip(object, &objects[n..], said(&e), found),
        }
        steps.step(object.meta.size);
    }
    told.is_whole = faults == (found.faults.len(), found.more_faults);
    // Behind something damaged it is told already.
    let ends_early = |root: &root::Told| walk.after.is_some() && root.basis.t > walk.t;
    if let Some((path, root)) = root.filter(|(_, root)| ends_early(root)) {
        let what = format!(
            "this root knows of transaction {}, and the log ends with {}: the end of the log is missing",
            root.basis.t, walk.t
        );
        let reach = Reach::Log { from: walk.t + 1, to: Some(root.basis.t) };
        found.fault(path, what, reach);
        told.is_whole = false;
    }
    told
}

async fn read(of: &Stream<'_>, object: &LogObject) -> Result<Vec<Transaction>> {
    let path = &object.meta.location;
    let bytes = of.store.read(path).await?;
    let transactions = log::decode(of.name, path, object.first, bytes).await?;
    let last = transactions.last().map(|t| t.header.t);
    match object.last.is_none() || object.last == last {
        true => Ok(transactions),
        false => Err(Error::data(path, "it does not end with the transaction that its name says")),
    }
}

impl Told {
    fn add(&mut self, transaction: &Transaction, basis: i64, deep: bool) {
        let header = &transaction.header;
        self.head = Head::after(header);
        self.transactions += 1;
        self.datoms += header.count;
        if header.t > basis {
            return;
        }
        self.fresh = self.fresh.after(transaction.datoms.iter());
        if deep {
            self.sums.add(&transaction.datoms);
        }
        if header.t == basis {
            let (t, instant, hash) = (header.t, header.instant, header.hash);
            self.at_root = Some(Basis { t, instant, hash });
        }
    }
}

struct Walk {
    /// Where the chain stands; None behind something damaged or missing.
    after: Option<Head>,
    /// The last transaction that was met, or passed by.
    t: i64,
    /// Hashes of the last joined object, by t: small ones that it was made of may still lie there.
    joined: HashMap<i64, [u8; 32]>,
}

impl Walk {
    /// The transactions that were not met before.
    fn follow<'a>(
        &mut self,
        object: &LogObject,
        transactions: &'a [Transaction],
        found: &mut Found,
    ) -> &'a [Transaction] {
        let path = &object.meta.location;
        let Some(last) = transactions.last().map(|t| t.header.t) else { return &[] };
        if object.first > self.t + 1 {
            let (from, to) = (self.t + 1, object.first - 1);
            let what = format!(
                "the log goes on with transaction {} here, but {from} to {to} are missing",
                object.first
            );
            found.fault(path, what, Reach::Log { from, to: Some(to) });
            self.after = None;
        }
        let met = transactions.partition_point(|t| t.header.t <= self.t);
        let (old, new) = transactions.split_at(met);
        if !old.iter().all(|t| self.joined.get(&t.header.t) == Some(&t.header.hash)) {
            let what = format!("transaction {} stands in the log twice", object.first);
            found.fault(path, what, Reach::Log { from: object.first, to: Some(last) });
        }
        if let (Some(first), Some(head)) = (new.first(), &self.after) {
            let first = &first.header;
            if first.previous != head.hash {
                let what = format!(
                    "it does not follow transaction {} by its hash: this object, or the one before it, is of another history",
                    head.t
                );
                found.fault(path, what, Reach::Log { from: first.t, to: Some(last) });
            } else if first.instant < head.instant {
                let what = format!("transaction {} is older than the one before", first.t);
                found.fault(path, what, Reach::Log { from: first.t, to: Some(last) });
            }
        }
        if object.last.is_some() {
            self.joined = transactions.iter().map(|t| (t.header.t, t.header.hash)).collect();
        }
        if let Some(last) = new.last() {
            self.after = Some(Head::after(&last.header));
            self.t = last.header.t;
        }
        new
    }

    /// Passes by an object that cannot be read; `rest` are the ones after it.
    fn skip(&mut self, object: &LogObject, rest: &[LogObject], why: &str, found: &mut Found) {
        let path = &object.meta.location;
        let next = rest.iter().map(|o| o.first).find(|first| *first > object.first);
        let to = object.last.or_else(|| next.map(|next| next - 1));
        // A small object lies whole within the joined one that was made of it.
        if object.last.is_none_or(|last| last <= self.t) && object.first <= self.t {
            return found.fault(path, why, Reach::Spare);
        }
        // The small ones that a joined object was made of may still lie there.
        let small = rest.first().is_some_and(|o| o.first == object.first);
        if small {
            return found.fault(path, why, Reach::Spare);
        }
        let from = object.first.max(self.t + 1);
        if object.first > self.t + 1 {
            let (from, to) = (self.t + 1, object.first - 1);
            let what = format!("transactions {from} to {to} are missing before it");
            found.fault(path, what, Reach::Log { from, to: Some(to) });
        }
        found.fault(path, why, Reach::Log { from, to });
        self.after = None;
        self.t = to.unwrap_or(object.first).max(self.t);
    }
}
