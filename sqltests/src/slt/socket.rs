//! A file's statements over a real socket, by the simple or the extended protocol.

use super::{Engine, Failed, Output, Shared, Shown, binary, cell};
use crate::engine;
use async_trait::async_trait;
use futures::TryStreamExt;
use sqllogictest::{AsyncDB, DBOutput};
use std::net::SocketAddr;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::{Kind, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage};

pub struct Socket {
    client: Client,
    engine: Engine,
    shared: Shared,
}

impl Socket {
    pub async fn open(
        shared: Shared,
        address: SocketAddr,
        engine: Engine,
    ) -> Result<Socket, Failed> {
        let client = engine::connect(address, engine::DATABASE, "").await.map_err(failed)?;
        Ok(Socket { client, engine, shared })
    }

    async fn simple(&self, sql: &str) -> Result<Output, Failed> {
        let (mut types, mut rows, mut count) = (None, Vec::new(), 0);
        for message in self.client.simple_query(sql).await.map_err(failed)? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    types = Some(vec![Shown::Unknown; columns.len()]);
                    rows.clear();
                }
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|i| cell(row.get(i).map(str::to_owned)));
                    rows.push(cells.collect());
                }
                SimpleQueryMessage::CommandComplete(n) => count = n,
                _ => {}
            }
        }
        Ok(match types {
            Some(types) => DBOutput::Rows { types, rows },
            None => DBOutput::StatementComplete(count),
        })
    }

    async fn extended(&self, sql: &str) -> Result<Output, Failed> {
        let statement = self.client.prepare(sql).await.map_err(failed)?;
        let types: Vec<Shown> = statement.columns().iter().map(|c| shown(c.type_())).collect();
        let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
        let rows = self.client.query_raw(&statement, none).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        let mut printed = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            printed.push(cells(&row)?);
        }
        if statement.columns().is_empty() {
            return Ok(DBOutput::StatementComplete(rows.rows_affected().unwrap_or(0)));
        }
        Ok(DBOutput::Rows { types, rows: printed })
    }
}

fn cells(row: &Row) -> Result<Vec<String>, Failed> {
    let value = |i: usize| -> Result<String, Failed> {
        let raw: Option<binary::Raw> = row.try_get(i).map_err(failed)?;
        let ty = row.columns()[i].type_();
        let text = raw.map(|raw| {
            binary::text(ty, &raw.0).ok_or_else(|| {
                Failed::new("08P01", &format!("cannot read {:?} as {ty}", raw.0), None, None)
            })
        });
        Ok(cell(text.transpose()?))
    };
    (0..row.len()).map(value).collect()
}

fn shown(ty: &Type) -> Shown {
    match *ty {
        Type::BOOL => Shown::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Shown::Integer,
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Shown::Real,
        Type::DATE | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::INTERVAL => {
            Shown::Time
        }
        _ if matches!(ty.kind(), Kind::Array(_)) => Shown::Array,
        _ => Shown::Text,
    }
}

fn failed(e: tokio_postgres::Error) -> Failed {
    let Some(db) = e.as_db_error() else {
        // Not from the server: the driver's own text, with what caused it.
        let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
        return Failed::new("08000", &format!("{e}{cause}"), None, None);
    };
    let position = db.position().and_then(|p| match p {
        ErrorPosition::Original(p) => Some(*p),
        ErrorPosition::Internal { .. } => None,
    });
    Failed::new(db.code().code(), db.message(), position, db.hint())
}

#[async_trait]
impl AsyncDB for Socket {
    type Error = Failed;
    type ColumnType = Shown;

    async fn run(&mut self, sql: &str) -> Result<Output, Failed> {
        if let Some(done) = self.shared.directive(sql).await {
            return done;
        }
        match self.engine {
            Engine::Extended => self.extended(sql).await,
            _ => self.simple(sql).await,
        }
    }
    async fn shutdown(&mut self) {}
    fn engine_name(&self) -> &str {
        self.engine.name()
    }
    fn error_sql_state(e: &Failed) -> Option<String> {
        Some(e.state.clone())
    }
}
