//! Random attributes, and values for them. The pools are small, so that values meet again.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

pub const WORDS: [&str; 6] = ["a", "b", "Ünï", "two words", "it's \\\"x\\\"", ""];

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A type whose values stand for themselves, by its name: `long`.
    Plain(&'static str),
    Ref,
    /// `:db/tupleTypes`
    Tuple(Vec<&'static str>),
    /// `:db/tupleType`
    Tuples(&'static str),
    /// `:db/tupleAttrs`: their names and kinds.
    Composite(Vec<(String, Kind)>),
}

const PLAIN: [&str; 13] = [
    "string", "keyword", "symbol", "boolean", "long", "bigint", "double", "float", "bigdec",
    "instant", "uuid", "uri", "bytes",
];
/// Types that have few values or none that are looked up.
const NEVER_UNIQUE: [&str; 5] = ["boolean", "bytes", "float", "double", "symbol"];

impl Kind {
    pub fn is_tuple(&self) -> bool {
        matches!(self, Kind::Tuple(_) | Kind::Tuples(_) | Kind::Composite(_))
    }
    pub fn is_composite(&self) -> bool {
        matches!(self, Kind::Composite(_))
    }
    /// Whether `:db/cas` compares what was written: a float is not the double that its text is read as.
    pub fn is_exact(&self) -> bool {
        *self != Kind::Plain("float") && *self != Kind::Plain("bytes") && !self.is_composite()
    }
}

pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    pub many: bool,
    pub unique: Option<&'static str>,
    pub component: bool,
    pub predicate: Option<&'static str>,
    /// A composite is made of it.
    pub is_part: bool,
}

impl Attribute {
    pub fn random(name: String, rng: &mut SmallRng) -> Attribute {
        let kind = match rng.random_range(0..20) {
            0..5 => Kind::Ref,
            5 => Kind::Tuple(vec!["long", "string"]),
            6 => Kind::Tuples(["long", "keyword"].choose(rng).copied().unwrap_or("long")),
            7..9 => Kind::Plain("string"),
            9..11 => Kind::Plain("long"),
            _ => Kind::Plain(PLAIN.choose(rng).copied().unwrap_or("uuid")),
        };
        let many = rng.random_bool(0.3) && kind != Kind::Plain("bytes");
        let able = matches!(&kind, Kind::Plain(ty) if !NEVER_UNIQUE.contains(ty));
        let unique = match rng.random_bool(0.3) && able && !many {
            true => ["identity", "value"].choose(rng).copied(),
            false => None,
        };
        let component = kind == Kind::Ref && rng.random_bool(0.4);
        let predicate = match &kind {
            Kind::Plain("long") => ["clojure.core/even?", "dao.preds/not-negative?"].choose(rng),
            Kind::Plain("string") => ["dao.preds/not-blank?", "dao.preds/trimmed?"].choose(rng),
            _ => None,
        };
        let predicate = predicate.copied().filter(|_| rng.random_bool(0.15));
        let is_part = false;
        Attribute { name, kind, many, unique, component, predicate, is_part }
    }

    pub fn declaration(&self) -> String {
        let ty = match &self.kind {
            Kind::Plain(ty) => ty,
            Kind::Ref => "ref",
            _ => "tuple",
        };
        let many = if self.many { "many" } else { "one" };
        let name = &self.name;
        let mut out = format!(
            "{{:db/ident {name} :db/valueType :db.type/{ty} :db/cardinality :db.cardinality/{many}"
        );
        if let Some(unique) = self.unique {
            out += &format!(" :db/unique :db.unique/{unique}");
        }
        if self.component {
            out += " :db/isComponent true";
        }
        if let Some(predicate) = self.predicate {
            out += &format!(" :db.attr/preds {predicate}");
        }
        out += &match &self.kind {
            Kind::Tuple(types) => {
                let types: Vec<String> = types.iter().map(|ty| format!(":db.type/{ty}")).collect();
                format!(" :db/tupleTypes [{}]", types.join(" "))
            }
            Kind::Tuples(ty) => format!(" :db/tupleType :db.type/{ty}"),
            Kind::Composite(of) => {
                let names: Vec<&str> = of.iter().map(|(name, _)| name.as_str()).collect();
                format!(" :db/tupleAttrs [{}]", names.join(" "))
            }
            _ => String::new(),
        };
        out + "}"
    }

    /// A value of another type that neither side makes one of this type.
    pub fn wrong(&self, rng: &mut SmallRng) -> Option<String> {
        let Kind::Plain(ty) = &self.kind else { return None };
        let of = match *ty {
            "boolean" | "keyword" => ["7", "7.5", "#uuid \"00000000-0000-0000-0000-000000000001\""],
            "string" | "symbol" | "uri" | "bytes" => [":k", "7", "true"],
            "float" | "double" => ["\"7\"", ":k", "7N"],
            _ => ["\"text\"", "true", "7.5"],
        };
        of.choose(rng).map(|v| (*v).to_owned())
    }
}

/// The attributes of one sequence: the first is an identity, some are composites of others.
pub fn attributes(ns: &str, rng: &mut SmallRng) -> Vec<Attribute> {
    let count = rng.random_range(4..9);
    let mut all: Vec<Attribute> =
        (0..count).map(|i| Attribute::random(format!(":{ns}/a{i}"), rng)).collect();
    let first = &mut all[0];
    (first.kind, first.many, first.unique) = (Kind::Plain("string"), false, Some("identity"));
    (first.component, first.predicate) = (false, None);
    let parts: Vec<(String, Kind)> = all[1..]
        .iter()
        .filter(|a| !a.many && !a.kind.is_tuple() && a.kind.is_exact())
        .map(|a| (a.name.clone(), a.kind.clone()))
        .collect();
    if parts.len() >= 2 && rng.random_bool(0.6) {
        let of: Vec<(String, Kind)> = parts.choose_multiple(rng, 2).cloned().collect();
        let unique = rng.random_bool(0.4).then_some("identity");
        for part in all.iter_mut().filter(|a| of.iter().any(|(name, _)| *name == a.name)) {
            part.is_part = true;
        }
        all.push(Attribute {
            name: format!(":{ns}/composite"),
            kind: Kind::Composite(of),
            many: false,
            unique,
            component: false,
            predicate: None,
            is_part: false,
        });
    }
    all
}

/// A value; None: only the sequence can tell one.
pub fn literal(kind: &Kind, rng: &mut SmallRng) -> Option<String> {
    let n = rng.random_range(-2..5i64);
    Some(match kind {
        Kind::Plain(ty) => plain(ty, n, rng),
        Kind::Tuple(types) => {
            let parts: Vec<String> = types
                .iter()
                .map(|ty| match rng.random_range(0..20) {
                    0 => "nil".to_owned(),
                    1 => ":wrong".to_owned(),
                    _ => plain(ty, n, rng),
                })
                .collect();
            format!("[{}]", parts.join(" "))
        }
        Kind::Tuples(ty) => {
            let parts = if rng.random_bool(0.05) { 1 } else { rng.random_range(2..5) };
            let parts: Vec<String> = (0..parts).map(|i| plain(ty, n + i, rng)).collect();
            format!("[{}]", parts.join(" "))
        }
        Kind::Ref | Kind::Composite(_) => return None,
    })
}

fn plain(ty: &str, n: i64, rng: &mut SmallRng) -> String {
    match ty {
        "string" => format!("\"{}\"", WORDS.choose(rng).copied().unwrap_or("")),
        "keyword" => format!(":k/w{}", n + 2),
        "symbol" => format!("sym/s{}", n + 2),
        "boolean" => (n % 2 == 0).to_string(),
        "bigint" if n == 0 => "0N".to_owned(),
        "bigint" => format!("{n}00000000000000000000N"),
        "double" => format!("{:.1}", n as f64 / 2.0 + 0.25),
        "float" => format!("{}", [0.1, 1.5, -2.25, 3.3][(n + 2) as usize % 4]),
        "bigdec" => format!("{n}.25M"),
        "instant" => format!("#inst \"2024-01-0{}T00:00:00.{:03}Z\"", n + 3, n + 2),
        "uuid" => format!("#uuid \"00000000-0000-0000-0000-00000000000{}\"", n + 2),
        "uri" => format!("#dao/uri \"http://x/{}\"", n + 2),
        "bytes" => ["#dao/bytes \"AQI=\"", "#dao/bytes \"\"", "#dao/bytes \"/w==\""]
            [(n + 2) as usize % 3]
            .to_owned(),
        _ => n.to_string(),
    }
}
