//! Texts as values: which type all texts of a column fit, and a text as a value of a type.

use daodb_catalog::basis::Moment;
use daodb_catalog::session::array_text;
use daodb_datalog::edn::{self, Form, Node, Span, from_base64};
use daodb_storage::{Value, ValueType};

/// The types that all values met so far fit; of texts only those that are told by how they look.
#[derive(Debug, Clone, Default)]
pub struct Guess {
    /// None: no value was met.
    fits: Option<Vec<ValueType>>,
}

/// Types that a text is taken for, the narrowest first; a text that fits none is a string.
const GUESSED: [ValueType; 6] = [
    ValueType::Boolean,
    ValueType::Long,
    ValueType::Bigint,
    ValueType::Double,
    ValueType::Instant,
    ValueType::Uuid,
];

impl Guess {
    pub fn text(&mut self, text: &str) {
        match &mut self.fits {
            None => self.fits = Some(GUESSED.into_iter().filter(|ty| looks(text, *ty)).collect()),
            Some(fits) => fits.retain(|ty| looks(text, *ty)),
        }
    }

    pub fn value(&mut self, value: &Value) {
        let wider: &[ValueType] = match value.value_type() {
            ValueType::Long => &[ValueType::Long, ValueType::Bigint, ValueType::Double],
            ValueType::Bigint => &[ValueType::Bigint],
            ValueType::Double => &[ValueType::Double],
            other => &[other],
        };
        match &mut self.fits {
            None => self.fits = Some(wider.to_vec()),
            Some(fits) => fits.retain(|ty| wider.contains(ty)),
        }
    }

    /// The type of all; strings where texts fit no other one. None: there was no value.
    pub fn of_texts(&self) -> Option<ValueType> {
        self.fits.as_ref().map(|fits| fits.first().copied().unwrap_or(ValueType::String))
    }

    /// The type of all. None: there was no value, or they have no type in common.
    pub fn of_values(&self) -> Option<ValueType> {
        self.fits.as_ref()?.first().copied()
    }
}

/// Whether a text looks like a value of the type, and like nothing else: `007` is a name, not a number.
fn looks(text: &str, ty: ValueType) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let number = whole > 0 && (whole == 1 || !unsigned.starts_with('0'));
    let digits = number && whole == unsigned.len();
    match ty {
        ValueType::Boolean => ["true", "false"].iter().any(|b| text.eq_ignore_ascii_case(b)),
        ValueType::Long => digits && text.parse::<i64>().is_ok(),
        ValueType::Bigint => digits,
        ValueType::Double => number && text.parse::<f64>().is_ok_and(f64::is_finite),
        ValueType::Instant => text.as_bytes().get(4) == Some(&b'-') && instant(text).is_some(),
        ValueType::Uuid => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        _ => false,
    }
}

fn instant(text: &str) -> Option<i64> {
    match Moment::parse(text) {
        Ok(Moment::Instant(us)) => Some(us),
        _ => None,
    }
}

/// A text as a value of the type. None: it is none.
pub fn parse(text: &str, ty: ValueType) -> Option<Value> {
    let trimmed = text.trim();
    let edn = |text: String| match edn::read(&text).ok()?.form {
        Form::Value(value) => Some(value),
        _ => None,
    };
    let whole = || trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'+');
    match ty {
        ValueType::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Some(Value::Boolean(true)),
            "false" | "f" | "no" | "n" | "0" => Some(Value::Boolean(false)),
            _ => None,
        },
        ValueType::Long => trimmed.parse().ok().map(Value::Long),
        ValueType::Ref => trimmed.parse().ok().map(Value::Ref),
        ValueType::Bigint if whole() => edn(format!("{trimmed}N")),
        ValueType::Bigint => None,
        ValueType::Double => trimmed.parse().ok().map(Value::Double),
        ValueType::Bigdec => edn(format!("{trimmed}M")).filter(|v| v.value_type() == ty),
        ValueType::Instant => instant(trimmed).map(Value::Instant),
        ValueType::Uuid => uuid::Uuid::try_parse(trimmed).ok().map(Value::Uuid),
        ValueType::String => Some(Value::string(text)),
        ValueType::Keyword if trimmed.trim_start_matches(':').is_empty() => None,
        ValueType::Keyword => Some(Value::keyword(trimmed)),
        ValueType::Symbol => Some(Value::Symbol(trimmed.into())),
        ValueType::Uri => Some(Value::Uri(trimmed.into())),
        ValueType::Bytes => match trimmed.strip_prefix("\\x") {
            Some(digits) => hex(digits).map(|bytes| Value::Bytes(bytes.into())),
            None => from_base64(trimmed).map(|bytes| Value::Bytes(bytes.into())),
        },
        ValueType::Tuple => None,
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let pairs = digits.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    pairs.map(pair).collect()
}

