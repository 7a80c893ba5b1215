//! MinIO, a real S3 server: `go install github.com/minio/minio@latest` into `~/.cache/daodb/bin`. It is run, never shipped.

use super::{BUCKET, Server, cached, http, pairs};
use daodb_storage::Location;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const KEY: &str = "daodb-tests";

pub fn program() -> Option<PathBuf> {
    cached("bin/minio")
}

pub fn start(program: &Path) -> io::Result<Server> {
    Server::start(
        |port, folder| {
            // A folder of its drive is a bucket.
            let drive = folder.path().join("drive");
            std::fs::create_dir_all(drive.join(BUCKET))?;
            let mut command = Command::new(program);
            command
                .args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}")])
                .arg(drive);
            command.env("HOME", folder.path()).env("MINIO_BROWSER", "off");
            command.env("MINIO_ROOT_USER", KEY).env("MINIO_ROOT_PASSWORD", KEY);
            Ok(command)
        },
        |port| http(port, "GET", "/minio/health/ready").is_ok_and(|(status, _)| status == 200),
        |port| location(port, KEY),
    )
}

pub(super) fn location(port: u16, key: &str) -> Location {
    Location {
        data: format!("s3://{BUCKET}").into(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: Some("us-east-1".to_owned()),
        options: pairs(&[("aws_access_key_id", key), ("aws_secret_access_key", key)]),
        ..Location::default()
    }
}
