//! Random histories in a stream, with indexing and reopening at random moments, against the naive model.

use crate::faults::{FAULTS, Faulty};
use crate::model::Model;
use crate::{for_seeds, generate, run};
use daodb_storage::stream::{Appended, StreamOptions};
use daodb_storage::value::ValueColumn;
use daodb_storage::{
    Attr, Datom, FIRST_ENTITY, Fact, FactColumns, META_ASSERTED, META_DERIVED, META_RETRACTED,
    NewTransaction, OPEN, Result, Slice, Snapshot, Store, Stream, Value, ValueType, View,
};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Int64Type;
use object_store::memory::InMemory;
use object_store::path::Path;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Attributes with the types of their values, few so that much happens to each.
const ATTRIBUTES: [(&str, &[ValueType]); 8] = [
    (":db/txInstant", &[]),
    (":person/name", &[ValueType::String]),
    (":person/age", &[ValueType::Long]),
    (":person/friend", &[ValueType::Ref]),
    (":person/odd", &ValueType::ALL),
    (":zip", &[ValueType::Long, ValueType::String, ValueType::Bigdec]),
    (":file/size", &[ValueType::Double]),
    (":file/id", &[ValueType::Uuid, ValueType::Tuple]),
];

fn entity(rng: &mut SmallRng) -> i64 {
    FIRST_ENTITY + rng.random_range(0..25)
}

/// A transaction that the transactor could have made: asserts what does not hold, retracts what does.
fn transaction(rng: &mut SmallRng, model: &Model, t: i64) -> NewTransaction {
    let instant = model.newest_instant().max(0) + rng.random_range(0..1_000_000);
    let mut open = model.open();
    let said = |e, a: &Attr, v, m, added| Datom { e, a: a.clone(), v, t, m, added };
    let tx_instant = Attr::new(":db/txInstant");
    let mut datoms = vec![said(t, &tx_instant, Value::Instant(instant), META_ASSERTED, true)];
    let mut touched = BTreeSet::new();
    for _ in 0..rng.random_range(0..15) {
        let retract = rng.random_bool(0.4);
        let (e, a, v) = match open.iter().choose(rng).filter(|(e, _, _)| retract && *e >= 1 << 32) {
            Some(eav) => eav.clone(),
            None => {
                let (name, types) = ATTRIBUTES[1..].choose(rng).unwrap();
                let ty = *types.choose(rng).unwrap();
                (entity(rng), Attr::new(name), generate::value(rng, ty))
            }
        };
        let eav = (e, a.clone(), v.clone());
        if !touched.insert(eav.clone()) {
            continue;
        }
        let added = !open.remove(&eav);
        let m = match (rng.random_range(0..4), added) {
            (0, _) => t,
            (1, true) => META_DERIVED,
            (_, true) => META_ASSERTED,
            (_, false) => META_RETRACTED,
        };
        datoms.push(said(e, &a, v, m, added));
    }
    NewTransaction { instant, datoms }
}

fn options(rng: &mut SmallRng) -> StreamOptions {
    let tail_datoms = *[5, 40, 100_000].choose(rng).unwrap();
    let cache_bytes = *[0, 1 << 20].choose(rng).unwrap();
    StreamOptions::new(tail_datoms, cache_bytes, Arc::new(|| 0))
}

fn prefix() -> Path {
    Path::from("db/streams/main")
}

/// Appends some transactions; the model follows only where they were acknowledged.
async fn append(rng: &mut SmallRng, stream: &Stream, model: &mut Model) -> Result<Snapshot> {
    let (mut ahead, mut group) = (model.clone(), Vec::new());
    for _ in 0..rng.random_range(1..4) {
        let t = ahead.newest_t() + 1;
        let transaction = transaction(rng, &ahead, t);
        ahead.push(&transaction, t);
        group.push(transaction);
    }
    let Appended { transactions, snapshot } = stream.append(group).await?;
    assert_eq!(transactions.last().unwrap().header.t, ahead.newest_t());
    assert_eq!(snapshot.newest().t, ahead.newest_t());
    *model = ahead;
    Ok(snapshot)
}

