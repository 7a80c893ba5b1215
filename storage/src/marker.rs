//! `database.json`: the create-only object that makes a folder a database.

use crate::error::{Error, Result};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Its name in the database's folder.
pub const MARKER: &str = "database.json";
/// A create-only object beside it: the database was put away. It is served no more, and stays as it is.
pub const ARCHIVED: &str = "archived.json";
const FORMAT: u32 = 1;

/// What stands in [`ARCHIVED`]: when that was, in microseconds.
pub fn archived_at(instant: i64) -> String {
    format!("{{\"format\":{FORMAT},\"at\":{instant}}}")
}

/// What stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Tells a copy of the database from another one.
    pub id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Text {
    format: u32,
    id: Uuid,
    /// Of format and id, so that no change of them goes unseen. Databases of old do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
}

impl Marker {
    pub fn to_json(&self) -> Result<String> {
        let blake3 = Some(check(FORMAT, self.id));
        let text = Text { format: FORMAT, id: self.id, blake3 };
        serde_json::to_string(&text).map_err(|e| Error::internal(format!("{MARKER}: {e}")))
    }

    /// `path` names it in errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Marker> {
        let text: Text = serde_json::from_slice(bytes).map_err(|e| damaged(path, e))?;
        if text.format > FORMAT {
            let what =
                format!("the data has format {}, this program reads up to {FORMAT}", text.format);
            return Err(Error::data(path, what).hint("use the newer program that wrote it"));
        }
        let whole = text.blake3.is_none_or(|b| b == check(text.format, text.id));
        match whole && text.format == FORMAT {
            true => Ok(Marker { id: text.id }),
            false => Err(damaged(path, "its contents are not those that were written")),
        }
    }

    /// The same, and every byte is as it was written.
    pub(crate) fn parse_strictly(path: &Path, bytes: &[u8]) -> Result<Marker> {
        let marker = Marker::parse(path, bytes)?;
        let old = Text { format: FORMAT, id: marker.id, blake3: None };
        let old = serde_json::to_string(&old).map_err(|e| damaged(path, e))?;
        match bytes == marker.to_json()?.as_bytes() || bytes == old.as_bytes() {
            true => Ok(marker),
            false => Err(damaged(path, "it is not as it was written")),
        }
    }
}

fn check(format: u32, id: Uuid) -> String {
    blake3::hash(format!("{format} {id}").as_bytes()).to_hex().to_string()
}

fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::data(path, what)
        .hint("put it back from a backup: daodb restore does, once the damaged one is moved away")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let path = Path::from("db/database.json");
        let marker = Marker { id: Uuid::from_u128(7) };
        let json = marker.to_json().unwrap();
        assert_eq!(Marker::parse_strictly(&path, json.as_bytes()).unwrap(), marker);
        let old = format!("{{\"format\":1,\"id\":\"{}\"}}", marker.id);
        assert_eq!(Marker::parse_strictly(&path, old.as_bytes()).unwrap(), marker);
        let spaced = json.replace(',', ", ");
        assert_eq!(Marker::parse(&path, spaced.as_bytes()).unwrap(), marker);
        assert!(Marker::parse_strictly(&path, spaced.as_bytes()).is_err());
        let newer = json.replace("\"format\":1", "\"format\":2");
        let error = Marker::parse(&path, newer.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("newer program"), "{error}");
        let other = json.replace("0007", "0008");
        assert!(Marker::parse(&path, other.as_bytes()).is_err());
    }
}
