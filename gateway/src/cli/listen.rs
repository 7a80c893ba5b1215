//! The addresses that clients connect to.

use super::Failure;
use crate::config::{Config, DEFAULT_HTTP};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// `--http none`: no HTTP.
const NONE: &str = "none";

/// The sockets of a server.
pub struct Doors {
    pub pg: TcpListener,
    pub http: Option<TcpListener>,
}

impl Doors {
    /// Binds both addresses; ones that other machines reach only with `--insecure`.
    pub async fn open(config: &Config) -> Result<Doors, Failure> {
        let pg = bind("--pg", &config.pg, 5433, config.insecure).await?;
        let http = match config.http.as_deref() {
            Some(NONE) => None,
            Some(address) => Some(bind("--http", address, 8765, config.insecure).await?),
            // Nobody asked for it: a second server on this machine starts all the same.
            None => match TcpListener::bind(DEFAULT_HTTP).await {
                Ok(listener) => Some(listener),
                Err(e) => {
                    eprintln!(
                        "no HTTP: cannot listen on {DEFAULT_HTTP}: {e} (--http ADDR chooses another)"
                    );
                    None
                }
            },
        };
        Ok(Doors { pg, http })
    }

    /// Where psql connects to.
    pub fn pg_address(&self) -> Result<SocketAddr, Failure> {
        address(&self.pg)
    }

    /// Where HTTP is spoken: `http://127.0.0.1:8765`.
    pub fn http_url(&self) -> Result<Option<String>, Failure> {
        let Some(listener) = &self.http else { return Ok(None) };
        let address = address(listener)?;
        Ok(Some(format!("http://{}", SocketAddr::new(reachable(address), address.port()))))
    }
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|e| Failure::failed(format!("the listening socket: {e}")))
}

async fn bind(flag: &str, text: &str, usual: u16, insecure: bool) -> Result<TcpListener, Failure> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(text)
        .await
        .map_err(|e| {
            Failure::usage(format!("{flag} {text}: {e}"))
                .hint(format!("an address is HOST:PORT, for instance 127.0.0.1:{usual}"))
        })?
        .collect();
    if !insecure && !addresses.iter().all(|a| a.ip().is_loopback()) {
        return Err(Failure::usage(format!("{flag} {text} can be reached from other machines"))
            .hint(
                "there is no authentication yet: whoever reaches the port reads everything. \
                 Listen on 127.0.0.1 and reach it by `ssh -L`, or add --insecure where the network is trusted",
            ));
    }
    TcpListener::bind(addresses.as_slice()).await.map_err(|e| {
        let failure = Failure::failed(format!("cannot listen on {text}: {e}"));
        match e.kind() {
            ErrorKind::AddrInUse => {
                let port = addresses.first().map_or(usual, SocketAddr::port);
                let other = port.checked_add(1).unwrap_or(usual);
                failure.hint(format!(
                    "another server (perhaps another daodb) has the port; choose another: {flag} 127.0.0.1:{other}"
                ))
            }
            ErrorKind::PermissionDenied => failure.hint("ports below 1024 are the system's; choose a higher one"),
            _ => failure,
        }
    })
}

/// An address that a client on this machine connects to.
fn reachable(address: SocketAddr) -> std::net::IpAddr {
    match address.ip() {
        ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The line that connects psql to a database.
pub fn psql(address: SocketAddr, database: &str) -> String {
    let host = reachable(address);
    format!("psql -h {host} -p {} {}", address.port(), shell_word(database))
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
