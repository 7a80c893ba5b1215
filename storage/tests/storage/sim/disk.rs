//! A disk that forgets what was not synced.
//!
//! As POSIX has it: the contents of a file are safe once the file was synced, a name once its folder was. Until then a loss
//! of power keeps each of them or not, independently of each other and of their order; of contents any begin may be kept, or
//! zeros in their place. A link or a rename happened or it did not. The death of a process alone loses nothing.

use super::chance::Chance;
use super::life::Life;
use super::objects::{got, meta, missing, under, unsupported, with_delimiter};
use async_trait::async_trait;
use bytes::Bytes;
use daodb_storage::store::{Disk, DiskFile, Lock, Reader};
use daodb_storage::{Error, ErrorKind};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
enum Node {
    File(File),
    Folder(Folder),
}

#[derive(Debug, Default, Clone)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    modified: i64,
}

type Names = BTreeMap<String, usize>;

#[derive(Debug, Default, Clone)]
struct Folder {
    names: Names,
    synced: Names,
    /// What each name came to mean since the last sync.
    changes: Vec<(String, Option<usize>)>,
}

#[derive(Debug)]
struct Tree {
    /// The first is the root folder.
    nodes: Vec<Node>,
    owner: Option<Arc<Life>>,
}

/// What a machine's disk holds; clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    chance: Chance,
    tree: Arc<Mutex<Tree>>,
}

impl SimDisk {
    pub fn new(chance: &Chance) -> SimDisk {
        let tree = Tree { nodes: vec![Node::Folder(Folder::default())], owner: None };
        SimDisk { chance: chance.clone(), tree: Arc::new(Mutex::new(tree)) }
    }

    /// Every process must be dead.
    pub fn lose_power(&self) {
        self.chance.note("POWER LOSS");
        let mut tree = self.tree.lock();
        assert!(tree.owner.as_ref().is_none_or(|life| life.is_dead()));
        tree.owner = None;
        for node in &mut tree.nodes {
            match node {
                Node::File(file) => file.lose_power(&self.chance),
                Node::Folder(folder) => folder.lose_power(&self.chance),
            }
        }
    }

    /// Another disk with what lies on this one now, whether it is safe or not.
    pub fn copy(&self, chance: &Chance) -> SimDisk {
        let tree = Tree { nodes: self.tree.lock().copy(), owner: None };
        SimDisk { chance: chance.clone(), tree: Arc::new(Mutex::new(tree)) }
    }
}

impl File {
    fn lose_power(&mut self, chance: &Chance) {
        if self.bytes == self.synced {
            return;
        }
        let same = |(a, b): &(&u8, &u8)| a == b;
        let from = self.bytes.iter().zip(&self.synced).take_while(same).count();
        let len = chance.of(from as u64..self.bytes.len() as u64 + 1) as usize;
        self.bytes.truncate(len);
        if len > from && chance.is(0.3) {
            let zeros = chance.of(from as u64..len as u64) as usize;
            self.bytes[zeros..].fill(0);
        }
        // What was written over keeps its end.
        self.bytes.extend(self.synced.iter().skip(len));
        self.synced = self.bytes.clone();
    }
}

impl Folder {
    fn bind(&mut self, name: &str, node: Option<usize>) {
        match node {
            Some(node) => self.names.insert(name.to_owned(), node),
            None => self.names.remove(name),
        };
        self.changes.push((name.to_owned(), node));
    }

    fn lose_power(&mut self, chance: &Chance) {
        let mut meanings: BTreeMap<String, Vec<Option<usize>>> = BTreeMap::new();
        for (name, node) in self.changes.drain(..) {
            let before = self.synced.get(&name).copied();
            meanings.entry(name).or_insert_with(|| vec![before]).push(node);
        }
        for (name, meanings) in meanings {
            match chance.one(&meanings) {
                Some(node) => self.synced.insert(name, node),
                None => self.synced.remove(&name),
            };
        }
        self.names = self.synced.clone();
    }
}

fn error(kind: io::ErrorKind, path: &FilePath) -> io::Error {
    io::Error::new(kind, format!("{}: {kind}", path.display()))
}

