//! One request: its formats, its parameters, its body within limits.

use super::accept::{self, Accept, Content};
use super::admit::Place;
use super::errors::{self, Refusal, Result};
use super::formats::{Format, field, text};
use super::server::Server;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use futures::StreamExt;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Memory for bodies is given out in pieces of so many bytes.
const PIECE: usize = 4 << 10;
/// From here on a body is read in a thread of its own.
const LARGE: usize = 256 << 10;

/// Who called, by the socket.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

pub struct Call {
    pub headers: HeaderMap,
    pub accept: Accept,
    /// Held until the answer is sent, also where that goes on after its head.
    pub place: Option<Place>,
    parameters: Vec<(String, String)>,
    /// Locked only because a body cannot be shared between threads.
    body: Mutex<Option<Body>>,
}

/// A body that was read.
pub struct Said {
    /// A map; of a statement alone `{:sql "..."}`.
    pub map: Node,
    /// To find places in.
    pub text: Arc<str>,
    /// Its share of the memory for bodies.
    _memory: Option<OwnedSemaphorePermit>,
}

impl Call {
    pub fn new(request: Request) -> Call {
        let (mut head, body) = request.into_parts();
        Call {
            place: head.extensions.remove::<Place>(),
            accept: Accept::of(&head.headers),
            parameters: parameters(&head.uri),
            headers: head.headers,
            body: Mutex::new(Some(body)),
        }
    }

    /// A parameter of the URL.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A whole number of the URL.
    pub fn number(&self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.parameter(name) else { return Ok(None) };
        let wrong = |_| errors::bad(format!("{name}={text}: not a whole number"), "a t, as 1042");
        text.parse().map(Some).map_err(wrong)
    }

    /// No parameter but these, each once: a misspelt `as-of` must not become now, nor one of two be passed over.
    pub fn knows(&self, names: &[&str]) -> Result<()> {
        let again = |i: usize| self.parameters[..i].iter().any(|p| p.0 == self.parameters[i].0);
        if let Some(i) = (1..self.parameters.len()).find(|i| again(*i)) {
            let name = &self.parameters[i].0;
            return Err(errors::bad(format!("parameter {name} is given twice"), "give it once"));
        }
        match self.parameters.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                Err(errors::bad(format!("unknown parameter {name}"), &known_are(names)))
            }
        }
    }

    /// The body, as the map that all requests are. No key but these: a misspelt one must not be as if it were not there.
    pub async fn said(&self, server: &Server, keys: &[&str]) -> Result<Said> {
        let content = accept::content(&self.headers)?;
        let (bytes, memory) = self.bytes(server).await?;
        let said = match content {
            Content::Sql if keys.contains(&"sql") => {
                let sql = utf8(&bytes)?;
                let map = super::formats::map([("sql", text(&sql))]);
                Said { map, text: sql.into(), _memory: memory }
            }
            Content::Sql => {
                let hint = "only /sql takes a statement; send a map as application/edn";
                return Err(errors::unsupported("a body cannot be application/sql here", hint));
            }
            Content::Forms(format) => {
                let map = read(format, bytes.clone()).await?;
                let memory = forms_memory(server, &map, memory)?;
                Said { map, text: utf8(&bytes)?.into(), _memory: memory }
            }
        };
        said.check(keys)?;
        Ok(said)
    }

    /// The body within the limits of size, time and of the memory that all bodies share.
    async fn bytes(&self, server: &Server) -> Result<(Bytes, Option<OwnedSemaphorePermit>)> {
        let limits = &server.limits;
        let Some(body) = self.body.lock().take() else { return Ok((Bytes::new(), None)) };
        let read = async {
            let (mut out, mut memory) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
            let mut chunks = body.into_data_stream();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|e| {
                    errors::bad(format!("the body cannot be read: {e}"), "send it again")
                })?;
                if out.len() + chunk.len() > limits.body {
                    return Err(errors::too_large(limits.body));
                }
                let held = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
                let more = (out.len() + chunk.len()).div_ceil(PIECE).saturating_sub(held);
                let more = server.body_memory(more)?;
                match &mut memory {
                    Some(memory) => memory.merge(more),
                    None => memory = Some(more),
                }
                out.extend_from_slice(&chunk);
            }
            Ok((out.freeze(), memory))
        };
        match tokio::time::timeout(limits.body_time, read).await {
            Ok(read) => read,
            Err(_) => {
                let limit = limits.body_time;
                Err(errors::slow(format!("the body did not come within {limit:?}")))
            }
        }
    }

    /// One form as the answer.
    pub fn answer(&self, form: Node) -> Result<Response> {
        self.answer_with(StatusCode::OK, form)
    }

    pub fn answer_with(&self, status: StatusCode, form: Node) -> Result<Response> {
        let format = self.accept.forms()?;
        Ok((status, [("content-type", format.media_type())], format.body(form)).into_response())
    }
}

