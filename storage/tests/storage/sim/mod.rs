//! The simulation: processes, their store, time and chance, all from one seed.
//!
//! One thread, one paused clock and one sequence of random numbers make a run, so a seed gives the same run every time.
//! In it, up to three [`process`]es open one stream, write, read, index, take over from each other, stall and die. Their
//! store is a [`disk`] that forgets what was not synced, or shared [`objects`] behind a [`wire`] on which requests and
//! answers get lost, late and repeated. [`truth`] knows what was tried and acknowledged, and what must be true of the log;
//! [`check`] compares what snapshots answer with the log.
//!
//! A failing seed prints what happened, and the command that runs it again.

mod chance;
mod check;
mod disk;
mod life;
mod mutants;
mod objects;
mod process;
mod runs;
mod truth;
mod wire;
mod writers;

use chance::Chance;
use check::{Depth, check};
use daodb_storage::log::{Log, Transaction, Writing};
use daodb_storage::world::{IdOf, Mutation, World};
use daodb_storage::{Error, ErrorKind, Result, Store, Stream, StreamOptions, ValueType};
use disk::{DiskFaults, Mount, SimDisk};
use futures::{TryStreamExt, future};
use life::Life;
use object_store::ObjectStore;
use object_store::path::Path;
use objects::Objects;
use std::cell::RefCell;
use std::path::Path as FilePath;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use truth::Truth;
use uuid::Uuid;
use wire::{LATEST, Sky, Weather, Wire};
use writers::Writers;

const FOLDER: &str = "/data/db";
const PREFIX: &str = "db/streams/0";
/// Few, so that much happens to each.
const ENTITIES: i64 = 8;
const TYPES: [ValueType; 3] = [ValueType::Long, ValueType::String, ValueType::Boolean];

/// Whether what is in use on a shared store is never collected. It is not so yet: grace counts from when a segment was made
/// and not from when a root named it last, and whoever has the stream open to write collects, also beside its rightful writer
/// and by a root that is not the newest. Until then segments may be found gone there, loudly.
const SHARED_COLLECTION_IS_SAFE: bool = true;

/// How long a shared store keeps what no root names any more.
const GRACE: Duration = Duration::from_secs(60);

/// A fault that is put in on purpose, for the simulation to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    NoFolderSync,
    /// A commit is acknowledged when the create was sent.
    HastyAcknowledgement,
    /// Two writers' objects with the same transactions are the same.
    NoPutId,
    Product(Mutation),
}

/// What a seed decides at its start.
#[derive(Debug, Clone)]
struct Plan {
    on_disk: bool,
    processes: u64,
    weather: Weather,
    disk_faults: DiskFaults,
    /// Of a process, to end by its death.
    deadly: f64,
    tail_datoms: usize,
    cache_bytes: usize,
    /// Several writers write the very same.
    twins: bool,
    /// Pauses between actions, in milliseconds at most.
    write_pause: u64,
    read_pause: u64,
    index_pause: u64,
    life: Duration,
    time: Duration,
    /// One reads beside all others, from early on to the very end.
    watched: bool,
}

impl Plan {
    fn new(chance: &Chance, mutant: Option<Mutant>) -> Plan {
        let on_disk = chance.is(0.35);
        let fair = Weather { slowest: 200, bad: 0.03, unread: 0.01 };
        let storm = Weather { slowest: 1500, bad: 0.2, unread: 0.05 };
        let weather =
            if on_disk { Weather::CALM } else { chance.one(&[Weather::CALM, fair, fair, storm]) };
        let faulty = on_disk && chance.is(0.3);
        // In some runs enough time goes by for grace to end.
        let pace = if on_disk { 1 } else { chance.one(&[1, 1, 1, 6]) };
        Plan {
            on_disk,
            processes: if on_disk { 1 } else { chance.one(&[1, 2, 2, 3]) },
            weather,
            disk_faults: DiskFaults {
                full: if faulty { 0.01 } else { 0.0 },
                unsynced: if faulty { 0.01 } else { 0.0 },
                no_folder_sync: mutant == Some(Mutant::NoFolderSync),
            },
            deadly: chance.one(&[0.0, 0.5, 0.9]),
            tail_datoms: chance.one(&[1, 8, 30, 1000]),
            cache_bytes: chance.one(&[0, 1 << 20]),
            twins: chance.is(0.5),
            write_pause: pace * chance.one(&[200, 1000, 4000]),
            read_pause: pace * chance.one(&[2000, 8000]),
            index_pause: pace * chance.one(&[1000, 4000, 60_000]),
            life: Duration::from_secs(pace * chance.one(&[5, 15, 60])),
            time: Duration::from_secs(pace * chance.one(&[15, 30, 45])),
            watched: !on_disk && chance.is(0.3),
        }
    }
}

enum Place {
    Shared(Arc<Objects>),
    Disk(SimDisk),
}

