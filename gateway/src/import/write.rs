//! Plans to transactions, in order, several on their way at a time so that they share log objects.
//!
//! **Invariant:** a history has no holes. Where a transaction is refused, so are those sent after it: each names its first
//! parent by a look-up, which finds nothing then.

use super::plan::{Change, Commit, CommitPlan, File, Signature};
use super::schema::{self as s, GIT_COMMIT, PATH, SHA, TX_INSTANT};
use daodb_catalog::{Database, EntityRef, Error, Op, Result, SqlState, TxReport, TxValue};
use daodb_storage::{Attr, FIRST_T, Snapshot, Value};
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::Poll;

/// Ops on their way at a time, and transactions: this bounds memory, and is the group that one log object can hold.
const OPS_ON_THEIR_WAY: usize = 100_000;
const TRANSACTIONS_ON_THEIR_WAY: usize = 256;

const FILE_TEMPID: &str = "file:";
const PERSON_TEMPID: &str = "person:";

/// What is known of the entity of a path; it is the same one when a deleted file comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Id(i64),
    /// Its transaction is on its way.
    Coming,
    /// And so is the one that deletes it.
    ComingDeleted,
}

struct Person {
    /// None: on its way.
    id: Option<i64>,
    name: String,
}

/// A transaction sent: how many ops it had.
type Sent = BoxFuture<'static, (usize, Result<TxReport>)>;

/// Writes the transactions of one history.
pub struct Writer {
    database: Arc<Database>,
    /// The instant now, in microseconds.
    now: i64,
    declare: bool,
    instant: i64,
    /// Where the history stands.
    last_commit: Option<String>,
    files: HashMap<Box<str>, Known>,
    people: HashMap<String, Person>,
    sent: FuturesOrdered<Sent>,
    ops_sent: usize,
    newest_t: i64,
}

impl Writer {
    /// Finds what the database holds already. No commit is said to be newer than `now`.
    pub async fn open(database: Arc<Database>, now: i64) -> Result<Writer> {
        let snapshot = database.snapshot();
        let newest = snapshot.newest().clone();
        let mut writer = Writer {
            database,
            now,
            declare: newest.t < FIRST_T,
            instant: newest.instant,
            last_commit: None,
            files: HashMap::new(),
            people: HashMap::new(),
            sent: FuturesOrdered::new(),
            ops_sent: 0,
            newest_t: newest.t,
        };
        if !writer.declare {
            writer.last_commit = Some(last_commit(writer.database.name(), &snapshot).await?);
        }
        Ok(writer)
    }

    /// Hex name of the newest commit of the chain that the database holds.
    pub fn last_commit(&self) -> Option<&str> {
        self.last_commit.as_deref()
    }

    /// The newest transaction that is durable.
    pub fn t(&self) -> i64 {
        self.newest_t
    }

    /// Hex names of all commits that the database holds; to be called before the first plan.
    pub async fn recall(&mut self) -> Result<Vec<Arc<str>>> {
        let snapshot = self.database.snapshot();
        for fact in snapshot.history().all(&Attr::new(PATH)).await? {
            if let Some(path) = fact.v.as_str() {
                self.files.insert(path.into(), Known::Id(fact.e));
            }
        }
        let names = snapshot.all(&Attr::new(s::NAME)).await?;
        let names: HashMap<i64, String> =
            names.into_iter().map(|f| (f.e, f.v.as_str().unwrap_or_default().to_owned())).collect();
        for fact in snapshot.all(&Attr::new(s::EMAIL)).await? {
            let name = names.get(&fact.e).cloned().unwrap_or_default();
            let email = fact.v.as_str().unwrap_or_default().to_owned();
            self.people.insert(email, Person { id: Some(fact.e), name });
        }
        let commits = snapshot.all(&Attr::new(SHA)).await?;
        Ok(commits.iter().filter_map(|f| f.v.as_str()).map(Arc::from).collect())
    }

