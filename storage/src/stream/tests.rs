//! Random histories through a stream with a tiny tail and tiny row groups, compared with a list of events.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::index::order::Order;
use crate::{Attr, FIRST_ENTITY, Fact, FactColumns, OPEN, Slice, Value, ValueType};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::ops::Range;

type Key = (Attr, i64, Value);

/// All facts that ever were, in the plainest way.
#[derive(Default)]
struct Oracle {
    facts: BTreeMap<Key, Vec<Fact>>,
    t: i64,
}

impl Oracle {
    fn apply(&mut self, d: &Datom) {
        let facts = self.facts.entry((d.a.clone(), d.e, d.v.clone())).or_default();
        let open = facts.iter_mut().find(|f| f.is_open());
        match (open, d.added) {
            (None, true) => facts.push(Fact {
                e: d.e,
                v: d.v.clone(),
                t_from: d.t,
                m_from: d.m,
                t_to: OPEN,
                m_to: 0,
            }),
            (Some(fact), false) => (fact.t_to, fact.m_to) = (d.t, d.m),
            _ => {}
        }
    }

    fn held(&self) -> Vec<Key> {
        let open = |f: &(&Key, &Vec<Fact>)| f.1.iter().any(Fact::is_open);
        self.facts.iter().filter(open).map(|(k, _)| k.clone()).collect()
    }

    /// Visible facts of one attribute, sorted by (e, v, t_from).
    fn visible(&self, a: &Attr, view: &crate::View, touched: Option<(i64, i64)>) -> Vec<Fact> {
        let t = view.as_of.unwrap_or(self.t);
        let all = self.facts.iter().filter(|(k, _)| k.0 == *a).flat_map(|(_, f)| f.clone());
        let mut seen: Vec<Fact> = all
            .filter(|f| f.t_from <= t && view.since.is_none_or(|s| f.t_from > s))
            .filter(|f| view.history || f.holds_at(t))
            .map(|f| if f.t_to > t { Fact { t_to: OPEN, m_to: 0, ..f } } else { f })
            .filter(|f| {
                touched.is_none_or(|(x, y)| {
                    (x <= f.t_from && f.t_from <= y)
                        || (f.t_to != OPEN && x <= f.t_to && f.t_to <= y)
                })
            })
            .collect();
        seen.sort_by(|x, y| (x.e, &x.v, x.t_from).cmp(&(y.e, &y.v, y.t_from)));
        seen
    }
}

const ATTRIBUTES: [&str; 6] = [":p/name", ":p/age", ":p/tags", ":p/friend", ":p/odd", ":p/many"];

fn value(rng: &mut SmallRng, a: &str) -> Value {
    match a {
        ":p/name" => {
            Value::string(["x", "yy", "a name longer than twelve bytes"][rng.random_range(0..3)])
        }
        ":p/age" => Value::Long(rng.random_range(0..4)),
        ":p/tags" => Value::keyword(format!("t/{}", rng.random_range(0..8))),
        ":p/friend" => Value::Ref(FIRST_ENTITY + rng.random_range(0..40)),
        ":p/odd" => match rng.random_range(0..6) {
            0 => Value::Long(1),
            1 => Value::Double([0.0, -0.0, f64::NAN, 1.5][rng.random_range(0..4)]),
            2 => Value::Boolean(rng.random()),
            3 => Value::Bigint(Arc::new(rng.random_range(-20..200).into())),
            4 => Value::Tuple([Some(Value::Long(rng.random_range(-2..2))), None].into()),
            _ => Value::Instant(5),
        },
        _ => Value::Long(rng.random_range(0..500)),
    }
}