struct Sim {
    seed: u64,
    chance: Chance,
    plan: Plan,
    mutant: Option<Mutant>,
    place: Place,
    sky: Arc<Sky>,
    truth: RefCell<Truth>,
    writers: RefCell<Writers>,
    /// No process begins anything after this.
    end: Instant,
}

impl Sim {
    fn new(seed: u64, chance: Chance, mutant: Option<Mutant>) -> Rc<Sim> {
        let plan = Plan::new(&chance, mutant);
        chance.note(format_args!("seed {seed}, {mutant:?}: {plan:?}"));
        let place = match plan.on_disk {
            true => Place::Disk(SimDisk::new(&chance)),
            false => Place::Shared(Objects::new(&chance)),
        };
        let sky = Sky::new(&chance, plan.weather);
        let end = Instant::now() + plan.time;
        let (truth, writers) = (RefCell::default(), RefCell::default());
        Rc::new(Sim { seed, chance, plan, mutant, place, sky, truth, writers, end })
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    fn world(&self) -> World {
        let (chance, no_put_id) = (self.chance.clone(), self.mutant == Some(Mutant::NoPutId));
        let ids = move |of| match of {
            IdOf::Writer | IdOf::Put if no_put_id => Uuid::nil(),
            _ => chance.uuid(),
        };
        let mutation = match self.mutant {
            Some(Mutant::Product(mutation)) => Some(mutation),
            _ => None,
        };
        World::simulated(ids, mutation)
    }

    /// `skew` is by how much the process's clock is wrong, in microseconds.
    fn options(&self, writer: &str, skew: i64) -> StreamOptions {
        let chance = self.chance.clone();
        let clock = Arc::new(move || chance.now() + skew);
        StreamOptions {
            // Who writes stands in the object, too.
            writer: if self.mutant == Some(Mutant::NoPutId) { "someone" } else { writer }.into(),
            grace: GRACE,
            follow_every: Duration::from_millis(500),
            // Of the others most keep many runs.
            rest_after: Duration::from_secs(if self.seed.is_multiple_of(2) { 2 } else { 3600 }),
            world: self.world(),
            ..StreamOptions::new(self.plan.tail_datoms, self.plan.cache_bytes, clock)
        }
    }

    /// The store as one process has it; on a disk the process dies at the operation after `left` others.
    fn store(&self, life: &Arc<Life>, left: Option<u64>, faults: DiskFaults) -> Result<Store> {
        let inner = match &self.place {
            Place::Shared(objects) => Arc::clone(objects) as Arc<dyn ObjectStore>,
            Place::Disk(disk) => {
                let mount = Mount::new(disk, life, faults, left);
                Store::folder_on(Arc::new(mount), FilePath::new(FOLDER))?.objects
            }
        };
        let (life, sky) = (Arc::clone(life), Arc::clone(&self.sky));
        let hasty = self.mutant == Some(Mutant::HastyAcknowledgement);
        Ok(self.as_store(Arc::new(Wire { inner, life, sky, hasty })))
    }

    /// The log as whoever looks at the store itself sees it: at a disk, as whoever opens it next will.
    fn log(&self) -> Log {
        let objects: Arc<dyn ObjectStore> = match &self.place {
            Place::Shared(objects) => Arc::clone(objects) as _,
            Place::Disk(disk) => {
                let nobody = Chance::new(self.seed);
                let (disk, life) = (disk.copy(&nobody), Life::new("who looks".into(), &nobody));
                let mount = Mount::new(&disk, &life, DiskFaults::default(), None);
                Store::folder_on(Arc::new(mount), FilePath::new(FOLDER)).unwrap().objects
            }
        };
        let (store, prefix) = (self.as_store(objects), Path::from(PREFIX));
        let name = prefix.filename().unwrap().to_owned();
        let world = World::simulated(|_| Uuid::nil(), None);
        let (by, clock, grace) = ("who looks".into(), Arc::new(|| 0), Duration::ZERO);
        Log::written_by(Writing { by, clock, grace, world }, store, prefix, name)
    }

    fn is_shared(&self) -> bool {
        matches!(self.place, Place::Shared(_))
    }

    fn as_store(&self, objects: Arc<dyn ObjectStore>) -> Store {
        match self.place {
            Place::Shared(_) => Store::bucket(objects, Path::default(), "a bucket"),
            Place::Disk(_) => Store::over(objects, Path::default()),
        }
    }

    /// Learns what the log holds up to a transaction that was shown.
    async fn observe(&self, up_to: i64) {
        let head = self.truth.borrow().head();
        if head.t >= up_to {
            return;
        }
        let log = self.log();
        let new = log.read_after(head).try_take_while(|t| future::ok(t.header.t <= up_to));
        let new: Result<Vec<Transaction>> = new.try_collect().await;
        let new = new.unwrap_or_else(|e| panic!("the log cannot be read any more: {e}"));
        self.truth.borrow_mut().learn(new);
        let head = self.truth.borrow().head();
        assert!(head.t >= up_to, "{up_to} was shown, and the log ends at {}", head.t);
    }

    /// Whether it is no fault of the product's that this did not work for a process, which took so long for it. Two writers
    /// at a time, or one that was away for long, may find segments gone that nobody else had a use for: loudly, and the
    /// rightful writer never does.
    fn tolerates(&self, life: &Life, e: &Error, took: Duration) -> bool {
        let gone = e.message.contains("/segments/") && e.message.contains("missing");
        let away = life.was_held_up().max(took) >= GRACE / 4;
        let excused = away || self.writers.borrow().are_in_the_way_of(&life.name);
        gone && self.is_shared() && (excused || !SHARED_COLLECTION_IS_SAFE)
    }

    async fn run(self: &Rc<Self>) {
        let all = (0..self.plan.processes).map(|n| process::lives(Rc::clone(self), n));
        let (_, watcher) = future::join(future::join_all(all), self.watch()).await;
        self.chance.note("all is calm");
        self.sky.clear_up();
        sleep(LATEST * 2).await;
        if let Place::Disk(disk) = &self.place {
            disk.lose_power();
        }
        self.last_look().await;
        if let Some((life, stream)) = watcher {
            sleep(Duration::from_secs(60)).await;
            let (t, there) = (stream.snapshot().newest().t, self.truth.borrow().head().t);
            assert_eq!(t, there, "who only reads does not see all in the end");
            check(self, &life, &stream.snapshot(), Depth::All).await;
        }
    }

    /// Reads beside the writers.
    async fn watch(&self) -> Option<(Arc<Life>, Arc<Stream>)> {
        if !self.plan.watched {
            return None;
        }
        let life = Life::new("watcher".to_owned(), &self.chance);
        let store = self.store(&life, None, DiskFaults::default()).unwrap();
        sleep(self.chance.millis(0..10_000)).await;
        let stream = loop {
            let options = self.options(&life.name, 0);
            match Stream::follow(store.clone(), Path::from(PREFIX), options).await {
                Ok(stream) => break stream,
                Err(e) => assert!(
                    e.kind == ErrorKind::Io || self.tolerates(&life, &e, Duration::ZERO),
                    "{e}"
                ),
            }
            sleep(Duration::from_secs(1)).await;
        };
        let mut newest = 0;
        while !self.is_over() {
            sleep(self.chance.millis(0..self.plan.read_pause)).await;
            let snapshot = stream.snapshot();
            assert!(snapshot.newest().t >= newest, "who only reads goes back");
            newest = snapshot.newest().t;
            check(self, &life, &snapshot, Depth::Glance).await;
            if self.chance.is(0.05) {
                life.hold_up(self.chance.millis(100..100_000));
            }
        }
        Some((life, stream))
    }

    /// When all is calm, everything must work and be there.
    async fn last_look(&self) {
        let life = Life::new("last".to_owned(), &self.chance);
        let store = self.store(&life, None, DiskFaults::default()).unwrap();
        let must_have = self.truth.borrow().must_have();
        let options = self.options(&life.name, 0);
        let stream = Stream::open(store, Path::from(PREFIX), options).await;
        let stream = stream.unwrap_or_else(|e| panic!("in the end nothing opens: {e}"));
        let t = stream.snapshot().newest().t;
        assert!(t >= must_have, "the log ends at {t}, and must have {must_have}");
        check(self, &life, &stream.snapshot(), Depth::All).await;
        stream.index_now().await.unwrap();
        check(self, &life, &stream.snapshot(), Depth::All).await;
        stream.close().await.unwrap();
        self.truth.borrow().is_whole();
        let verified = self.log().verify().await.unwrap();
        assert_eq!(verified.head, self.truth.borrow().head());
        let (all, silent) = self.truth.borrow().counts();
        self.chance.note(format_args!("{all} transactions, {silent} not acknowledged"));
    }
}

/// How a run went.
pub struct Outcome {
    /// All that happened.
    pub chance: Chance,
    /// How many transactions the log held in the end.
    pub transactions: usize,
}

/// Why a run ended badly, and all that led there.
pub struct Failure {
    pub why: String,
    pub story: String,
}

/// One run; no other thread takes part in it.
pub fn simulate(seed: u64, mutant: Option<Mutant>) -> Result<Outcome, Failure> {
    let chance = Chance::new(seed);
    let run = {
        let chance = chance.clone();
        move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async move {
                let sim = Sim::new(seed, chance, mutant);
                let hours = Duration::from_secs(24 * 60 * 60);
                timeout(hours, sim.run()).await.expect("the run is stuck");
                sim.truth.borrow().counts().0
            })
        }
    };
    match runs::catching(run) {
        Ok(transactions) => Ok(Outcome { chance, transactions }),
        Err(why) => Err(Failure { why, story: chance.story() }),
    }
}
