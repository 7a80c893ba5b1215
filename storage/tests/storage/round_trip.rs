//! What was appended is what is read, from every head.

use crate::{assert_same, for_seeds, generate, log_on, read, run};
use daodb_storage::log::{Head, Transaction};
use daodb_storage::{
    Attr, Datom, ErrorKind, FIRST_ENTITY, META_ASSERTED, NewTransaction, Store, Value, ValueType,
};

/// Appends some random groups; all transactions, and the head after each object.
async fn fill(store: &Store, seed: u64, groups: usize) -> (Vec<Transaction>, Vec<Head>) {
    let mut rng = generate::rng(seed);
    let log = log_on(store);
    let (mut all, mut heads) = (Vec::new(), vec![Head::START]);
    for _ in 0..groups {
        let head = heads.last().unwrap();
        let group = generate::group(&mut rng, head.t + 1, head.instant.max(0));
        let written = log.append(head, group).await.unwrap();
        heads.push(Head::after(&written.last().unwrap().header));
        all.extend(written);
    }
    (all, heads)
}

#[test]
fn every_head_sees_what_follows_it() {
    for_seeds(30, |seed| {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let store = match seed % 2 {
                0 => Store::folder(folder.path()).unwrap(),
                _ => Store::memory(),
            };
            let (all, heads) = fill(&store, seed, 6).await;
            let log = log_on(&store);
            assert_same(&read(&log, Head::START).await.unwrap(), &all);
            for (n, t) in all.iter().enumerate() {
                let found = read(&log, Head::after(&t.header)).await.unwrap();
                assert_same(&found, &all[n + 1..]);
            }
            let verified = log.verify().await.unwrap();
            assert_eq!(&verified.head, heads.last().unwrap());
            assert_eq!(verified.transactions, all.len() as u64);
            assert_eq!(verified.datoms, all.iter().map(|t| t.datoms.len() as u64).sum::<u64>());
        });
    });
}

#[test]
fn another_history_is_not_read() {
    run(async {
        let store = Store::memory();
        let (all, _) = fill(&store, 1, 4).await;
        for t in &all {
            let head = Head { hash: [9; 32], ..Head::after(&t.header) };
            let error = read(&log_on(&store), head).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Data);
            assert!(error.message.contains("another hash"), "{error}");
        }
    });
}

#[test]
fn a_large_transaction_and_many_small_ones_come_back() {
    run(async {
        let store = Store::memory();
        let log = log_on(&store);
        let datom = |n: i64, t| Datom {
            e: FIRST_ENTITY + n,
            a: Attr::new(if n % 2 == 0 { ":person/name" } else { ":person/age" }),
            v: if n % 2 == 0 { Value::string(format!("name {n}")) } else { Value::Long(n) },
            t,
            m: META_ASSERTED,
            added: true,
        };
        let large = (0..200_000).map(|n| datom(n, 1000)).collect();
        let one = vec![NewTransaction { instant: 0, datoms: large }];
        let mut all = log.append(&Head::START, one).await.unwrap();
        let small =
            (1001..31_001).map(|t| NewTransaction { instant: t, datoms: vec![datom(t, t)] });
        all.extend(log.append(&Head::after(&all[0].header), small.collect()).await.unwrap());
        assert_same(&read(&log, Head::START).await.unwrap(), &all);
    });
}

#[test]
fn what_no_reader_would_accept_is_not_written() {
    let good = Datom {
        e: FIRST_ENTITY,
        a: Attr::new(":a"),
        v: Value::Long(1),
        t: 1000,
        m: META_ASSERTED,
        added: true,
    };
    let refuses = |instant: i64, datoms: Vec<Datom>| {
        run(async {
            let store = Store::memory();
            let group = vec![NewTransaction { instant, datoms }];
            let error = log_on(&store).append(&Head::START, group).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Internal);
            assert!(store.list(&Default::default()).await.unwrap().is_empty());
        });
    };
    let refused = |instant, datom| refuses(instant, vec![good.clone(), datom]);
    refused(0, Datom { t: 1001, ..good.clone() });
    refused(0, Datom { added: false, ..good.clone() });
    refused(0, Datom { m: 0, ..good.clone() });
    refused(0, Datom { m: 7, ..good.clone() });
    refused(0, Datom { m: -1, ..good.clone() });
    refused(0, Datom { a: Attr::new(":"), ..good.clone() });
    refused(0, Datom { m: 0, added: false, ..good.clone() });
    refused(0, Datom { m: 1000, added: false, ..good.clone() });
    refuses(i64::MAX, vec![good.clone()]);
    refuses(i64::MIN, vec![good]);
}

#[test]
fn all_value_types_were_tried() {
    let mut rng = generate::rng(0);
    for ty in ValueType::ALL {
        assert_eq!(generate::value(&mut rng, ty).value_type(), ty);
    }
}
