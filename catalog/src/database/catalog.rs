//! A catalog: the databases under one root, and the memory that their queries share.

use super::Database;
use crate::error::{Error, Result, SqlState};
use crate::nearest::nearest;
use crate::transact::{Language, Spoken};
use daodb_storage::marker::{ARCHIVED, MARKER, Marker, archived_at};
use daodb_storage::store::Created;
use daodb_storage::value::Clock;
use daodb_storage::verify::{VerifyOptions, VerifyReport, verify};
use daodb_storage::{Access, Location, Store, Stream, StreamOptions, Usage};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use parking_lot::Mutex;
use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// The founding stream, from the database's folder.
const STREAM: [&str; 2] = ["streams", "0"];
/// Under the root; no database can have that name.
const SPILL: &str = ".spill";
const MAX_NAME: usize = 63;
/// Folders that are looked into at the same time.
const LOOKS: usize = 8;
/// Consumers of memory that an error of the pool names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

#[derive(Clone)]
pub struct CatalogOptions {
    pub stream: StreamOptions,
    /// What transactions are dated by.
    pub clock: Clock,
    /// Memory that queries may take before they spill or fail, in bytes.
    pub memory_bytes: usize,
    /// How long a transaction waits for others to share its log object with, when no other is being written.
    pub commit_wait: Duration,
    /// Another process writes: this one follows it.
    pub read_only: bool,
}

impl CatalogOptions {
    pub fn new(stream: StreamOptions, memory_bytes: usize) -> CatalogOptions {
        let clock = Arc::clone(&stream.clock);
        CatalogOptions {
            stream,
            clock,
            memory_bytes,
            commit_wait: Duration::ZERO,
            read_only: false,
        }
    }
}

/// A database, opened when it is first asked for.
type Slot = Arc<OnceCell<Arc<Database>>>;

pub struct Catalog {
    store: Store,
    options: CatalogOptions,
    runtime: Arc<RuntimeEnv>,
    databases: Mutex<BTreeMap<String, Slot>>,
    /// One creation at a time.
    creating: tokio::sync::Mutex<()>,
    /// See [`Catalog::kept`].
    kept: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    /// In which entity specs ask.
    spoken: Spoken,
}