/// Datoms of one transaction; the same [e a v] once.
fn datoms(rng: &mut SmallRng, oracle: &Oracle, t: i64, entities: i64) -> Vec<Datom> {
    let mut out: BTreeMap<Key, Datom> = BTreeMap::new();
    let instant = Attr::new(":db/txInstant");
    let v = Value::Instant(t * 10);
    out.insert(
        (instant.clone(), t, v.clone()),
        Datom { e: t, a: instant, v, t, m: 1, added: true },
    );
    let held = oracle.held();
    for _ in 0..[1, 3, 30][rng.random_range(0..3)] {
        let (a, e, v) = if !held.is_empty() && rng.random_bool(0.4) {
            held[rng.random_range(0..held.len())].clone()
        } else {
            let a = ATTRIBUTES[rng.random_range(0..ATTRIBUTES.len())];
            (Attr::new(a), FIRST_ENTITY + rng.random_range(0..entities), value(rng, a))
        };
        if a.as_str() == ":db/txInstant" {
            continue;
        }
        let added = rng.random_bool(0.6);
        let m = [i64::from(added), 1 << 33][rng.random_range(0..2)];
        out.insert((a.clone(), e, v.clone()), Datom { e, a, v, t, m, added });
    }
    out.into_values().collect()
}

fn facts(parts: &[FactColumns], range: &Range<i64>) -> Vec<Fact> {
    let mut all = Vec::new();
    for part in parts {
        let e = part.e.as_primitive::<Int64Type>();
        let values =
            crate::value::ValueColumn::new(part.value_type, part.v.as_ref().unwrap()).unwrap();
        let times = part.times.as_ref().unwrap();
        let long =
            |c: &datafusion::arrow::array::ArrayRef, i| c.as_primitive::<Int64Type>().value(i);
        let before = all.len();
        for i in 0..e.len() {
            assert!(range.contains(&e.value(i)));
            all.push(Fact {
                e: e.value(i),
                v: values.value(i).unwrap().unwrap(),
                t_from: long(&times.t_from, i),
                m_from: long(&times.m_from, i),
                t_to: long(&times.t_to, i),
                m_to: long(&times.m_to, i),
            });
        }
        let sorted = |w: &[Fact]| (w[0].e, &w[0].v, w[0].t_from) < (w[1].e, &w[1].v, w[1].t_from);
        assert!(all[before..].windows(2).all(sorted), "not sorted: {:?}", &all[before..]);
    }
    all.sort_by(|x, y| (x.e, &x.v, x.t_from).cmp(&(y.e, &y.v, y.t_from)));
    all
}

fn view(rng: &mut SmallRng, snapshot: &Snapshot) -> Snapshot {
    let newest = snapshot.newest().t;
    let mut s = snapshot.clone();
    if rng.random_bool(0.6) {
        s = s.as_of(rng.random_range(999..newest + 2));
    }
    if rng.random_bool(0.3) {
        s = s.since(rng.random_range(999..newest + 1));
    }
    if rng.random_bool(0.4) {
        s = s.history();
    }
    s
}

