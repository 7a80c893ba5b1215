//! What a client is told when something fails: an HTTP status, and `{:error {:code ... :message ... :hint ... :span ...}}` in
//! the format that it asked for. The one mapping of SQLSTATE to status.

use super::formats::{Format, long, map, node, text, value};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::{EdnError, Form, Node, Span};
use daodb_storage::Value;

pub type Result<T, E = Box<Refusal>> = std::result::Result<T, E>;

/// A request that is not answered as it was meant.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub error: Error,
    /// Where in the body.
    pub place: Option<Place>,
    /// Seconds after which the same request may be answered.
    pub retry_after: Option<u64>,
    /// Methods that the path knows.
    pub allow: Option<&'static str>,
}

/// A part of a body: bytes, and the line and column (from 1) of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub span: Span,
    pub line: usize,
    pub column: usize,
}

impl Refusal {
    pub fn new(status: StatusCode, error: Error) -> Refusal {
        Refusal { status, error, place: None, retry_after: None, allow: None }
    }

    /// The body is not what its content type says.
    pub fn unreadable(e: EdnError, body: &str) -> Refusal {
        let mut error = Error::new(SqlState::SYNTAX, e.message);
        error.hint = e.hint;
        Refusal { place: Some(place(e.span, body)), ..Refusal::from(error) }
    }

    pub fn retry_after(self, seconds: u64) -> Refusal {
        Refusal { retry_after: Some(seconds), ..self }
    }

    /// `{:code ... :message ...}`
    pub fn form(&self) -> Node {
        form(&self.error, self.place)
    }

    pub fn response(&self, format: Format) -> Response {
        let body = format.body(map([("error", self.form())]));
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

pub fn place(span: Span, body: &str) -> Place {
    let (line, column) = span.line_column(body);
    Place { span, line, column }
}

/// What an error says, as a form.
pub fn form(e: &Error, place: Option<Place>) -> Node {
    let mut pairs = vec![("code", text(e.state.as_str())), ("message", prose(&e.message))];
    pairs.extend(e.detail.as_ref().map(|detail| ("detail", prose(detail))));
    pairs.extend(e.hint.as_ref().map(|hint| ("hint", prose(hint))));
    // Of a transaction, the form of its data, from 0.
    pairs.extend(e.op.map(|op| ("op", count(op as usize))));
    // Of a statement, the character of its text, from 1.
    pairs.extend(e.position.map(|p| ("position", count(p))));
    pairs.extend(place.map(|p| {
        let span = map([
            ("start", count(p.span.start)),
            ("end", count(p.span.end)),
            ("line", count(p.line)),
            ("column", count(p.column)),
        ]);
        ("span", span)
    }));
    let pair = |(k, v): (&str, Node)| (value(Value::keyword(k)), v);
    node(Form::Map(pairs.into_iter().map(pair).collect()))
}

/// A text for people. A colon before it would make it a keyword in JSON, or something to unwrap.
fn prose(words: &str) -> Node {
    if !words.starts_with(':') {
        return text(words);
    }
    let (keyword, rest) = words.split_at(words.find(' ').unwrap_or(words.len()));
    text(format!("`{keyword}`{rest}"))
}

fn count(n: usize) -> Node {
    long(i64::try_from(n).unwrap_or(i64::MAX))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let status = status(error.state);
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Refusal { retry_after, ..Refusal::new(status, error) }
    }
}

impl From<Error> for Box<Refusal> {
    fn from(error: Error) -> Self {
        Box::new(error.into())
    }
}

impl From<Box<Error>> for Box<Refusal> {
    fn from(error: Box<Error>) -> Self {
        Box::new((*error).into())
    }
}

impl From<daodb_storage::Error> for Box<Refusal> {
    fn from(error: daodb_storage::Error) -> Self {
        Error::from(error).into()
    }
}

/// 400: cannot be read. 409: another state of the database would take it. 422: read, and against its rules. 503: later, or
/// elsewhere. 500: damaged data, and our own bugs.
fn status(state: SqlState) -> StatusCode {
    match state.as_str() {
        "3D000" => StatusCode::NOT_FOUND,
        "42P04" | "23505" | "40001" | "25006" | "55000" => StatusCode::CONFLICT,
        "42804" | "42939" => StatusCode::UNPROCESSABLE_ENTITY,
        "54001" | "54011" => StatusCode::BAD_REQUEST,
        "57014" | "57P01" => StatusCode::SERVICE_UNAVAILABLE,
        code => match code.get(..2) {
            Some("21" | "23" | "54") => StatusCode::UNPROCESSABLE_ENTITY,
            Some("53" | "58") => StatusCode::SERVICE_UNAVAILABLE,
            Some("XX") => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        },
    }
}

fn refusal(status: StatusCode, state: SqlState, message: String, hint: &str) -> Box<Refusal> {
    Box::new(Refusal::new(status, Error::new(state, message).hint(hint)))
}

/// 400: the request says something that cannot be.
pub fn bad(message: impl Into<String>, hint: &str) -> Box<Refusal> {
    let state = SqlState::INVALID_PARAMETER_VALUE;
    refusal(StatusCode::BAD_REQUEST, state, message.into(), hint)
}

/// The same, of a part of the body.
pub fn bad_at(node: &Node, body: &str, message: impl Into<String>, hint: &str) -> Box<Refusal> {
    let mut refusal = bad(message, hint);
    refusal.place = Some(place(node.span, body));
    refusal
}

/// 404: nothing is there.
pub fn missing(message: impl Into<String>, hint: &str) -> Box<Refusal> {
    refusal(StatusCode::NOT_FOUND, SqlState::UNDEFINED_OBJECT, message.into(), hint)
}

/// 408: the body did not come in time.
pub fn slow(message: impl Into<String>) -> Box<Refusal> {
    let state = SqlState::Code("08006");
    refusal(StatusCode::REQUEST_TIMEOUT, state, message.into(), "send it in one go")
}

/// 413: more than is taken.
pub fn too_large(limit: usize) -> Box<Refusal> {
    let message = format!("the body is larger than {limit} bytes");
    let hint = "split it into several requests";
    refusal(StatusCode::PAYLOAD_TOO_LARGE, SqlState::Code("54000"), message, hint)
}

/// 406: the answer has no such format.
pub fn not_acceptable(accept: &str, hint: &str) -> Box<Refusal> {
    let message = format!("the answer cannot be {accept}");
    refusal(StatusCode::NOT_ACCEPTABLE, SqlState::FEATURE_NOT_SUPPORTED, message, hint)
}

/// 415: bodies have no such format.
pub fn unsupported(message: impl Into<String>, hint: &str) -> Box<Refusal> {
    let state = SqlState::FEATURE_NOT_SUPPORTED;
    refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, state, message.into(), hint)
}

