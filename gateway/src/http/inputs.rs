//! What a query is asked of: databases, each at its moment, and values.

use super::basis::Times;
use super::call::{Call, Said};
use super::errors::{Refusal, Result};
use super::formats::field;
use super::server::Server;
use daodb_catalog::Database;
use daodb_datalog::edn::{Form, Node};
use daodb_datalog::sql::source;
use daodb_datalog::{Arg, At};
use daodb_storage::Snapshot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The keys of an argument that is a database.
const KEYS: [&str; 4] = ["db", "as-of", "since", "history"];
/// The keys of one that is rows of SQL.
const SQL_KEYS: [&str; 8] = ["sql", "args", "table", "columns", "db", "as-of", "since", "history"];

/// The databases of a request. One that is named twice is read at one snapshot.
pub struct Inputs<'a> {
    server: &'a Server,
    opened: BTreeMap<String, (Arc<Database>, Snapshot)>,
}

impl<'a> Inputs<'a> {
    pub fn new(server: &'a Server) -> Inputs<'a> {
        Inputs { server, opened: BTreeMap::new() }
    }

    /// Of one that is not there but in a what-if, by its name.
    pub fn imagined(mut self, database: Arc<Database>) -> Inputs<'a> {
        let snapshot = database.snapshot();
        self.opened.insert(database.name().to_owned(), (database, snapshot));
        self
    }

    /// The database of the path, at the request's moment.
    pub async fn of_path(&mut self, name: &str, call: &Call, said: Option<&Said>) -> Result<At> {
        let times = Times::of(call, said)?;
        self.at(name, times).await
    }

    async fn at(&mut self, name: &str, times: Times) -> Result<At> {
        let (database, newest) = match self.opened.get(name) {
            Some(opened) => opened.clone(),
            None => {
                let database = self.server.catalog.database(name).await?;
                let newest = database.snapshot();
                let opened = (database, newest);
                self.opened.insert(name.to_owned(), opened.clone());
                opened
            }
        };
        let view = times.resolve(&database, &newest).await?;
        Ok(At { snapshot: view.of(&newest), database })
    }

    /// `:args`, in their order. SQL reads what the query asks, `asked`, where it names no other.
    pub async fn args(&mut self, said: &Said, asked: &At) -> Result<Vec<Arg>> {
        let Some(node) = said.get("args") else { return Ok(Vec::new()) };
        let given = node.sequence();
        let given = given.ok_or_else(|| said.wrong(node, "args", "a vector of arguments"))?;
        let mut args = Vec::with_capacity(given.len());
        for node in given {
            args.push(if source::is_sql(node) {
                self.sql(node, said, asked).await?
            } else if field(node, "db").is_some() {
                Arg::Database(self.named(node, said).await?)
            } else {
                Arg::Value(node.clone())
            });
        }
        Ok(args)
    }

    /// `{:sql "SELECT ..." :args [...]}`, `{:table "name" :columns [...]}`, each with a database and its times or without.
    async fn sql(&mut self, node: &Node, said: &Said, asked: &At) -> Result<Arg> {
        let part = said.part(node, &SQL_KEYS)?;
        let elsewhere = KEYS.iter().any(|key| part.get(key).is_some());
        let found = async {
            let at = match part.text("db")? {
                _ if !elsewhere => asked.clone(),
                Some(name) => self.at(name, Times::of_part(&part)?).await?,
                None => {
                    let name = asked.database.name().to_owned();
                    self.at(&name, Times::of_part(&part)?).await?
                }
            };
            let (catalog, extension) =
                (Arc::clone(&self.server.catalog), Arc::clone(&self.server.extension));
            let session = source::session(catalog, &at, super::sql::USER, extension).await?;
            Ok(source::argument(&session, node).await?)
        };
        found.await.map_err(|mut refusal: Box<Refusal>| {
            refusal.place.get_or_insert_with(|| super::errors::place(node.span, &said.text));
            refusal
        })
    }

    /// `{:db "name" :as-of T}`
    async fn named(&mut self, node: &Node, said: &Said) -> Result<At> {
        let part = said.part(node, &KEYS)?;
        let name = part.text("db")?.ok_or_else(|| part.missing("db", "as {:db \"music\"}"))?;
        let times = Times::of_part(&part)?;
        self.at(name, times).await.map_err(|mut refusal| {
            refusal.place.get_or_insert_with(|| super::errors::place(node.span, &said.text));
            refusal
        })
    }
}

/// A form that stands in a parameter or a path: EDN, or a plain text where it is none.
pub fn form_of(text: &str) -> Node {
    daodb_datalog::edn::read(text).unwrap_or_else(|_| super::formats::text(text))
}

/// Texts that are keywords in EDN are so in JSON too; a selector may be one text of EDN.
pub fn read_text(node: &Node) -> Node {
    match &node.form {
        Form::Value(daodb_storage::Value::String(text)) => form_of(text),
        _ => node.clone(),
    }
}