async fn compare(rng: &mut SmallRng, snapshot: &Snapshot, oracle: &Oracle, entities: i64) {
    let snapshot = view(rng, snapshot);
    let v = snapshot.view();
    for a in ATTRIBUTES.iter().map(|a| Attr::new(*a)) {
        let expect = oracle.visible(&a, &v, None);
        assert_eq!(snapshot.all(&a).await.unwrap(), expect, "all of {a} at {v:?}");
        let low = FIRST_ENTITY + rng.random_range(0..entities);
        let range = low..low + rng.random_range(0..entities);
        let touched = rng.random_bool(0.5).then(|| {
            let t = rng.random_range(999..oracle.t + 1);
            (t, t + rng.random_range(0..10))
        });
        let slice = Slice { a: a.clone(), e: range.clone(), values: true, times: true, touched };
        let got = facts(&snapshot.slice(&slice).await.unwrap(), &range);
        let all = oracle.visible(&a, &v, touched);
        let within: Vec<Fact> = all.into_iter().filter(|f| range.contains(&f.e)).collect();
        assert_eq!(got, within, "{slice:?} at {v:?}");
        for (values, times) in [(false, false), (true, false), (false, true)] {
            let slice = Slice { values, times, ..slice.clone() };
            let parts = snapshot.slice(&slice).await.unwrap();
            let mut es: Vec<i64> = Vec::new();
            parts.iter().for_each(|p| es.extend(p.e.as_primitive::<Int64Type>().values()));
            es.sort_unstable();
            assert_eq!(es, within.iter().map(|f| f.e).collect::<Vec<_>>(), "{slice:?} at {v:?}");
            assert!(parts.iter().all(|p| p.v.is_some() == values && p.times.is_some() == times));
        }
        let es: Vec<i64> = (0..5).map(|_| FIRST_ENTITY + rng.random_range(0..entities)).collect();
        let about: Vec<Fact> = expect.iter().filter(|f| es.contains(&f.e)).cloned().collect();
        assert_eq!(snapshot.facts(&a, &es).await.unwrap(), about, "{a} of {es:?} at {v:?}");
        let vs: Vec<Value> = (0..3).map(|_| value(rng, a.as_str())).collect();
        let mut with: Vec<Fact> = expect.iter().filter(|f| vs.contains(&f.v)).cloned().collect();
        with.sort_by(|x, y| (&x.v, x.e, x.t_from).cmp(&(&y.v, y.e, y.t_from)));
        assert_eq!(snapshot.lookup(&a, &vs).await.unwrap(), with, "{a} {vs:?} at {v:?}");
        same_entities(&snapshot, &a, &range).await;
        ranges(&snapshot, &a, rng.random_range(1..100)).await;
    }
    let t = rng.random_range(990..oracle.t + 5);
    let known = (1000..=oracle.t).contains(&t);
    assert_eq!(snapshot.instant_of(t).await.unwrap(), known.then_some(t * 10));
    let t = rng.random_range(990..oracle.t + 5);
    let expect = (t >= 1000).then_some(t.min(oracle.t));
    assert_eq!(snapshot.t_at(t * 10 + 3).await.unwrap(), expect);
}

/// Attributes said to be about the same entities are.
async fn same_entities(snapshot: &Snapshot, a: &Attr, range: &Range<i64>) {
    let ranges = snapshot.ranges(std::slice::from_ref(a), i64::MIN..i64::MAX, 64).await.unwrap();
    for range in ranges.iter().chain([range]) {
        let Some(same) = snapshot.same_entities(a, range) else { continue };
        for b in ATTRIBUTES.iter().map(|b| Attr::new(*b)) {
            if snapshot.same_entities(&b, range) != Some(same) {
                continue;
            }
            let mut entities = Vec::new();
            for a in [a, &b] {
                let slice = Slice {
                    a: a.clone(),
                    e: range.clone(),
                    values: false,
                    times: false,
                    touched: None,
                };
                let parts = snapshot.slice(&slice).await.unwrap();
                let mut es: Vec<i64> = Vec::new();
                parts.iter().for_each(|p| es.extend(p.e.as_primitive::<Int64Type>().values()));
                es.sort_unstable();
                entities.push(es);
            }
            assert_eq!(entities[0], entities[1], "{a} and {b} in {range:?}");
        }
    }
}

async fn ranges(snapshot: &Snapshot, a: &Attr, rows: usize) {
    let ranges = snapshot.ranges(std::slice::from_ref(a), i64::MIN..i64::MAX, rows).await.unwrap();
    assert!(ranges.windows(2).all(|w| w[0].end == w[1].start), "{ranges:?}");
    let facts = snapshot.all(a).await.unwrap();
    let within = |f: &Fact| ranges.iter().filter(|r| r.contains(&f.e)).count() == 1;
    assert!(facts.iter().all(within), "{ranges:?}");
}

fn options(tail_datoms: usize) -> StreamOptions {
    StreamOptions::new(tail_datoms, 1 << 20, Arc::new(|| 0))
}

