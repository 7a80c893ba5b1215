//! Stores that take a create-only write and do something else are refused at the start, with what they did.

use async_trait::async_trait;
use daodb_storage::{Error, Store};
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, path::Path,
};
use futures::stream::BoxStream;
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, Copy)]
enum Lie {
    /// Every create overwrites, and says that it is done.
    AllWin,
    /// Every create says that the name is taken.
    NoneWins,
    /// One create succeeds, and another's bytes lie there.
    OtherBytes,
    /// A name that is taken is told by an error that says something else.
    OtherError,
    /// Such a write is not known at all.
    Unknown,
    NoRights,
}

#[derive(Debug)]
struct Liar {
    inner: InMemory,
    lie: Lie,
}

impl fmt::Display for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a store that lies")
    }
}

#[async_trait]
impl ObjectStore for Liar {
    async fn put_opts(
        &self,
        path: &Path,
        bytes: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let (at, source) = (path.to_string(), || "lie".into());
        match self.lie {
            Lie::AllWin => self.inner.put_opts(path, bytes, PutMode::Overwrite.into()).await,
            Lie::NoneWins => Err(StoreError::AlreadyExists { path: at, source: source() }),
            Lie::OtherBytes => {
                self.inner.put_opts(path, PutPayload::from_static(b"lie"), opts).await
            }
            Lie::OtherError => match self.inner.put_opts(path, bytes, opts).await {
                Err(_) => Err(StoreError::Precondition { path: at, source: source() }),
                done => done,
            },
            Lie::Unknown => Err(StoreError::NotImplemented {
                operation: "If-None-Match".into(),
                implementer: "a store that lies".into(),
            }),
            Lie::NoRights => Err(StoreError::PermissionDenied { path: at, source: source() }),
        }
    }
    async fn put_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, opts).await
    }
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(path, options).await
    }
    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

async fn probed(lie: Lie) -> Error {
    let objects = Arc::new(Liar { inner: InMemory::new(), lie });
    let store = Store::bucket(objects, "root".into(), "s3://liar/root");
    store.probe().await.expect_err("a lie must be found out")
}

#[tokio::test]
async fn lies_are_found_out() {
    for (lie, what) in [
        (Lie::AllWin, "8 were told that the object is theirs"),
        (Lie::NoneWins, "none was told that the object is its own"),
        (Lie::OtherBytes, "the object is not that of the one who won"),
        (Lie::OtherError, "a create of a new name failed"),
        (Lie::Unknown, "cannot create a name only where it is free"),
    ] {
        let error = probed(lie).await;
        assert!(error.message.contains("s3://liar/root: "), "{lie:?}: {error}");
        assert!(error.message.contains(what), "{lie:?}: {error}");
        assert!(error.hint.unwrap().contains("could be overwritten"), "{lie:?}");
    }
    let error = probed(Lie::NoRights).await;
    assert!(error.message.contains("the credentials do not allow to write"), "{error}");
}
