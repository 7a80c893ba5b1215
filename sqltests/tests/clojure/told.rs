//! Forms as words that say type and value without any notation of EDN, as `clojure.clj` says them.

use daodb_datalog::edn::{Form, Node, base64};
use daodb_storage::Value;

fn word(text: &str) -> String {
    base64(text.as_bytes())
}

fn value(v: &Value) -> String {
    match v {
        Value::Boolean(b) => format!("b{b}"),
        Value::Long(n) => format!("l{n}"),
        Value::Bigint(n) => format!("n{n}"),
        Value::Double(d) if d.is_nan() => "dNaN".to_owned(),
        Value::Double(d) => format!("d{:x}", d.to_bits()),
        Value::Bigdec(d) => {
            let (digits, scale) = d.as_bigint_and_exponent();
            format!("M{digits}e{}", -scale)
        }
        Value::Instant(us) => format!("i{us}"),
        Value::Ref(e) => format!("r{e}"),
        Value::String(s) => format!("s{}", word(s)),
        Value::Keyword(k) => format!("k{}", word(&k[1..])),
        Value::Symbol(s) => format!("y{}", word(s)),
        Value::Uri(s) => format!("U{}", word(s)),
        Value::Uuid(u) => format!("u{u}"),
        Value::Bytes(b) => format!("B{}", base64(b)),
        Value::Tuple(parts) => {
            let part = |part: &Option<Value>| part.as_ref().map_or("nil".to_owned(), value);
            format!("v({})", parts.iter().map(part).collect::<Vec<_>>().join(","))
        }
    }
}

pub fn told(node: &Node) -> String {
    match &node.form {
        Form::Nil => "nil".to_owned(),
        Form::Value(v) => value(v),
        Form::Char(c) => format!("c{}", u32::from(*c)),
        Form::List(nodes) => format!("q({})", all(nodes)),
        Form::Vector(nodes) => format!("v({})", all(nodes)),
        Form::Set(nodes) => {
            let mut words: Vec<String> = nodes.iter().map(told).collect();
            words.sort();
            format!("h({})", words.join(","))
        }
        Form::Map(pairs) => {
            let pair = |(k, v): &(Node, Node)| format!("{}={}", told(k), told(v));
            let mut words: Vec<String> = pairs.iter().map(pair).collect();
            words.sort();
            format!("m({})", words.join(","))
        }
        Form::Tagged(tag, node) => format!("t{}({})", word(tag), told(node)),
    }
}

/// Of several forms, one after the other.
pub fn all(nodes: &[Node]) -> String {
    nodes.iter().map(told).collect::<Vec<_>>().join(",")
}
