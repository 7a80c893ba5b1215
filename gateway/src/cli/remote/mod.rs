//! A server that a command speaks to by HTTP, in place of a folder: forms by [`Remote`], [`rows`] of statements as they come.

mod datoms;
mod rows;

use super::Failure;
use crate::http::formats::{field, map, node, text};
use crate::provenance::DAODB;
use daodb_catalog::{Error, SqlState};
use daodb_datalog::edn::{self, Form, Node};
use daodb_storage::Value;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

const EDN: &str = "application/edn";

/// Which moment is read; nothing said is now.
#[derive(Debug, Default, Clone)]
pub struct View {
    pub as_of: Option<String>,
    pub since: Option<String>,
    pub history: bool,
}

impl View {
    /// As keys of a request.
    pub fn keys(&self) -> [(&'static str, Node); 3] {
        let said = |time: &Option<String>| match time {
            Some(time) => text(time),
            None => node(Form::Nil),
        };
        let history = node(Form::Value(Value::Boolean(self.history)));
        [("as-of", said(&self.as_of)), ("since", said(&self.since)), ("history", history)]
    }
}

/// A server, and the database there.
pub struct Remote {
    client: reqwest::Client,
    /// Of the database.
    url: String,
    name: String,
}

/// The names of the databases of a server.
pub async fn databases(url: &str) -> Result<Vec<String>, Failure> {
    let client = client()?;
    let url = format!("{}/api", url.trim_end_matches('/'));
    Ok(names(&answer(client.get(&url), &url).await?))
}

fn client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().user_agent(DAODB).build();
    client.map_err(|e| Failure::failed(format!("cannot speak HTTP: {e}")))
}

impl Remote {
    /// `database`: where it is not said, the only one.
    pub async fn at(url: &str, database: Option<String>) -> Result<Remote, Failure> {
        let client = client()?;
        let url = format!("{}/api", url.trim_end_matches('/'));
        let name = match database {
            Some(name) => name,
            None => only(&answer(client.get(&url), &url).await?)?,
        };
        Ok(Remote { client, url: format!("{url}/{name}"), name })
    }

    pub fn database(&self) -> &str {
        &self.name
    }

    /// What a route answers. `statement` is the text that places in its errors are of.
    pub async fn post(
        &self,
        route: &str,
        body: &Node,
        statement: Option<&str>,
    ) -> Result<String, Failure> {
        let told = self.try_post(route, body).await;
        told.map_err(|e| Failure::of_statement(e, statement.unwrap_or_default()))
    }

    /// The same; what the server refuses is its error.
    pub async fn try_post(&self, route: &str, body: &Node) -> Result<String, Error> {
        let url = format!("{}/{route}", self.url);
        let request = self.client.post(&url).header(CONTENT_TYPE, EDN).body(body.to_string());
        answer(request, &url).await
    }
}

impl Remote {
    /// What a path answers, `/basis?as-of=1042`.
    pub async fn get(&self, path: &str) -> Result<Node, Failure> {
        Ok(self.try_get(path).await?)
    }

    pub async fn try_get(&self, path: &str) -> Result<Node, Error> {
        let url = format!("{}{path}", self.url);
        form(&answer(self.client.get(&url), &url).await?)
    }

    /// The t that a text names: a t, an instant.
    pub async fn t(&self, time: &str) -> Result<i64, Failure> {
        let time: String = url::form_urlencoded::byte_serialize(time.as_bytes()).collect();
        number(&self.get(&format!("/basis?as-of={time}")).await?, "t")
    }

    /// What a route answers, whole: an answer that ends in an error is that error.
    pub async fn ask(
        &self,
        route: &str,
        body: &Node,
        statement: Option<&str>,
    ) -> Result<Node, Failure> {
        let said = form(&self.post(route, body, statement).await?)?;
        match field(&said, "error") {
            Some(error) => Err(refused(error, statement)),
            None => Ok(said),
        }
    }

    /// The same; what the server refuses is its error.
    pub async fn try_ask(&self, route: &str, body: &Node) -> Result<Node, Error> {
        form(&self.try_post(route, body).await?)
    }

