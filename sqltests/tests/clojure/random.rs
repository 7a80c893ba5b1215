//! Random forms, and random texts that may be none.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use daodb_datalog::edn::{Form, Node, Span};
use daodb_storage::Value;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use std::sync::Arc;
use uuid::Uuid;

/// Letters that names, texts and characters are made of: what ends a token, what begins something else, other planes and spaces.
const LETTERS: &[char] = &[
    'a', 'b', 'Z', '0', '9', '.', '/', ':', '-', '+', '_', '\'', '#', '%', '&', '*', '!', '?', '$',
    '<', '=', '>', '|', '^', '@', '~', '`', '\\', '"', '(', ']', '{', ';', ',', ' ', '\n', '\t',
    '\r', '\0', '\u{7f}', '\u{85}', '\u{a0}', '\u{1c}', 'é', 'ß', '٣', '½', '²', '漢', '\u{301}',
    '\u{2007}', '\u{2028}', '\u{3000}', '\u{feff}', '\u{ffff}', '😀', '𝔸',
];

/// 1583 and 9999: earlier instants Clojure reads by another calendar.
const CALENDAR: std::ops::Range<i64> = -12_212_553_600_000_000..253_402_300_800_000_000;

fn name(rng: &mut SmallRng) -> String {
    let word = |rng: &mut SmallRng| -> String {
        let strange = rng.random_bool(0.15);
        let letters = if strange { LETTERS } else { &LETTERS[..25] };
        (0..rng.random_range(1..5)).filter_map(|_| letters.choose(rng)).collect()
    };
    match rng.random_range(0..6) {
        0 => format!("{}/{}", word(rng), word(rng)),
        1 => ["nil", "true", "/", "...", "-1", "+", ".5", "a:b", "a::b", "?x", ""]
            .choose(rng)
            .map_or("x", |s| s)
            .to_owned(),
        _ => word(rng),
    }
}

fn text(rng: &mut SmallRng) -> String {
    (0..rng.random_range(0..6)).filter_map(|_| LETTERS.choose(rng)).collect()
}

fn value(rng: &mut SmallRng) -> Value {
    let digits = |rng: &mut SmallRng| {
        let bytes: Vec<u8> = (0..rng.random_range(0..20)).map(|_| rng.random()).collect();
        BigInt::from_signed_bytes_be(&bytes)
    };
    match rng.random_range(0..14) {
        0 => Value::Boolean(rng.random()),
        1 => Value::Long(rng.random()),
        2 => Value::Long(rng.random_range(-3..3)),
        3 => Value::Bigint(Arc::new(digits(rng))),
        4 => Value::Double(f64::from_bits(rng.random())),
        5 => Value::Double([0.0, -0.0, 1.5, 1e300, f64::INFINITY, 5e-324][rng.random_range(0..6)]),
        6 => {
            let digits = digits(rng);
            Value::Bigdec(Arc::new(BigDecimal::new(digits, rng.random_range(-20..40))))
        }
        7 => Value::Instant(rng.random_range(CALENDAR)),
        8 => Value::Instant(rng.random()),
        9 => Value::Uuid(Uuid::from_u128(rng.random())),
        10 => Value::keyword(format!(":{}", name(rng))),
        11 => Value::Symbol(name(rng).into()),
        12 => match rng.random_range(0..3) {
            0 => Value::Ref(rng.random()),
            1 => Value::Uri(text(rng).into()),
            _ => Value::Bytes(text(rng).into_bytes().into()),
        },
        _ => Value::string(text(rng)),
    }
}

/// Instants that `#inst` writes before the calendars met are left out.
fn same_calendar(v: &Value) -> bool {
    match v {
        Value::Instant(us) => {
            CALENDAR.contains(us) || daodb_datalog::edn::write::calendar_text(*us).is_none()
        }
        _ => true,
    }
}

