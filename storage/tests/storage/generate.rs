//! Random values, datoms and transactions, the same for the same seed.

use bigdecimal::{BigDecimal, num_bigint::BigInt};
use daodb_storage::{
    Attr, Datom, FIRST_ENTITY, META_ASSERTED, META_DERIVED, META_RETRACTED, NewTransaction, Value,
    ValueType,
};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

pub fn rng(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

/// Odd ones more often than chance would have it.
fn integer(rng: &mut SmallRng) -> i64 {
    match rng.random_range(0..4) {
        0 => *[0, 1, -1, i64::MAX, i64::MIN].choose(rng).unwrap(),
        1 => rng.random(),
        _ => rng.random_range(-100..100),
    }
}

fn text(rng: &mut SmallRng) -> String {
    let odd = ["", "'", "\"", "\n", "\0", "naïve", "\u{1F600}", "a\\b", " "];
    let n = rng.random_range(0..4);
    let mut text = String::new();
    for _ in 0..n {
        match rng.random_range(0..3) {
            0 => text.push_str(odd.choose(rng).unwrap()),
            1 => text.push_str(&"long ".repeat(rng.random_range(1..8))),
            _ => text.push_str(&rng.random_range(0..20).to_string()),
        }
    }
    text
}

fn bigint(rng: &mut SmallRng) -> BigInt {
    BigInt::from(integer(rng)) * BigInt::from(integer(rng)) * BigInt::from(integer(rng))
}

pub fn value(rng: &mut SmallRng, ty: ValueType) -> Value {
    match ty {
        ValueType::Boolean => Value::Boolean(rng.random()),
        ValueType::Long => Value::Long(integer(rng)),
        ValueType::Bigint => Value::Bigint(Arc::new(bigint(rng))),
        ValueType::Double => Value::Double(match rng.random_range(0..4) {
            0 => *[0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, 5e-324].choose(rng).unwrap(),
            1 => f64::from_bits(rng.random()),
            _ => rng.random_range(-10.0..10.0),
        }),
        ValueType::Bigdec => {
            let scale = rng.random_range(-40..40);
            Value::Bigdec(Arc::new(BigDecimal::new(bigint(rng), scale)))
        }
        ValueType::Instant => Value::Instant(integer(rng)),
        ValueType::Ref => Value::Ref(FIRST_ENTITY + rng.random_range(0..20)),
        ValueType::String => Value::string(text(rng)),
        ValueType::Keyword => Value::keyword(format!("k/{}", text(rng))),
        ValueType::Symbol => Value::Symbol(text(rng).into()),
        ValueType::Uri => Value::Uri(format!("http://{}", text(rng)).into()),
        ValueType::Uuid => Value::Uuid(uuid::Uuid::from_u128(rng.random())),
        ValueType::Bytes => Value::Bytes(text(rng).into_bytes().into()),
        ValueType::Tuple => {
            let n = rng.random_range(0..4);
            let part = |rng: &mut SmallRng| {
                let ty = ValueType::ALL[rng.random_range(0..13)];
                rng.random_bool(0.8).then(|| value(rng, ty))
            };
            Value::Tuple((0..n).map(|_| part(rng)).collect())
        }
    }
}

/// A datom of any kind that the log takes, without regard to what was said before.
pub fn datom(rng: &mut SmallRng, t: i64) -> Datom {
    let ty = *ValueType::ALL.choose(rng).unwrap();
    let names = [":a", ":person/name", ":a.b/c-d", ":é/ü", ":x/y/z"];
    let m = *[META_RETRACTED, META_ASSERTED, META_DERIVED, 16, t].choose(rng).unwrap();
    let added = match m {
        META_RETRACTED => false,
        16.. => rng.random(),
        _ => true,
    };
    let e = FIRST_ENTITY + rng.random_range(0..50);
    Datom { e, a: Attr::new(names.choose(rng).unwrap()), v: value(rng, ty), t, m, added }
}

/// Some transactions that begin with `t`, none earlier than `instant`.
pub fn group(rng: &mut SmallRng, t: i64, mut instant: i64) -> Vec<NewTransaction> {
    let n = rng.random_range(1..5);
    let transaction = |t: i64| {
        instant += rng.random_range(0..3_000_000);
        let datoms = rng.random_range(0..12);
        let mut datoms: Vec<_> = (0..datoms).map(|_| datom(rng, t)).collect();
        // One transaction does not contradict itself.
        datoms.sort_by(|a, b| (a.e, &a.a, &a.v).cmp(&(b.e, &b.a, &b.v)));
        datoms.dedup_by(|a, b| (a.e, &a.a, &a.v) == (b.e, &b.a, &b.v));
        NewTransaction { instant, datoms }
    };
    (t..t + n).map(transaction).collect()
}
