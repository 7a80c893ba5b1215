//! Who may ask, and how many at once: stands before every route, and counts what they answer.

use super::accept::Accept;
use super::call::{Peer, respond};
use super::errors::{self, Refusal, Result};
use super::formats::Format;
use super::server::Server;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use daodb_catalog::{Error, SqlState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// A request's place among those that run; held until its answer is sent.
#[derive(Clone)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// These answer also when nothing else does.
const ALWAYS: [&str; 3] = ["/health", "/ready", "/metrics"];

pub async fn admit(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned());
    // Paths that there are not are counted as one: there is no end of them.
    let path = path.unwrap_or_else(|| "other".to_owned());
    let format = Accept::of(request.headers()).forms_or_default();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let answer = match place(&server, &path, request.headers()).await {
        Ok(place) => {
            if let Some(place) = place {
                request.extensions_mut().insert(place);
            }
            worded(next.run(request).await, format)
        }
        Err(refusal) => respond(format, Err(refusal)),
    };
    tracing::debug!(?peer, %method, path, status = answer.status().as_u16(), "answered");
    server.metrics.answered(&method, &path, answer.status(), start.elapsed());
    answer
}

/// What was refused before any route saw it says why in the words and the format of all others.
fn worded(answer: Response, format: Format) -> Response {
    let text = |value: &HeaderValue| value.as_bytes().starts_with(b"text/plain");
    let foreign = answer.headers().get(header::CONTENT_TYPE).is_none_or(text);
    let refusal = match answer.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE if foreign => {
            let hint = "send the body as it is, or with Content-Encoding: gzip";
            errors::unsupported("the body is packed in a way that is not known", hint)
        }
        StatusCode::BAD_REQUEST if foreign => errors::bad(
            "the path of the request is no text",
            "GET /api/openapi.json lists the paths",
        ),
        _ => return answer,
    };
    refusal.response(format)
}

async fn place(server: &Server, path: &str, headers: &HeaderMap) -> Result<Option<Place>> {
    if server.limits.own_names {
        check_host(headers)?;
    }
    if ALWAYS.contains(&path) {
        return Ok(None);
    }
    if server.stop.is_cancelled() {
        return Err(errors::stopping());
    }
    let requests = Arc::clone(&server.requests).acquire_owned();
    match tokio::time::timeout(server.limits.wait, requests).await {
        Ok(Ok(permit)) => Ok(Some(Place { _permit: Arc::new(permit) })),
        _ => {
            let most = server.limits.requests;
            Err(errors::busy(format!("{most} requests run already")))
        }
    }
}

/// A page of another site can send its visitors' browsers here under a name of its own; then Host tells.
fn check_host(headers: &HeaderMap) -> Result<()> {
    let Some(host) = headers.get(header::HOST).and_then(|h| h.to_str().ok()) else {
        return Ok(());
    };
    if is_own(host) {
        return Ok(());
    }
    let text = format!("this server answers by the names of its own machine, and not as {host}");
    let error = Error::new(SqlState::Code("28000"), text)
        .hint("ask 127.0.0.1 or localhost; --insecure lifts that");
    Err(Box::new(Refusal::new(StatusCode::MISDIRECTED_REQUEST, error)))
}

fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for host in ["localhost", "LocalHost:8765", "127.0.0.1:8765", "127.1.2.3", "[::1]:8765"] {
            assert!(is_own(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "127.0.0.1.example.com:80", "10.0.0.1"]
        {
            assert!(!is_own(host), "{host}");
        }
    }
}
