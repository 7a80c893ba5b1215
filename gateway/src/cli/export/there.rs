//! An export through a server: the same rows, as they come over HTTP.

use super::Export;
use super::out::{Datoms, Table, Target};
use crate::cli::progress::{Unit, Work};
use crate::cli::remote::{Remote, View, number};
use crate::cli::render::Broken;
use crate::http::formats::{long, map, node, value};
use daodb_catalog::basis::EMPTY_T;
use daodb_datalog::edn::Form;
use daodb_storage::Value;

/// The times asked for, as transactions.
struct Times {
    as_of: i64,
    since: Option<i64>,
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
        let (target, out) = Target::open(self.out.as_deref())?;
        let mut sink = Datoms::new(self.format, out)?;
        let mut work = Work::new(format!("exporting {}", server.database()), Unit::Datoms);
        let mut done = 0;
        while let Some(datoms) = all.next().await? {
            sink.write(&datoms)?;
            done += datoms.len() as u64;
            work.update(done, 0);
        }
        sink.finish()?;
        work.end();
        target.done()?;
        Ok(())
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
