//! A stand-in for Google Cloud Storage: `suites/stores/gcs.py`, the part of its XML API that object_store speaks. It shows
//! that our use of that API hangs together; Google's own answers it cannot show.

use super::{BUCKET, Server, answers, pairs};
use daodb_storage::Location;
use std::io;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/stores/gcs.py");

const KEY: &str =
    r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;

/// `lie`: creates overwrite, as with servers that do not know the header.
pub fn start(lie: bool) -> io::Result<Server> {
    Server::start(
        |port, _| {
            let mut command = Command::new("python3");
            command.args([SCRIPT, &port.to_string(), BUCKET]).args(lie.then_some("--lie"));
            Ok(command)
        },
        answers,
        |port| Location {
            data: format!("gs://{BUCKET}").into(),
            endpoint: Some(format!("http://127.0.0.1:{port}")),
            // Nobody asks for a token then; object_store asks for one to PUT even where signatures are to be left out.
            options: pairs(&[("google_service_account_key", KEY)]),
            ..Location::default()
        },
    )
}
