//! `daodb serve`

use super::listen::Doors;
use super::{Failure, folder, listen};
use crate::config::{Config, Settings, Wire};
use crate::{http, pg};
use clap::Args;
use daodb_catalog::Catalog;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  daodb serve --data /var/lib/daodb
  daodb serve --config /etc/daodb.toml --log info
  daodb serve --data s3://bucket/prefix --cache /var/cache/daodb
  daodb serve --data memory:                       an empty database named memory; nothing stays
  psql -h 127.0.0.1 -p 5433 demo                   one database
  psql -h 127.0.0.1 -p 5433 'dbname=demo@1042'     as it stood at transaction 1042
  curl http://127.0.0.1:8765/api/demo/basis        over HTTP: docs/http.md

Ctrl-C or SIGTERM: running statements end, waiting writes are flushed.";

/// The database of `--data memory:`, where no other command could make one.
const IN_MEMORY: &str = "memory";

/// Serve the databases of a folder or a bucket to psql and other Postgres clients, and over HTTP
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    #[command(flatten)]
    wire: Wire,
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let config = Config::resolve(self.settings, self.wire)?;
        super::log(&config.log)?;
        let doors = Doors::open(&config).await?;
        let catalog = folder::open(&config, true).await?;
        if config.location.is_memory() {
            catalog.create(IN_MEMORY).await?;
        }
        let names = catalog.names();
        if names.is_empty() {
            let place = catalog.place();
            eprintln!("{place} holds no database yet: daodb import git PATH makes one");
        }
        let address = doors.pg_address()?;
        let lines = names.iter().map(|name| format!("  {}\n", listen::psql(address, name)));
        let http = doors.http_url()?.map(|url| format!("  {url}/api\n")).unwrap_or_default();
        say(&format!(
            "serving {} on {address}\n{}{http}",
            config.data.display(),
            lines.collect::<String>()
        ))?;
        until_stopped(doors, catalog, &config, stop).await
    }
}

/// To stdout at once: whoever started the server may wait for it.
pub fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever started the server has heard enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|e| Failure::failed(format!("stdout: {e}"))),
    }
}

/// Serves; then flushes.
pub async fn until_stopped(
    doors: Doors,
    catalog: Arc<Catalog>,
    config: &Config,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let timeout = Duration::from_millis(config.statement_timeout);
    let statement_timeout = (!timeout.is_zero()).then_some(timeout);
    let limits = pg::Limits { statement_timeout, ..pg::Limits::default() };
    let pg = pg::serve_within(doors.pg, Arc::clone(&catalog), limits, stop.clone());
    let limits =
        http::Limits { statement_timeout, own_names: !config.insecure, ..http::Limits::default() };
    let http =
        doors.http.map(|listener| http::serve_within(listener, Arc::clone(&catalog), limits, stop));
    let (pg, http) = futures::join!(pg, async {
        match http {
            Some(http) => http.await,
            None => Ok(()),
        }
    });
    catalog.close().await?;
    Ok(pg.and(http)?)
}
