//! What snapshots answer, compared with the naive reading of the log.

use super::Sim;
use super::life::Life;
use crate::generate;
use crate::model::Model;
use daodb_storage::{Attr, ErrorKind, Fact, Result, Slice, Snapshot, Value, View};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How much of a snapshot is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// A few questions.
    Glance,
    All,
}

/// Who reads, and since when.
#[derive(Clone, Copy)]
struct Reader<'a> {
    sim: &'a Sim,
    life: &'a Life,
    begun: Instant,
}

/// Why a check ended early.
pub struct GivenUp;

/// Asks until the store lets it be answered.
async fn ask<T, F: Future<Output = Result<T>>>(
    Reader { sim, life, begun }: Reader<'_>,
    what: &str,
    question: impl Fn() -> F,
) -> Result<T, GivenUp> {
    for _ in 0..100 {
        match question().await {
            Ok(answer) => return Ok(answer),
            Err(e) if sim.tolerates(life, &e, begun.elapsed()) => {
                sim.chance.note(format_args!("reading {what} is given up: {e}"));
                return Err(GivenUp);
            }
            Err(e) => assert_eq!(e.kind, ErrorKind::Io, "{what}: {e}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: the store never answers");
}

/// All that is visible must be what the log says of the time up to the snapshot.
pub async fn check(sim: &Sim, life: &Life, snapshot: &Snapshot, depth: Depth) {
    let (whose, begun) = (&life.name, Instant::now());
    let newest = snapshot.newest().clone();
    sim.observe(newest.t).await;
    let (model, head) = {
        let truth = sim.truth.borrow();
        (truth.model(newest.t), truth.head_at(newest.t))
    };
    assert_eq!(
        (newest.instant, newest.hash),
        (head.instant, head.hash),
        "{whose}: t = {}",
        newest.t
    );
    sim.chance.note(format_args!("{whose} reads at {} {depth:?}", newest.t));
    let rng = &mut sim.chance.rng();
    let views = match depth {
        Depth::Glance => vec![random_view(rng, newest.t)],
        Depth::All => {
            let all = View { history: true, ..View::default() };
            let mut views = vec![View::default(), all];
            views.extend((0..3).map(|_| random_view(rng, newest.t)));
            views
        }
    };
    if depth == Depth::All {
        check_attributes(&model, snapshot);
    }
    for view in views {
        let what = format!("{whose}, basis {}, {view:?}", newest.t);
        // Given up is tolerated.
        let _ =
            check_view(Reader { sim, life, begun }, rng, &model, snapshot, (view, depth), &what)
                .await;
    }
}

fn random_view(rng: &mut SmallRng, last: i64) -> View {
    let t = |rng: &mut SmallRng| rng.random_range(999..=last);
    View {
        as_of: rng.random_bool(0.5).then(|| t(rng)),
        since: rng.random_bool(0.2).then(|| t(rng)),
        history: rng.random(),
    }
}

fn viewed(snapshot: &Snapshot, view: View) -> Snapshot {
    let mut seen = snapshot.clone();
    if let Some(t) = view.as_of {
        seen = seen.as_of(t);
    }
    if let Some(t) = view.since {
        seen = seen.since(t);
    }
    if view.history { seen.history() } else { seen }
}

async fn check_view(
    of: Reader<'_>,
    rng: &mut SmallRng,
    model: &Model,
    snapshot: &Snapshot,
    (view, depth): (View, Depth),
    what: &str,
) -> Result<(), GivenUp> {
    let seen = viewed(snapshot, view);
    let facts = model.facts(view);
    let names: Vec<Attr> = model.attributes().into_keys().map(|(a, _)| a).collect();
    let asked = match depth {
        Depth::All => names,
        Depth::Glance => names.into_iter().choose_multiple(rng, 2),
    };
    for a in &asked {
        let its: Vec<Fact> = facts.iter().filter(|(b, _)| a == b).map(|(_, f)| f.clone()).collect();
        check_attribute(of, rng, &seen, a, &its, what).await?;
    }
    if let Some((_, fact)) = facts.choose(rng) {
        let e = fact.e;
        let expected: Vec<_> = facts.iter().filter(|(_, f)| f.e == e).cloned().collect();
        let found = ask(of, what, || seen.entity(e)).await?;
        assert_eq!(found, expected, "{what}: entity {e}");
    }
    if depth == Depth::All {
        let e = generate_entity(rng);
        let refers = |(_, f): &&(Attr, Fact)| f.v == Value::Ref(e);
        let expected: Vec<_> = facts.iter().filter(refers).cloned().collect();
        let found = ask(of, what, || seen.referrers(e)).await?;
        assert_eq!(found, expected, "{what}: referrers of {e}");
    }
    if let Some((t, instant)) = model.instants.choose(rng) {
        let found = ask(of, what, || snapshot.instant_of(*t)).await?;
        assert_eq!(found, Some(*instant), "{what}: the instant of {t}");
    }
    Ok(())
}

fn generate_entity(rng: &mut SmallRng) -> i64 {
    daodb_storage::FIRST_ENTITY + rng.random_range(0..super::ENTITIES)
}

async fn check_attribute(
    of: Reader<'_>,
    rng: &mut SmallRng,
    seen: &Snapshot,
    a: &Attr,
    facts: &[Fact],
    what: &str,
) -> Result<(), GivenUp> {
    match rng.random_range(0..3) {
        0 => {
            let found = ask(of, what, || seen.all(a)).await?;
            assert_eq!(found, facts, "{what}: all {a}");
        }
        1 => {
            let es: Vec<i64> = (0..3).map(|_| generate_entity(rng)).collect();
            let expected: Vec<_> = facts.iter().filter(|f| es.contains(&f.e)).cloned().collect();
            let found = ask(of, what, || seen.facts(a, &es)).await?;
            assert_eq!(found, expected, "{what}: {a} of {es:?}");
        }
        _ => {
            let slice = Slice {
                a: a.clone(),
                e: i64::MIN..i64::MAX,
                values: rng.random(),
                times: rng.random(),
                touched: None,
            };
            let found = ask(of, what, || seen.slice(&slice)).await?;
            let mut es = Vec::new();
            for columns in &found {
                es.extend_from_slice(columns.e.as_primitive::<Int64Type>().values());
            }
            es.sort_unstable();
            let expected: Vec<i64> = facts.iter().map(|f| f.e).collect();
            assert_eq!(es, expected, "{what}: entities of {a}, {slice:?}");
        }
    }
    let mut values = vec![Value::Long(12_345), generate::value(rng, super::TYPES[0])];
    values.extend(facts.choose(rng).map(|f| f.v.clone()));
    let mut expected: Vec<_> = facts.iter().filter(|f| values.contains(&f.v)).cloned().collect();
    expected.sort_by(|f, g| (&f.v, f.e, f.t_from).cmp(&(&g.v, g.e, g.t_from)));
    let found = ask(of, what, || seen.lookup(a, &values)).await?;
    assert_eq!(found, expected, "{what}: {a} with {values:?}");
    Ok(())
}

fn check_attributes(model: &Model, snapshot: &Snapshot) {
    let expected = model.attributes();
    let found: Vec<_> = snapshot.attributes().collect();
    let keys: Vec<_> = found.iter().map(|s| (s.a.clone(), s.value_type)).collect();
    assert_eq!(keys, expected.keys().cloned().collect::<Vec<_>>());
    for stat in &found {
        let (first_t, facts) = expected[&(stat.a.clone(), stat.value_type)];
        assert_eq!(
            (stat.first_t, stat.facts),
            (first_t, facts),
            "{} {:?}",
            stat.a,
            stat.value_type
        );
    }
}
