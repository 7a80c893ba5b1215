//! Any form goes through every format and comes back; no text, however broken, does more than be refused.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use daodb_storage::value::instant_text;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

const ROUNDS: u64 = 3000;

fn seed() -> u64 {
    let given = std::env::var("DAODB_SEED").ok().and_then(|seed| seed.parse().ok());
    // The same wherever CI is set, so that a change is judged by what it does.
    let any = || if std::env::var_os("CI").is_some() { 1 } else { rand::random() };
    given.unwrap_or_else(any)
}

fn text(rng: &mut SmallRng) -> String {
    const LETTERS: &[char] = &[
        'a', 'B', '0', ' ', ':', '#', '~', '^', '`', '"', '\\', '/', '\n', '\t', '\u{1}', 'é',
        '😀', ',', '{', ']', ';', '$', '-', '.',
    ];
    let length = rng.random_range(0..6);
    (0..length).map(|_| LETTERS[rng.random_range(0..LETTERS.len())]).collect()
}

fn any_long(rng: &mut SmallRng) -> i64 {
    match rng.random_range(0..4) {
        0 => rng.random_range(-9..9),
        1 => (1 << 53) + rng.random_range(-2..3),
        2 => [i64::MIN, i64::MAX][rng.random_range(0..2)],
        _ => rng.random(),
    }
}

fn any_double(rng: &mut SmallRng) -> f64 {
    match rng.random_range(0..4) {
        0 => f64::from(rng.random_range(-9..9)),
        1 => [f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 5e-324][rng.random_range(0..5)],
        2 => rng.random(),
        _ => match f64::from_bits(rng.random()) {
            // There is one NaN, and it equals nothing: its text is compared.
            x if x.is_nan() => f64::NAN,
            x => x,
        },
    }
}

fn any_value(rng: &mut SmallRng) -> Value {
    let digits = |rng: &mut SmallRng| format!("{}{}", any_long(rng), rng.random_range(0..u32::MAX));
    match rng.random_range(0..13) {
        0 => Value::Boolean(rng.random()),
        1 => Value::Long(any_long(rng)),
        2 => Value::Bigint(Arc::new(digits(rng).parse().unwrap())),
        3 => Value::Double(any_double(rng)),
        4 => {
            let scale = rng.random_range(-20..20);
            Value::Bigdec(Arc::new(format!("{}E{scale}", digits(rng)).parse().unwrap()))
        }
        5 => Value::Instant(any_long(rng)),
        6 => Value::Ref(any_long(rng)),
        7 => Value::string(text(rng)),
        8 => Value::keyword(format!(":{}", text(rng))),
        9 => Value::Symbol(text(rng).into()),
        10 => Value::Uri(text(rng).into()),
        11 => Value::Uuid(uuid::Uuid::from_u128(rng.random())),
        _ => Value::Bytes(text(rng).into_bytes().into()),
    }
}

/// Keys and elements that differ.
fn different(rng: &mut SmallRng, depth: usize) -> Vec<Node> {
    let mut all: Vec<Node> = Vec::new();
    for _ in 0..rng.random_range(0..4) {
        let node = any(rng, depth);
        // `()` and `[]` are one to a set.
        if all.iter().all(|other| edn::set(vec![other.clone(), node.clone()]).is_ok()) {
            all.push(node);
        }
    }
    all
}

fn any(rng: &mut SmallRng, depth: usize) -> Node {
    let nodes = |rng: &mut SmallRng| -> Vec<Node> {
        (0..rng.random_range(0..4)).map(|_| any(rng, depth + 1)).collect()
    };
    node(match rng.random_range(0..if depth < 4 { 14 } else { 8 }) {
        0 => Form::Nil,
        1 => Form::Char(['a', '\n', 'é', '"', ' '][rng.random_range(0..5)]),
        2..8 => Form::Value(any_value(rng)),
        8 => Form::List(nodes(rng)),
        9 => Form::Vector(nodes(rng)),
        10 => Form::Set(different(rng, depth + 1)),
        11 | 12 => {
            let keys = different(rng, depth + 1);
            Form::Map(keys.into_iter().map(|key| (key, any(rng, depth + 1))).collect())
        }
        _ => {
            // Names of ours in JSON; those of Transit (`set`, `list`) are its own.
            let tag = ["my/tag", "map", "long", "x"][rng.random_range(0..4)];
            Form::Tagged(tag.into(), Box::new(any(rng, depth + 1)))
        }
    })
}

