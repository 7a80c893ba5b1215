//! A server with one database in memory.

use daodb_catalog::database::CatalogOptions;
use daodb_catalog::{Catalog, EntityRef, Op, TxValue};
use daodb_gateway::pg::{self, Limits};
use daodb_storage::{StreamOptions, Value};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use tokio::net::TcpListener;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task::JoinHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::sync::CancellationToken;

pub const DATABASE: &str = "music";

pub struct Server {
    pub address: SocketAddr,
    pub catalog: Arc<Catalog>,
    pub stop: CancellationToken,
    pub task: JoinHandle<daodb_catalog::Result<()>>,
    _turn: Turn,
}

/// Memory is that of the whole process: a test that measures it has the process to itself.
static TURNS: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

enum Turn {
    Shared(#[allow(dead_code)] OwnedRwLockReadGuard<()>),
    Alone(#[allow(dead_code)] OwnedRwLockWriteGuard<()>),
}

impl Server {
    pub async fn start() -> Self {
        Self::within(Limits::default()).await
    }

    /// While no other test has a server.
    pub async fn alone() -> Self {
        let turn = Turn::Alone(Arc::clone(&TURNS).write_owned().await);
        Self::serve(Limits::default(), turn).await
    }

    pub async fn within(limits: Limits) -> Self {
        let turn = Turn::Shared(Arc::clone(&TURNS).read_owned().await);
        Self::serve(limits, turn).await
    }

    async fn serve(limits: Limits, turn: Turn) -> Self {
        let clock = Arc::new(daodb_gateway::config::now);
        let options = CatalogOptions::new(StreamOptions::new(100_000, 16 << 20, clock), 512 << 20);
        let catalog = Catalog::open_memory(options).await.unwrap();
        daodb_datalog::condition::speak(&catalog);
        catalog.create(DATABASE).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = pg::serve_within(listener, Arc::clone(&catalog), limits, stop.clone());
        Self { address, catalog, stop, task: tokio::spawn(served), _turn: turn }
    }

    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.host(self.address.ip().to_string()).port(self.address.port());
        config.user("tester").dbname(DATABASE);
        config
    }

    pub async fn connect(&self) -> Client {
        connect(&self.config()).await.unwrap()
    }

    /// A new person of that name.
    pub async fn add(&self, name: &str) {
        let database = self.catalog.database(DATABASE).await.unwrap();
        let name = TxValue::Value(Value::string(name));
        let op = Op::Map {
            id: Some(EntityRef::Temp(Arc::from("p"))),
            attrs: vec![(":person/name".into(), name)],
        };
        database.transact(vec![op]).await.unwrap();
    }
}

pub async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The rows of a simple query, values parted by `|`, a null as `NULL`.
pub async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let row = |message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            let values = (0..row.len()).map(|i| row.get(i).unwrap_or("NULL"));
            Some(values.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

pub fn db_error(e: &tokio_postgres::Error) -> &DbError {
    e.as_db_error().unwrap_or_else(|| panic!("no error of the server: {e:?}"))
}

/// The SQLSTATE that a simple query fails with.
pub async fn state_of(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(_) => panic!("{sql} succeeded"),
        Err(e) => db_error(&e).code().code().to_owned(),
    }
}
