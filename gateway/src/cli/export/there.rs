//! An export through a server: the same rows, as they come over HTTP.

use super::Export;
use super::out::{Table, Target};
use crate::cli::Failure;
use crate::cli::progress::{Unit, Work};
use crate::cli::remote::{Remote, View, number};
use crate::cli::render::Broken;
use crate::http::formats::{field, long, map, node, text, value};
use daodb_catalog::basis::EMPTY_T;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::{Datom, Value, ValueType};
use std::collections::BTreeSet;

/// The times asked for, as transactions.
struct Times {
    as_of: i64,
    since: Option<i64>,
}

/// Attributes that refer to entities: what comes over HTTP are their numbers alone.
struct References {
    only: BTreeSet<String>,
    /// Those that have numbers besides, so that which is which cannot be told.
    mixed: BTreeSet<String>,
}

impl References {
    async fn of(server: &Remote, as_of: i64) -> Result<References, Failure> {
        let sql = "SELECT attribute, observed_types FROM dao.attributes WHERE observed_types LIKE '%ref%'";
        let body = map([("sql", text(sql)), ("as-of", long(as_of))]);
        let said = server.ask("sql", &body, Some(sql)).await?;
        let mut out = References { only: BTreeSet::new(), mixed: BTreeSet::new() };
        for row in field(&said, "rows").and_then(Node::sequence).unwrap_or_default() {
            let Some([a, types]) = row.sequence() else { continue };
            let name = |node: &Node| node.keyword().or(node.string()).map(str::to_owned);
            let (Some(a), Some(types)) = (name(a), name(types)) else { continue };
            let types: Vec<ValueType> = types.split(", ").filter_map(ValueType::parse).collect();
            if types == [ValueType::Ref] {
                out.only.insert(a);
            } else if types.contains(&ValueType::Ref) && types.contains(&ValueType::Long) {
                out.mixed.insert(a);
            }
        }
        Ok(out)
    }

    fn mark(&self, datoms: &mut [Datom]) -> Result<(), Failure> {
        for Datom { a, v, .. } in datoms {
            let Value::Long(n) = v else { continue };
            if self.only.contains(a.as_str()) {
                *v = Value::Ref(*n);
            } else if self.mixed.contains(a.as_str()) {
                let message =
                    format!("{a} has both numbers and references, which HTTP does not tell apart");
                return Err(
                    Failure::failed(message).hint("export it from the folder, without --url")
                );
            }
        }
        Ok(())
    }
}

impl Export {
    pub(super) async fn through(&self, server: &Remote) -> Result<(), Broken> {
        // All tables of an export are of one moment, so it is fixed here.
        let as_of = match &self.as_of {
            Some(time) => server.t(time).await?,
            None => number(&server.get("/basis").await?, "t")?,
        };
        let since = match &self.since {
            Some(time) => Some(server.t(time).await?),
            None => None,
        };
        let times = Times { as_of, since };
        if self.tables.is_empty() {
            return self.datoms_of(server, times).await;
        }
        for table in &self.tables {
            self.table_of(server, table, &times).await?;
        }
        Ok(())
    }

    async fn datoms_of(&self, server: &Remote, times: Times) -> Result<(), Broken> {
        let Times { as_of, since } = times;
        let mut all = match self.history {
            true => {
                let start = since.unwrap_or(EMPTY_T).saturating_add(1);
                let path = format!("tx-range?start={start}&end={}", as_of.saturating_add(1));
                server.datoms(&path, None).await?
            }
            false => {
                let index = value(Value::keyword(":aevt"));
                let since = since.map_or_else(|| node(Form::Nil), long);
                let body = map([("index", index), ("as-of", long(as_of)), ("since", since)]);
                server.datoms("datoms", Some(&body)).await?
            }
        };
        let references = References::of(server, as_of).await?;
        let next = async || -> Result<_, Broken> {
            let Some(mut datoms) = all.next().await? else { return Ok(None) };
            references.mark(&mut datoms)?;
            Ok(Some(datoms))
        };
        self.write_datoms(server.database(), next).await
    }

    async fn table_of(&self, server: &Remote, table: &str, times: &Times) -> Result<(), Broken> {
        let (as_of, since) = (Some(times.as_of.to_string()), times.since.map(|t| t.to_string()));
        let view = View { as_of, since, history: false };
        let told = |failure: crate::cli::Failure| failure.inside(format!("table {table}"));
        let rows = server.rows(&self.query(table), &view).await;
        let mut rows = rows.map_err(told)?;
        let (schema, mut next) = rows.begin().await.map_err(told)?;
        let (target, out) = Target::open(self.file_of(table)?.as_deref())?;
        let mut sink = Table::new(self.format, &schema, Default::default(), out)?;
        let mut work = Work::new(format!("exporting {table}"), Unit::Rows);
        let mut done = 0;
        while let Some(batch) = next {
            sink.write(&batch)?;
            done += batch.num_rows() as u64;
            work.update(done, 0);
            next = rows.next().await.map_err(told)?;
        }
        sink.finish()?;
        work.end();
        target.done()?;
        Ok(())
    }
}