impl Catalog {
    /// The databases at a location: a folder, memory, or a bucket, which must answer and (to be written) pass its probe.
    pub fn open_at<'a>(
        location: &'a Location,
        access: Access,
        options: CatalogOptions,
    ) -> BoxFuture<'a, Result<Arc<Catalog>>> {
        Box::pin(async move {
            let store = Store::open(location, access).await?;
            let spill = location.as_folder().map(|folder| folder.join(SPILL));
            // What a process that was killed left there; the folder is ours now.
            match spill.as_ref().map(std::fs::remove_dir_all) {
                Some(Err(e)) if e.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!("cannot empty the folder {SPILL}: {e}");
                }
                _ => {}
            }
            Catalog::open(store, options, spill).await
        })
    }

    /// A local folder, made where it is missing; takes its lock.
    pub fn open_folder<'a>(
        path: &'a std::path::Path,
        options: CatalogOptions,
    ) -> BoxFuture<'a, Result<Arc<Catalog>>> {
        Box::pin(async move {
            Catalog::open_at(&Location::folder(path), Access::ReadWrite, options).await
        })
    }

    /// Nothing outlives the process.
    pub fn open_memory(options: CatalogOptions) -> BoxFuture<'static, Result<Arc<Catalog>>> {
        Catalog::open_store(Store::memory(), options)
    }

    /// What lies in any store.
    pub fn open_store(
        store: Store,
        options: CatalogOptions,
    ) -> BoxFuture<'static, Result<Arc<Catalog>>> {
        Box::pin(async move { Catalog::open(store, options, None).await })
    }

    async fn open(
        store: Store,
        options: CatalogOptions,
        spill: Option<PathBuf>,
    ) -> Result<Arc<Catalog>> {
        let runtime = runtime(options.memory_bytes, spill)?;
        let names = names(&store).await?;
        let databases = names.into_iter().map(|name| (name, Slot::default())).collect();
        let (databases, creating) = (Mutex::new(databases), tokio::sync::Mutex::default());
        let (kept, spoken) = (Mutex::default(), Spoken::default());
        Ok(Arc::new(Catalog { store, options, runtime, databases, creating, kept, spoken }))
    }

    /// From now on the queries of entity specs (`:db.entity/query`) are read by this; the first one stays.
    pub fn speak(&self, language: Arc<dyn Language>) {
        let _ = self.spoken.set(language);
    }

    /// What a crate above keeps for as long as the catalog is open: one of each type, made when it is first asked for.
    pub fn kept<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut kept = self.kept.lock();
        let known = kept.get(&TypeId::of::<T>()).cloned().and_then(|any| any.downcast().ok());
        known.unwrap_or_else(|| {
            let made = Arc::new(T::default());
            kept.insert(TypeId::of::<T>(), Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
            made
        })
    }

    /// What messages call the place: a folder, or a URL.
    pub fn place(&self) -> &str {
        &self.store.name
    }

    /// Sorted names.
    pub fn names(&self) -> Vec<String> {
        self.databases.lock().keys().cloned().collect()
    }

    /// Those that are open; asking opens none.
    pub fn opened(&self) -> Vec<Arc<Database>> {
        self.databases.lock().values().filter_map(|slot| slot.get().cloned()).collect()
    }

    /// Error 3D000 where there is none, with the nearest name.
    pub fn database<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<Database>>> {
        Box::pin(async move {
            let mut slot = self.databases.lock().get(name).cloned();
            if slot.is_none() && self.was_made_elsewhere(name).await? {
                slot = Some(Arc::clone(self.databases.lock().entry(name.to_owned()).or_default()));
            }
            let slot = slot.ok_or_else(|| self.unknown(name))?;
            slot.get_or_try_init(|| self.open_database(name)).await.cloned()
        })
    }

    /// Whether another process has made it since this one looked.
    async fn was_made_elsewhere(&self, name: &str) -> Result<bool> {
        let may_be = self.store.shared && check_name(name).is_ok();
        Ok(may_be && is_database(&self.store, name).await?)
    }

    fn unknown(&self, name: &str) -> Error {
        let names = self.names();
        let hint = match (nearest(name, names.iter().map(String::as_str)), names.len()) {
            (Some(near), _) => format!("perhaps {near}"),
            (None, 0) => "there is no database yet".to_owned(),
            (None, _) => format!("there are {}", names.join(", ")),
        };
        let text = format!("database \"{name}\" does not exist");
        Error::new(SqlState::UNDEFINED_DATABASE, text).hint(hint)
    }

    /// Error 42P04 where there is one.
    pub fn create<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<Database>>> {
        Box::pin(async move {
            check_name(name)?;
            self.refuse_if_read_only(name, "made")?;
            let _one_at_a_time = self.creating.lock().await;
            if self.databases.lock().contains_key(name) {
                return Err(self.exists(name).await);
            }
            let text = Marker { id: uuid::Uuid::new_v4() }.to_json()?;
            let path = self.prefix(name).join(MARKER);
            if let Created::Taken(_) = self.store.create(&path, text).await? {
                return Err(self.exists(name).await);
            }
            let slot = Slot::default();
            slot.get_or_try_init(|| self.open_database(name)).await?;
            self.databases.lock().insert(name.to_owned(), Arc::clone(&slot));
            slot.get().cloned().ok_or_else(|| Error::new(SqlState::INTERNAL, "a database got lost"))
        })
    }

    fn refuse_if_read_only(&self, name: &str, what: &str) -> Result<()> {
        if !self.options.read_only {
            return Ok(());
        }
        let text = format!("database \"{name}\" cannot be {what}: this server only reads");
        Err(Error::new(SqlState::READ_ONLY, text).hint("ask the server that writes"))
    }

    async fn exists(&self, name: &str) -> Error {
        let text = format!("database \"{name}\" already exists");
        let error = Error::new(SqlState::DUPLICATE_DATABASE, text);
        match self.store.exists(&self.prefix(name).join(ARCHIVED)).await {
            Ok(true) => error.hint(format!(
                "it was archived; without {name}/{ARCHIVED} it is served again when the server starts"
            )),
            _ => error,
        }
    }

    /// Puts a database away: what waits is written, then it is served no more. Its objects stay as they are.
    pub fn archive<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let database = self.database(name).await?;
            self.refuse_if_read_only(name, "archived")?;
            let _one_at_a_time = self.creating.lock().await;
            let text = archived_at((self.options.clock)());
            let path = self.prefix(name).join(ARCHIVED);
            if let Created::Taken(_) = self.store.create(&path, text).await? {
                return Err(self.unknown(name));
            }
            self.databases.lock().remove(name);
            database.close().await
        })
    }

    fn prefix(&self, name: &str) -> Path {
        self.store.root.clone().join(name)
    }

    async fn open_database(&self, name: &str) -> Result<Arc<Database>> {
        let prefix = self.prefix(name);
        self.check_marker(&prefix.clone().join(MARKER)).await?;
        let (store, options) = (self.store.clone(), self.options.stream.clone());
        let clock = Arc::clone(&self.options.clock);
        let stream = STREAM.into_iter().fold(prefix, |path, part| path.join(part));
        if self.options.read_only {
            let stream = Stream::follow(store, stream, options).await?;
            return Database::follow(name, stream, clock, &self.spoken).await;
        }
        let stream = Stream::open(store, stream, options).await?;
        Database::start(name, stream, clock, self.options.commit_wait, &self.spoken).await
    }

    async fn check_marker(&self, path: &Path) -> Result<()> {
        let bytes = self.store.read(path).await?;
        Marker::parse(path, &bytes)?;
        Ok(())
    }

    /// What a database takes in the store.
    pub fn usage<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Usage>> {
        Box::pin(async move { Ok(self.store.usage(&self.prefix(name)).await?) })
    }

    /// Reads all that the store holds of a database, and says what is wrong with it. It may be written meanwhile.
    pub fn verify<'a>(
        &'a self,
        name: &'a str,
        options: VerifyOptions,
    ) -> BoxFuture<'a, Result<VerifyReport>> {
        Box::pin(async move {
            let database = self.database(name).await?;
            Ok(verify(&self.store, database.name(), options, &mut |_| {}).await?)
        })
    }

    /// One pool of memory and spill files for all sessions.
    pub fn runtime(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.runtime)
    }

    /// Finishes background work and writes what waits.
    pub fn close<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let open: Vec<Slot> = self.databases.lock().values().cloned().collect();
            let mut result = Ok(());
            for database in open.iter().filter_map(|slot| slot.get()) {
                // All are closed, and the first error is told.
                result = result.and(database.close().await);
            }
            self.store.settle().await;
            result
        })
    }
}