impl Tree {
    /// Without the contents of files that have no name any more.
    fn copy(&self) -> Vec<Node> {
        let mut named = Vec::new();
        self.files(0, "", &mut named);
        let named: BTreeSet<usize> = named.into_iter().map(|(_, at)| at).collect();
        let copy = |(at, node): (usize, &Node)| match node {
            Node::Folder(folder) => Node::Folder(folder.clone()),
            Node::File(file) if named.contains(&at) => Node::File(file.clone()),
            Node::File(_) => Node::File(File::default()),
        };
        self.nodes.iter().enumerate().map(copy).collect()
    }

    fn find(&self, path: &FilePath) -> Option<usize> {
        let mut at = 0;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Node::Folder(folder) = &self.nodes[at] else { return None };
            at = *folder.names.get(name.to_str()?)?;
        }
        Some(at)
    }

    fn folder(&mut self, path: &FilePath) -> io::Result<&mut Folder> {
        match self.find(path).map(|at| &mut self.nodes[at]) {
            Some(Node::Folder(folder)) => Ok(folder),
            Some(Node::File(_)) => Err(error(io::ErrorKind::NotADirectory, path)),
            None => Err(error(io::ErrorKind::NotFound, path)),
        }
    }

    fn file(&mut self, at: usize) -> &mut File {
        match &mut self.nodes[at] {
            Node::File(file) => file,
            Node::Folder(_) => panic!("a folder is written to"),
        }
    }

    /// The folder that a name stands in.
    fn place<'a>(&mut self, path: &'a FilePath) -> io::Result<(&mut Folder, &'a str)> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        Ok((self.folder(path.parent().unwrap())?, name))
    }

    /// A new node under a name that is not taken.
    fn add(&mut self, path: &FilePath, node: Node) -> io::Result<usize> {
        let at = self.nodes.len();
        let (folder, name) = self.place(path)?;
        if folder.names.contains_key(name) {
            return Err(error(io::ErrorKind::AlreadyExists, path));
        }
        folder.bind(name, Some(at));
        self.nodes.push(node);
        Ok(at)
    }

    fn create_folders(&mut self, path: &FilePath) -> io::Result<()> {
        let all: Vec<&FilePath> = path.ancestors().collect();
        for path in all.into_iter().rev() {
            if self.find(path).is_none() {
                self.add(path, Node::Folder(Folder::default()))?;
            }
            self.folder(path)?;
        }
        Ok(())
    }

    fn link(&mut self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        let node = self.find(from).ok_or_else(|| error(io::ErrorKind::NotFound, from))?;
        let (folder, name) = self.place(to)?;
        if folder.names.contains_key(name) {
            return Err(error(io::ErrorKind::AlreadyExists, to));
        }
        folder.bind(name, Some(node));
        Ok(())
    }

    fn remove(&mut self, path: &FilePath) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        if !folder.names.contains_key(name) {
            return Err(error(io::ErrorKind::NotFound, path));
        }
        folder.bind(name, None);
        Ok(())
    }

    fn rename(&mut self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        let node = self.find(from).ok_or_else(|| error(io::ErrorKind::NotFound, from))?;
        let (folder, name) = self.place(to)?;
        folder.bind(name, Some(node));
        self.remove(from)
    }

    /// All files under a folder, with their paths from there.
    fn files(&self, at: usize, from: &str, out: &mut Vec<(String, usize)>) {
        let Node::Folder(folder) = &self.nodes[at] else { return };
        for (name, node) in &folder.names {
            let path = if from.is_empty() { name.clone() } else { format!("{from}/{name}") };
            match &self.nodes[*node] {
                Node::File(_) => out.push((path, *node)),
                Node::Folder(_) => self.files(*node, &path, out),
            }
        }
    }
}

/// The disk as one process has it.
#[derive(Debug, Clone)]
pub struct Mount {
    disk: SimDisk,
    life: Arc<Life>,
    faults: DiskFaults,
    /// Operations until the process dies.
    left: Arc<Mutex<Option<u64>>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFaults {
    /// The probability of an operation that needs room to find none.
    pub full: f64,
    /// The probability of a sync to fail.
    pub unsynced: f64,
    /// A fault put in on purpose: folders are not synced.
    pub no_folder_sync: bool,
}

fn died() -> io::Error {
    io::Error::other("the process is dead")
}

impl Mount {
    /// The process dies at the operation after `left` others.
    pub fn new(disk: &SimDisk, life: &Arc<Life>, faults: DiskFaults, left: Option<u64>) -> Mount {
        let left = Arc::new(Mutex::new(left));
        Mount { disk: disk.clone(), life: Arc::clone(life), faults, left }
    }

