//! `daodb query`: Datalog, of a folder or through a server.

use super::remote::{Remote, View};
use super::render::{Broken, Format};
use super::{Failure, sql};
use crate::config::Settings;

use crate::http::formats::{Format as Forms, field, map, node, text as form, value};
use crate::http::found;
use crate::pg::catalog::PgCatalog;
use clap::Args;
use daodb_catalog::basis::Moment;
use daodb_catalog::{Catalog, Database};
use daodb_datalog::edn::{self, Form, Node};
use daodb_datalog::find::{Column, Shows};
use daodb_datalog::query::Shape;
use daodb_datalog::source::moment;
use daodb_datalog::sql::source;
use daodb_datalog::value::Kind;
use daodb_datalog::{Answer, Arg, At, QueryRequest};
use daodb_storage::{Value, ValueType};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The user of sessions that read SQL for a query.
const USER: &str = "daodb";

const EXAMPLES: &str = "\
Examples:
  daodb query '[:find ?path ?lines :where [?f :file/path ?path] [?f :file/lines ?lines] :order-by (desc ?lines) :limit 3]'
  daodb query '[:find (count ?f) . :where [?f :file/path]]' --as-of 2026-01-01
  daodb query '[:find (pull ?f [*]) :in $ ?path :where [?f :file/path ?path]]' --arg '\"README.md\"' --format edn
  daodb query '[:find ?was ?is :in $ $then :where [$then ?f :file/lines ?was] [?f :file/lines ?is] [(< ?is ?was)]]' --arg '{:db \"demo\" :as-of 1015}'
  daodb query -f query.edn --url http://127.0.0.1:8765 --database demo
  daodb query '[:find ?f :where [?f :file/path]]' --explain

$ is the database; each --arg is one of the other arguments of :in, in order, as EDN: a value, a collection, rules, or another
database or moment {:db \"name\" :as-of T} (:since, :history), or rows of SQL {:sql \"SELECT ...\" :args [...]}, {:table \"name\"}. What is pulled, and what is of no one type, stands as EDN.";

/// Ask in Datalog
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Query {
    /// The query, as EDN; without it, and without --file, it is read from stdin
    #[arg(conflicts_with = "file")]
    query: Option<String>,
    /// A file with the query; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An argument of :in, as EDN
    #[arg(short, long = "arg", value_name = "EDN")]
    args: Vec<String>,
    #[command(flatten)]
    on: sql::On,
    /// Ask the data as they stood then: a t, an instant, a date
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Only what was said after then
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// All that was ever said
    #[arg(long)]
    history: bool,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Say what becomes of the query, stage by stage, in place of its answer
    #[arg(long, conflicts_with = "format")]
    explain: bool,
    /// With --explain: run it, and say how many rows each step gave beside how many were expected
    #[arg(long, requires = "explain")]
    analyze: bool,
    /// How rows are written [default: table on a terminal, csv in a pipe]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    settings: Settings,
}

impl Query {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        Format::check(self.format)?;
        let example = "daodb query '[:find ...]', or -f FILE, or a pipe; -f - reads the terminal";
        let text = sql::text(self.query.as_deref(), self.file.as_deref(), example)?;
        let args = self.args.iter().map(|arg| argument(arg)).collect::<Result<Vec<_>, _>>()?;
        if let Some(server) = self.on.remote().await? {
            return match self.through(&server, &text, args).await {
                Ok(()) | Err(Broken::Closed) => Ok(()),
                Err(Broken::Failed(failure)) => Err(failure),
            };
        }
        let opened = self.on.clone().open(self.settings.clone()).await?;
        let catalog = opened.catalog();
        let look = async |database: &Arc<Database>| {
            tokio::select! {
                ran = self.here(&catalog, database, &text, &args) => ran,
                () = stop.cancelled() => Err(Failure::failed("stopped before the end").into()),
            }
        };
        opened.look(look).await
    }

    /// In a folder.
    async fn here(
        &self,
        catalog: &Arc<Catalog>,
        database: &Arc<Database>,
        text: &str,
        args: &[Node],
    ) -> Result<(), Broken> {
        let moment = |text: &Option<String>| text.as_deref().map(Moment::parse).transpose();
        let (as_of, since) = (moment(&self.as_of)?, moment(&self.since)?);
        let mut request = QueryRequest::text(text);
        let asked = at(database, as_of, since, self.history).await?;
        for arg in args {
            request = request.arg(if source::is_sql(arg) {
                of_sql(catalog, arg, &asked).await?
            } else if field(arg, "db").is_some() {
                Arg::Database(named(catalog, arg).await?)
            } else {
                Arg::Value(arg.clone())
            });
        }
        request.default = Some(asked);
        request.limit = self.limit.map(|n| n as usize);
        let told = |e| Broken::from(Failure::of_statement(e, text));
        let mut out = std::io::BufWriter::new(std::io::stdout());
        if self.explain {
            let stages = match self.analyze {
                true => daodb_datalog::analyze(catalog, request).await,
                false => daodb_datalog::explain(catalog, request).await,
            };
            let stages = stages.map_err(told)?;
            write!(out, "{stages}")?;
        } else {
            let answer = daodb_datalog::query(catalog, request).await.map_err(told)?;
            print(answer, text, Format::or_default(self.format), &mut out).await?;
        }
        Ok(out.flush()?)
    }

    /// By a server.
    async fn through(&self, server: &Remote, text: &str, args: Vec<Node>) -> Result<(), Broken> {
        let time = |text: &Option<String>| match text {
            Some(text) => form(text),
            None => node(Form::Nil),
        };
        let limit = self.limit.map_or(Form::Nil, |n| Form::Value(Value::Long(n.into())));
        let body = map([
            ("query", form(text)),
            ("args", node(Form::Vector(args))),
            ("as-of", time(&self.as_of)),
            ("since", time(&self.since)),
            ("history", value(Value::Boolean(self.history))),
            ("limit", node(limit)),
        ]);
        let mut out = std::io::BufWriter::new(std::io::stdout());
        let route = if self.explain { "explain" } else { "query" };
        let mut body = body;
        if let (true, Form::Map(pairs)) = (self.analyze, &mut body.form) {
            pairs.push((value(Value::keyword("analyze")), value(Value::Boolean(true))));
        }
        let said = server.ask(route, &body, Some(text)).await?;
        if self.explain {
            let stages = field(&said, "explain").and_then(Node::string).unwrap_or_default();
            write!(out, "{stages}")?;
            return Ok(out.flush()?);
        }
        print_said(&said, text, Format::or_default(self.format), &mut out)
    }
}

