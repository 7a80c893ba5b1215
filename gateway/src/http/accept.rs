//! What a request says of formats: Content-Type of its own body, Accept of the answer.

use super::errors::{self, Result};
use super::formats::{ARROW, Format, RowFormat};
use axum::http::{HeaderMap, HeaderValue, header};

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Forms(Format),
    /// The text of a statement.
    Sql,
}

/// The formats of an answer in the order in which the client wants them.
#[derive(Debug, Clone)]
pub struct Accept {
    wanted: Vec<String>,
    /// Where anything will do: that of the request, else JSON.
    default: Format,
}

const FORMS: &str = "application/json, application/edn and application/transit+json";

impl Accept {
    pub fn of(headers: &HeaderMap) -> Accept {
        let own = headers.get(header::CONTENT_TYPE).and_then(media_type);
        let default = own.and_then(|own| Format::of(&own)).unwrap_or(Format::Json);
        let given = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
        let mut wanted: Vec<(u16, String)> =
            given.flat_map(|v| v.split(',')).filter_map(range).collect();
        // Stable: of what is wanted alike, the first.
        wanted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        let wanted = wanted.into_iter().map(|(_, ty)| ty).collect();
        Accept { wanted, default }
    }

    /// For forms, and for errors whatever else was asked for.
    pub fn forms_or_default(&self) -> Format {
        self.forms().unwrap_or(self.default)
    }

    /// The format of an answer that is one form.
    pub fn forms(&self) -> Result<Format> {
        self.first(Format::of, self.default, FORMS)
    }

    /// The format of an answer of rows.
    pub fn rows(&self) -> Result<RowFormat> {
        let of = |ty: &str| match ty {
            "text/csv" => Some(RowFormat::Csv),
            ARROW => Some(RowFormat::Arrow),
            ty => Format::of(ty).map(RowFormat::Forms),
        };
        let known = format!("{FORMS}, text/csv and {ARROW}");
        self.first(of, RowFormat::Forms(self.default), &known)
    }

    /// Whether a stream of events is wanted before all else.
    pub fn events(&self) -> bool {
        self.wanted.first().is_some_and(|ty| ty == "text/event-stream")
    }

    fn first<T>(&self, of: impl Fn(&str) -> Option<T>, default: T, known: &str) -> Result<T> {
        if self.wanted.is_empty() {
            return Ok(default);
        }
        for ty in &self.wanted {
            if let Some(format) = of(ty) {
                return Ok(format);
            }
            // Browsers ask for text/html first, and for anything in the end.
            if matches!(ty.as_str(), "*/*" | "application/*") {
                return Ok(default);
            }
        }
        Err(errors::not_acceptable(&self.wanted.join(", "), &format!("formats are {known}")))
    }
}

/// A range of Accept, its quality in thousandths; None: it is not wanted, or cannot be read.
fn range(text: &str) -> Option<(u16, String)> {
    let mut parts = text.split(';').map(str::trim);
    let ty = parts.next().filter(|ty| ty.contains('/'))?.to_ascii_lowercase();
    let quality = parts.find_map(|p| p.strip_prefix("q=").or(p.strip_prefix("Q=")));
    let quality: f32 = quality.map_or(Some(1.0), |q| q.parse().ok())?;
    let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
    (thousandths > 0).then_some((thousandths, ty))
}

/// Without parameters, in lower case.
fn media_type(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    Some(text.split(';').next()?.trim().to_ascii_lowercase())
}

/// What the body of a request is. There is no default: what a browser sends to other sites unasked has none of these types.
pub fn content(headers: &HeaderMap) -> Result<Content> {
    let hint = format!("name it by Content-Type; bodies are {FORMS}, and application/sql for /sql");
    let Some(given) = headers.get(header::CONTENT_TYPE) else {
        return Err(errors::unsupported("the request does not say what its body is", &hint));
    };
    match media_type(given) {
        Some(ty) if ty == "application/sql" => Ok(Content::Sql),
        ty => match ty.as_deref().and_then(Format::of) {
            Some(format) => Ok(Content::Forms(format)),
            None => {
                let shown = String::from_utf8_lossy(given.as_bytes()).into_owned();
                Err(errors::unsupported(format!("a body cannot be {shown}"), &hint))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn accept(accept: &'static str, content: &'static str) -> Accept {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        Accept::of(&headers)
    }

    #[test]
    fn what_is_wanted_most() {
        let rows = |text, content| accept(text, content).rows().unwrap();
        assert_eq!(rows("", "application/edn"), RowFormat::Forms(Format::Edn));
        assert_eq!(rows("*/*", "application/sql"), RowFormat::Forms(Format::Json));
        assert_eq!(rows("text/csv", "application/edn"), RowFormat::Csv);
        let arrow = "application/edn;q=0.5, application/vnd.apache.arrow.stream";
        assert_eq!(rows(arrow, "application/sql"), RowFormat::Arrow);
        let browser = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
        assert_eq!(accept(browser, "x/y").forms().unwrap(), Format::Json);
        assert_eq!(accept("text/html", "x/y").forms().unwrap_err().status.as_u16(), 406);
        assert_eq!(accept("application/edn;q=0", "x/y").forms().unwrap(), Format::Json);
        assert!(accept("text/event-stream", "x/y").events());
        assert!(!accept("application/json, text/event-stream", "x/y").events());
        assert_eq!(accept("text/csv", "x/y").forms_or_default(), Format::Json);
    }

    #[test]
    fn what_a_body_is() {
        let content = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(text));
            content(&headers)
        };
        let json = content("application/json; charset=utf-8").unwrap();
        assert_eq!(json, Content::Forms(Format::Json));
        assert_eq!(content("Application/EDN").unwrap(), Content::Forms(Format::Edn));
        assert_eq!(content("application/sql").unwrap(), Content::Sql);
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            assert_eq!(content(other).unwrap_err().status.as_u16(), 415, "{other}");
        }
    }
}