    /// The rows of a statement as texts.
    pub async fn texts(&self, statement: &str) -> Result<Vec<Vec<String>>, Failure> {
        let said = self.ask("sql", &map([("sql", text(statement))]), None).await?;
        let rows = field(&said, "rows").and_then(Node::sequence).unwrap_or_default();
        let text = |node: &Node| node.string().or(node.keyword()).unwrap_or_default().to_owned();
        let row = |row: &Node| row.sequence().unwrap_or_default().iter().map(text).collect();
        Ok(rows.iter().map(row).collect())
    }

    /// What a query of Datalog finds.
    pub async fn query(&self, body: &Node) -> Result<Form, Failure> {
        let said = self.ask("query", body, None).await?;
        Ok(field(&said, "result").map_or(Form::Nil, |node| node.form.clone()))
    }
}

fn form(text: &str) -> Result<Node, Error> {
    edn::read(text).map_err(|e| {
        Error::new(SqlState::INTERNAL, format!("the answer cannot be read: {}", e.message))
    })
}

/// A whole number of an answer.
pub fn number(answer: &Node, name: &str) -> Result<i64, Failure> {
    match field(answer, name).map(|node| &node.form) {
        Some(Form::Value(Value::Long(n))) => Ok(*n),
        _ => Err(Failure::failed(format!("the answer has no :{name}"))
            .hint("is there a server of another version?")),
    }
}

/// Those of `{:databases [...]}`.
fn names(answer: &str) -> Vec<String> {
    let read = edn::read(answer).ok();
    let all = read.as_ref().and_then(|node| field(node, "databases")?.sequence());
    all.unwrap_or_default().iter().filter_map(Node::string).map(str::to_owned).collect()
}

/// The name of the only one.
fn only(answer: &str) -> Result<String, Failure> {
    match names(answer).as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::failed("the server holds no database yet").hint("POST /api makes one")),
        names => Err(Failure::usage("which database?")
            .hint(format!("--database NAME; there are {}", names.join(", ")))),
    }
}

/// The body of an answer; what the server refuses is an error with its words.
async fn answer(request: reqwest::RequestBuilder, url: &str) -> Result<String, Error> {
    let response = request.header(ACCEPT, EDN).send().await.map_err(|e| lost(url, &e))?;
    let status = response.status();
    let body = response.text().await.map_err(|e| lost(url, &e))?;
    if status.is_success() {
        return Ok(body);
    }
    let read = edn::read(&body).ok();
    Err(match read.as_ref().and_then(|node| field(node, "error")) {
        Some(error) => told(error),
        None => Error::new(SqlState::IO, format!("{url}: {status}")),
    })
}

fn lost(url: &str, e: &reqwest::Error) -> Error {
    let error = Error::new(SqlState::IO, format!("{url}: {e}"));
    error.hint("is a server there? --url is its HTTP address")
}

/// What an `:error` tells, but for its code.
fn told(error: &Node) -> Error {
    let text = |name: &str| field(error, name).and_then(Node::string).map(str::to_owned);
    let whole = |name: &str| match field(error, name).map(|node| &node.form) {
        Some(Form::Value(Value::Long(n))) => Some(*n),
        _ => None,
    };
    let mut told = Error::new(SqlState::INTERNAL, text("message").unwrap_or_default());
    (told.detail, told.hint) = (text("detail"), text("hint"));
    told.position = whole("position").and_then(|n| usize::try_from(n).ok());
    told.op = whole("op").and_then(|n| u32::try_from(n).ok());
    told
}

/// The failure that an `:error` tells.
pub fn refused(error: &Node, statement: Option<&str>) -> Failure {
    Failure::of_statement(told(error), statement.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_words_of_the_server() {
        let error = "{:code \"42601\", :message \"no\", :hint \"yes\", :position 3}";
        let failure = edn::read(error).map(|node| refused(&node, Some("a b")).to_string());
        assert_eq!(failure, Ok("no (yes)".to_owned()));
    }
}
