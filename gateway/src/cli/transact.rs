//! `daodb transact`: transactions as EDN, into a folder or through a server.

use super::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use crate::http::formats::field;
use crate::http::report;
use clap::Args;
use daodb_catalog::Database;
use daodb_datalog::edn::{self, EdnError, Node, Span};
use daodb_datalog::tx_data;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  daodb transact data.edn --database music              into a folder that no server has open
  daodb transact data.edn --url http://127.0.0.1:8765   through a server
  echo '[{:person/name \"Ada\"}]' | daodb transact --database people

A form is a transaction: [[:db/add \"new\" :person/name \"Ada\"] {:person/name \"Lin\"}], or {:tx-data [...]}. Several run one after
the other, up to the first that is refused; of each a line says what it did: {:t 1000, :tempids {...}, :tx-data [...], ...}.
Once a line is written, its transaction is durable. In a folder, a database that is missing is made.";

const EDN: &str = "application/edn";

/// Run transactions
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Transact {
    /// A file of EDN; without it, or -: stdin
    file: Option<PathBuf>,
    /// The database [default: the only one]
    #[arg(short, long, value_name = "NAME")]
    database: Option<String>,
    /// The HTTP address of a server, in place of a folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Transact {
    pub async fn run(self) -> Result<(), Failure> {
        let text = text(self.file.as_deref())?;
        let all = transactions(&text)?;
        if let Some(url) = &self.url {
            let server = Server::at(url, self.database).await?;
            for tx_data in all {
                say(&server.transact(tx_data).await?)?;
            }
            return Ok(());
        }
        let config = Config::resolve(self.settings, Wire::default())?;
        super::log(&config.log)?;
        let catalog = folder::open(&config, true).await?;
        let ran = async {
            let database = match self.database {
                Some(name) => folder::open_or_create(&catalog, &name).await?,
                None => catalog.database(&folder::choose(&catalog, None)?).await?,
            };
            for tx_data in all {
                say(&into(&database, tx_data, &text).await?)?;
            }
            Ok(())
        };
        let ran = ran.await;
        catalog.close().await?;
        ran
    }
}

fn text(file: Option<&Path>) -> Result<String, Failure> {
    if let Some(path) = file.filter(|path| *path != Path::new("-")) {
        return std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())));
    }
    if file.is_none() && std::io::stdin().is_terminal() {
        return Err(Failure::usage("no transaction is given")
            .hint("daodb transact FILE, or a pipe; - reads the terminal"));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Failure::failed(format!("stdin: {e}")))?;
    Ok(text)
}

/// The data of each; all are read before the first is run.
fn transactions(text: &str) -> Result<Vec<Node>, Failure> {
    let forms = edn::read_all(text).map_err(|e| unreadable(e, text))?;
    if forms.is_empty() {
        return Err(Failure::usage("there is no transaction").hint("write one, as [{:a/b 1}]"));
    }
    let data = |form: Node| match field(&form, "tx-data") {
        Some(data) => data.clone(),
        None => form,
    };
    let all: Vec<Node> = forms.into_iter().map(data).collect();
    for tx_data in &all {
        read(tx_data, text)?;
    }
    Ok(all)
}

fn read(tx_data: &Node, text: &str) -> Result<Vec<daodb_catalog::Op>, Failure> {
    tx_data::read(tx_data)
        .map_err(|e| unreadable(EdnError { message: e.message, hint: e.hint, span: e.span }, text))
}

fn unreadable(e: EdnError, text: &str) -> Failure {
    let failure = Failure::usage(e.message).inside(at(e.span, text));
    match e.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn at(span: Span, text: &str) -> String {
    let (line, column) = span.line_column(text);
    format!("line {line}, column {column}")
}

async fn into(database: &Database, tx_data: Node, text: &str) -> Result<String, Failure> {
    let ops = read(&tx_data, text)?;
    match database.transact(ops).await {
        Ok(report) => Ok(report::report(database.name(), &report).to_string()),
        Err(e) => {
            let form = e.op.and_then(|op| tx_data.sequence()?.get(op));
            let place = at(form.unwrap_or(&tx_data).span, text);
            Err(Failure::from(e).inside(place))
        }
    }
}

/// To stdout at once: it is durable.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", line.trim_end())
        .and_then(|()| out.flush())
        .map_err(|e| Failure::failed(format!("stdout: {e}")))
}

/// A server, and the database there.
struct Server {
    client: reqwest::Client,
    url: String,
}

impl Server {
    async fn at(url: &str, database: Option<String>) -> Result<Server, Failure> {
        let client = reqwest::Client::new();
        let url = format!("{}/api", url.trim_end_matches('/'));
        let name = match database {
            Some(name) => name,
            None => only(&answer(client.get(&url), &url).await?)?,
        };
        Ok(Server { client, url: format!("{url}/{name}/transact") })
    }

    async fn transact(&self, tx_data: Node) -> Result<String, Failure> {
        let request = self.client.post(&self.url).header(CONTENT_TYPE, EDN);
        answer(request.body(format!("{{:tx-data {tx_data}}}")), &self.url).await
    }
}

/// The name of the only database of `{:databases [...]}`.
fn only(answer: &str) -> Result<String, Failure> {
    let read = edn::read(answer).ok();
    let names = read.as_ref().and_then(|node| field(node, "databases")?.sequence());
    let names: Vec<&str> = names.unwrap_or_default().iter().filter_map(Node::string).collect();
    match names.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Failure::failed("the server holds no database yet").hint("POST /api makes one")),
        names => Err(Failure::usage("which database?")
            .hint(format!("--database NAME; there are {}", names.join(", ")))),
    }
}

/// The body of an answer; what the server refuses is a failure with its words.
async fn answer(request: reqwest::RequestBuilder, url: &str) -> Result<String, Failure> {
    let lost = |e: reqwest::Error| {
        Failure::failed(format!("{url}: {e}")).hint("is a server there? --url is its HTTP address")
    };
    let response = request.header(ACCEPT, EDN).send().await.map_err(lost)?;
    let status = response.status();
    let body = response.text().await.map_err(lost)?;
    if status.is_success() {
        return Ok(body);
    }
    let read = edn::read(&body).ok();
    let error = read.as_ref().and_then(|node| field(node, "error"));
    let said = |name: &str| error.and_then(|e| field(e, name)?.string()).map(str::to_owned);
    let failure = Failure::failed(said("message").unwrap_or_else(|| format!("{url}: {status}")));
    Err(match said("hint") {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}
