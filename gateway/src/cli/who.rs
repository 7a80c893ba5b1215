//! Who writes by a command, and why: said of each transaction that it makes.

use super::Failure;
use crate::provenance::{self, DAODB};
use clap::Args;
use daodb_catalog::Provenance;
use std::sync::Arc;

#[derive(Args, Debug, Clone)]
pub struct Who {
    /// Who makes the transaction (`:tx/author`) [default: the user of this system]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Why it is made (`:tx/reason`)
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Who {
    pub fn provenance(&self) -> Result<Provenance, Failure> {
        let author = self.author.clone().or_else(user);
        Ok(Provenance {
            author: author.as_deref().map(|text| fits("--author", text)).transpose()?,
            client: Some(DAODB.into()),
            reason: self.reason.as_deref().map(|text| fits("--reason", text)).transpose()?,
        })
    }
}

/// The value of a flag that a transaction is to keep.
pub fn fits(flag: &str, text: &str) -> Result<Arc<str>, Failure> {
    provenance::fits(text).map_err(|why| Failure::usage(format!("{flag} {why}")))
}

/// Whom the system says that runs this. None: it does not say.
pub fn user() -> Option<String> {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    name("USER").or_else(|| name("LOGNAME"))
}
