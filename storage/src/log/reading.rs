//! Reading the log while objects of it are joined and removed.

use super::chain::Chain;
use super::names::Name;
use super::object::LogObject;
use super::{Log, READ_AHEAD, Transaction};
use crate::error::Result;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

/// None for an object that is there no more.
type Objects<'a> = BoxStream<'a, Result<(Name, Option<LogObject>)>>;

/// Where a reader of the log is.
pub(super) struct Reading<'a> {
    log: &'a Log,
    chain: Chain,
    /// Those that are left of what was listed.
    objects: Option<Objects<'a>>,
    /// What was gone when it was to be read, or stood behind a gap, so that the log was listed anew.
    gone: Option<Name>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(log: &'a Log, chain: Chain) -> Reading<'a> {
        Reading { log, chain, objects: None, gone: None }
    }

    /// The next transactions; None at the end.
    pub(super) async fn next(mut self) -> Result<Option<(Vec<Transaction>, Reading<'a>)>> {
        loop {
            let objects = match &mut self.objects {
                Some(objects) => objects,
                none => none.insert(self.log.list_after(&self.chain).await?),
            };
            let Some(read) = objects.next().await else { return Ok(None) };
            let (name, object) = read?;
            let astray = object.as_ref().is_none_or(|object| self.chain.lacks_before(object));
            if astray && self.gone != Some(name) {
                // Objects were joined or written while the log was listed, unless it lists the same again.
                self.objects = None;
                self.gone = Some(name);
                self.chain.enter_anew();
                continue;
            }
            let object = match object {
                Some(object) => object,
                None => self.log.read_object(name).await?,
            };
            let transactions = self.chain.follow(object)?;
            // The object in which the chain's head lies is read again after a listing: that leads no further.
            if !transactions.is_empty() {
                self.gone = None;
            }
            return Ok(Some((transactions, self)));
        }
    }
}

impl Log {
    async fn list_after(&self, chain: &Chain) -> Result<Objects<'_>> {
        let head = chain.head().clone();
        let known = head.t;
        let names = self.objects_after(head).await?;
        let read =
            move |name| async move { Ok((name, self.read_object_if_there(name, known).await?)) };
        Ok(stream::iter(names).map(read).buffered(READ_AHEAD).boxed())
    }
}
