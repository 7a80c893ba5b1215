//! The address that clients connect to.

use super::Failure;
use crate::config::Config;
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Binds the Postgres address; one that other machines reach only with `--insecure`.
pub async fn postgres(config: &Config) -> Result<TcpListener, Failure> {
    let text = &config.pg;
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(text)
        .await
        .map_err(|e| {
            Failure::usage(format!("--pg {text}: {e}"))
                .hint("an address is HOST:PORT, for instance 127.0.0.1:5433")
        })?
        .collect();
    if !config.insecure && !addresses.iter().all(|a| a.ip().is_loopback()) {
        return Err(Failure::usage(format!("--pg {text} can be reached from other machines"))
            .hint(
                "there is no authentication yet: whoever reaches the port reads everything. \
                 Listen on 127.0.0.1 and reach it by `ssh -L`, or add --insecure where the network is trusted",
            ));
    }
    TcpListener::bind(addresses.as_slice()).await.map_err(|e| {
        let failure = Failure::failed(format!("cannot listen on {text}: {e}"));
        match e.kind() {
            ErrorKind::AddrInUse => {
                let port = addresses.first().map_or(5433, SocketAddr::port);
                let other = port.checked_add(1).unwrap_or(5433);
                failure.hint(format!(
                    "another server (perhaps another daodb) has the port; choose another: --pg 127.0.0.1:{other}"
                ))
            }
            ErrorKind::PermissionDenied => failure.hint("ports below 1024 are the system's; choose a higher one"),
            _ => failure,
        }
    })
}

/// The line that connects psql to a database.
pub fn psql(address: SocketAddr, database: &str) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    format!("psql -h {host} -p {} {}", address.port(), shell_word(database))
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
