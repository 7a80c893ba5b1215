//! `GET /metrics`: what runs, as Prometheus reads it (text format 0.0.4).

use super::server::Server;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use daodb_storage::FIRST_T;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds of the histogram, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// What was answered since the start.
#[derive(Default)]
pub struct Metrics {
    answers: Mutex<BTreeMap<(String, String, u16), u64>>,
    times: Mutex<BTreeMap<String, Times>>,
}

#[derive(Default, Clone)]
struct Times {
    counts: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// `path` as routes name it, so that there are not more of them than routes; the time up to the answer's head.
    pub fn answered(&self, method: &Method, path: &str, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET | Method::POST | Method::DELETE | Method::HEAD => method.as_str(),
            // There is no end of methods that a client may make up.
            _ => "other",
        };
        let key = (path.to_owned(), method.to_owned(), status.as_u16());
        *self.answers.lock().entry(key).or_default() += 1;
        let mut all = self.times.lock();
        let times = all.entry(path.to_owned()).or_default();
        let seconds = took.as_secs_f64();
        for (count, bound) in times.counts.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds <= bound);
        }
        times.count += 1;
        times.seconds += seconds;
    }

    fn write(&self, out: &mut Text) {
        out.about("daodb_http_requests_total", "counter", "Requests answered");
        for ((path, method, status), n) in &*self.answers.lock() {
            let status = status.to_string();
            let labels = [("route", path.as_str()), ("method", method), ("status", &status)];
            out.line("daodb_http_requests_total", &labels, n);
        }
        let name = "daodb_http_request_seconds";
        out.about(name, "histogram", "Time from a request's head to that of its answer");
        for (path, times) in &*self.times.lock() {
            let bucket = format!("{name}_bucket");
            for (bound, count) in BOUNDS.iter().zip(times.counts) {
                out.line(&bucket, &[("route", path), ("le", &bound.to_string())], count);
            }
            out.line(&bucket, &[("route", path), ("le", "+Inf")], times.count);
            out.line(&format!("{name}_sum"), &[("route", path)], times.seconds);
            out.line(&format!("{name}_count"), &[("route", path)], times.count);
        }
    }
}

/// Lines of Prometheus's format.
#[derive(Default)]
struct Text(String);

impl Text {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String never fails.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if i == 0 { '{' } else { ',' });
        }
        self.0.push_str(if labels.is_empty() { "" } else { "}" });
        let _ = writeln!(self.0, " {value}");
    }
}

pub async fn route(State(server): State<Arc<Server>>) -> Response {
    let mut out = Text::default();
    server.metrics.write(&mut out);
    let running = server.limits.requests - server.requests.available_permits();
    out.about("daodb_http_requests_running", "gauge", "Requests that are being answered");
    out.line("daodb_http_requests_running", &[], running);
    let following = server.limits.followers - server.followers.available_permits();
    out.about("daodb_http_followers", "gauge", "Readers that follow a log");
    out.line("daodb_http_followers", &[], following);
    out.about("daodb_query_memory_bytes", "gauge", "Memory that queries hold");
    out.line("daodb_query_memory_bytes", &[], server.catalog.runtime().memory_pool.reserved());
    databases(&server, &mut out);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out.0).into_response()
}

/// Of those that are open: asking must open none.
fn databases(server: &Server, out: &mut Text) {
    let open: Vec<_> = server
        .catalog
        .opened()
        .into_iter()
        .map(|database| (database.name().to_owned(), database.snapshot()))
        .collect();
    let mut gauge = |name: &str, kind: &str, help: &str, of: &dyn Fn(usize) -> u64| {
        out.about(name, kind, help);
        for (i, (database, _)) in open.iter().enumerate() {
            out.line(name, &[("database", database)], of(i));
        }
    };
    let snapshot = |i: usize| &open[i].1;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    gauge("daodb_log_t", "gauge", "The newest transaction", &|i| count(snapshot(i).newest().t));
    gauge("daodb_transactions_total", "counter", "Transactions in the log", &|i| {
        count(snapshot(i).newest().t - FIRST_T + 1)
    });
    gauge("daodb_datoms_total", "counter", "Assertions in the log", &|i| {
        snapshot(i).attributes().map(|a| a.facts).sum()
    });
    gauge("daodb_tail_rows", "gauge", "Rows in memory that no segment holds yet", &|i| {
        snapshot(i).tail_rows() as u64
    });
    let Some((_, any)) = open.first() else { return };
    out.about("daodb_storage_requests_total", "counter", "Requests to the store");
    for requests in any.requests() {
        let labels = [("area", requests.area), ("kind", requests.kind)];
        out.line("daodb_storage_requests_total", &labels, requests.requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_prometheus() {
        let metrics = Metrics::default();
        metrics.answered(&Method::GET, "/api", StatusCode::OK, Duration::from_millis(7));
        metrics.answered(&Method::GET, "/api", StatusCode::OK, Duration::from_secs(100));
        let mut out = Text::default();
        metrics.write(&mut out);
        out.line("x", &[("l", "a\"\\\n")], 1);
        for line in [
            "daodb_http_requests_total{route=\"/api\",method=\"GET\",status=\"200\"} 2",
            "daodb_http_request_seconds_bucket{route=\"/api\",le=\"0.005\"} 0",
            "daodb_http_request_seconds_bucket{route=\"/api\",le=\"0.01\"} 1",
            "daodb_http_request_seconds_bucket{route=\"/api\",le=\"60\"} 1",
            "daodb_http_request_seconds_bucket{route=\"/api\",le=\"+Inf\"} 2",
            "daodb_http_request_seconds_count{route=\"/api\"} 2",
            "x{l=\"a\\\"\\\\\\n\"} 1",
        ] {
            assert!(out.0.lines().any(|l| l == line), "{line} in {}", out.0);
        }
    }
}