async fn history(seed: u64, steps: usize) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let store = Store::memory();
    let prefix = Path::from("db/streams/main");
    let tail = [20, 200, 100_000][rng.random_range(0..3)];
    let entities = [3, 60][rng.random_range(0..2)];
    let mut stream = Stream::create(store.clone(), prefix.clone(), options(tail)).await.unwrap();
    let mut oracle = Oracle { t: 999, ..Oracle::default() };
    let mut kept: Vec<(Snapshot, i64)> = Vec::new();
    for _ in 0..steps {
        let mut group = Vec::new();
        for _ in 0..rng.random_range(1..4) {
            let t = oracle.t + 1;
            let datoms = datoms(&mut rng, &oracle, t, entities);
            datoms.iter().for_each(|d| oracle.apply(d));
            oracle.t = t;
            group.push(NewTransaction { instant: t * 10, datoms });
        }
        stream.append(group).await.unwrap();
        if rng.random_bool(0.1) {
            stream.index_now().await.unwrap();
        }
        if rng.random_bool(0.05) {
            stream.close().await.unwrap();
            drop(stream);
            kept.clear();
            stream = Stream::open(store.clone(), prefix.clone(), options(tail)).await.unwrap();
        }
        let snapshot = stream.snapshot();
        assert_eq!(snapshot.newest().t, oracle.t);
        compare(&mut rng, &snapshot, &oracle, entities).await;
        if rng.random_bool(0.2) {
            kept.push((snapshot, oracle.t));
        }
        // An old snapshot still sees what it saw.
        if let Some((old, t)) = kept.first() {
            let a = Attr::new(":p/age");
            let now =
                oracle.visible(&a, &crate::View { as_of: Some(*t), ..Default::default() }, None);
            assert_eq!(old.all(&a).await.unwrap(), now);
        }
    }
    stream.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories() {
    let first: u64 = std::env::var("DAODB_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    for seed in first..first + 30 {
        println!("seed {seed}");
        history(seed, 60).await;
    }
}

fn age(t: i64, e: i64, v: i64, added: bool) -> Datom {
    Datom { e, a: Attr::new(":p/age"), v: Value::Long(v), t, m: i64::from(added), added }
}

#[tokio::test]
async fn both_ops_at_once_are_refused() {
    let stream = Stream::create(Store::memory(), "s".into(), options(10)).await.unwrap();
    let e = FIRST_ENTITY;
    let both = vec![age(1000, e, 1, true), age(1000, e, 1, false)];
    let refused = stream.append(vec![NewTransaction { instant: 1, datoms: both }]).await;
    assert_eq!(refused.err().unwrap().kind, ErrorKind::User);
    assert_eq!(stream.snapshot().newest().t, 999);
    let one = vec![age(1000, e, 1, true)];
    stream.append(vec![NewTransaction { instant: 1, datoms: one }]).await.unwrap();
    assert_eq!(stream.snapshot().next_entity(), e + 1);
    let types: Vec<_> = stream.snapshot().attributes().map(|s| s.value_type).collect();
    assert_eq!(types, [ValueType::Long]);
}

/// What is read of the present is cut as if there were no past; of the past, as that was.
#[tokio::test]
async fn ranges_follow_what_is_in_sight() {
    let stream = Stream::create(Store::memory(), "s".into(), options(100)).await.unwrap();
    let a = Attr::new(":p/age");
    let mut first = 0;
    for t in 1000..1100 {
        let about = |i: i64| {
            let e = FIRST_ENTITY + i;
            let old = (t > 1000).then(|| age(t, e, t - 1, false));
            old.into_iter().chain([age(t, e, t, true)])
        };
        let datoms: Vec<Datom> = (0..300).flat_map(about).collect();
        stream.append(vec![NewTransaction { instant: t, datoms }]).await.unwrap();
        stream.index_now().await.unwrap();
        let n = stream
            .snapshot()
            .ranges(std::slice::from_ref(&a), i64::MIN..i64::MAX, 64)
            .await
            .unwrap()
            .len();
        if t == 1000 {
            first = n;
        }
        // What ended since the last merge is no part of the present either.
        assert!(n <= first * 2, "{n} ranges at {t}, {first} in the beginning");
    }
    let snapshot = stream.snapshot();
    let all = snapshot
        .history()
        .ranges(std::slice::from_ref(&a), i64::MIN..i64::MAX, 64)
        .await
        .unwrap()
        .len();
    let then = snapshot
        .as_of(1050)
        .ranges(std::slice::from_ref(&a), i64::MIN..i64::MAX, 64)
        .await
        .unwrap()
        .len();
    assert!(
        first * 20 < all && then <= all,
        "{first} at first, {then} in the middle, {all} in all"
    );
    stream.close().await.unwrap();
}