    /// Whether the process dies now.
    fn dies(&self) -> bool {
        let mut left = self.left.lock();
        let dies = *left == Some(0);
        *left = left.map(|left| left.saturating_sub(1));
        dies
    }

    /// One operation, unless the process is dead; it may die right before or right after it.
    fn change<T>(
        &self,
        what: impl std::fmt::Display,
        work: impl FnOnce(&mut Tree) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.life.is_dead() {
            return Err(died());
        }
        let (chance, dies) = (&self.disk.chance, self.dies());
        if dies && chance.is(0.5) {
            self.life.die();
            return Err(died());
        }
        let done = work(&mut self.disk.tree.lock());
        match &done {
            Ok(_) => chance.note(format_args!("  {} disk: {what}", self.life.name)),
            Err(e) => chance.note(format_args!("  {} disk: {what}: {e}", self.life.name)),
        }
        if dies {
            self.life.die();
            return Err(died());
        }
        done
    }

    fn find_room(&self) -> io::Result<()> {
        match self.faults.full > 0.0 && self.disk.chance.is(self.faults.full) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn may_sync(&self) -> io::Result<()> {
        match self.faults.unsynced > 0.0 && self.disk.chance.is(self.faults.unsynced) {
            true => Err(io::Error::other("input/output error")),
            false => Ok(()),
        }
    }
}

impl Disk for Mount {
    fn exists(&self, path: &FilePath) -> io::Result<bool> {
        Ok(self.disk.tree.lock().find(path).is_some())
    }

    fn create_folders(&self, path: &FilePath) -> io::Result<()> {
        self.change(format_args!("mkdir {}", path.display()), |tree| {
            self.find_room()?;
            tree.create_folders(path)
        })
    }

    fn canonical(&self, path: &FilePath) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn lock(&self, folder: &FilePath, _: &str) -> daodb_storage::Result<Box<dyn Lock>> {
        let mut tree = self.disk.tree.lock();
        if tree.owner.as_ref().is_some_and(|life| !life.is_dead()) {
            let message = format!("the folder {} is in use", folder.display());
            return Err(Error::new(ErrorKind::Fenced, message));
        }
        tree.owner = Some(Arc::clone(&self.life));
        Ok(Box::new(SimLock { disk: self.disk.clone(), life: Arc::clone(&self.life) }))
    }

    fn reader(&self, folder: &FilePath) -> daodb_storage::Result<Arc<dyn Reader>> {
        let life = Arc::clone(&self.life);
        Ok(Arc::new(SimReader { disk: self.disk.clone(), root: folder.to_owned(), life }))
    }

    fn create(&self, path: &FilePath) -> io::Result<Box<dyn DiskFile>> {
        let modified = self.disk.chance.now();
        let at = self.change(format_args!("create {}", path.display()), |tree| {
            self.find_room()?;
            tree.add(path, Node::File(File { modified, ..File::default() }))
        })?;
        Ok(Box::new(SimFile { mount: self.clone(), at }))
    }

    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        self.change(format_args!("link {} {}", from.display(), to.display()), |tree| {
            self.find_room()?;
            tree.link(from, to)
        })
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        self.change(format_args!("rename {} {}", from.display(), to.display()), |tree| {
            self.find_room()?;
            tree.rename(from, to)
        })
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        self.change(format_args!("remove {}", path.display()), |tree| tree.remove(path))
    }

    fn entries(&self, folder: &FilePath) -> io::Result<Vec<PathBuf>> {
        let mut tree = self.disk.tree.lock();
        Ok(tree.folder(folder)?.names.keys().map(|name| folder.join(name)).collect())
    }

    fn folders(&self, folder: &FilePath) -> io::Result<Vec<PathBuf>> {
        let mut tree = self.disk.tree.lock();
        let names = tree.folder(folder)?.names.clone();
        let is_folder = |(_, at): &(String, usize)| matches!(tree.nodes[*at], Node::Folder(_));
        Ok(names.into_iter().filter(is_folder).map(|(name, _)| folder.join(name)).collect())
    }

