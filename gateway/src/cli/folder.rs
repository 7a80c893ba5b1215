//! Opening the place where the data lies, a folder or a bucket, and choosing a database in it.

use super::Failure;
use crate::config::Config;
use daodb_catalog::nearest::nearest;
use daodb_catalog::{Catalog, Database, SqlState};
use daodb_storage::{Access, Location, Store, verify};
use std::path::Path;
use std::sync::Arc;

/// Opens the place; makes a folder where `make` says so.
pub async fn open(config: &Config, make: bool) -> Result<Arc<Catalog>, Failure> {
    let location = &config.location;
    location.check().map_err(|e| Failure::usage(e.message).hint(e.hint.unwrap_or_default()))?;
    if let Some(folder) = location.as_folder()
        && !make
        && !folder.is_dir()
    {
        return Err(Failure::failed(format!("there is no folder {}", folder.display()))
            .hint("--data names the folder; daodb demo and daodb import make one"));
    }
    let access = match config.read_only {
        false => Access::ReadWrite,
        true if location.is_shared() => Access::ReadOnly,
        true => {
            return Err(Failure::usage(
                "--read-only is for a bucket: a folder belongs to one process",
            )
            .hint("leave it out, or put the data in a bucket (docs/storage.md)"));
        }
    };
    let catalog = Catalog::open_at(location, access, config.catalog_options()).await?;
    daodb_datalog::condition::speak(&catalog);
    Ok(catalog)
}

/// The store of a place, for commands that look after its files themselves; made where `make` says so.
pub async fn store(location: &Location, access: Access, make: bool) -> Result<Store, Failure> {
    location.check().map_err(|e| Failure::usage(e.message).hint(e.hint.unwrap_or_default()))?;
    if let Some(folder) = location.as_folder()
        && !make
        && !folder.is_dir()
    {
        return Err(Failure::failed(format!("there is no folder {}", folder.display())));
    }
    Ok(Store::open(location, access).await?)
}

/// Where a backup lies: as the data do, at another place.
pub fn elsewhere(config: &Config, place: &Path) -> Location {
    Location { data: place.to_owned(), cache: None, ..config.location.clone() }
}

/// The name given, which must be there; else all there are, also those that no server would find.
pub async fn databases(store: &Store, given: Option<String>) -> Result<Vec<String>, Failure> {
    let names = verify::databases(store).await?;
    let Some(name) = given else { return Ok(names) };
    if names.contains(&name) {
        return Ok(vec![name]);
    }
    let hint = match nearest(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("perhaps {near}"),
        None if names.is_empty() => "there is no database yet".to_owned(),
        None => format!("there are {}", names.join(", ")),
    };
    Err(Failure::failed(format!("database \"{name}\" does not exist")).hint(hint))
}

/// The database of that name, made where it is missing.
pub async fn open_or_create(catalog: &Catalog, name: &str) -> Result<Arc<Database>, Failure> {
    match catalog.database(name).await {
        Err(e) if e.state == SqlState::UNDEFINED_DATABASE => Ok(catalog.create(name).await?),
        other => Ok(other?),
    }
}

/// The name given, or that of the only database.
pub fn choose(catalog: &Catalog, given: Option<String>) -> Result<String, Failure> {
    let mut names = catalog.names();
    match (given, names.len()) {
        (Some(name), _) => Ok(name),
        (None, 1) => Ok(names.remove(0)),
        (None, 0) => Err(Failure::failed(format!("{} holds no database yet", catalog.place()))
            .hint("daodb demo or daodb import git PATH make one")),
        (None, _) => Err(Failure::usage("which database?")
            .hint(format!("--database NAME; there are {}", names.join(", ")))),
    }
}
