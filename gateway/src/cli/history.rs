//! `daodb history`: one entity's life, change by change.

use super::render::Format;
use super::{Failure, sql};
use crate::config::Settings;
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
        let opened = self.on.open(self.settings).await?;
        let times = self.as_of.into_iter().map(|time| ("daodb.as_of".to_owned(), time)).collect();
        let (entity, attribute) = (self.entity, self.attribute);
        let query = async |database: &Database| {
            let e = resolve(database, &entity).await?;
            let only = attribute.as_ref().map(|a| {
                format!(" AND attribute = '{}'", Attr::new(a).as_str().replace('\'', "''"))
            });
            Ok(format!(
                "SELECT t, at, attribute, old_value, new_value FROM dao.changes WHERE entity = {e}{} \
                 ORDER BY t, attribute, old_value, new_value",
                only.unwrap_or_default()
            ))
        };
        opened.show(query, times, self.format, stop).await
    }
}

/// The id that a text names.
async fn resolve(database: &Database, text: &str) -> Result<i64, Failure> {
    let accepted = "accepted are an id (4294967296), a look-up ref ('[:file/path \"README.md\"]') \
        and an ident (:color/red)";
    let wrong = |why: String| Failure::usage(format!("{text}: {why}")).hint(accepted);
    let node = edn::read(text).map_err(|e| wrong(e.message))?;
    let (a, v) = match &node.form {
        Form::Value(Value::Long(e)) => return Ok(*e),
        Form::Value(v @ Value::Keyword(_)) => (Attr::new(":db/ident"), v.clone()),
        Form::Vector(pair) => match pair.as_slice() {
            [a, edn::Node { form: Form::Value(v), .. }] => match a.keyword() {
                Some(a) => (Attr::new(a), v.clone()),
                None => return Err(wrong(format!("{a} is no attribute"))),
            },
            _ => return Err(wrong("this is no look-up ref".to_owned())),
        },
        _ => return Err(wrong(format!("{} names no entity", node.kind()))),
    };
    // One that has it no more is found by what it had.
    let ever = database.snapshot().history();
    let facts = ever.lookup(&a, std::slice::from_ref(&v)).await?;
    let of = |facts: &mut dyn Iterator<Item = &Fact>| facts.map(|f| f.e).collect::<BTreeSet<i64>>();
    let mut found = of(&mut facts.iter().filter(|f| f.t_to == OPEN));
    if found.is_empty() {
        found = of(&mut facts.iter());
    }
    match (found.pop_first(), found.pop_first()) {
        (Some(e), None) => Ok(e),
        (None, _) => Err(Failure::failed(format!("no entity ever had {a} {v}"))),
        (Some(one), Some(two)) => Err(Failure::failed(format!("several entities have {a} {v}"))
            .hint(format!("give the id of one: {one}, {two} ..."))),
    }
}