/// Prints what a query finds at a server.
pub async fn through(
    server: &Remote,
    text: &str,
    view: &View,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Broken> {
    let [as_of, since, history] = view.keys();
    let body = map([("query", form(text)), as_of, since, history]);
    print_said(&server.ask("query", &body, Some(text)).await?, text, format, out)
}

fn print_said(
    said: &Node,
    text: &str,
    format: Format,
    mut out: &mut dyn Write,
) -> Result<(), Broken> {
    let warnings = field(said, "warnings").and_then(Node::sequence).unwrap_or_default();
    warnings.iter().filter_map(Node::string).for_each(|warning| eprintln!("note: {warning}"));
    let result = field(said, "result").map_or(Form::Nil, |node| node.form.clone());
    let shape = shape(text);
    let mut rows = Printed::new(columns(said), format, &mut out)?;
    match (shape, result) {
        (Shape::Relation | Shape::Collection, Form::Vector(all)) => {
            rows.rows(all.into_iter().map(|node| node.form).collect(), shape)?;
        }
        (_, form) => rows.rows(vec![form], shape)?,
    }
    rows.end()?;
    Ok(out.flush()?)
}

/// Prints the rows of an answer as they come.
pub async fn print(
    mut answer: Answer,
    text: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Broken> {
    let told = |e| Broken::from(Failure::of_statement(e, text));
    answer.warnings.iter().for_each(|warning| eprintln!("note: {warning}"));
    let (columns, shape) = (answer.columns.clone(), answer.shape);
    let mut rows = Printed::new(columns, format, out)?;
    if matches!(shape, Shape::Scalar | Shape::Tuple) {
        let form = answer.form().await.map_err(told)?;
        rows.rows(vec![form], shape)?;
        return rows.end();
    }
    while let Some(batch) = answer.rows().await.map_err(told)? {
        let shaped = batch.into_iter().map(|row| match shape {
            Shape::Collection => row.into_iter().next().unwrap_or(Form::Nil),
            _ => answer.row(row),
        });
        rows.rows(shaped.collect(), shape)?;
    }
    rows.end()
}

/// The shape that a query asks for; it was answered, so it can be read.
fn shape(text: &str) -> Shape {
    let read = edn::read(text).ok().and_then(|node| daodb_datalog::query::query(&node).ok());
    read.map_or(Shape::Relation, |query| query.shape)
}

/// The columns of an answer, as a server tells them.
fn columns(said: &Node) -> Vec<Column> {
    let told = field(said, "columns").and_then(Node::sequence).unwrap_or_default();
    let column = |node: &Node| {
        let text = |name: &str| field(node, name).and_then(Node::string).unwrap_or_default();
        let kind = ValueType::parse(text("type")).map_or(Kind::Any, Kind::Typed);
        Column { name: text("name").to_owned(), kind, shows: Shows::Value }
    };
    told.iter().map(column).collect()
}

fn argument(text: &str) -> Result<Node, Failure> {
    edn::read(text).map_err(|e| {
        let failure = Failure::usage(format!("--arg {text}: {}", e.message));
        failure.hint("an argument is EDN: a text stands in double quotes within single ones")
    })
}

/// `{:sql "SELECT ..." :args [...]}`, `{:table "name" :columns [...]}`: of another database or moment than is asked where it
/// names one.
async fn of_sql(catalog: &Arc<Catalog>, arg: &Node, asked: &At) -> Result<Arg, Failure> {
    let Form::Map(pairs) = &arg.form else { return Ok(Arg::Value(arg.clone())) };
    let is_of_sql =
        |key: &Node| matches!(key.keyword(), Some(":sql" | ":args" | ":table" | ":columns"));
    let elsewhere: Vec<_> = pairs.iter().filter(|(key, _)| !is_of_sql(key)).cloned().collect();
    let at = match elsewhere.is_empty() {
        true => asked.clone(),
        false => {
            let mut of = elsewhere;
            if !of.iter().any(|(key, _)| key.keyword() == Some(":db")) {
                of.push((value(Value::keyword("db")), form(asked.database.name())));
            }
            named(catalog, &node(Form::Map(of))).await?
        }
    };
    let session = source::session(Arc::clone(catalog), &at, USER, Arc::new(PgCatalog::new()));
    Ok(source::argument(&session.await?, arg).await?)
}

/// `{:db "name" :as-of T}`
async fn named(catalog: &Catalog, arg: &Node) -> Result<At, Failure> {
    let wrong = |what: &str| {
        let example = "as {:db \"music\" :as-of 1042}; known are :db, :as-of, :since and :history";
        Failure::usage(format!("--arg {arg}: {what}")).hint(example)
    };
    let Form::Map(pairs) = &arg.form else { return Err(wrong("is no map")) };
    let (mut name, mut as_of, mut since, mut history) = (None, None, None, false);
    for (key, v) in pairs {
        let time = || moment(v).ok_or_else(|| wrong("a time is a t, an instant or a text"));
        match (key.keyword(), &v.form) {
            (Some(":db"), Form::Value(Value::String(db))) => name = Some(db.to_string()),
            (Some(":as-of"), _) => as_of = Some(time()??),
            (Some(":since"), _) => since = Some(time()??),
            (Some(":history"), Form::Value(Value::Boolean(on))) => history = *on,
            _ => return Err(wrong(&format!("{key} {v} says nothing of a database"))),
        }
    }
    let name = name.ok_or_else(|| wrong("names no database"))?;
    at(&catalog.database(&name).await?, as_of, since, history).await
}

/// A database as it stood, and what of it is to be seen.
pub async fn at(
    database: &Arc<Database>,
    as_of: Option<Moment>,
    since: Option<Moment>,
    history: bool,
) -> Result<At, Failure> {
    let (newest, now) = (database.snapshot(), database.now());
    let mut snapshot = newest.clone();
    if let Some(moment) = as_of {
        snapshot = snapshot.as_of(moment.resolve(&newest, now).await?);
    }
    if let Some(moment) = since {
        snapshot = snapshot.since(moment.resolve(&newest, now).await?);
    }
    if history {
        snapshot = snapshot.history();
    }
    Ok(At { database: Arc::clone(database), snapshot })
}

/// Rows on their way out.
enum Printed<'a> {
    /// EDN, or JSON as HTTP writes it: a row a line.
    Lines(Forms, &'a mut dyn Write),
    /// JSON as one array; whether the next row is the first.
    Array(&'a mut dyn Write, bool),
    Columns(Vec<Column>, Box<dyn super::render::Rows + 'a>),
}

impl<'a> Printed<'a> {
    fn new(
        columns: Vec<Column>,
        format: Format,
        out: &'a mut dyn Write,
    ) -> Result<Printed<'a>, Broken> {
        Ok(match format {
            Format::Edn => Printed::Lines(Forms::Edn, out),
            Format::Jsonl => Printed::Lines(Forms::Json, out),
            Format::Json => Printed::Array(out, true),
            Format::Table | Format::Csv | Format::Arrow => {
                let schema = found::schema(&columns);
                Printed::Columns(columns, format.writer(&schema, &Default::default(), out)?)
            }
        })
    }

    fn rows(&mut self, rows: Vec<Form>, shape: Shape) -> Result<(), Broken> {
        match self {
            Printed::Lines(format, out) => {
                for row in rows {
                    writeln!(out, "{}", line(*format, row))?;
                }
            }
            Printed::Array(out, first) => {
                for row in rows {
                    let before = if std::mem::take(first) { "[" } else { ",\n" };
                    write!(out, "{before}{}", line(Forms::Json, row))?;
                }
            }
            Printed::Columns(columns, out) => {
                let cells: Vec<Vec<Form>> = rows.into_iter().map(|r| cells(r, shape)).collect();
                out.batch(&found::batch(columns, &found::schema(columns), &cells)?)?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), Broken> {
        match self {
            Printed::Lines(..) => Ok(()),
            Printed::Array(out, first) => Ok(writeln!(out, "{}", if first { "[]" } else { "]" })?),
            Printed::Columns(_, mut out) => out.end(),
        }
    }
}

fn line(format: Forms, row: Form) -> String {
    let mut out = String::new();
    format.write(&mut out, &found::row_form(format, row));
    out
}

/// The places of a row.
fn cells(row: Form, shape: Shape) -> Vec<Form> {
    match (shape, row) {
        (Shape::Relation | Shape::Tuple, Form::Vector(all)) => {
            all.into_iter().map(|node| node.form).collect()
        }
        (Shape::Relation | Shape::Tuple, Form::Map(pairs)) => {
            pairs.into_iter().map(|(_, node)| node.form).collect()
        }
        (_, one) => vec![one],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn printed(format: Format, rows: &str, shape: Shape) -> String {
        let said = "{:columns [{:name \"?n\" :type \"long\"} {:name \"?x\" :type \"any\"}]}";
        let columns = columns(&edn::read(said).unwrap());
        let mut out = Vec::new();
        let mut printed = Printed::new(columns, format, &mut out).unwrap();
        let rows = edn::read(rows).unwrap();
        let rows = rows.sequence().unwrap().iter().map(|n| n.form.clone()).collect();
        printed.rows(rows, shape).unwrap();
        printed.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_in_each_format() {
        let rows = "[[1 :k] [nil {:a/b \"x\"}]]";
        for (format, expect) in [
            (Format::Csv, "?n,?x\n1,:k\n,\"{:a/b \"\"x\"\"}\"\n"),
            (Format::Edn, "[1 :k]\n[nil {:a/b \"x\"}]\n"),
            (Format::Jsonl, "[1,\":k\"]\n[null,{\":a/b\":\"x\"}]\n"),
            (Format::Json, "[[1,\":k\"],\n[null,{\":a/b\":\"x\"}]]\n"),
        ] {
            assert_eq!(printed(format, rows, Shape::Relation), expect, "{format:?}");
        }
        let keyed = "[{:n 1, :x 2}]";
        assert_eq!(printed(Format::Csv, keyed, Shape::Relation), "?n,?x\n1,2\n");
        assert_eq!(printed(Format::Jsonl, keyed, Shape::Relation), "{\"n\":1,\"x\":2}\n");
        assert_eq!(printed(Format::Json, "[]", Shape::Relation), "[]\n");
    }

    #[test]
    fn shapes_of_queries() {
        assert_eq!(shape("[:find ?x . :where [?x :a]]"), Shape::Scalar);
        assert_eq!(shape("{:find [[?x ...]] :where [[?x :a]]}"), Shape::Collection);
        assert_eq!(shape("[:find"), Shape::Relation);
    }
}
