//! One process after the other under one name: each opens the stream, does what processes do, and ends in some way.

use super::check::{Depth, check};
use super::life::Life;
use super::truth::{MARK, marking};
use super::{ENTITIES, GRACE, PREFIX, Place, Sim, TYPES};
use daodb_storage::{
    Attr, Basis, Datom, Error, ErrorKind, FIRST_ENTITY, META_ASSERTED, META_RETRACTED,
    NewTransaction, Snapshot, Store, Stream, Value, ValueType,
};
use futures::future::{self, Either, join};
use object_store::path::Path;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

const ATTRIBUTES: [(&str, &[ValueType]); 4] = [
    (":c/count", &[ValueType::Long]),
    (":c/name", &[ValueType::String]),
    (":c/friend", &[ValueType::Ref]),
    (":c/odd", &TYPES),
];
/// What clocks of different machines differ by at most, in microseconds.
const SKEW: i64 = 2_000_000;

/// Until the time of the run is over.
pub async fn lives(sim: Rc<Sim>, n: u64) {
    for i in 0.. {
        sleep(sim.chance.millis(0..3000)).await;
        if sim.is_over() {
            return;
        }
        one_life(&sim, format!("p{n}.{i}")).await;
    }
}

/// One process from its start to its end.
async fn one_life(sim: &Rc<Sim>, name: String) {
    let (chance, plan) = (&sim.chance, &sim.plan);
    let life = Life::new(name, chance);
    let dies = chance.is(plan.deadly);
    let left = (dies && chance.is(0.8)).then(|| chance.of(0..[30, 300][chance.index(2)]));
    let until = Instant::now() + chance.millis(100..plan.life.as_millis() as u64);
    let killed = async {
        if !dies {
            return life.death().await;
        }
        let moment = pin!(sleep_until(until));
        future::select(moment, pin!(life.death())).await;
        life.die();
    };
    let held_up = async {
        if !plan.on_disk && chance.is(0.2) {
            sleep(chance.millis(0..20_000)).await;
            life.hold_up(chance.millis(100..60_000));
        }
        future::pending::<()>().await;
    };
    let process = Process::new(sim, &life, left, until);
    let (living, killed, held_up) = (pin!(process.run()), pin!(killed), pin!(held_up));
    match future::select(living, future::select(killed, held_up)).await {
        Either::Left(_) => chance.note(format_args!("{} has ended", life.name)),
        // What it was about is dropped; requests that it sent are under way all the same.
        Either::Right(_) => assert!(life.is_dead()),
    }
    // Nothing of it that may be left goes on.
    life.die();
    sim.writers.borrow_mut().ends(&life.name);
    if let Place::Disk(disk) = &sim.place {
        // What it had put to work dies with it.
        if chance.is(0.5) {
            disk.lose_power();
        }
    }
}

struct Process<'a> {
    sim: &'a Rc<Sim>,
    life: &'a Arc<Life>,
    left: Option<u64>,
    /// It is to end by then.
    until: Cell<Instant>,
    skew: i64,
    /// It reads beside those that write.
    follows: bool,
    /// The newest t acknowledged to it.
    acknowledged: Cell<i64>,
}

