//! Between a process and its store: requests take time, and get lost, late, repeated; so do answers.
//!
//! A request that changes something is on its way by itself: whoever sent it may give up, or die, and it arrives all the
//! same. So an error says nothing about what was done.

use super::chance::Chance;
use super::life::Life;
use super::objects::unsupported;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that a request is under way.
pub const LATEST: Duration = Duration::from_secs(60);
/// Names that one answer to a listing holds.
const PAGE: usize = 7;

/// How requests fare, as probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// The longest that a request or its answer takes, in milliseconds.
    pub slowest: u64,
    /// Of a request that changes something, to fare badly in one of the ways of [`Fate`].
    pub bad: f64,
    /// Of a request that reads, to fail.
    pub unread: f64,
}

impl Weather {
    pub const CALM: Weather = Weather { slowest: 30, bad: 0.0, unread: 0.0 };
}

/// What befalls one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    /// It never arrives.
    Lost,
    /// It arrives, and is answered by an error without being done.
    Refused,
    /// It is done, and the answer does not arrive, or is an error.
    AnswerLost,
    /// It arrives when nobody waits for it any more.
    Late,
    /// It arrives twice; the second answer is heard.
    Twice,
    /// It arrives again when nobody thinks of it any more.
    Echo,
}

const BAD: [Fate; 6] =
    [Fate::Lost, Fate::Refused, Fate::AnswerLost, Fate::Late, Fate::Twice, Fate::Echo];

/// The weather of all connections.
#[derive(Debug)]
pub struct Sky {
    chance: Chance,
    weather: Mutex<Weather>,
}

impl Sky {
    pub fn new(chance: &Chance, weather: Weather) -> Arc<Sky> {
        Arc::new(Sky { chance: chance.clone(), weather: Mutex::new(weather) })
    }

    pub fn clear_up(&self) {
        *self.weather.lock() = Weather::CALM;
    }

    fn weather(&self) -> Weather {
        *self.weather.lock()
    }

    fn pause(&self) -> Duration {
        self.chance.millis(0..self.weather().slowest)
    }

    fn fate(&self) -> Fate {
        let bad = self.weather().bad;
        if bad > 0.0 && self.chance.is(bad) { self.chance.one(&BAD) } else { Fate::Fine }
    }
}

/// One process's connection.
#[derive(Debug, Clone)]
pub struct Wire {
    pub inner: Arc<dyn ObjectStore>,
    pub life: Arc<Life>,
    pub sky: Arc<Sky>,
    /// A fault put in on purpose: a log object counts as written once it was sent.
    pub hasty: bool,
}

fn failed<T>(what: &'static str) -> Result<T> {
    Err(Error::Generic { store: "simulated store", source: what.into() })
}

impl Wire {
    fn note(&self, what: impl std::fmt::Display) {
        self.sky.chance.note(format_args!("{} {what}", self.life.name));
    }