    fn sync_folder(&self, folder: &FilePath) -> io::Result<()> {
        self.change(format_args!("sync folder {}", folder.display()), |tree| {
            let found = tree.folder(folder)?;
            self.may_sync()?;
            if !self.faults.no_folder_sync {
                found.synced = found.names.clone();
                found.changes.clear();
            }
            Ok(())
        })
    }

    fn sync_file(&self, path: &FilePath) -> io::Result<()> {
        self.change(format_args!("sync {}", path.display()), |tree| {
            let at = tree.find(path).ok_or_else(|| error(io::ErrorKind::NotFound, path))?;
            self.may_sync()?;
            let file = tree.file(at);
            file.synced = file.bytes.clone();
            Ok(())
        })
    }

    fn read(&self, path: &FilePath) -> io::Result<Vec<u8>> {
        let mut tree = self.disk.tree.lock();
        let at = tree.find(path).ok_or_else(|| error(io::ErrorKind::NotFound, path))?;
        Ok(tree.file(at).bytes.clone())
    }

    /// So few that a short life fills several.
    fn journal_records(&self) -> usize {
        8
    }

    fn is_instant(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    life: Arc<Life>,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut tree = self.disk.tree.lock();
        if tree.owner.as_ref().is_some_and(|life| Arc::ptr_eq(life, &self.life)) {
            tree.owner = None;
        }
    }
}

#[derive(Debug)]
struct SimFile {
    mount: Mount,
    at: usize,
}

impl DiskFile for SimFile {
    fn write_at(&mut self, offset: u64, payload: &PutPayload) -> io::Result<()> {
        let bytes = Bytes::from(payload.clone());
        let (start, mut len) = (offset as usize, bytes.len());
        let full = self.mount.find_room();
        if full.is_err() {
            len = self.mount.disk.chance.index(len.max(1));
        }
        self.mount.change(format_args!("write {} bytes", len), |tree| {
            let file = &mut tree.file(self.at).bytes;
            file.resize(file.len().max(start + len), 0);
            file[start..start + len].copy_from_slice(&bytes[..len]);
            full
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.mount.change("sync", |tree| {
            self.mount.may_sync()?;
            let file = tree.file(self.at);
            file.synced = file.bytes.clone();
            Ok(())
        })
    }
}

/// Reads what the disk holds at the moment.
#[derive(Debug)]
struct SimReader {
    disk: SimDisk,
    root: PathBuf,
    life: Arc<Life>,
}

impl SimReader {
    fn refuse_the_dead(&self) -> Result<()> {
        match self.life.is_dead() {
            true => Err(object_store::Error::Generic {
                store: "simulated disk",
                source: Box::new(died()),
            }),
            false => Ok(()),
        }
    }

    fn metas(&self) -> Result<Vec<ObjectMeta>> {
        self.refuse_the_dead()?;
        let mut tree = self.disk.tree.lock();
        let mut files = Vec::new();
        if let Some(root) = tree.find(&self.root) {
            tree.files(root, "", &mut files);
        }
        let described = files.into_iter().map(|(path, at)| {
            let file = tree.file(at);
            meta(&Path::parse(path).unwrap(), file.bytes.len(), file.modified, 1)
        });
        let mut metas: Vec<ObjectMeta> = described.collect();
        metas.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(metas)
    }

    fn listed(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.metas() {
            Ok(all) => stream::iter(under(all, prefix, after)).map(Ok).boxed(),
            Err(e) => stream::iter([Err(e)]).boxed(),
        }
    }
}

impl Reader for SimReader {
    fn file(&self, location: &Path) -> Result<PathBuf> {
        Ok(location.parts().fold(self.root.clone(), |path, part| path.join(part.as_ref())))
    }

    fn files(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, after)
    }
}

impl std::fmt::Display for SimReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated disk")
    }
}

#[async_trait]
impl ObjectStore for SimReader {
    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.refuse_the_dead()?;
        let mut tree = self.disk.tree.lock();
        let at = tree.find(&self.file(from)?).ok_or_else(|| missing(from))?;
        match &mut tree.nodes[at] {
            Node::Folder(_) => Err(missing(from)),
            Node::File(file) => {
                let bytes = Bytes::from(file.bytes.clone());
                got(meta(from, bytes.len(), file.modified, 1), &bytes, &options)
            }
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Ok(with_delimiter(self.metas()?, prefix))
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        unsupported("put")
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unsupported("put_multipart")
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::iter([unsupported("delete")]).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unsupported("copy")
    }
}