#[test]
fn every_reading_of_a_random_history_is_the_naive_one() {
    for_seeds(40, |seed| {
        run(async {
            let mut rng = generate::rng(seed);
            let folder = tempfile::tempdir().unwrap();
            let mut store = match seed % 4 {
                0 => Store::folder(folder.path()).unwrap(),
                _ => Store::memory(),
            };
            let stream = Stream::create(store.clone(), prefix(), options(&mut rng)).await;
            let (mut stream, mut model) = (stream.unwrap(), Model::default());
            let mut kept = Vec::new();
            for _ in 0..rng.random_range(3..25) {
                match rng.random_range(0..10) {
                    0 => stream.index_now().await.unwrap(),
                    1 => {
                        stream.close().await.unwrap();
                        drop(stream);
                        // Segments that only they read are swept away by the next opening.
                        kept.clear();
                        if seed % 4 == 0 {
                            drop(store);
                            store = Store::folder(folder.path()).unwrap();
                        }
                        let opened = Stream::open(store.clone(), prefix(), options(&mut rng));
                        stream = opened.await.unwrap();
                    }
                    2 => check_views(&mut rng, &model, &stream.snapshot()).await,
                    3 => kept.push(stream.snapshot()),
                    _ => {
                        append(&mut rng, &stream, &mut model).await.unwrap();
                    }
                }
            }
            check_views(&mut rng, &model, &stream.snapshot()).await;
            // A snapshot is a value: what came later, indexing too, has not changed it.
            for snapshot in kept {
                check_views(&mut rng, &model.up_to(snapshot.newest().t), &snapshot).await;
            }
            stream.close().await.unwrap();
        });
    });
}

/// A writer on a store that fails at step `at`, and what a later process finds.
async fn dies(seed: u64, fault: crate::faults::Fault, at: u64) {
    let mut rng = generate::rng(seed);
    let inner = Arc::new(InMemory::new());
    let (store, _) = Faulty::store(&inner, at, fault);
    let mut model = Model::default();
    if let Ok(stream) = Stream::create(store, prefix(), options(&mut rng)).await {
        for n in 0..6 {
            if append(&mut rng, &stream, &mut model).await.is_err() {
                break;
            }
            if n % 2 == 1 && stream.index_now().await.is_err() {
                break;
            }
        }
        let _ = stream.close().await;
    }
    let good = Store::over(Arc::clone(&inner) as _, Path::default());
    let stream = match Stream::open(good.clone(), prefix(), options(&mut rng)).await {
        Ok(stream) => stream,
        // It died before it was made: nothing was acknowledged, and it can be made now.
        Err(_) if model.datoms.is_empty() => {
            Stream::create(good, prefix(), options(&mut rng)).await.unwrap()
        }
        Err(e) => panic!("{fault:?} at {at}: {e}"),
    };
    let snapshot = stream.snapshot();
    assert!(snapshot.newest().t >= model.newest_t(), "{fault:?} at {at}: a transaction is lost");
    check_views(&mut rng, &model, &snapshot.as_of(model.newest_t())).await;
    stream.close().await.unwrap();
}

#[test]
fn a_stream_survives_any_fault_at_any_step() {
    for_seeds(3, |seed| {
        let cases = FAULTS.into_iter().flat_map(|f| (0..40).map(move |at| (f, at)));
        // Together, because a writer pauses between its attempts.
        run(futures::future::join_all(cases.map(|(fault, at)| dies(seed, fault, at))));
    });
}

/// Up to `last`, before the first transaction too.
fn random_view(rng: &mut SmallRng, last: i64) -> View {
    let t = |rng: &mut SmallRng| rng.random_range(998..=last);
    View {
        as_of: rng.random_bool(0.6).then(|| t(rng)),
        since: rng.random_bool(0.3).then(|| t(rng)),
        history: rng.random(),
    }
}

async fn check_views(rng: &mut SmallRng, model: &Model, snapshot: &Snapshot) {
    check_transactions(rng, model, snapshot).await;
    check_attributes(model, snapshot);
    check(rng, model, snapshot, View::default()).await;
    // What comes after its as-of is not the model's.
    let last = model.newest_t() + i64::from(snapshot.view().as_of.is_none());
    for _ in 0..4 {
        let view = random_view(rng, last);
        check(rng, model, snapshot, view).await;
    }
}

async fn check_transactions(rng: &mut SmallRng, model: &Model, snapshot: &Snapshot) {
    for &(t, instant) in model.instants.iter() {
        assert_eq!(snapshot.instant_of(t).await.unwrap(), Some(instant));
    }
    if snapshot.view().as_of.is_none() {
        assert_eq!(snapshot.newest().t, model.newest_t());
        assert_eq!(snapshot.newest().instant, model.newest_instant());
        assert_eq!(snapshot.instant_of(model.newest_t() + 1).await.unwrap(), None);
        for _ in 0..5 {
            let instant = rng.random_range(-1..=model.newest_instant().max(0) + 1);
            let expected = model.instants.iter().rfind(|(_, i)| *i <= instant).map(|(t, _)| *t);
            assert_eq!(snapshot.t_at(instant).await.unwrap(), expected, "at {instant}");
        }
    }
    let used = model.datoms.iter().map(|d| d.e).max().unwrap_or(0).max(FIRST_ENTITY - 1);
    assert!(snapshot.next_entity() > used);
}