fn runtime(memory_bytes: usize, spill: Option<PathBuf>) -> Result<Arc<RuntimeEnv>> {
    let mode = match spill {
        Some(folder) => DiskManagerMode::Directories(vec![folder]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory_bytes), NAMED_CONSUMERS);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
        .build_arc()
        .map_err(|e| Error::new(SqlState::IO, format!("the query runtime does not start: {e}")))
}

/// The folders under the root that are databases.
async fn names(store: &Store) -> Result<Vec<String>> {
    let folders = store.folders(&store.root).await?;
    let markers = folders
        .into_iter()
        .map(|name| async { is_database(store, &name).await.map(|there| there.then_some(name)) });
    let names = stream::iter(markers.collect::<Vec<_>>()).buffered(LOOKS).try_collect::<Vec<_>>();
    Ok(names.await?.into_iter().flatten().collect())
}

/// Whether a folder is a database, and was not put away.
async fn is_database(store: &Store, name: &str) -> Result<bool> {
    let folder = store.root.clone().join(name);
    let there = store.exists(&folder.clone().join(MARKER)).await?;
    Ok(there && !store.exists(&folder.join(ARCHIVED)).await?)
}

/// Lower case only: folders of some systems do not tell case apart.
fn check_name(name: &str) -> Result<()> {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit() || c == '-';
    if name.starts_with(first) && name.chars().all(rest) && name.len() <= MAX_NAME {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    let text = format!("\"{shown}\" is no name for a database");
    Err(Error::new(SqlState::INVALID_NAME, text).hint(format!(
        "a name has up to {MAX_NAME} of a-z, 0-9, _ and -, and starts with a letter or _"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_databases() {
        let check = |name: &str, expect: bool| {
            assert_eq!(check_name(name).is_ok(), expect, "{name}");
        };
        check("music", true);
        check("_a-1", true);
        for name in ["", "Music", "1a", "a/b", "a@1", "..", ".spill", "größe", &"a".repeat(64)] {
            check(name, false);
        }
    }
}