#[test]
fn every_form_comes_back() {
    let first = seed();
    for seed in first..first + ROUNDS {
        let mut rng = SmallRng::seed_from_u64(seed);
        let form = any(&mut rng, 0);
        for format in Format::ALL {
            let mut body = String::new();
            match format {
                Format::Transit => transit::body(&mut body, &form.form),
                format => format.write(&mut body, &form.form),
            }
            let read = format.read(body.as_bytes());
            let read =
                read.unwrap_or_else(|e| panic!("DAODB_SEED={seed} {format:?} {body}: {e:?}"));
            assert_eq!(read.to_string(), form.to_string(), "DAODB_SEED={seed} {format:?} {body}");
        }
    }
}

/// A body with letters lost, doubled or changed.
fn broken(rng: &mut SmallRng, body: &str) -> String {
    let mut letters: Vec<char> = body.chars().collect();
    for _ in 0..rng.random_range(1..4) {
        if letters.is_empty() {
            break;
        }
        let at = rng.random_range(0..letters.len());
        match rng.random_range(0..3) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, letters[at]),
            _ => {
                letters[at] = ['"', '[', '{', '~', '^', '#', ':', '\\', '9'][rng.random_range(0..9)]
            }
        }
    }
    letters.into_iter().collect()
}

#[test]
fn broken_texts_are_refused_or_read() {
    let first = seed();
    for seed in first..first + ROUNDS {
        let mut rng = SmallRng::seed_from_u64(seed);
        let form = any(&mut rng, 0);
        for format in Format::ALL {
            let mut body = String::new();
            format.write(&mut body, &form.form);
            let body = broken(&mut rng, &body);
            if let Err(refusal) = format.read(body.as_bytes()) {
                let place = refusal.place.unwrap();
                let span = place.span;
                assert!(span.start <= body.len(), "DAODB_SEED={seed} {format:?} {body}");
                assert_eq!(refusal.status.as_u16(), 400);
            }
        }
    }
}

#[test]
fn hostile_texts_are_refused() {
    for format in Format::ALL {
        for deep in ["[", "{\"a\":", "[\"~#list\",", "#a ", "{:a "] {
            let body = deep.repeat(200_000);
            assert!(format.read(body.as_bytes()).is_err(), "{format:?} {deep}");
        }
        for long in ["9".repeat(1 << 20), format!("1e{}", "9".repeat(100)), "\"".to_owned()] {
            assert!(format.read(long.as_bytes()).is_err() || long.starts_with("1e"), "{format:?}");
        }
    }
}

/// What is short to write and takes much room.
#[test]
fn masses_of_small_values_are_refused() {
    for format in Format::ALL {
        let body =
            format!("[{}1]", if format == Format::Edn { "1 " } else { "1," }.repeat(3 << 20));
        let refusal = format.read(body.as_bytes()).unwrap_err();
        assert!(refusal.error.message.starts_with("more than 2097152"), "{format:?}");
    }
}

#[test]
fn instants_keep_their_microseconds() {
    for us in [0, 1, -1, 1_767_225_600_123_456, 253_402_300_800_000_000] {
        for format in Format::ALL {
            let mut body = String::new();
            format.write(&mut body, &Form::Vector(vec![value(Value::Instant(us))]));
            let read = format.read(body.as_bytes()).unwrap();
            let expect = Form::Value(Value::Instant(us));
            assert_eq!(read.sequence().unwrap()[0].form, expect, "{} {body}", instant_text(us));
        }
    }
}

#[test]
fn the_keys_of_answers() {
    let answer = || edn::read("{:t 1, :db-after {:t 2}, :rows [{:a 1}], :x/y {}}").unwrap();
    assert_eq!(Format::Edn.body(answer()), format!("{}\n", answer()));
    assert_eq!(
        Format::Json.body(answer()),
        "{\"t\":1,\"db-after\":{\"t\":2},\"rows\":[{\"a\":1}],\":x/y\":{}}\n"
    );
    for body in [r#"{"tx-data": [1]}"#, r#"{":tx-data": [1]}"#] {
        let read = Format::Json.read(body.as_bytes()).unwrap();
        assert_eq!(field(&read, "tx-data").unwrap().to_string(), "[1]");
    }
}

#[test]
fn a_body_that_is_no_text() {
    assert!(Format::Json.read(&[b'[', 0xff]).is_err());
}
