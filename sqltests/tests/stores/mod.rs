//! The same checks on every kind of store: a folder, memory, and buckets of S3, Azure and Google behind servers that the
//! tests start ([`servers`]). What a store promises stands in [`checks`]; a store that lies is refused in [`liar`].

mod checks;
mod liar;
mod settings;

use checks::{Opener, conforms};
use daodb_sqltests::{left_out, program, servers};
use daodb_storage::{Access, ErrorKind, Location, Result, Store};
use futures::FutureExt;
use std::sync::Arc;
use std::time::Duration;

/// Opens the location again and again, as one process after the other would.
fn opener(location: &Location) -> Opener {
    let location = Arc::new(location.clone());
    Box::new(move || {
        let location = Arc::clone(&location);
        async move { again(async || Store::open(&location, Access::ReadWrite).await).await }
            .boxed_local()
    })
}

/// Tasks of queries that were dropped let go of a folder a little later.
async fn again(open: impl AsyncFn() -> Result<Store>) -> Store {
    let mut tries = 0;
    loop {
        match open().await {
            Ok(store) => return store,
            Err(e) => assert!(tries < 100 && e.kind == ErrorKind::Fenced, "{e}"),
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    conforms(opener(&Location::folder(folder.path())), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let store = Store::memory();
    conforms(Box::new(move || std::future::ready(store.clone()).boxed_local()), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3() {
    let Some(server) = servers::s3("stores on S3").unwrap() else { return };
    conforms(opener(&server.place("a/b c")), true).await;
    settings::refuses(&server).await;
    // moto takes any key.
    if servers::minio::program().is_some() {
        settings::refuses_other_keys(&server).await;
    }
    settings::reads_only(&server.place("read")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure() {
    const SUITE: &str = "stores on Azure";
    let Some(azurite) = servers::azurite::program() else {
        return left_out(SUITE, "there is no Azurite in ~/.cache/daodb");
    };
    if !program("node", SUITE) {
        return;
    }
    let server = servers::azurite::start(&azurite).unwrap();
    conforms(opener(&server.place("a/b c")), true).await;
    settings::refuses(&server).await;
    settings::reads_only(&server.place("read")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google() {
    if !program("python3", "stores on Google Cloud Storage") {
        return;
    }
    let server = servers::gcs::start(false).unwrap();
    conforms(opener(&server.place("a/b c")), true).await;
    settings::refuses(&server).await;
    settings::reads_only(&server.place("read")).await;

    let lies = servers::gcs::start(true).unwrap();
    let error = Store::open(&lies.place("a"), Access::ReadWrite).await.err().unwrap();
    assert!(error.message.contains("8 were told that the object is theirs"), "{error}");
    Store::open(&lies.place("a"), Access::ReadOnly).await.unwrap();
}
