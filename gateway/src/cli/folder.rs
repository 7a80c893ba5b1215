//! Opening the place where the data lies, a folder or a bucket, and choosing a database in it.

use super::Failure;
use crate::config::Config;
use daodb_catalog::{Catalog, Database, SqlState};
use daodb_storage::Access;
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
    Ok(Catalog::open_at(location, Access::ReadWrite, config.catalog_options()).await?)
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
