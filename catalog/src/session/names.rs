//! Names of schemas and the reading of qualified names.

use super::relations::Name;
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{Ident, ObjectName};

pub const PUBLIC: &str = "public";
pub const DAO: &str = "dao";
pub const SYSTEM: [&str; 2] = ["pg_catalog", "information_schema"];

/// Unquoted names fold to lower case: of ASCII, as in Postgres.
pub fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

/// `relation`, `schema.relation` or `database.schema.relation`.
pub fn relation_name(name: &ObjectName, database: &str) -> Result<Name> {
    let parts: Option<Vec<String>> = name.0.iter().map(|p| p.as_ident().map(fold)).collect();
    match parts.as_deref() {
        Some([relation]) => Ok(Name { schema: None, relation: relation.clone() }),
        Some([schema, relation]) => {
            Ok(Name { schema: Some(schema.clone()), relation: relation.clone() })
        }
        Some([db, schema, relation]) if db == database => {
            Ok(Name { schema: Some(schema.clone()), relation: relation.clone() })
        }
        Some([_, _, _]) => Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("cross-database references are not implemented: {name}"),
        )
        .hint(format!("this session is connected to \"{database}\"; connect to the other one"))),
        _ => Err(Error::new(SqlState::SYNTAX, format!("improper relation name: {name}"))),
    }
}

/// The schemas of a search path: `"$user", public`.
pub fn search_path(text: &str, user: &str) -> Vec<String> {
    text.split(',')
        .map(|part| {
            let part = part.trim();
            match part.strip_prefix('"').and_then(|p| p.strip_suffix('"')) {
                Some("$user") => user.to_owned(),
                Some(quoted) => quoted.to_owned(),
                None => part.trim_matches('\'').to_ascii_lowercase(),
            }
        })
        .filter(|schema| !schema.is_empty())
        .collect()
}
