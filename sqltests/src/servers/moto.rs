//! moto, a stand-in for S3 in Python: `pip install moto[server]` into the venv `~/.cache/daodb/moto`.

use super::{BUCKET, Server, cached, http, minio};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn program() -> Option<PathBuf> {
    cached("moto/bin/moto_server")
}

pub fn start(program: &Path) -> io::Result<Server> {
    Server::start(
        |port, _| {
            let mut command = Command::new(program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            Ok(command)
        },
        |port| http(port, "PUT", &format!("/{BUCKET}")).is_ok_and(|(status, _)| status == 200),
        |port| minio::location(port, "moto"),
    )
}