/// Far more rows than one piece of a sort has, and more pieces than become one at once.
#[tokio::test]
async fn what_is_large_is_kept_by_value_after_the_fact() {
    let mut rng = SmallRng::seed_from_u64(7);
    let store = Store::memory();
    let stream = Stream::create(store.clone(), "s".into(), options(100_000)).await.unwrap();
    let mut oracle = Oracle::default();
    let named: Vec<Attr> = [":p/many", ":p/name", ":p/odd"].map(Attr::new).into();
    for t in 1000..1010 {
        oracle.t = t;
        let mut all: BTreeMap<Key, Datom> = BTreeMap::new();
        for (i, a) in (0..900).zip(named.iter().cycle()) {
            let e = FIRST_ENTITY + rng.random_range(0..300);
            let (a, v, added) = (a.clone(), value(&mut rng, a.as_str()), i % 4 > 0);
            let m = i64::from(added);
            all.insert((a.clone(), e, v.clone()), Datom { e, a, v, t, m, added });
        }
        let datoms: Vec<Datom> = all.into_values().collect();
        datoms.iter().for_each(|d| oracle.apply(d));
        stream.append(vec![NewTransaction { instant: t * 10, datoms }]).await.unwrap();
    }
    stream.index_now().await.unwrap();
    let by_value = |snapshot: &Snapshot| {
        let all = snapshot.segments();
        all.iter().filter(|s| s.order == Order::Avet.name()).map(|s| s.rows).sum::<u64>()
    };
    assert_eq!(by_value(&stream.snapshot()), 0);
    stream.keep_by_value(named.clone());
    stream.index_now().await.unwrap();
    let snapshot = stream.snapshot().history();
    let mut rows = 0;
    for a in &named {
        let all = oracle.visible(a, &snapshot.view(), None);
        let values: std::collections::BTreeSet<&Value> = all.iter().map(|f| &f.v).collect();
        for v in values {
            let mut with: Vec<Fact> = all.iter().filter(|f| f.v == *v).cloned().collect();
            with.sort_by_key(|f| (f.e, f.t_from));
            assert_eq!(snapshot.lookup(a, std::slice::from_ref(v)).await.unwrap(), with, "{a} {v}");
        }
        rows += all.len() as u64;
    }
    assert!(rows > 3000, "{rows} facts");
    assert_eq!(by_value(&snapshot), rows);
    drop(snapshot);
    stream.index_now().await.unwrap();
    let (named, there) = (stream.snapshot().segments().len(), objects(&store, "s/segments").await);
    assert_eq!(there.len(), named, "pieces are removed");
    stream.close().await.unwrap();
}

/// A stream of 300 entities with some history, all laid down; and what it answers.
async fn laid_down(store: &Store) -> Vec<Fact> {
    let stream = Stream::create(store.clone(), "s".into(), options(100)).await.unwrap();
    for t in 1000..1010 {
        let about = |i: i64| {
            let e = FIRST_ENTITY + i;
            let new = age(t, e, t * 2 + i, true);
            let old = (t > 1000).then(|| age(t, e, (t - 1) * 2 + i, false));
            old.into_iter().chain([new])
        };
        let datoms: Vec<Datom> = (0..300).flat_map(about).collect();
        stream.append(vec![NewTransaction { instant: t, datoms }]).await.unwrap();
    }
    stream.keep_by_value([Attr::new(":p/age")]);
    stream.index_now().await.unwrap();
    let facts = stream.snapshot().history().all(&Attr::new(":p/age")).await.unwrap();
    assert_eq!(facts.len(), 3000);
    stream.close().await.unwrap();
    facts
}

async fn objects(store: &Store, folder: &str) -> Vec<(Path, bytes::Bytes)> {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    let folder = Path::from(folder);
    let list: Vec<_> = store.objects.list(Some(&folder)).try_collect().await.unwrap();
    let mut out = Vec::new();
    for object in list {
        let bytes = store.objects.get(&object.location).await.unwrap().bytes().await.unwrap();
        out.push((object.location, bytes));
    }
    out
}

