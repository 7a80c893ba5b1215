//! Array literals in Postgres's text form: `{a,"b c",NULL}`.

/// The elements of a one-dimensional literal; None: it is not one.
pub fn array_elements(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    if inner.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut elements = Vec::new();
    let mut chars = inner.chars();
    loop {
        let (element, more) = element(&mut chars)?;
        elements.push(element);
        if !more {
            return Some(elements);
        }
    }
}

/// One element, and whether another follows.
fn element(chars: &mut std::str::Chars) -> Option<(Option<String>, bool)> {
    let mut text = String::new();
    let (mut quoted, mut was_quoted) = (false, false);
    loop {
        match chars.next() {
            Some('\\') => text.push(chars.next()?),
            Some('"') => {
                quoted = !quoted;
                was_quoted = true;
            }
            Some('{' | '}') if !quoted => return None,
            end @ (None | Some(',')) if !quoted => {
                let text = if was_quoted { text } else { text.trim().to_owned() };
                let null = !was_quoted && text.eq_ignore_ascii_case("null");
                return Some(((!null).then_some(text), end.is_some()));
            }
            Some(c) => text.push(c),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, expect: &[Option<&str>]) {
        let elements = array_elements(text).unwrap();
        let elements: Vec<Option<&str>> = elements.iter().map(Option::as_deref).collect();
        assert_eq!(elements, expect, "{text}");
    }

    #[test]
    fn literals() {
        check("{}", &[]);
        check("{0}", &[Some("0")]);
        check("{a, b}", &[Some("a"), Some("b")]);
        check(r#"{"a,b",NULL,"NULL","c\"d"}"#, &[Some("a,b"), None, Some("NULL"), Some("c\"d")]);
        for not_one in ["a", "{a", "{{1},{2}}", "{\"a}"] {
            assert_eq!(array_elements(not_one), None, "{not_one}");
        }
    }
}
