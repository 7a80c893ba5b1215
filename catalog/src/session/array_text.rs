//! The text of an array, as Postgres reads it; a cast would take the whole text as the only element.

use super::syntax::{call, cast, number};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, DataType, Expr, Value, ValueWithSpan,
};

/// `'{1,2}'::int4[]` as `ARRAY['1'::int4, '2'::int4]::int4[]`; None: it is something else.
pub fn literal(value: &ValueWithSpan, ty: &DataType) -> Option<Result<Expr>> {
    let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = ty else { return None };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    Some(elements(text).map(|elements| {
        let element = |element: Option<String>| {
            let value = element.map_or(Value::Null, Value::SingleQuotedString);
            cast(Expr::Value(value.with_empty_span()), DataType::clone(item))
        };
        let elem = elements.into_iter().map(element).collect();
        cast(Expr::Array(Array { elem, named: true }), ty.clone())
    }))
}

/// An array without items has no dimensions, and no length of one: the engine says 0.
pub fn dimension(e: &mut Expr) {
    if matches!(e, Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("array_length")) {
        let length = std::mem::replace(e, Expr::value(Value::Null));
        *e = cast(call("nullif", vec![length, number("0")]), DataType::Integer(None));
    }
}

/// The elements of an array literal; None is NULL.
pub fn elements(text: &str) -> Result<Vec<Option<String>>> {
    let malformed = |why: &str| {
        let message = format!("malformed array literal: \"{text}\"");
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(why)
    };
    let inner = text.trim();
    let inner = inner
        .strip_prefix('{')
        .ok_or_else(|| malformed("Array value must start with \"{\" or dimension information."))?;
    let mut chars = inner.chars().peekable();
    let mut elements = vec![];
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let mut element = String::new();
        let mut quoted = false;
        match chars.peek() {
            Some('{') => {
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "texts of arrays of more than one dimension are not supported",
                ));
            }
            Some('}') if elements.is_empty() => {}
            Some('"') => {
                quoted = true;
                chars.next();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => element.extend(chars.next()),
                        Some(c) => element.push(c),
                        None => return Err(malformed("Unexpected end of input.")),
                    }
                }
            }
            _ => {
                while let Some(c) = chars.next_if(|c| !matches!(c, ',' | '}' | '{' | '"')) {
                    match c {
                        '\\' => {
                            quoted = true;
                            element.extend(chars.next());
                        }
                        c => element.push(c),
                    }
                }
                element.truncate(element.trim_end().len());
                if element.is_empty() {
                    return Err(malformed("Unexpected \",\" or \"}\" character."));
                }
            }
        }
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let null = !quoted && element.eq_ignore_ascii_case("null");
        let empty = !quoted && element.is_empty();
        match (chars.next(), empty) {
            (Some(','), false) => elements.push((!null).then_some(element)),
            (Some('}'), empty) => {
                if !empty {
                    elements.push((!null).then_some(element));
                }
                break;
            }
            _ => return Err(malformed("Unexpected character or end of input.")),
        }
    }
    match chars.all(|c| c.is_ascii_whitespace()) {
        true => Ok(elements),
        false => Err(malformed("Junk after closing right brace.")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn literals() {
        let check = |text: &str, expect: &[Option<&str>]| {
            let elements = elements(text).unwrap();
            assert_eq!(elements.iter().map(Option::as_deref).collect::<Vec<_>>(), expect, "{text}");
        };
        check("{}", &[]);
        check(" { } ", &[]);
        check("{1, 2 ,NULL}", &[Some("1"), Some("2"), None]);
        check(r#"{"a b","","NULL","\"\\"}"#, &[Some("a b"), Some(""), Some("NULL"), Some("\"\\")]);
        check(r"{a\,b}", &[Some("a,b")]);
        for bad in ["", "1", "{", "{1", "{1,}", "{,}", "{\"a}", "{1}x", "{a\"b\"}"] {
            assert_eq!(elements(bad).unwrap_err().state.as_str(), "22P02", "{bad}");
        }
        assert_eq!(elements("{{1}}").unwrap_err().state.as_str(), "0A000");
    }
}