/// A stream whose index is damaged answers rightly or says which file is damaged.
async fn check_damaged(store: &Store, expect: &[Fact], file: Option<&Path>) {
    let stream = Stream::open(store.clone(), "s".into(), options(100_000)).await.unwrap();
    let a = Attr::new(":p/age");
    let snapshot = stream.snapshot().history();
    match (snapshot.all(&a).await, file) {
        (Ok(facts), _) => assert_eq!(facts, expect),
        (Err(e), Some(file)) => {
            assert_eq!(e.kind, ErrorKind::Data, "{e}");
            assert!(e.message.contains(file.as_ref()) && e.hint.is_some(), "{e}");
        }
        (Err(e), None) => unreachable!("{e}"),
    }
    match (snapshot.lookup(&a, &[expect[7].v.clone()]).await, file) {
        (Ok(facts), _) => assert!(facts.contains(&expect[7])),
        (Err(e), file) => assert!(file.is_some_and(|f| e.message.contains(f.as_ref())), "{e}"),
    }
    stream.close().await.unwrap();
}

#[tokio::test]
async fn damage_is_named_or_without_effect() {
    use object_store::{ObjectStoreExt, PutPayload};
    let store = Store::memory();
    let expect = laid_down(&store).await;
    let put = async |all: &[(Path, bytes::Bytes)]| {
        for folder in ["s/index", "s/runs", "s/segments"] {
            for (path, _) in objects(&store, folder).await {
                store.objects.delete(&path).await.unwrap();
            }
        }
        for (path, bytes) in all {
            store.objects.put(path, PutPayload::from(bytes.clone())).await.unwrap();
        }
    };
    let mut all = objects(&store, "s/index").await;
    assert_eq!(all.len(), 1, "older roots are removed");
    for folder in ["s/runs", "s/segments"] {
        all.extend(objects(&store, folder).await);
    }
    assert!(all.len() > 5);
    let mut rng = SmallRng::seed_from_u64(1);
    for (i, (path, bytes)) in all.iter().enumerate() {
        for _ in 0..12 {
            let mut broken = bytes.to_vec();
            let at = rng.random_range(0..broken.len());
            broken[at] ^= 1 << rng.random_range(0..8);
            let mut damaged = all.clone();
            damaged[i].1 = broken.into();
            put(&damaged).await;
            check_damaged(&store, &expect, Some(path)).await;
        }
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = all.clone();
            damaged[i].1 = bytes.slice(..cut);
            put(&damaged).await;
            check_damaged(&store, &expect, Some(path)).await;
        }
        let mut missing = all.clone();
        missing.remove(i);
        put(&missing).await;
        check_damaged(&store, &expect, None).await;
    }
}

#[tokio::test]
async fn segments_are_removed_when_no_one_reads_them() {
    let store = Store::memory();
    let stream = Stream::create(store.clone(), "s".into(), options(10)).await.unwrap();
    let a = Attr::new(":p/age");
    let mut old = None;
    for t in 1000..1100 {
        let datoms = vec![age(t, FIRST_ENTITY + t, t, true)];
        stream.append(vec![NewTransaction { instant: t, datoms }]).await.unwrap();
        if t == 1007 {
            stream.index_now().await.unwrap();
            old = Some(stream.snapshot());
        }
        if t % 2 == 0 {
            stream.index_now().await.unwrap();
        }
    }
    let old = old.unwrap();
    assert_eq!(old.all(&a).await.unwrap().len(), 8);
    let runs = stream.snapshot().segments().iter().map(|s| s.run).max().unwrap() + 1;
    assert!(runs < 16, "{runs} runs");
    let there = objects(&store, "s/segments").await.len();
    drop(old);
    stream.index_now().await.unwrap();
    let named = stream.snapshot().segments().len();
    assert_eq!(objects(&store, "s/segments").await.len(), named);
    assert!(there > named, "what the old snapshot read was there");
    let runs = stream.snapshot().segments().iter().map(|s| s.run).max().unwrap() + 1;
    assert_eq!(objects(&store, "s/runs").await.len(), runs, "lists of runs go, too");
    stream.close().await.unwrap();
}
