//! What a shared object store keeps: strongly consistent, as S3 is, and never losing what it took.

use super::chance::Chance;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    /// Microseconds.
    modified: i64,
    tag: u64,
}

#[derive(Debug)]
pub struct Objects {
    chance: Chance,
    all: Arc<Mutex<BTreeMap<Path, Object>>>,
}

impl Objects {
    pub fn new(chance: &Chance) -> Arc<Objects> {
        Arc::new(Objects { chance: chance.clone(), all: Arc::default() })
    }

    fn get(&self, path: &Path) -> Result<Object> {
        let found = self.all.lock().get(path).cloned();
        found.ok_or_else(|| missing(path))
    }
}

pub fn missing(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "no such object".into() }
}

pub fn unsupported<T>(operation: &str) -> Result<T> {
    let implementer = "the simulation".to_owned();
    Err(Error::NotImplemented { operation: operation.to_owned(), implementer })
}

pub fn meta(path: &Path, size: usize, modified: i64, tag: u64) -> ObjectMeta {
    ObjectMeta {
        location: path.clone(),
        last_modified: DateTime::from_timestamp_micros(modified).unwrap(),
        size: size as u64,
        e_tag: Some(tag.to_string()),
        version: None,
    }
}

/// The answer to a get, for any store that has the whole object in memory.
pub fn got(meta: ObjectMeta, bytes: &Bytes, options: &GetOptions) -> Result<GetResult> {
    options.check_preconditions(&meta)?;
    let range = match &options.range {
        Some(range) => range_of(range, bytes.len())?,
        None => 0..bytes.len() as u64,
    };
    let part = match options.head {
        true => Bytes::new(),
        false => bytes.slice(range.start as usize..range.end as usize),
    };
    let payload = GetResultPayload::Stream(stream::iter([Ok(part)]).boxed());
    Ok(GetResult { payload, meta, range, attributes: Default::default() })
}

fn range_of(range: &GetRange, len: usize) -> Result<Range<u64>> {
    let failed = |e| Error::Generic { store: "simulated range", source: Box::new(e) };
    range.as_range(len as u64).map_err(failed)
}

/// Those under a prefix, and after a name, of metas in order.
pub fn under(all: Vec<ObjectMeta>, prefix: Option<&Path>, after: Option<&Path>) -> Vec<ObjectMeta> {
    let within = |o: &ObjectMeta| {
        let prefix = prefix.is_none_or(|p| o.location.prefix_matches(p) && o.location != *p);
        prefix && after.is_none_or(|after| o.location > *after)
    };
    all.into_iter().filter(within).collect()
}

pub fn with_delimiter(all: Vec<ObjectMeta>, prefix: Option<&Path>) -> ListResult {
    let root = Path::default();
    let prefix = prefix.unwrap_or(&root);
    let mut result = ListResult { objects: Vec::new(), common_prefixes: Vec::new() };
    for object in under(all, Some(prefix), None) {
        let mut rest = object.location.prefix_match(prefix).unwrap();
        let (Some(first), more) = (rest.next(), rest.next().is_some()) else { continue };
        let folder = prefix.clone().join(first);
        drop(rest);
        match more {
            true if result.common_prefixes.last() != Some(&folder) => {
                result.common_prefixes.push(folder);
            }
            true => {}
            false => result.objects.push(object),
        }
    }
    result
}

impl std::fmt::Display for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated objects")
    }
}

impl Objects {
    fn metas(&self) -> Vec<ObjectMeta> {
        let all = self.all.lock();
        all.iter().map(|(path, o)| meta(path, o.bytes.len(), o.modified, o.tag)).collect()
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        let (modified, mut all) = (self.chance.now(), self.all.lock());
        let old = all.get(to).map_or(0, |o| o.tag);
        match o.mode {
            PutMode::Create if old > 0 => {
                let source = "it was there before".into();
                return Err(Error::AlreadyExists { path: to.to_string(), source });
            }
            PutMode::Update(_) => return unsupported("PutMode::Update"),
            _ => {}
        }
        let tag = old + 1;
        all.insert(to.clone(), Object { bytes: payload.into(), modified, tag });
        Ok(PutResult { e_tag: Some(tag.to_string()), version: None })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unsupported("put_multipart")
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        let Object { bytes, modified, tag } = self.get(from)?;
        got(meta(from, bytes.len(), modified, tag), &bytes, &options)
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let bytes = self.get(from)?.bytes;
        let part = |range: &Range<u64>| {
            let range = range_of(&GetRange::Bounded(range.clone()), bytes.len())?;
            Ok(bytes.slice(range.start as usize..range.end as usize))
        };
        ranges.iter().map(part).collect()
    }

    /// As S3 has it, what is not there can be deleted.
    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let all = Arc::clone(&self.all);
        let delete = move |path: Result<Path>| {
            path.inspect(|path| {
                all.lock().remove(path);
            })
        };
        paths.map(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(under(self.metas(), prefix, None)).map(Ok).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(under(self.metas(), prefix, Some(offset))).map(Ok).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Ok(with_delimiter(self.metas(), prefix))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unsupported("copy")
    }
}
