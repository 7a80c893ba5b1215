//! `daodb transact`: transactions as EDN, into a folder or through a server.

use super::remote::Remote;
use super::who::{self, Who};
use super::{Failure, folder};
use crate::config::{Config, Settings, Wire};
use crate::http::formats::{field, map, node, text as form};
use crate::http::report;
use crate::provenance::{self, AUTHOR, KEY, REASON, TX_AUTHOR, TX_CLIENT};
use clap::Args;
use daodb_catalog::{Database, Provenance, Transaction};
use daodb_datalog::condition::{self, CONDITIONS};
use daodb_datalog::edn::{self, EdnError, Form, Node, Span};
use daodb_datalog::tx_data;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  daodb transact data.edn --database music              into a folder that no server has open
  daodb transact data.edn --url http://127.0.0.1:8765   through a server
  echo '[{:person/name \"Ada\"}]' | daodb transact --database people
  daodb transact data.edn --reason 'names of 2025' --key names-2025

A form is a transaction: [[:db/add \"new\" :person/name \"Ada\"] {:person/name \"Lin\"}], or {:tx-data [...] :author ... :reason ...
:idempotency-key ... :conditions [...]}, which goes before the flags. Conditions are queries that must find something afterwards, else the
transaction is refused. Several run one after the other, up to the first that is refused; of each
a line says what it did: {:t 1000, :tempids {...}, :tx-data [...], ...}. Once a line is written, its transaction is durable. In
a folder, a database that is missing is made.

With --key a command may be run again when its end was not seen: what was done is told again, and not done again. The second
transaction has the key KEY/2, and so on.";

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
    who: Who,
    /// What the command is known by: run again, it does nothing twice
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// What a form may say.
const KNOWN: [&str; 5] = ["tx-data", AUTHOR, REASON, KEY, CONDITIONS];

/// One transaction: its data as forms, and what is said beside it.
struct Call {
    tx_data: Node,
    conditions: Option<Node>,
    transaction: Transaction,
}

impl Transact {
    pub async fn run(self) -> Result<(), Failure> {
        let text = text(self.file.as_deref())?;
        let mut all = calls(&text, &self.who.provenance()?, self.key.as_deref())?;
        if let Some(url) = &self.url {
            let server = Remote::at(url, self.database).await?;
            for call in all {
                say(&server.post("transact", &body(call), None).await?)?;
            }
            return Ok(());
        }
        let config = Config::resolve(self.settings, Wire::default())?;
        super::log(&config.log)?;
        let catalog = folder::open(&config, true).await?;
        let ran = async {
            for call in &mut all {
                let Some(conditions) = &call.conditions else { continue };
                let read = condition::read(conditions, &catalog);
                call.transaction.conditions = read.map_err(|e| unreadable(e, &text))?;
            }
            let database = match self.database {
                Some(name) => folder::open_or_create(&catalog, &name).await?,
                None => catalog.database(&folder::choose(&catalog, None)?).await?,
            };
            for call in all {
                say(&into(&database, call, &text).await?)?;
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

/// All are read before the first is run.
fn calls(text: &str, who: &Provenance, key: Option<&str>) -> Result<Vec<Call>, Failure> {
    let forms = edn::read_all(text).map_err(|e| unreadable(e, text))?;
    if forms.is_empty() {
        return Err(Failure::usage("there is no transaction").hint("write one, as [{:a/b 1}]"));
    }
    let key = |i: usize| match (key, i) {
        (None, _) => Ok(None),
        (Some(key), 0) => who::fits("--key", key).map(Some),
        (Some(key), i) => who::fits("--key", &format!("{key}/{}", i + 1)).map(Some),
    };
    let call = |(i, form): (usize, Node)| {
        let mut call = call(form).map_err(|e| unreadable(e, text))?;
        let Transaction { ops, provenance, key: own, .. } = &mut call.transaction;
        // What the data say goes before what is said where nobody says anything.
        let default = |name: &str, text: &Option<Arc<str>>| {
            text.clone().filter(|_| !provenance::tells(ops, name))
        };
        let author = default(TX_AUTHOR, &who.author);
        provenance.author = provenance.author.take().or(author);
        provenance.client = default(TX_CLIENT, &who.client);
        provenance.reason = provenance.reason.take().or_else(|| who.reason.clone());
        *own = own.take().map_or_else(|| key(i), |own| Ok(Some(own)))?;
        Ok(call)
    };
    forms.into_iter().enumerate().map(call).collect()
}

/// `[...]`, or `{:tx-data [...]}` with what stands beside it.
fn call(form: Node) -> Result<Call, EdnError> {
    let conditions = field(&form, CONDITIONS).filter(|node| node.form != Form::Nil).cloned();
    let (tx_data, beside) = match (field(&form, "tx-data"), &form.form) {
        (Some(data), Form::Map(pairs)) => {
            let known = |k: &Node| {
                let name = k.keyword().and_then(|k| k.strip_prefix(':'));
                name.is_some_and(|name| KNOWN.contains(&name))
            };
            if let Some((key, _)) = pairs.iter().find(|(key, _)| !known(key)) {
                return Err(EdnError {
                    message: format!("unknown key {key}"),
                    hint: Some(format!("known are :{}", KNOWN.join(", :"))),
                    span: key.span,
                });
            }
            (data.clone(), provenance::said_in(&form)?)
        }
        _ => (form, Transaction::default()),
    };
    let ops = tx_data::read(&tx_data).map_err(|e| EdnError {
        message: e.message,
        hint: e.hint,
        span: e.span,
    })?;
    Ok(Call { tx_data, conditions, transaction: Transaction { ops, ..beside } })
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

async fn into(database: &Database, call: Call, text: &str) -> Result<String, Failure> {
    let Call { tx_data, transaction, .. } = call;
    match database.transact(transaction).await {
        Ok(report) => Ok(report::report(database.name(), &report).to_string()),
        Err(e) => {
            let form = e.op.and_then(|op| tx_data.sequence()?.get(op as usize));
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

/// A call as `/transact` takes it.
fn body(call: Call) -> Node {
    let Transaction { provenance, key, .. } = call.transaction;
    let said = |text: Option<Arc<str>>| text.map_or_else(|| node(Form::Nil), form);
    map([
        ("tx-data", call.tx_data),
        (AUTHOR, said(provenance.author)),
        (REASON, said(provenance.reason)),
        (KEY, said(key)),
        (CONDITIONS, call.conditions.unwrap_or_else(|| node(Form::Nil))),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_default_author_gives_way() {
        let who = Provenance { author: Some("user".into()), ..Provenance::default() };
        for (text, expect) in [
            ("[{:p/n 1}]", Some("user")),
            ("{:tx-data [{:p/n 1}] :author \"ada\"}", Some("ada")),
            ("[[:db/add \"datomic.tx\" :tx/author \"ada\"]]", None),
            ("[{:db/id \"datomic.tx\" :tx/author \"ada\"}]", None),
            ("[[:db/add :db/current-tx :tx/author \"ada\"]]", None),
            ("[[:db/add \"datomic.tx\" :tx/reason \"x\"]]", Some("user")),
            ("[[:db/add \"x\" :tx/author \"ada\"]]", Some("user")),
        ] {
            let calls = calls(text, &who, None).unwrap();
            let author = calls[0].transaction.provenance.author.as_deref();
            assert_eq!(author, expect, "{text}");
        }
    }

    #[test]
    fn each_transaction_has_a_key_of_its_own() {
        let keys = |text: &str| -> Vec<String> {
            let calls = calls(text, &Provenance::default(), Some("k")).unwrap();
            calls.iter().map(|call| call.transaction.key.as_deref().unwrap().to_owned()).collect()
        };
        assert_eq!(
            keys("[] [] {:tx-data [] :idempotency-key \"own\"} []"),
            ["k", "k/2", "own", "k/4"]
        );
    }
}