impl<'a> Process<'a> {
    fn new(
        sim: &'a Rc<Sim>,
        life: &'a Arc<Life>,
        left: Option<u64>,
        until: Instant,
    ) -> Process<'a> {
        let skew = sim.chance.of(0..2 * SKEW as u64) as i64 - SKEW;
        let until = Cell::new(until);
        let follows = !sim.plan.on_disk && sim.chance.is(0.2);
        Process { sim, life, left, until, skew, follows, acknowledged: Cell::new(0) }
    }

    fn note(&self, what: impl std::fmt::Display) {
        self.sim.chance.note(format_args!("{} {what}", self.life.name));
    }

    /// Whether it is to begin nothing more.
    fn ends(&self) -> bool {
        self.sim.is_over() || Instant::now() >= self.until.get()
    }

    async fn pause(&self, most: u64) {
        sleep(self.sim.chance.millis(0..most)).await;
        self.life.go_on().await;
    }

    /// It has no use for its stream any more, and ends soon.
    fn gives_up(&self, why: &Error) {
        let soon = Instant::now() + self.sim.chance.millis(0..5000);
        self.note(format_args!("is to end: {why}"));
        self.until.set(self.until.get().min(soon));
    }

    async fn run(&self) {
        let must_have = self.sim.truth.borrow().must_have();
        let Some((store, stream)) = self.open().await else { return };
        if !self.follows {
            self.sim.writers.borrow_mut().begins(&self.life.name);
        }
        let t = stream.snapshot().newest().t;
        assert!(t >= must_have, "{} opens at {t} and not at {must_have}", self.life.name);
        self.note(format_args!("is open at {t}"));
        check(self.sim, self.life, &stream.snapshot(), Depth::Glance).await;
        let readers = join(self.reads(&stream), self.reads(&stream));
        join(join(self.writes(&stream), self.indexes(&stream)), readers).await;
        if let Err(e) = stream.close().await {
            self.unless_expected(&e, &[ErrorKind::Io, ErrorKind::Fenced]);
        }
        drop(stream);
        drop(store);
    }

    /// None where it does not open before it is to end.
    async fn open(&self) -> Option<(Store, Arc<Stream>)> {
        while !self.ends() {
            let store = self.sim.store(self.life, self.left, self.sim.plan.disk_faults);
            let opened = match store {
                Ok(store) => {
                    let options = self.sim.options(&self.life.name, self.skew);
                    let (its, prefix) = (store.clone(), Path::from(PREFIX));
                    let stream = match self.follows {
                        true => Stream::follow(its, prefix, options).await,
                        false => Stream::open(its, prefix, options).await,
                    };
                    stream.map(|stream| (store, stream))
                }
                Err(e) => Err(e),
            };
            self.life.go_on().await;
            match opened {
                Ok(opened) => return Some(opened),
                Err(e) => {
                    self.note(format_args!("does not open: {e}"));
                    self.unless_expected(&e, &[ErrorKind::Io, ErrorKind::Busy, ErrorKind::Full]);
                }
            }
            self.pause(2000).await;
        }
        None
    }

    fn unless_expected(&self, e: &Error, kinds: &[ErrorKind]) {
        let expected = kinds.contains(&e.kind) || self.sim.tolerates(self.life, e, Duration::ZERO);
        assert!(expected, "{}: {:?}: {e}", self.life.name, e.kind);
    }

    async fn writes(&self, stream: &Stream) {
        loop {
            self.pause(self.sim.plan.write_pause).await;
            if self.ends() || self.follows {
                return;
            }
            self.write(stream).await;
        }
    }

    async fn write(&self, stream: &Stream) {
        let sim = self.sim;
        let basis = stream.snapshot().newest().clone();
        sim.observe(basis.t).await;
        let group = group(sim, &basis);
        let mark = sim.truth.borrow_mut().sends(&group);
        let (first, last) = (basis.t + 1, basis.t + group.len() as i64);
        self.note(format_args!("writes {first} to {last}, mark {mark}"));
        let written = stream.append(group).await;
        self.life.go_on().await;
        match written {
            Ok(appended) => {
                self.note(format_args!("{first} to {last} are ACKNOWLEDGED"));
                let transactions = &appended.transactions;
                sim.truth.borrow_mut().acknowledged(&self.life.name, mark, transactions);
                sim.writers.borrow_mut().acknowledged(&self.life.name);
                self.acknowledged.set(last);
                assert_eq!(appended.snapshot.newest().t, last);
                if sim.chance.is(0.1) {
                    check(sim, self.life, &appended.snapshot, Depth::Glance).await;
                }
            }
            Err(e) => {
                self.note(format_args!("{first} to {last}: {:?}: {e}", e.kind));
                use ErrorKind::{Busy, Fenced, Full, Io};
                let expected = [Io, Busy, Full, Fenced];
                self.unless_expected(&e, &expected);
                if e.kind != ErrorKind::Io {
                    sim.truth.borrow_mut().refused(mark);
                }
                if !matches!(e.kind, Busy | Full) || sim.chance.is(0.5) {
                    // Some try on: that must do no harm.
                    if sim.chance.is(0.7) {
                        self.gives_up(&e);
                    }
                }
            }
        }
    }

    /// Looks at the newest snapshot, and at older ones that it keeps.
    async fn reads(&self, stream: &Stream) {
        let mut kept: Vec<(Instant, Snapshot)> = Vec::new();
        loop {
            self.pause(self.sim.plan.read_pause).await;
            if self.ends() {
                return;
            }
            let chance = &self.sim.chance;
            if self.sim.is_shared() {
                kept.retain(|(since, _)| since.elapsed() < GRACE / 2);
            }
            let (since, snapshot) = match kept.len() {
                n if n > 0 && chance.is(0.5) => kept[chance.index(n)].clone(),
                _ => {
                    let newest = stream.snapshot();
                    let t = newest.newest().t;
                    assert!(t >= self.acknowledged.get(), "{} forgets", self.life.name);
                    (Instant::now(), newest)
                }
            };
            check(self.sim, self.life, &snapshot, Depth::Glance).await;
            if kept.len() < 2 && chance.is(0.5) {
                kept.push((since, snapshot));
            } else if !kept.is_empty() && chance.is(0.2) {
                kept.remove(chance.index(kept.len()));
            }
        }
    }

    /// Lays the tail down now and then, beside what the stream does in the background.
    async fn indexes(&self, stream: &Stream) {
        loop {
            self.pause(self.sim.plan.index_pause).await;
            if self.ends() || self.follows {
                return;
            }
            if self.sim.chance.is(0.1) {
                stream.keep_by_value([Attr::new(ATTRIBUTES[0].0)]);
            }
            let done = stream.index_now().await;
            self.life.go_on().await;
            match done {
                Ok(()) => self.note("has indexed"),
                Err(e) => {
                    self.note(format_args!("cannot index: {e}"));
                    self.unless_expected(
                        &e,
                        &[ErrorKind::Io, ErrorKind::Busy, ErrorKind::Full, ErrorKind::Fenced],
                    );
                }
            }
        }
    }
}