    /// Something that changes what the store holds.
    async fn send<T: Send + 'static>(
        &self,
        what: String,
        request: impl Fn() -> BoxFuture<'static, Result<T>> + Send + Sync + 'static,
    ) -> Result<T> {
        self.life.go_on().await;
        let fate = self.sky.fate();
        self.note(format_args!("{what} {}", if fate == Fate::Fine { "" } else { "!" }));
        let (answer, heard) = oneshot::channel();
        let journey = self.clone().journey(what, fate, request, answer);
        tokio::spawn(journey);
        let answered = match timeout(PATIENCE, heard).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => failed("the connection was closed before the answer"),
            Err(_) => failed("no answer in time"),
        };
        self.life.go_on().await;
        answered
    }

    async fn journey<T: Send + 'static>(
        self,
        what: String,
        fate: Fate,
        request: impl Fn() -> BoxFuture<'static, Result<T>> + Send + Sync + 'static,
        answer: oneshot::Sender<Result<T>>,
    ) {
        let chance = &self.sky.chance;
        sleep(self.sky.pause()).await;
        if fate == Fate::Late {
            sleep(chance.millis(1..LATEST.as_millis() as u64)).await;
        }
        // It may not have left the machine yet.
        if fate == Fate::Lost || (self.life.is_dead() && chance.is(0.5)) {
            return self.note(format_args!("  {what}: lost"));
        }
        if fate == Fate::Refused {
            self.note(format_args!("  {what}: refused"));
            let _ = answer.send(failed("503 slow down"));
            return;
        }
        let mut done = self.deliver(&what, &request).await;
        if fate == Fate::Twice {
            sleep(self.sky.pause()).await;
            done = self.deliver(&what, &request).await;
        }
        sleep(self.sky.pause()).await;
        if fate == Fate::AnswerLost {
            drop(answer);
        } else {
            let _ = answer.send(done);
        }
        if fate == Fate::Echo {
            sleep(chance.millis(1..LATEST.as_millis() as u64)).await;
            let _ = self.deliver(&what, &request).await;
        }
    }

    async fn deliver<T>(
        &self,
        what: &str,
        request: impl Fn() -> BoxFuture<'static, Result<T>> + Send + Sync,
    ) -> Result<T> {
        let done = request().await;
        match &done {
            Ok(_) => self.note(format_args!("  {what}: done")),
            Err(e) => self.note(format_args!("  {what}: {e}")),
        }
        done
    }

    /// Something that only looks.
    async fn ask<T>(&self, what: String, answer: impl Future<Output = Result<T>>) -> Result<T> {
        self.life.go_on().await;
        sleep(self.sky.pause()).await;
        let Weather { unread, .. } = self.sky.weather();
        if unread > 0.0 && self.sky.chance.is(unread) {
            self.note(format_args!("{what} !"));
            sleep(self.sky.pause()).await;
            self.life.go_on().await;
            return failed("503 slow down");
        }
        let answer = answer.await;
        match &answer {
            Ok(_) => self.note(what),
            Err(e) => self.note(format_args!("{what}: {e}")),
        }
        self.life.go_on().await;
        answer
    }

    async fn page(self, prefix: Option<Path>, after: Path) -> Result<Vec<ObjectMeta>> {
        let what = format!("list {} after {after}", prefix.clone().unwrap_or_default());
        let page = async {
            let all = self.inner.list_with_offset(prefix.as_ref(), &after);
            let mut all = all.try_collect::<Vec<_>>().await?;
            // A folder lists in any order.
            all.sort_by(|a, b| a.location.cmp(&b.location));
            all.truncate(PAGE);
            Ok(all)
        };
        self.ask(what, page).await
    }
}

impl std::fmt::Display for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated connection")
    }
}

#[async_trait]
impl ObjectStore for Wire {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        let bytes: Bytes = payload.clone().into();
        let hash = &blake3::hash(&bytes).to_hex()[..6];
        let what = format!("put {to} ({} bytes, {hash})", bytes.len());
        let (inner, path) = (Arc::clone(&self.inner), to.clone());
        let put = move || -> BoxFuture<'static, Result<PutResult>> {
            let (inner, path, payload, o) =
                (Arc::clone(&inner), path.clone(), payload.clone(), o.clone());
            Box::pin(async move { inner.put_opts(&path, payload, o).await })
        };
        if self.hasty && to.as_ref().contains("/log/") {
            let this = self.clone();
            tokio::spawn(async move { this.send(what, put).await });
            return Ok(PutResult { e_tag: None, version: None });
        }
        self.send(what, put).await
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unsupported("put_multipart")
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.ask(format!("get {from}"), self.inner.get_opts(from, options)).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let what = format!("get {ranges:?} of {from}");
        self.ask(what, self.inner.get_ranges(from, ranges)).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let delete = move |path: Path| {
            let this = this.clone();
            async move {
                let (inner, gone) = (Arc::clone(&this.inner), path.clone());
                let request = move || -> BoxFuture<'static, Result<()>> {
                    let (inner, gone) = (Arc::clone(&inner), gone.clone());
                    Box::pin(async move { inner.delete(&gone).await })
                };
                this.send(format!("delete {path}"), request).await?;
                Ok(path)
            }
        };
        paths.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    /// Page by page, and what happens between two pages shows.
    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        stream::try_unfold(Some(offset.clone()), move |after| {
            let (this, prefix) = (this.clone(), prefix.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let page = this.page(prefix, after).await?;
                let last = page.last().filter(|_| page.len() == PAGE);
                let next = last.map(|o| o.location.clone());
                Ok::<_, Error>(Some((stream::iter(page).map(Ok), next)))
            }
        })
        .try_flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let what = format!("list folders of {}", prefix.cloned().unwrap_or_default());
        self.ask(what, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unsupported("copy")
    }
}
