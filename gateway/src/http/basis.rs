//! Which moment a request reads: `:as-of`, `:since`, `:history`, in the body or in the URL. A time that cannot be resolved is
//! an error, never now.

use super::call::{Call, Said};
use super::errors::{self, Result};
use daodb_catalog::Database;
use daodb_catalog::basis::Moment;
use daodb_datalog::edn::Form;
use daodb_storage::{Snapshot, Value};

/// Their names, for both places.
pub const NAMES: [&str; 3] = ["as-of", "since", "history"];

/// As they were said.
#[derive(Debug, Default)]
pub struct Times {
    as_of: Option<Moment>,
    since: Option<Moment>,
    history: bool,
}

/// Resolved, at one snapshot.
pub struct View {
    /// What the snapshot shows up to.
    pub t: i64,
    since: Option<i64>,
    history: bool,
}

impl Times {
    pub fn of(call: &Call, said: Option<&Said>) -> Result<Times> {
        Times::from(Some(call), said)
    }

    /// Of a map within a body.
    pub fn of_part(said: &Said) -> Result<Times> {
        Times::from(None, Some(said))
    }

    fn from(call: Option<&Call>, said: Option<&Said>) -> Result<Times> {
        Ok(Times {
            as_of: moment("as-of", call, said)?,
            since: moment("since", call, said)?,
            history: flag("history", call, said)?,
        })
    }

    pub async fn resolve(self, database: &Database, snapshot: &Snapshot) -> Result<View> {
        let now = database.now();
        let t = match self.as_of {
            Some(moment) => moment.resolve(snapshot, now).await?,
            None => snapshot.t(),
        };
        let since = match self.since {
            Some(moment) => Some(moment.resolve(snapshot, now).await?),
            None => None,
        };
        Ok(View { t, since, history: self.history })
    }
}

impl View {
    /// The snapshot that shows this; `newest` is the one that it was resolved at.
    pub fn of(&self, newest: &Snapshot) -> Snapshot {
        let then = match self.t == newest.t() {
            true => newest.clone(),
            false => newest.as_of(self.t),
        };
        let then = match self.since {
            Some(t) => then.since(t),
            None => then,
        };
        if self.history { then.history() } else { then }
    }

    /// The settings of a session that sees this, and keeps to it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![("daodb.as_of".to_owned(), self.t.to_string())];
        settings.extend(self.since.map(|t| ("daodb.since".to_owned(), t.to_string())));
        if self.history {
            settings.push(("daodb.history".to_owned(), "on".to_owned()));
        }
        settings
    }
}

/// Not in both places: one of them would be passed over.
fn once(name: &str, call: Option<&Call>, said: Option<&Said>) -> Result<()> {
    match (said.and_then(|s| s.get(name)), call.and_then(|c| c.parameter(name))) {
        (Some(_), Some(_)) => {
            let message = format!("{name} stands in the body and in the URL");
            Err(errors::bad(message, "leave one of them out"))
        }
        _ => Ok(()),
    }
}

fn moment(name: &str, call: Option<&Call>, said: Option<&Said>) -> Result<Option<Moment>> {
    once(name, call, said)?;
    if let Some(text) = call.and_then(|call| call.parameter(name)) {
        return Ok(Some(Moment::parse(text)?));
    }
    let Some(said) = said else { return Ok(None) };
    let Some(node) = said.get(name) else { return Ok(None) };
    match daodb_datalog::source::moment(node) {
        Some(moment) => Ok(Some(moment?)),
        None => Err(said.wrong(node, name, "a t, an instant, or either as a text")),
    }
}

fn flag(name: &str, call: Option<&Call>, said: Option<&Said>) -> Result<bool> {
    once(name, call, said)?;
    match call.and_then(|call| call.parameter(name)) {
        Some("true" | "") => return Ok(true),
        Some("false") => return Ok(false),
        Some(other) => {
            return Err(errors::bad(format!("{name}={other}"), "give true or false"));
        }
        None => {}
    }
    let Some(said) = said else { return Ok(false) };
    match said.get(name).map(|node| (node, &node.form)) {
        None => Ok(false),
        Some((_, Form::Value(Value::Boolean(on)))) => Ok(*on),
        Some((node, _)) => Err(said.wrong(node, name, "true or false")),
    }
}