pub fn form(rng: &mut SmallRng, depth: usize) -> Node {
    let many = |rng: &mut SmallRng| -> Vec<Node> {
        (0..rng.random_range(0..4)).map(|_| form(rng, depth - 1)).collect()
    };
    let form = match rng.random_range(0..if depth == 0 { 5 } else { 12 }) {
        0 => Form::Nil,
        1 => Form::Char(
            LETTERS.choose(rng).copied().filter(|c| u32::from(*c) < 0x10000).unwrap_or('x'),
        ),
        5 => Form::List(many(rng)),
        6 | 7 => Form::Vector(many(rng)),
        8 => Form::Set(many(rng)),
        9 | 10 => Form::Map(many(rng).into_iter().map(|key| (key, form(rng, depth - 1))).collect()),
        11 => {
            let tag = ["my/tag", "a", "a.b/c-d"].choose(rng).map_or("a", |s| s);
            Form::Tagged((*tag).into(), Box::new(form(rng, depth - 1)))
        }
        _ => loop {
            let v = value(rng);
            if same_calendar(&v) {
                break Form::Value(v);
            }
        },
    };
    Node { form, span: Span::default() }
}

/// Pieces that texts are made of beside random letters.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "#{",
    "#_",
    "#:a{",
    "#:a {",
    "#: a{",
    "#::a{",
    "#a ",
    "#a/b ",
    "#a/1 ",
    "#nil ",
    "#1 ",
    "#",
    "##NaN",
    "##Inf",
    "##-Inf",
    "## NaN",
    "##inf",
    "nil",
    "true",
    "false",
    "nil/a",
    "\"a\"",
    "\"",
    "\"\\n\\u0041\"",
    "\"\\u004\"",
    "\"\\q\"",
    "\"\\0a\"",
    "\"\\101\"",
    "\"\\400\"",
    "\"\\8\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\\a",
    "\\newline",
    "\\tab",
    "\\new",
    "\\u0041",
    "\\u00g1",
    "\\u+041",
    "\\ud800",
    "\\o101",
    "\\o400",
    "\\o8",
    "\\o+1",
    "\\ ",
    "\\",
    "\\(",
    "\\\\",
    "\\😀",
    "1",
    "+1",
    "-1",
    "-0",
    "00",
    "012",
    "08",
    "0x1F",
    "2r101",
    "1/2",
    "1N",
    "1.5N",
    "1.",
    "1.M",
    "1.5",
    "1e5",
    "1E-5",
    "1e",
    "1.e5",
    "1e5M",
    "1M",
    "-1.50M",
    "1e400",
    "-1e400",
    "1a",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "0N",
    ".5",
    "+.5",
    "-.5",
    "a",
    "a/b",
    "a/b/c",
    "/",
    "//",
    "/a",
    "a/",
    "a//",
    "a/1",
    "a:",
    "a::b",
    "a:b",
    ":a",
    ":",
    "::",
    "::a",
    ":a/b",
    ":/",
    ":a/",
    ":/a",
    ":1",
    ":1/a",
    ":a/1",
    ":a:",
    ":a::b",
    ":a:/b",
    "+",
    "-",
    "-a",
    "+a",
    "-٣",
    "..",
    "&",
    "%",
    "a'",
    "'a",
    "@a",
    "a@",
    "~a",
    "`a",
    "a^b",
    "^a b",
    "^{:a 1} []",
    "[^long ?x ^:b [c]^\"d\"{}]",
    "^1 a",
    "^[a] b",
    "^a 1",
    "^a \"b\"",
    "^a #b 1",
    "^a #uuid \"6f2a0e7c-5f0e-4d43-9f5a-000000000001\"",
    "^a ^b #{c}",
    "[^a]",
    "^",
    ";",
    "; x\n",
    "; x\r",
    ",",
    " ",
    "\n",
    "\r",
    "\t",
    "\u{a0}",
    "\u{1c}",
    "\u{85}",
    "\u{2028}",
    "#inst \"2026-01-01\"",
    "#inst \"2026\"",
    "#inst \"2026-02-29\"",
    "#inst \"2024-02-29T23:59:59.123456789+05:30\"",
    "#inst \"2026-1-1\"",
    "#inst \"2026-01-01T24:00\"",
    "#inst \"2026-01-01T23:59:60Z\"",
    "#inst \"2026-01-01T12:00:60Z\"",
    "#inst \"2026-01-01T00:00:00z\"",
    "#inst \"2026-01-01 00:00:00Z\"",
    "#inst \"2026-01-01T00:00:00.Z\"",
    "#inst \"2026-01-01T00Z\"",
    "#inst \"2026-01-01T00:00+01:00\"",
    "#inst \"2026-01Z\"",
    "#inst \"+2026-01-01\"",
    "#inst \"2026-01-01T00:00:00+25:00\"",
    "#inst \"2026-01-01T00:00:00-00:00\"",
    "#inst \"2026-01-01T00:00:00+0100\"",
    "#inst \"2026-01-01T00:00:00.123\"",
    "#inst \"\"",
    "#inst 1",
    "#inst nil",
    "#uuid \"6f2a0e7c-5f0e-4d43-9f5a-000000000001\"",
    "#uuid \"6F2A0E7C-5F0E-4D43-9F5A-000000000001\"",
    "#uuid \"6f2a0e7c5f0e4d439f5a000000000001\"",
    "#uuid \"{6f2a0e7c-5f0e-4d43-9f5a-000000000001}\"",
    "#uuid \"urn:uuid:6f2a0e7c-5f0e-4d43-9f5a-000000000001\"",
    "#uuid \"1-1-1-1-1\"",
    "#uuid 1",
    "#{1 1N}",
    "#{[1] (1)}",
    "#{1.0M 1.00M}",
    "#{0.0 -0.0}",
    "#{##NaN ##NaN}",
    "#{#{1 2} #{2 1}}",
    "{1 2 1N 3}",
    "{{1 2} 1 {1 2} 2}",
    "#{1 1.0}",
    "#{1 1M}",
    "#{\"a\" a :a \\a}",
    "#{#a 1 #a 1}",
    "#{nil nil}",
    "#:a{:b 1 :a/b 2}",
    "#:a{:_/b 1 b 2 _/c 3 \"d\" 4 :c/d 5}",
    "#:a/b{:c 1}",
    "#:1{:a 1}",
    "#{#uuid \"6f2a0e7c-5f0e-4d43-9f5a-000000000001\" #uuid \"6F2A0E7C-5F0E-4D43-9F5A-000000000001\"}",
    "#{#inst \"2026\" #inst \"2026-01-01\"}",
];

/// A text that is often EDN, and often nearly so.
pub fn nearly(rng: &mut SmallRng) -> String {
    let mut out = String::new();
    for _ in 0..rng.random_range(1..6) {
        match rng.random_range(0..10) {
            0 => out.push(*LETTERS.choose(rng).unwrap_or(&'a')),
            1 => out += &form(rng, 1).to_string(),
            2 => out += &name(rng),
            _ => out += PIECES.choose(rng).map_or("", |s| s),
        }
        if rng.random_bool(0.6) {
            out.push(' ');
        }
    }
    if rng.random_bool(0.5) {
        let closed = [("[", "]"), ("(", ")"), ("{", "}"), ("#{", "}"), ("#:a{", "}")];
        let (open, close) = closed.choose(rng).copied().unwrap_or(("[", "]"));
        out = format!("{open}{out}{close}");
    }
    out
}

/// Each piece alone and within a vector.
pub fn pieces() -> impl Iterator<Item = String> {
    PIECES
        .iter()
        .flat_map(|piece| [(*piece).to_owned(), format!("[{piece}]"), format!("[{piece} 7]")])
}