fn check_attributes(model: &Model, snapshot: &Snapshot) {
    let expected = model.attributes();
    let found: Vec<_> = snapshot.attributes().collect();
    let keys: Vec<_> = found.iter().map(|s| (s.a.clone(), s.value_type)).collect();
    assert_eq!(keys, expected.keys().cloned().collect::<Vec<_>>());
    for stat in &found {
        let (first_t, facts) = expected[&(stat.a.clone(), stat.value_type)];
        assert_eq!(stat.first_t, first_t, "{} {:?}", stat.a, stat.value_type);
        if snapshot.view().as_of.is_none() {
            assert_eq!(stat.facts, facts, "{} {:?}", stat.a, stat.value_type);
        }
    }
    for (a, fact) in model.facts(View { history: true, ..View::default() }) {
        let ty = fact.v.value_type();
        let stat = found.iter().find(|s| s.a == a && s.value_type == ty).unwrap();
        let within = stat.min.as_ref().is_none_or(|min| *min <= fact.v)
            && stat.max.as_ref().is_none_or(|max| *max >= fact.v);
        assert!(within, "{} outside of {stat:?}", fact.v);
    }
}

/// All ways of asking, in one view.
async fn check(rng: &mut SmallRng, model: &Model, snapshot: &Snapshot, view: View) {
    let mut seen = snapshot.clone();
    if let Some(t) = view.as_of {
        seen = seen.as_of(snapshot.view().as_of.map_or(t, |newest| t.min(newest)));
    }
    if let Some(t) = view.since {
        seen = seen.since(t);
    }
    if view.history {
        seen = seen.history();
    }
    let facts = model.facts(View { as_of: view.as_of.or(snapshot.view().as_of), ..view });
    let of = |name: &str| -> Vec<Fact> {
        facts.iter().filter(|(a, _)| a.as_str() == name).map(|(_, f)| f.clone()).collect()
    };
    for (name, _) in ATTRIBUTES {
        let (a, expected) = (Attr::new(name), of(name));
        assert_eq!(seen.all(&a).await.unwrap(), expected, "all {a} in {view:?}");
        check_entities(rng, &seen, &a, &expected).await;
        check_lookup(rng, &seen, &a, &expected).await;
    }
    for e in [entity(rng), entity(rng), 1000, model.newest_t(), FIRST_ENTITY + 1000] {
        let mut found = seen.entity(e).await.unwrap();
        found.sort_by(|(a, f), (b, g)| (a, &f.v, f.t_from).cmp(&(b, &g.v, g.t_from)));
        let expected: Vec<_> = facts.iter().filter(|(_, f)| f.e == e).cloned().collect();
        assert_eq!(found, expected, "entity {e} in {view:?}");
        let mut found = seen.referrers(e).await.unwrap();
        found.sort_by(|(a, f), (b, g)| (a, f.e, f.t_from).cmp(&(b, g.e, g.t_from)));
        let refers = |f: &Fact| f.v == Value::Ref(e);
        let expected: Vec<_> = facts.iter().filter(|(_, f)| refers(f)).cloned().collect();
        assert_eq!(found, expected, "referrers of {e} in {view:?}");
    }
    check_slices(rng, &seen, &facts).await;
}

async fn check_entities(rng: &mut SmallRng, seen: &Snapshot, a: &Attr, facts: &[Fact]) {
    let es: Vec<_> = (0..rng.random_range(0..8)).map(|_| entity(rng)).collect();
    let expected: Vec<_> = facts.iter().filter(|f| es.contains(&f.e)).cloned().collect();
    assert_eq!(seen.facts(a, &es).await.unwrap(), expected, "{a} of {es:?} in {:?}", seen.view());
}

async fn check_lookup(rng: &mut SmallRng, seen: &Snapshot, a: &Attr, facts: &[Fact]) {
    let mut values = vec![Value::Long(12345), Value::string("not there")];
    for _ in 0..rng.random_range(0..5) {
        values.extend(facts.choose(rng).map(|f| f.v.clone()));
        let ty = *ValueType::ALL.choose(rng).unwrap();
        values.push(generate::value(rng, ty));
    }
    let mut expected: Vec<_> = facts.iter().filter(|f| values.contains(&f.v)).cloned().collect();
    expected.sort_by(|f, g| (&f.v, f.e, f.t_from).cmp(&(&g.v, g.e, g.t_from)));
    let found = seen.lookup(a, &values).await.unwrap();
    assert_eq!(found, expected, "{a} with {values:?} in {:?}", seen.view());
}

