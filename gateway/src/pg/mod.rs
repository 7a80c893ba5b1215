//! The Postgres wire: start-up, simple and extended queries, rows out, errors.

pub mod catalog;

use daodb_catalog::{Catalog, Result};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the catalog's databases until `stop`; then lets running statements end, and returns.
pub async fn serve(
    _listener: TcpListener,
    _catalog: Arc<Catalog>,
    _stop: CancellationToken,
) -> Result<()> {
    unimplemented!()
}
