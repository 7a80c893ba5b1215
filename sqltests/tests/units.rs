//! The helpers themselves.

use daodb_sqltests::people::{People, UPDATES, updates};
use daodb_sqltests::show;
use daodb_sqltests::slt::binary;
use tokio_postgres::types::Type;

#[test]
fn floats_are_printed_as_postgres_prints_them() {
    let check = |d: f64, expect: &str| assert_eq!(show::float(d), expect);
    check(1.0, "1");
    check(0.1, "0.1");
    check(1e20, "1e+20");
    check(1e-5, "1e-05");
    check(0.0001, "0.0001");
    check(123_456_789_012_345.0, "123456789012345");
    check(1_234_567_890_123_456.0, "1.234567890123456e+15");
    check(-0.0, "-0");
}

#[test]
fn arrays_and_times() {
    let items = [Some("a b".into()), None, Some("null".into()), Some("x\"y".into())];
    assert_eq!(show::array(items.into_iter()), r#"{"a b",NULL,"null","x\"y"}"#);
    assert_eq!(show::timestamp(1_500_000, true), "1970-01-01 00:00:01.5+00");
    assert_eq!(show::timestamp(-1, false), "1969-12-31 23:59:59.999999");
}

#[test]
fn binary_numerics() {
    let check = |words: &[i16], expect: &str| {
        let raw: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        assert_eq!(binary::text(&Type::NUMERIC, &raw).as_deref(), Some(expect));
    };
    check(&[2, 1, 0, 0, 1, 2], "10002");
    check(&[1, 1, 0, 0, 1], "10000");
    check(&[2, 0, 0x4000, 3, 1, 5000], "-1.500");
    check(&[1, -1, 0, 2, 500], "0.05");
    check(&[1, -2, 0, 6, 1200], "0.000012");
    check(&[0, 0, 0, 1], "0.0");
}

#[test]
fn the_people_are_those_of_the_peers() {
    let people = People::new(1_000_000);
    let ivan = |i: &usize| people.name[*i] == "Ivan";
    assert_eq!((0..people.len()).filter(ivan).count(), 99_903);
    let q3 = (0..people.len()).filter(|i| ivan(i) && people.sex[*i] == "male").count();
    assert_eq!(q3, 49_799);
    let rich = |salary: &[i64]| salary.iter().filter(|s| **s > 50_000).count();
    let mut salary = people.salary.clone();
    let mut counts = vec![rich(&salary)];
    for (i, update) in updates(people.len()).iter().enumerate() {
        update.iter().for_each(|(row, new)| salary[*row] = *new);
        if i + 1 == UPDATES / 2 || i + 1 == UPDATES {
            counts.push(rich(&salary));
        }
    }
    assert_eq!(counts, [500_201, 500_124, 500_317]);
}