/// A value as one of the type, where nothing of it is lost.
pub fn convert(value: Value, ty: ValueType) -> Option<Value> {
    const EXACT: i64 = 1 << 53;
    match (value, ty) {
        (value, ty) if value.value_type() == ty => Some(value),
        (Value::Long(n), ValueType::Double) if (-EXACT..=EXACT).contains(&n) => {
            Some(Value::Double(n as f64))
        }
        (Value::Double(d), ValueType::Long) if d.fract() == 0.0 && d.abs() <= EXACT as f64 => {
            Some(Value::Long(d as i64))
        }
        (Value::Long(n), ValueType::Ref | ValueType::Bigint | ValueType::Bigdec) => {
            parse(&n.to_string(), ty)
        }
        (Value::Bigint(n), ValueType::Bigdec) => parse(&n.to_string(), ty),
        (Value::Double(d), ValueType::Bigdec) => parse(&d.to_string(), ty),
        (Value::String(text), ty) => parse(&text, ty),
        _ => None,
    }
}

/// The elements of `{a,"b c",NULL}`, as the wire writes lists; what is not in braces is one element.
pub fn elements(text: &str) -> Option<Vec<Node>> {
    if !text.starts_with('{') {
        return Some(vec![string(text)]);
    }
    let all = array_text::elements(text).ok()?;
    Some(all.iter().flatten().map(|text| string(text)).collect())
}

fn string(text: &str) -> Node {
    Node { form: Form::Value(Value::string(text)), span: Span::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn texts_tell_their_type() {
        let guess = |texts: &[&str]| {
            let mut guess = Guess::default();
            texts.iter().for_each(|text| guess.text(text));
            guess.of_texts().map(ValueType::name)
        };
        for (texts, expect) in [
            (&[][..], None),
            (&["true", "FALSE"], Some("boolean")),
            (&["1", "-2", "0"], Some("long")),
            (&["1", "99999999999999999999"], Some("bigint")),
            (&["1", "2.5", "1e9"], Some("double")),
            (&["1", "007"], Some("string")),
            (&["1", "true"], Some("string")),
            (&["1", ""], Some("string")),
            (&["2026-01-01", "2026-01-01 12:30:00+02"], Some("instant")),
            (&["2026-01-01", "2026-13-01"], Some("string")),
            (&["2026"], Some("long")),
            (&["67e55044-10b1-426f-9247-bb680e5fe0c8"], Some("uuid")),
            (&["NaN", "1.5"], Some("string")),
            (&["+1"], Some("string")),
            (&["a"], Some("string")),
        ] {
            assert_eq!(guess(texts), expect, "{texts:?}");
        }
    }

    #[test]
    fn values_tell_their_type() {
        let guess = |edn: &[&str]| {
            let mut guess = Guess::default();
            for text in edn {
                let Form::Value(value) = edn::read(text).unwrap().form else {
                    unreachable!("{text}")
                };
                guess.value(&value);
            }
            guess.of_values().map(ValueType::name)
        };
        assert_eq!(guess(&["1", "2"]), Some("long"));
        assert_eq!(guess(&["1", "2.5"]), Some("double"));
        assert_eq!(guess(&["1", "2N"]), Some("bigint"));
        assert_eq!(guess(&["1", "\"x\""]), None);
        assert_eq!(guess(&["#inst \"2026\""]), Some("instant"));
    }

    #[test]
    fn texts_as_values() {
        let check = |text: &str, ty: &str, expect: Option<&str>| {
            let value = parse(text, ValueType::parse(ty).unwrap());
            let shown = value.map(|v| Form::Value(v).to_string());
            assert_eq!(shown.as_deref(), expect, "{text} as {ty}");
        };
        check(" 7 ", "long", Some("7"));
        check("x", "long", None);
        check("7", "string", Some("\"7\""));
        check("7", "bigint", Some("7N"));
        check("7 8", "bigint", None);
        check("1.50", "bigdec", Some("1.50M"));
        check("x", "bigdec", None);
        check("1", "double", Some("1.0"));
        check("yes", "boolean", Some("true"));
        check("2026-01-01 02:00:00+02", "instant", Some("#inst \"2026-01-01T00:00:00Z\""));
        check("1042", "instant", None);
        check("red", "keyword", Some(":red"));
        check(":", "keyword", None);
        check("\\x00ff", "bytes", Some("#dao/bytes \"AP8=\""));
        check("\\x0", "bytes", None);
        check("AP8=", "bytes", Some("#dao/bytes \"AP8=\""));
        check("4294967296", "ref", Some("#dao/ref 4294967296"));
    }

    #[test]
    fn values_as_other_types() {
        let check = |value: Value, ty: ValueType, expect: Option<Value>| {
            assert_eq!(convert(value.clone(), ty), expect, "{value:?} as {ty:?}");
        };
        check(Value::Long(7), ValueType::Double, Some(Value::Double(7.0)));
        check(Value::Long(i64::MAX), ValueType::Double, None);
        check(Value::Double(7.0), ValueType::Long, Some(Value::Long(7)));
        check(Value::Double(7.5), ValueType::Long, None);
        check(Value::string("7"), ValueType::Long, Some(Value::Long(7)));
        check(Value::Boolean(true), ValueType::Long, None);
    }

    #[test]
    fn lists_as_texts() {
        let shown = |text: &str| {
            elements(text).map(|all| all.iter().map(Node::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(shown("{a,\"b c\",NULL}").as_deref(), Some("\"a\" \"b c\""));
        assert_eq!(shown("a").as_deref(), Some("\"a\""));
        assert_eq!(shown("{a"), None);
    }
}