    /// Sends the transaction of a plan. What it returns is an error of this one or of one sent before.
    pub async fn write(&mut self, plan: CommitPlan) -> Result<()> {
        let ops = self.ops(plan).await?;
        let count = ops.len();
        let database = Arc::clone(&self.database);
        // Unconstrained: a poll that only yields would let the next call overtake.
        let call = async move { (count, database.transact(ops).await) };
        let mut call: Sent = tokio::task::unconstrained(call).boxed();
        // The first poll puts it into the transactor's queue, so the order of calls is the order of transactions.
        match futures::poll!(&mut call) {
            Poll::Ready(done) => self.sent.push_back(futures::future::ready(done).boxed()),
            Poll::Pending => self.sent.push_back(call),
        }
        self.ops_sent += count;
        while self.ops_sent > OPS_ON_THEIR_WAY || self.sent.len() > TRANSACTIONS_ON_THEIR_WAY {
            self.receive().await?;
        }
        while let Some(Some((count, report))) = self.sent.next().now_or_never() {
            self.received(count, report?);
        }
        Ok(())
    }

    /// Waits until all that was sent is durable.
    pub async fn finish(&mut self) -> Result<()> {
        while !self.sent.is_empty() {
            self.receive().await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<()> {
        if let Some((count, report)) = self.sent.next().await {
            self.received(count, report?);
        }
        Ok(())
    }

    fn received(&mut self, count: usize, report: TxReport) {
        self.ops_sent -= count;
        self.newest_t = report.t;
        for (name, id) in &report.tempids {
            if let Some(path) = name.strip_prefix(FILE_TEMPID) {
                self.files.insert(path.into(), Known::Id(*id));
            } else if let Some(person) =
                name.strip_prefix(PERSON_TEMPID).and_then(|email| self.people.get_mut(email))
            {
                person.id = Some(*id);
            }
        }
    }

    async fn ops(&mut self, plan: CommitPlan) -> Result<Vec<Op>> {
        let mut ops = Vec::with_capacity(plan.changes.len() + plan.brought.len() + 20);
        if std::mem::take(&mut self.declare) {
            ops.extend(s::ops());
        }
        let at = plan.commit.committer.as_ref().map_or(i64::MIN, |c| c.at);
        // Before the first instant there is none to follow, and a commit without a time needs one.
        self.instant = at.min(self.now).max(self.instant).max(0);
        ops.push(Op::Add { e: EntityRef::Tx, a: TX_INSTANT.into(), v: instant(self.instant) });
        let commit = EntityRef::Temp(temp("commit:", &plan.commit.sha));
        ops.push(Op::Add { e: EntityRef::Tx, a: GIT_COMMIT.into(), v: TxValue::Entity(commit) });

        let commits: Vec<Commit> = plan.brought.into_iter().chain([plan.commit]).collect();
        let people = self.people(&commits, &mut ops);
        let here: HashMap<&str, Arc<str>> =
            commits.iter().map(|c| (c.sha.as_str(), temp("commit:", &c.sha))).collect();
        ops.extend(commits.iter().map(|c| commit_op(c, &people, &here)));
        for change in plan.changes {
            self.change(change, &mut ops).await?;
        }
        self.last_commit = commits.last().map(|c| c.sha.clone());
        Ok(ops)
    }

    /// Whom the commits name, by address. Of several names for one address, the last commit's counts.
    fn people(&mut self, commits: &[Commit], ops: &mut Vec<Op>) -> HashMap<String, EntityRef> {
        let signatures = commits.iter().flat_map(|c| c.committer.iter().chain(&c.author));
        let mut named: BTreeMap<&str, &Signature> = BTreeMap::new();
        named.extend(signatures.map(|signature| (signature.email.as_str(), signature)));
        named
            .into_iter()
            .map(|(email, signature)| {
                let known = self.people.get(email);
                let id = known.and_then(|p| p.id).map(EntityRef::Id);
                let entity = id.unwrap_or_else(|| EntityRef::Temp(temp(PERSON_TEMPID, email)));
                // One that is on its way is named by its address again: that finds it.
                let same = known.is_some_and(|p| p.id.is_some() && p.name == signature.name);
                if !same {
                    ops.push(person_op(signature, entity.clone()));
                    let id = known.and_then(|p| p.id);
                    let person = Person { id, name: signature.name.clone() };
                    self.people.insert(email.to_owned(), person);
                }
                (email.to_owned(), entity)
            })
            .collect()
    }

    async fn change(&mut self, change: Change, ops: &mut Vec<Op>) -> Result<()> {
        let path: Box<str> = change.path.into();
        let mut known = self.files.get(&path).copied();
        match change.file {
            Some(file) => {
                // A file that comes back keeps its entity, whose id must be known by then.
                while known == Some(Known::ComingDeleted) {
                    self.receive().await?;
                    known = self.files.get(&path).copied();
                }
                let entity = match known {
                    Some(Known::Id(id)) => EntityRef::Id(id),
                    _ => EntityRef::Temp(temp(FILE_TEMPID, &path)),
                };
                file_ops(&path, &file, entity, known.is_none(), ops);
                if known.is_none() {
                    self.files.insert(path, Known::Coming);
                }
            }
            None => {
                let e = match known {
                    Some(Known::Id(id)) => EntityRef::Id(id),
                    _ => EntityRef::Lookup(PATH.into(), Value::string(&path)),
                };
                ops.push(Op::RetractEntity { e });
                if known == Some(Known::Coming) {
                    self.files.insert(path, Known::ComingDeleted);
                }
            }
        }
        Ok(())
    }
}

/// The commit of the newest transaction that has one.
async fn last_commit(database: &str, snapshot: &Snapshot) -> Result<String> {
    let imported = snapshot.all(&Attr::new(GIT_COMMIT)).await?;
    let newest = imported.iter().max_by_key(|fact| fact.e).and_then(|fact| fact.v.as_i64());
    let Some(commit) = newest else {
        let text = format!("database {database} holds data that is no git history");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint("import into another database: --database NAME"));
    };
    let shas = snapshot.facts(&Attr::new(SHA), &[commit]).await?;
    match shas.first().and_then(|fact| fact.v.as_str()) {
        Some(sha) => Ok(sha.to_owned()),
        None => {
            let text = format!("database {database}: commit entity {commit} has no {SHA}");
            Err(Error::new(SqlState::DATA_CORRUPTED, text))
        }
    }
}

fn temp(prefix: &str, name: &str) -> Arc<str> {
    format!("{prefix}{name}").into()
}

fn instant(at: i64) -> TxValue {
    TxValue::Value(Value::Instant(at))
}

fn string(text: &str) -> TxValue {
    TxValue::Value(Value::string(text))
}

fn person_op(signature: &Signature, entity: EntityRef) -> Op {
    let mut attrs = vec![(Attr::new(s::EMAIL), string(&signature.email))];
    if !signature.name.is_empty() {
        attrs.push((Attr::new(s::NAME), string(&signature.name)));
    }
    Op::Map { id: Some(entity), attrs }
}

/// `here`: the tempids of the commits of the same transaction.
fn commit_op(
    commit: &Commit,
    people: &HashMap<String, EntityRef>,
    here: &HashMap<&str, Arc<str>>,
) -> Op {
    let mut attrs = vec![
        (Attr::new(SHA), string(&commit.sha)),
        (Attr::new(s::MESSAGE), string(&commit.message)),
    ];
    let signatures = [
        (s::AUTHOR, s::AUTHORED_AT, &commit.author),
        (s::COMMITTER, s::COMMITTED_AT, &commit.committer),
    ];
    for (who, when, signature) in signatures {
        let Some(signature) = signature else { continue };
        if let Some(person) = people.get(&signature.email) {
            attrs.push((who.into(), TxValue::Entity(person.clone())));
        }
        attrs.push((when.into(), instant(signature.at)));
    }
    let parent = |sha: &String| {
        TxValue::Entity(match here.get(sha.as_str()) {
            Some(temp) => EntityRef::Temp(Arc::clone(temp)),
            None => EntityRef::Lookup(SHA.into(), Value::string(sha)),
        })
    };
    if !commit.parents.is_empty() {
        let parents = commit.parents.iter().map(parent).collect();
        attrs.push((s::PARENTS.into(), TxValue::Many(parents)));
    }
    Op::Map { id: Some(EntityRef::Temp(temp("commit:", &commit.sha))), attrs }
}

fn file_ops(path: &str, file: &File, entity: EntityRef, is_new: bool, ops: &mut Vec<Op>) {
    let mut attrs = vec![
        (Attr::new(PATH), string(path)),
        (Attr::new(s::MODE), string(file.mode)),
        (Attr::new(s::BLOB), string(&file.blob)),
    ];
    for (a, number) in [(s::SIZE, file.size), (s::LINES, file.lines)] {
        match number {
            Some(number) => attrs.push((a.into(), TxValue::Value(Value::Long(number)))),
            None if is_new => {}
            None => ops.push(Op::Retract { e: entity.clone(), a: a.into(), v: None }),
        }
    }
    ops.push(Op::Map { id: Some(entity), attrs });
}