/// Ranges that cover all, sliced with all columns and with few.
async fn check_slices(rng: &mut SmallRng, seen: &Snapshot, facts: &[(Attr, Fact)]) {
    let names: Vec<Attr> =
        ATTRIBUTES.iter().filter(|_| rng.random()).map(|(a, _)| Attr::new(a)).collect();
    let ranges = seen.ranges(&names, i64::MIN..i64::MAX, rng.random_range(1..20)).await.unwrap();
    assert!(ranges.windows(2).all(|w| w[0].end == w[1].start), "{ranges:?}");
    let touched = rng.random_bool(0.5).then(|| {
        let from = rng.random_range(999..1020);
        (from, from + rng.random_range(0..10))
    });
    for a in &names {
        let wanted = |(b, f): &&(Attr, Fact)| a == b && is_touched(f, touched);
        let expected: Vec<_> = facts.iter().filter(wanted).map(|(_, f)| f.clone()).collect();
        let mut found = Vec::new();
        for e in &ranges {
            let slice = Slice { a: a.clone(), e: e.clone(), values: true, times: true, touched };
            let columns = seen.slice(&slice).await.unwrap();
            let facts = facts_of(&columns);
            assert!(facts.iter().all(|f| e.contains(&f.e)), "{a} {e:?}");
            // Fewer columns, the same rows.
            let few = Slice { values: false, times: false, ..slice };
            let few = seen.slice(&few).await.unwrap();
            let es = |c: &[FactColumns]| -> Vec<(ValueType, Vec<i64>)> {
                c.iter().map(|c| (c.value_type, longs(&c.e))).collect()
            };
            assert_eq!(es(&few), es(&columns), "{a} {e:?} without values and times");
            columns.iter().chain(&few).for_each(check_ascends);
            found.extend(facts);
        }
        found.sort_by(|f, g| (f.e, &f.v, f.t_from).cmp(&(g.e, &g.v, g.t_from)));
        assert_eq!(found, expected, "{a} over {ranges:?}, {touched:?}, {:?}", seen.view());
    }
    check_same_entities(seen, &names, &ranges, facts);
}

fn check_same_entities(
    seen: &Snapshot,
    names: &[Attr],
    ranges: &[std::ops::Range<i64>],
    facts: &[(Attr, Fact)],
) {
    for e in ranges {
        let keyed = names.iter().filter_map(|a| Some((a, seen.same_entities(a, e)?)));
        let keyed: Vec<_> = keyed.collect();
        for (a, key) in &keyed {
            for (b, _) in keyed.iter().filter(|(_, other)| other == key) {
                let es = |a: &Attr| -> Vec<i64> {
                    let facts = facts.iter().filter(|(x, f)| x == a && e.contains(&f.e));
                    facts.map(|(_, f)| f.e).collect()
                };
                assert_eq!(es(a), es(b), "{a} and {b} are said to agree in {e:?}");
            }
        }
    }
}

fn is_touched(f: &Fact, touched: Option<(i64, i64)>) -> bool {
    let within = |t: i64| touched.is_none_or(|(from, to)| (from..=to).contains(&t));
    within(f.t_from) || (f.t_to != OPEN && within(f.t_to))
}

fn longs(array: &dyn Array) -> Vec<i64> {
    array.as_primitive::<Int64Type>().values().to_vec()
}

/// What was found out of a column that several have is true of each of them.
fn check_ascends(c: &FactColumns) {
    let e = longs(&c.e);
    let ascends = e.windows(2).all(|w| w[0] < w[1]);
    if let Some(known) = &c.ascends {
        assert_eq!(*known.get_or_init(|| ascends), ascends, "{e:?}");
    }
}

/// The rows of a slice; each type's must be sorted.
fn facts_of(columns: &[FactColumns]) -> Vec<Fact> {
    let mut all = Vec::new();
    for c in columns {
        let values = ValueColumn::new(c.value_type, c.v.as_ref().unwrap()).unwrap();
        let times = c.times.as_ref().unwrap();
        let (t_from, m_from) = (longs(&times.t_from), longs(&times.m_from));
        let (t_to, m_to) = (longs(&times.t_to), longs(&times.m_to));
        let facts: Vec<_> = longs(&c.e)
            .into_iter()
            .enumerate()
            .map(|(i, e)| Fact {
                e,
                v: values.value(i).unwrap().unwrap(),
                t_from: t_from[i],
                m_from: m_from[i],
                t_to: t_to[i],
                m_to: m_to[i],
            })
            .collect();
        assert!(!facts.is_empty(), "a type without facts");
        let sorted = |w: &[Fact]| (w[0].e, &w[0].v, w[0].t_from) < (w[1].e, &w[1].v, w[1].t_from);
        assert!(facts.windows(2).all(sorted), "not sorted: {facts:?}");
        all.extend(facts);
    }
    all
}
