//! A server on a free port, and a client that tells all of an answer.

use daodb_catalog::{Catalog, Database};
use daodb_gateway::http::{self, Limits};
use daodb_sqltests::engine::{self, DATABASE};
use daodb_sqltests::ops::{self, Names};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const EDN: &str = "application/edn";
pub const JSON: &str = "application/json";
pub const TRANSIT: &str = "application/transit+json";
pub const SQL: &str = "application/sql";

/// Item a is 1 in t 1000 (January), 2 in t 1001 (February).
pub struct Door {
    pub catalog: Arc<Catalog>,
    pub database: Arc<Database>,
    pub address: SocketAddr,
    pub client: reqwest::Client,
    names: Names,
    stop: CancellationToken,
    task: JoinHandle<daodb_catalog::Result<()>>,
}

/// An answer, whole or not.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// It ended as HTTP says that bodies end.
    pub whole: bool,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }
    /// The SQLSTATE of an error in JSON.
    pub fn code(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert!(error["message"].is_string(), "{json}");
        error["code"].as_str().unwrap().to_owned()
    }
}

impl Door {
    pub async fn open() -> Door {
        Door::within(Limits::default()).await
    }

    pub async fn within(limits: Limits) -> Door {
        let (catalog, database) = engine::memory(engine::options()).await.unwrap();
        let mut door = Door::of(catalog, database, limits).await;
        door.set("2026-01-01T00:00:00Z", 1).await;
        door.set("2026-02-01T00:00:00Z", 2).await;
        door
    }

    /// What is there already, served.
    pub async fn of(catalog: Arc<Catalog>, database: Arc<Database>, limits: Limits) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = http::serve_within(listener, Arc::clone(&catalog), limits, stop.clone());
        let task = tokio::spawn(served);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let names = Names::new();
        Door { catalog, database, address, client, names, stop, task }
    }

    pub async fn set(&mut self, at: &str, n: i64) {
        self.transact(&format!("transact {at}\n+ a :item/n {n}\n")).await;
    }

    pub async fn transact(&mut self, text: &str) {
        ops::transact(&self.database, &mut self.names, text).await.unwrap();
    }

    /// `/sql` is below the database of the test, `//api` at the top.
    pub fn url(&self, path: &str) -> String {
        match path.strip_prefix("//") {
            Some(top) => format!("http://{}/{top}", self.address),
            None => format!("http://{}/api/{DATABASE}{path}", self.address),
        }
    }

    pub async fn get(&self, path: &str, accept: &str) -> Answer {
        answer(self.client.get(self.url(path)).header(ACCEPT, accept)).await
    }

    pub async fn post(&self, path: &str, content: &str, accept: &str, body: &str) -> Answer {
        let request = self.client.post(self.url(path)).header(ACCEPT, accept);
        answer(request.header(CONTENT_TYPE, content).body(body.to_owned())).await
    }

    /// The rows of a statement, in JSON.
    pub async fn rows(&self, body: &str) -> Json {
        let answer = self.post("/sql", JSON, JSON, body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        answer.json()["rows"].clone()
    }

    pub async fn close(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.catalog.close().await.unwrap();
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let mut response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Answer { status, headers, body, whole }
}
