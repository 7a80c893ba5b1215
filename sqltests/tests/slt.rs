//! The `.slt` files of `slt/`, on every engine. `SLT=name` runs some of them; `SLT_COMPLETE=1` writes what the embedded
//! engine answers into them (then read the difference).

use daodb_sqltests::slt::{Engine, files, run};
use std::path::Path;

async fn check(engine: Engine) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let files = files(&folder);
    assert!(!files.is_empty(), "no .slt file in {}", folder.display());
    let mut failures = Vec::new();
    for file in &files {
        if let Err(failure) = run(engine, file, false).await {
            failures.push(failure);
        }
    }
    let (failed, all) = (failures.len(), files.len());
    assert!(failures.is_empty(), "{failed} of {all} files:\n\n{}", failures.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    if std::env::var_os("SLT_COMPLETE").is_some() {
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")) {
            run(Engine::Embedded, &file, true).await.unwrap();
        }
    }
    check(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_protocol() {
    check(Engine::Simple).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_protocol() {
    check(Engine::Extended).await;
}
