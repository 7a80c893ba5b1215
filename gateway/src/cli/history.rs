//! `daodb history`: one entity's life, change by change.

use super::remote::{Remote, View};
use super::render::Format;
use super::{Failure, sql};
use crate::config::Settings;
use crate::http::formats::{map, node, text, value};
use clap::Args;
use daodb_catalog::Database;
use daodb_datalog::edn::{self, Form};
use daodb_storage::{Attr, Fact, OPEN, Value};
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb history 4294967296                         by its id
  daodb history '[:file/path \"README.md\"]'         by a value that it has, or had last
  daodb history :color/red                         by its :db/ident
  daodb history 4294967296 --attribute :file/lines
  daodb history 4294967296 --as-of 2026-01-01      up to then

A row a change: when (t, at), which attribute, and the values before and after. Values stand as SQL shows them.";

/// Show what was said of one entity, and when
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct History {
    /// An id, a look-up ref, or an ident
    entity: String,
    /// Only this attribute
    #[arg(long, value_name = "KEYWORD")]
    attribute: Option<String>,
    #[command(flatten)]
    on: sql::On,
    /// Up to then: a t, an instant, a date
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// How rows are written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl History {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        Format::check(self.format)?;
        let named = Named::of(&self.entity)?;
        let attribute = self.attribute.as_deref();
        if let Some(server) = self.on.remote().await? {
            let query = changes(named.at(&server).await?, attribute);
            let view = View { as_of: self.as_of, ..View::default() };
            return server.show(&query, &view, self.format, stop).await;
        }
        let opened = self.on.open(self.settings).await?;
        let times = self.as_of.into_iter().map(|time| ("daodb.as_of".to_owned(), time)).collect();
        let query =
            async |database: &Database| Ok(changes(named.within(database).await?, attribute));
        opened.show(query, times, self.format, stop).await
    }
}

fn changes(e: i64, attribute: Option<&str>) -> String {
    let only = attribute
        .map(|a| format!(" AND attribute = '{}'", Attr::new(a).as_str().replace('\'', "''")));
    format!(
        "SELECT t, at, attribute, old_value, new_value FROM dao.changes WHERE entity = {e}{} \
         ORDER BY t, attribute, old_value, new_value",
        only.unwrap_or_default()
    )
}

/// Whom a text names.
enum Named {
    Id(i64),
    /// Who has this value, or had it last.
    Value(Attr, Value),
}

impl Named {
    fn of(text: &str) -> Result<Named, Failure> {
        let accepted = "accepted are an id (4294967296), a look-up ref ('[:file/path \"README.md\"]') \
            and an ident (:color/red)";
        let wrong = |why: String| Failure::usage(format!("{text}: {why}")).hint(accepted);
        let node = edn::read(text).map_err(|e| wrong(e.message))?;
        match &node.form {
            Form::Value(Value::Long(e)) => Ok(Named::Id(*e)),
            Form::Value(v @ Value::Keyword(_)) => {
                Ok(Named::Value(Attr::new(":db/ident"), v.clone()))
            }
            Form::Vector(pair) => match pair.as_slice() {
                [a, edn::Node { form: Form::Value(v), .. }] => match a.keyword() {
                    Some(a) => Ok(Named::Value(Attr::new(a), v.clone())),
                    None => Err(wrong(format!("{a} is no attribute"))),
                },
                _ => Err(wrong("this is no look-up ref".to_owned())),
            },
            _ => Err(wrong(format!("{} names no entity", node.kind()))),
        }
    }

    /// In a folder.
    async fn within(&self, database: &Database) -> Result<i64, Failure> {
        let (a, v) = match self {
            Named::Id(e) => return Ok(*e),
            Named::Value(a, v) => (a, v),
        };
        // One that has it no more is found by what it had.
        let ever = database.snapshot().history();
        let facts = ever.lookup(a, std::slice::from_ref(v)).await?;
        let of =
            |facts: &mut dyn Iterator<Item = &Fact>| facts.map(|f| f.e).collect::<BTreeSet<i64>>();
        let mut found = of(&mut facts.iter().filter(|f| f.t_to == OPEN));
        if found.is_empty() {
            found = of(&mut facts.iter());
        }
        only(found, a, v)
    }

    /// Of a server.
    async fn at(&self, server: &Remote) -> Result<i64, Failure> {
        let (a, v) = match self {
            Named::Id(e) => return Ok(*e),
            Named::Value(a, v) => (a, v),
        };
        let query = "[:find [?e ...] :in $ ?a ?v :where [?e ?a ?v]]";
        let args = vec![value(Value::keyword(a.as_str())), value(v.clone())];
        for history in [false, true] {
            let body = map([
                ("query", text(query)),
                ("args", node(Form::Vector(args.clone()))),
                ("history", value(Value::Boolean(history))),
            ]);
            let Form::Vector(all) = server.query(&body).await? else { continue };
            let id = |node: &edn::Node| match &node.form {
                Form::Value(Value::Long(e)) => Some(*e),
                _ => None,
            };
            let found: BTreeSet<i64> = all.iter().filter_map(id).collect();
            if !found.is_empty() || history {
                return only(found, a, v);
            }
        }
        only(BTreeSet::new(), a, v)
    }
}

fn only(mut found: BTreeSet<i64>, a: &Attr, v: &Value) -> Result<i64, Failure> {
    match (found.pop_first(), found.pop_first()) {
        (Some(e), None) => Ok(e),
        (None, _) => Err(Failure::failed(format!("no entity ever had {a} {v}"))),
        (Some(one), Some(two)) => Err(Failure::failed(format!("several entities have {a} {v}"))
            .hint(format!("give the id of one: {one}, {two} ..."))),
    }
}