/// Reading a large body takes long: elsewhere, so that the requests beside it are answered.
async fn read(format: Format, body: Bytes) -> Result<Node> {
    if body.len() < LARGE {
        return format.read(&body);
    }
    match tokio::task::spawn_blocking(move || format.read(&body)).await {
        Ok(read) => read,
        Err(e) => {
            let text = format!("reading the body failed: {e}");
            Err(Error::new(SqlState::INTERNAL, text).into())
        }
    }
}

/// Forms take more room than their text, and the more the shorter they are.
fn forms_memory(
    server: &Server,
    map: &Node,
    memory: Option<OwnedSemaphorePermit>,
) -> Result<Option<OwnedSemaphorePermit>> {
    let wanted = pieces(count(map).saturating_mul(size_of::<Node>()));
    let Some(mut memory) = memory else { return Ok(None) };
    let more = wanted.saturating_sub(memory.num_permits());
    if more > 0 {
        memory.merge(server.body_memory(more)?);
    }
    Ok(Some(memory))
}

/// How many forms there are, this one and those within.
fn count(node: &Node) -> usize {
    let all = |nodes: &[Node]| nodes.iter().map(count).sum::<usize>();
    1 + match &node.form {
        Form::List(nodes) | Form::Vector(nodes) | Form::Set(nodes) => all(nodes),
        Form::Map(pairs) => pairs.iter().map(|(k, v)| count(k) + count(v)).sum(),
        Form::Tagged(_, node) => count(node),
        Form::Nil | Form::Value(_) | Form::Char(_) => 0,
    }
}

/// So many pieces of memory for bodies.
pub const fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE)
}

impl Said {
    /// A map within it, which has keys of its own.
    pub fn part(&self, map: &Node, keys: &[&str]) -> Result<Said> {
        let part = Said { map: map.clone(), text: Arc::clone(&self.text), _memory: None };
        part.check(keys)?;
        Ok(part)
    }

    /// A whole number from `least` on.
    pub fn number(&self, name: &str, least: i64) -> Result<Option<i64>> {
        match self.get(name).map(|node| (node, &node.form)) {
            None => Ok(None),
            Some((_, Form::Value(Value::Long(n)))) if *n >= least => Ok(Some(*n)),
            Some((node, _)) => {
                Err(self.wrong(node, name, &format!("a whole number from {least} on")))
            }
        }
    }

    fn check(&self, keys: &[&str]) -> Result<()> {
        let Form::Map(pairs) = &self.map.form else {
            let hint = "as {:tx-data [...]} in EDN, {\"tx-data\": [...]} in JSON";
            let message = format!("the body is {}, not a map", self.map.kind());
            return Err(errors::bad_at(&self.map, &self.text, message, hint));
        };
        let name = |key: &Node| match key.keyword() {
            Some(k) => k.strip_prefix(':').map(str::to_owned),
            None => key.string().map(str::to_owned),
        };
        let unknown =
            pairs.iter().find(|(k, _)| !name(k).is_some_and(|k| keys.contains(&k.as_str())));
        match unknown {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("unknown key {key}");
                Err(errors::bad_at(key, &self.text, message, &known_are(keys)))
            }
        }
    }

    /// What stands under a key; nil is as if it were not there.
    pub fn get(&self, name: &str) -> Option<&Node> {
        field(&self.map, name).filter(|node| node.form != Form::Nil)
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        match node.string() {
            Some(text) => Ok(Some(text)),
            None => Err(self.wrong(node, name, "a text")),
        }
    }

    pub fn wrong(&self, node: &Node, name: &str, expected: &str) -> Box<Refusal> {
        let message = format!("the value of :{name} is {}, not {expected}", node.kind());
        errors::bad_at(node, &self.text, message, &format!("give {expected}"))
    }

    pub fn missing(&self, name: &str, example: &str) -> Box<Refusal> {
        errors::bad_at(&self.map, &self.text, format!("the key :{name} is missing"), example)
    }
}

fn known_are(names: &[&str]) -> String {
    match names {
        [] => "it takes none".to_owned(),
        names => format!("known are {}", names.join(", ")),
    }
}

fn utf8(bytes: &Bytes) -> Result<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(errors::bad("the body is no UTF-8", "send it in UTF-8")),
    }
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// An error in the format that the caller takes.
pub fn respond(format: Format, answer: Result<Response>) -> Response {
    answer.unwrap_or_else(|refusal| {
        if refusal.status.is_server_error() {
            tracing::warn!("{}: {}", refusal.status, refusal.error);
        }
        refusal.response(format)
    })
}
