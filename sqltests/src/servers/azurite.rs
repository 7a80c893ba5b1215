//! Azurite, Microsoft's stand-in for Azure's blob storage: `npm install azurite` in `~/.cache/daodb/node`.

use super::{BUCKET, Server, cached, http, pairs};
use daodb_storage::Location;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one account of every Azurite, and its key, which Microsoft has published.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// May do everything until 2099: signed with that key once and for all, so that nothing here has to sign.
const SIGNED: &str = "sv=2019-12-12&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z\
                      &sig=YKAtmJudHaH98kax9IHOYkiCF9veHhGg4TBHNwluLXo%3D";

pub fn program() -> Option<PathBuf> {
    cached("node/node_modules/azurite/dist/src/blob/main.js")
}

pub fn start(program: &Path) -> io::Result<Server> {
    Server::start(
        |port, folder| {
            let mut command = Command::new("node");
            command.arg(program).args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
            command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
            command.arg("--location").arg(folder.path());
            Ok(command)
        },
        |port| {
            let container = format!("/{ACCOUNT}/{BUCKET}?restype=container&{SIGNED}");
            http(port, "PUT", &container).is_ok_and(|(status, _)| status == 201)
        },
        |port| Location {
            data: format!("az://{BUCKET}").into(),
            endpoint: Some(format!("http://127.0.0.1:{port}/{ACCOUNT}")),
            options: pairs(&[
                ("azure_storage_account_name", ACCOUNT),
                ("azure_storage_account_key", KEY),
            ]),
            ..Location::default()
        },
    )
}