/// 429: too many requests run.
pub fn busy(message: impl Into<String>) -> Box<Refusal> {
    let state = SqlState::Code("53300");
    let mut refusal =
        refusal(StatusCode::TOO_MANY_REQUESTS, state, message.into(), "try again in a moment");
    refusal.retry_after = Some(1);
    refusal
}

/// 503: the server ends.
pub fn stopping() -> Box<Refusal> {
    Error::new(SqlState::SHUTTING_DOWN, "the server is shutting down").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (code, expect) in [
            ("42601", 400),
            ("22023", 400),
            ("42P01", 400),
            ("0A000", 400),
            ("08P01", 400),
            ("3D000", 404),
            ("42P04", 409),
            ("23505", 409),
            ("25006", 409),
            ("23503", 422),
            ("23514", 422),
            ("42804", 422),
            ("53200", 503),
            ("57014", 503),
            ("58030", 503),
            ("XX001", 500),
            ("XX000", 500),
        ] {
            assert_eq!(status(SqlState::Code(code)).as_u16(), expect, "{code}");
        }
    }

    #[test]
    fn an_error_says_where() {
        let e = EdnError {
            message: "wrong".to_owned(),
            hint: Some("right".to_owned()),
            span: Span { start: 3, end: 4 },
        };
        let refusal = Refusal::unreadable(e, "[\n ]]");
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            refusal.form().to_string(),
            "{:code \"42601\", :message \"wrong\", :hint \"right\", \
             :span {:start 3, :end 4, :line 2, :column 2}}"
        );
        let busy = busy("x").response(Format::Json);
        assert_eq!(busy.headers().get(header::RETRY_AFTER), Some(&HeaderValue::from(1)));
    }
}
