//! Whether a store keeps the one promise that is asked of it: of several creates of one name, exactly one succeeds.
//!
//! Several look-alikes of S3 accept the header that asks for it and do something else. With such a store two processes
//! could overwrite each other's transactions, so it is refused at the start.

use super::{Store, failed};
use crate::error::{Error, ErrorKind, Result};
use futures::future::{BoxFuture, join_all};
use object_store::PutMode;
use object_store::path::Path;
use uuid::Uuid;

/// Under the root; no database can have that name.
const FOLDER: &str = ".probe";
/// Writers that race for one name, and names.
const RACERS: usize = 8;
const NAMES: usize = 4;
const WHAT_IT_MEANS: &str = "acknowledged transactions could be overwritten there; choose a store with conditional writes \
                             (If-None-Match): AWS S3, MinIO, R2, Google Cloud Storage, Azure Blob Storage, or a folder";

impl Store {
    /// Races creates of a few fresh names and removes them again; an error says what the store did.
    pub fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let folder = self.root.clone().join(FOLDER);
            for _ in 0..NAMES {
                let path = folder.clone().join(Uuid::new_v4().to_string());
                let raced = self.race(&path).await;
                if let Err(e) = self.delete(&path).await {
                    tracing::warn!("the probe's object stays behind: {e}");
                }
                raced?;
            }
            Ok(())
        })
    }

    async fn race(&self, path: &Path) -> Result<()> {
        let bytes = |racer: usize| format!("{path} by {racer}");
        // Not by `Store::create`, which tries again.
        let creates = (0..RACERS)
            .map(|racer| self.objects.put_opts(path, bytes(racer).into(), PutMode::Create.into()));
        let mut winners = Vec::new();
        for (racer, done) in join_all(creates).await.into_iter().enumerate() {
            match done {
                Ok(_) => winners.push(racer),
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(e) => return Err(self.wrong_answer(path, e)),
            }
        }
        let raced =
            format!("{}: {RACERS} writers created one new name at the same time, and", self.name);
        let &[winner] = winners.as_slice() else {
            let text = match winners.len() {
                0 => format!("{raced} none was told that the object is its own"),
                n => format!("{raced} {n} were told that the object is theirs"),
            };
            return Err(refused(text));
        };
        let there = self.read(path).await?;
        if there != bytes(winner).as_bytes() {
            return Err(refused(format!("{raced} the object is not that of the one who won")));
        }
        Ok(())
    }

    fn wrong_answer(&self, path: &Path, e: object_store::Error) -> Error {
        use object_store::Error::{
            NotImplemented, NotSupported, PermissionDenied, Unauthenticated,
        };
        let name = &self.name;
        match e {
            PermissionDenied { .. } | Unauthenticated { .. } => {
                Error::user(format!("{name}: the credentials do not allow to write: {e}"))
                    .hint("allow to put, get, list and delete objects there")
            }
            NotImplemented { .. } | NotSupported { .. } => refused(format!(
                "{name}: the store cannot create a name only where it is free: {e}"
            )),
            e => {
                let error = failed(path, e);
                let text = format!("{name}: a create of a new name failed: {}", error.message);
                Error::new(ErrorKind::Io, text).hint(format!(
                    "if it stays so, the store has no create-only writes: {WHAT_IT_MEANS}"
                ))
            }
        }
    }
}

fn refused(text: String) -> Error {
    Error::user(text).hint(WHAT_IT_MEANS)
}