/// What to write next. Twins write the very same where they know the very same.
fn group(sim: &Sim, basis: &Basis) -> Vec<NewTransaction> {
    let twins = sim.plan.twins;
    let rng = &mut if twins { twin(sim.seed, basis) } else { sim.chance.rng() };
    let now = if twins { basis.instant.max(0) + 1 } else { sim.chance.now() };
    let mut instant = basis.instant.max(now);
    let mark = rng.random();
    let model = sim.truth.borrow().model(basis.t);
    let mut open = model.open();
    let count = rng.random_range(1..4);
    let transaction = |t: i64| {
        instant += rng.random_range(0..1000);
        NewTransaction { instant, datoms: datoms(rng, &mut open, t, instant, mark) }
    };
    (basis.t + 1..basis.t + 1 + count).map(transaction).collect()
}

fn twin(seed: u64, basis: &Basis) -> SmallRng {
    let known = basis.hash.first_chunk().map_or(0, |hash| u64::from_le_bytes(*hash));
    SmallRng::seed_from_u64(seed ^ known)
}

fn value(rng: &mut SmallRng, ty: ValueType) -> Value {
    match ty {
        ValueType::Long => Value::Long(rng.random_range(0..5)),
        ValueType::Ref => Value::Ref(FIRST_ENTITY + rng.random_range(0..ENTITIES)),
        ValueType::Boolean => Value::Boolean(rng.random()),
        _ => Value::string(["", "x", "a text longer than twelve bytes"].choose(rng).unwrap()),
    }
}

/// Asserts what does not hold, retracts what does.
fn datoms(
    rng: &mut SmallRng,
    open: &mut BTreeSet<(i64, Attr, Value)>,
    t: i64,
    instant: i64,
    mark: i64,
) -> Vec<Datom> {
    let (a, v) = (Attr::new(":db/txInstant"), Value::Instant(instant));
    let mut datoms = vec![Datom { e: t, a, v, t, m: 1, added: true }, marking(t, mark)];
    let mut touched = BTreeSet::new();
    for _ in 0..rng.random_range(0..6) {
        let ours = |(e, a, _): &&(i64, Attr, Value)| *e >= FIRST_ENTITY && a.as_str() != MARK;
        let held = open.iter().filter(ours).choose(rng).filter(|_| rng.random_bool(0.4)).cloned();
        let said = held.unwrap_or_else(|| {
            let (name, types) = ATTRIBUTES.choose(rng).unwrap();
            let ty = *types.choose(rng).unwrap();
            (FIRST_ENTITY + rng.random_range(0..ENTITIES), Attr::new(name), value(rng, ty))
        });
        if !touched.insert(said.clone()) {
            continue;
        }
        let added = !open.remove(&said);
        if added {
            open.insert(said.clone());
        }
        let m = if added { META_ASSERTED } else { META_RETRACTED };
        let (e, a, v) = said;
        datoms.push(Datom { e, a, v, t, m, added });
    }
    datoms
}
