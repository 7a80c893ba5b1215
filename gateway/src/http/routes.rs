//! Which file answers what.

use super::accept::Accept;
use super::admit::admit;
use super::call::respond;
use super::errors::{self, Refusal};
use super::server::Server;
use super::{
    databases, datoms, entity, health, info, log, metrics, openapi, pull, query, sql, verify,
};
use super::{transact, tx, with};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use daodb_catalog::{Error, SqlState};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

type Route = MethodRouter<Arc<Server>>;

/// Every path, its methods, and what answers it. `openapi.json` says the same, and a test compares.
fn routes() -> Vec<(&'static str, &'static str, Route)> {
    vec![
        ("/api", "GET, POST", get(databases::list).post(databases::create)),
        ("/api/openapi.json", "GET", get(openapi::route)),
        ("/api/{db}", "DELETE", delete(databases::archive)),
        ("/api/{db}/transact", "POST", post(transact::route)),
        ("/api/{db}/with", "POST", post(with::route)),
        ("/api/{db}/sql", "POST", post(sql::route)),
        ("/api/{db}/query", "POST", post(query::route)),
        ("/api/{db}/explain", "POST", post(query::explain)),
        ("/api/{db}/pull", "POST", post(pull::route)),
        ("/api/{db}/datoms", "POST", post(datoms::route)),
        ("/api/{db}/entity/{id}", "GET", get(entity::route)),
        ("/api/{db}/tx-range", "GET", get(datoms::tx_range)),
        ("/api/{db}/basis", "GET", get(tx::basis)),
        ("/api/{db}/info", "GET", get(info::route)),
        ("/api/{db}/verify", "GET", get(verify::route)),
        ("/api/{db}/tx/{t}", "GET", get(tx::route)),
        ("/api/{db}/log", "GET", get(log::route)),
        ("/health", "GET", get(health::alive)),
        ("/ready", "GET", get(health::ready)),
        ("/metrics", "GET", get(metrics::route)),
    ]
}

pub fn router(server: Arc<Server>) -> Router {
    let mut router = Router::new();
    for (path, methods, route) in routes() {
        let refuse = move |request: Request| async move { other_method(&request, methods) };
        router = router.route(path, route.fallback(refuse));
    }
    router
        .fallback(nothing)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(RequestDecompressionLayer::new())
        .layer(from_fn_with_state(Arc::clone(&server), admit))
        .layer(CompressionLayer::new())
        .with_state(server)
}

fn other_method(request: &Request, allow: &'static str) -> Response {
    let text = format!("{} does not take {}", request.uri().path(), request.method());
    let error = Error::new(SqlState::FEATURE_NOT_SUPPORTED, text).hint(format!("use {allow}"));
    let mut refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error);
    refusal.allow = Some(allow);
    refusal.response(Accept::of(request.headers()).forms_or_default())
}

async fn nothing(request: Request) -> Response {
    let text = format!("there is nothing at {}", request.uri().path());
    let refusal = errors::missing(text, "GET /api/openapi.json says what there is");
    respond(Accept::of(request.headers()).forms_or_default(), Err(refusal))
}

fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let error = crate::pg::panicked(payload.as_ref());
    let refusal: Box<Refusal> = error.into();
    refusal.response(super::formats::Format::Json)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::formats::{Format, field};
    use super::*;
    use daodb_datalog::edn::{Form, Node};

    /// The keys of an object.
    fn keys(node: &Node) -> Vec<String> {
        let Form::Map(pairs) = &node.form else { return Vec::new() };
        pairs.iter().filter_map(|(k, _)| k.string().map(str::to_owned)).collect()
    }

    #[test]
    fn the_openapi_document_says_what_there_is() {
        let document = Format::Json.read(openapi::DOCUMENT.as_bytes()).unwrap();
        assert_eq!(field(&document, "openapi").unwrap().string(), Some("3.1.0"));
        let paths = field(&document, "paths").unwrap();
        let mut told: Vec<(String, Vec<String>)> = keys(paths)
            .into_iter()
            .map(|path| {
                let mut methods = keys(field(paths, &path).unwrap());
                methods.retain(|m| ["get", "post", "delete"].contains(&m.as_str()));
                (path, methods.iter().map(|m| m.to_uppercase()).collect())
            })
            .collect();
        let mut there: Vec<(String, Vec<String>)> = routes()
            .into_iter()
            .map(|(path, methods, _)| {
                (path.to_owned(), methods.split(", ").map(str::to_owned).collect())
            })
            .collect();
        for all in [&mut told, &mut there] {
            all.iter_mut().for_each(|(_, methods)| methods.sort());
            all.sort();
        }
        assert_eq!(told, there);
    }

    /// Every `$ref` of the document leads somewhere.
    #[test]
    fn the_openapi_document_is_whole() {
        let document = Format::Json.read(openapi::DOCUMENT.as_bytes()).unwrap();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 5);
        for reference in references {
            let path = reference.strip_prefix("#/").unwrap();
            let found = path.split('/').try_fold(&document, |at, part| field(at, part));
            assert!(found.is_some(), "{reference}");
        }
    }

    fn collect(node: &Node, out: &mut Vec<String>) {
        match &node.form {
            Form::Map(pairs) => {
                for (key, value) in pairs {
                    match (key.string(), value.string()) {
                        (Some("$ref"), Some(reference)) => out.push(reference.to_owned()),
                        _ => collect(value, out),
                    }
                }
            }
            Form::Vector(all) => all.iter().for_each(|node| collect(node, out)),
            _ => {}
        }
    }
}
