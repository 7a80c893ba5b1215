//! Settings: what drivers send, what SHOW prints, and what SET LOCAL and ROLLBACK take back.

mod known;

use crate::error::{Error, Result, SqlState};
use known::{KNOWN, Kind, Known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The settings that choose what a session reads.
pub const AS_OF: &str = "daodb.as_of";
pub const SINCE: &str = "daodb.since";
pub const HISTORY: &str = "daodb.history";

/// A value as SHOW prints it; of a time also the transaction that it was resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    text: String,
    t: Option<i64>,
}

type Values = BTreeMap<String, Value>;

pub struct Settings {
    /// What the session started with.
    start: Values,
    /// Values of the session, by lower-case name.
    session: Values,
    /// SET LOCAL, until the transaction ends.
    local: Values,
    /// The session's values when the open transaction began.
    before: Option<Values>,
    /// All as SHOW prints them.
    shown: Arc<BTreeMap<String, String>>,
}

/// Where a value is kept.
/// What a session's settings were at a savepoint.
pub struct Mark {
    session: Values,
    local: Values,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// From start-up: what RESET goes back to.
    Start,
    Session,
    Transaction,
}

impl Settings {
    pub fn new(user: &str) -> Settings {
        let mut start: Values = KNOWN
            .iter()
            .map(|k| (k.name.to_ascii_lowercase(), Value { text: k.default.into(), t: None }))
            .collect();
        start.insert("session_authorization".into(), Value { text: user.into(), t: None });
        let mut settings = Settings {
            session: start.clone(),
            start,
            local: Values::new(),
            before: None,
            shown: Arc::default(),
        };
        settings.refresh();
        settings
    }

    fn refresh(&mut self) {
        let all = self.session.iter().chain(&self.local);
        self.shown = Arc::new(all.map(|(n, v)| (n.clone(), v.text.clone())).collect());
    }

    pub fn shown(&self) -> &Arc<BTreeMap<String, String>> {
        &self.shown
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.shown.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// The transaction that `daodb.as_of` or `daodb.since` stands at.
    pub fn t(&self, name: &str) -> Option<i64> {
        self.local.get(name).or_else(|| self.session.get(name))?.t
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some("on")
    }

    /// Sets a value that [`check`] has accepted; `t`: what a time was resolved to.
    pub fn set(&mut self, name: &str, text: String, t: Option<i64>, level: Level) {
        let name = name.to_ascii_lowercase();
        let value = Value { text, t };
        match level {
            Level::Start => {
                self.start.insert(name.clone(), value.clone());
                self.session.insert(name, value);
            }
            Level::Session => {
                self.local.remove(&name);
                self.session.insert(name, value);
            }
            Level::Transaction => {
                self.local.insert(name, value);
            }
        }
        self.refresh();
    }

    pub fn reset(&mut self, name: &str) -> Result<()> {
        let known = find(name)?;
        if matches!(known.map(|k| k.kind), Some(Kind::ReadOnly)) {
            return Err(read_only(name));
        }
        let name = name.to_ascii_lowercase();
        self.local.remove(&name);
        match self.start.get(&name) {
            Some(value) => self.session.insert(name, value.clone()),
            None => self.session.remove(&name),
        };
        self.refresh();
        Ok(())
    }

    pub fn reset_all(&mut self) {
        self.local.clear();
        self.session.clone_from(&self.start);
        self.refresh();
    }

    pub fn begin(&mut self) {
        self.before = Some(self.session.clone());
    }

    /// The session's zone.
    pub fn zone(&self) -> &str {
        self.get("timezone").unwrap_or("UTC")
    }

    /// To come back to, within a transaction.
    pub fn mark(&self) -> Mark {
        Mark { session: self.session.clone(), local: self.local.clone() }
    }

    pub fn undo(&mut self, mark: &Mark) {
        self.session = mark.session.clone();
        self.local = mark.local.clone();
        self.refresh();
    }

    /// Ends a transaction: what SET LOCAL set is gone; where it failed, also what SET set within it.
    pub fn end(&mut self, committed: bool) {
        if let (Some(before), false) = (self.before.take(), committed) {
            self.session = before;
        }
        self.local.clear();
        self.refresh();
    }
}

/// The name as SHOW heads it; an error where there is no such setting.
pub fn title(name: &str) -> Result<String> {
    Ok(find(name)?.map_or_else(|| name.to_ascii_lowercase(), |k| k.name.to_owned()))
}

/// What SHOW ALL says of a setting.
pub fn description(name: &str) -> &'static str {
    find(name).ok().flatten().map_or("", |k| k.about)
}

/// None: a name of the user's own (`myapp.tenant`), which may hold anything.
fn find(name: &str) -> Result<Option<&'static Known>> {
    let known = KNOWN.iter().find(|k| k.name.eq_ignore_ascii_case(name));
    let lower = name.to_ascii_lowercase();
    let own =
        lower.contains('.') && !lower.starts_with("daodb.") && !lower.starts_with("datafusion.");
    if known.is_some() || own {
        return Ok(known);
    }
    let e = Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    );
    let nearest = crate::nearest::nearest(&lower, KNOWN.iter().map(|k| k.name));
    Err(match nearest {
        Some(near) => e.hint(format!("perhaps you meant \"{near}\"")),
        None => e.hint("SHOW ALL lists them"),
    })
}

fn read_only(name: &str) -> Error {
    Error::new(SqlState::Code("55P02"), format!("parameter \"{name}\" cannot be changed"))
}

/// The value as SHOW will print it; an error where the setting does not take it.
pub fn check(name: &str, value: &str) -> Result<String> {
    let Some(known) = find(name)? else { return Ok(value.to_owned()) };
    let refuse = |accepted: &str| {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"{}\": \"{value}\"", known.name),
        )
        .hint(format!("accepted: {accepted}"))
    };
    match known.kind {
        Kind::ReadOnly if value.eq_ignore_ascii_case(known.default) => Ok(known.default.to_owned()),
        Kind::ReadOnly => Err(read_only(known.name)),
        Kind::Text => Ok(value.to_owned()),
        Kind::Bool => match on_off(value) {
            Some(on) => Ok((if on { "on" } else { "off" }).to_owned()),
            None => Err(refuse("on, off")),
        },
        Kind::Int(low, high) => match value.trim().parse::<i64>() {
            Ok(n) if (low..=high).contains(&n) => Ok(n.to_string()),
            _ => Err(refuse(&format!("whole numbers from {low} to {high}"))),
        },
        Kind::Memory => Ok(value.trim().to_owned()),
        Kind::Duration => match milliseconds(value) {
            Some(ms) => Ok(duration_text(ms)),
            None => Err(refuse("milliseconds, or a number with ms, s, min, h or d")),
        },
        Kind::OneOf(words) => {
            let plain = value.trim().to_ascii_lowercase();
            let found = words.iter().find(|w| w.eq_ignore_ascii_case(&plain));
            found.map(|w| (*w).to_owned()).ok_or_else(|| refuse(&words.join(", ")))
        }
        // As in Postgres only letters and digits count: asyncpg sends `'utf-8'` with the quotes.
        Kind::Encoding => {
            let name = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
            match name.to_ascii_lowercase().as_str() {
                "utf8" | "unicode" => Ok("UTF8".to_owned()),
                _ => Err(refuse("UTF8")),
            }
        }
        Kind::DateStyle => date_style(value).ok_or_else(|| refuse("ISO, with MDY, DMY or YMD")),
        Kind::TimeZone => time_zone(value).ok_or_else(|| {
            refuse("names of the IANA time zone database (Europe/Berlin), and offsets (+02:00)")
        }),
    }
}

fn on_off(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" | "t" | "y" => Some(true),
        "off" | "false" | "no" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// `5000`, `5s`, `2min`.
pub fn milliseconds(value: &str) -> Option<i64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor).filter(|ms| *ms <= i64::from(i32::MAX))
}

fn duration_text(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    match units.iter().find(|(factor, _)| ms != 0 && ms % factor == 0) {
        Some((factor, unit)) => format!("{}{unit}", ms / factor),
        None => "0".to_owned(),
    }
}

fn date_style(value: &str) -> Option<String> {
    let mut order = "MDY";
    for part in value.split(',') {
        match part.trim().to_ascii_lowercase().as_str() {
            "iso" | "default" => {}
            "mdy" | "us" => order = "MDY",
            "dmy" | "european" => order = "DMY",
            "ymd" => order = "YMD",
            _ => return None,
        }
    }
    Some(format!("ISO, {order}"))
}

/// The zone's name as Arrow reads it; None: there is no such zone.
pub fn time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    let name = match value.to_ascii_lowercase().as_str() {
        "utc" | "z" | "zulu" | "default" | "local" => "UTC".to_owned(),
        "gmt" => "GMT".to_owned(),
        lower => match lower.parse::<i8>() {
            Ok(hours) => {
                format!("{}{:02}:00", if hours < 0 { '-' } else { '+' }, hours.unsigned_abs())
            }
            Err(_) => value.to_owned(),
        },
    };
    name.parse::<datafusion::arrow::array::timezone::Tz>().ok().map(|_| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values() {
        let ok = |name: &str, value: &str, shown: &str| {
            assert_eq!(check(name, value).unwrap(), shown, "{name} = {value}");
        };
        ok("client_encoding", "utf-8", "UTF8");
        ok("DateStyle", "ISO", "ISO, MDY");
        ok("datestyle", "iso, dmy", "ISO, DMY");
        ok("statement_timeout", "5000", "5s");
        ok("statement_timeout", "90s", "90s");
        ok("statement_timeout", "0", "0");
        ok("TimeZone", "Europe/Berlin", "Europe/Berlin");
        ok("timezone", "utc", "UTC");
        ok("timezone", "-5", "-05:00");
        ok("extra_float_digits", "3", "3");
        ok("standard_conforming_strings", "ON", "on");
        ok("myapp.tenant", "7", "7");
        let err = |name: &str, value: &str, state: &str| {
            assert_eq!(check(name, value).unwrap_err().state.as_str(), state, "{name} = {value}");
        };
        err("client_encoding", "latin1", "22023");
        err("DateStyle", "German", "22023");
        err("TimeZone", "Mars/Base", "22023");
        err("statement_timeout", "soon", "22023");
        err("server_version", "99", "55P02");
        err("standard_conforming_strings", "off", "55P02");
        err("daodb.nonsense", "1", "42704");
        err("datafusion.execution.batch_size", "1", "42704");
    }

    #[test]
    fn the_nearest_name() {
        let e = check("statement_timout", "1").unwrap_err();
        assert_eq!(e.hint.as_deref(), Some("perhaps you meant \"statement_timeout\""));
    }

    #[test]
    fn transactions_take_back() {
        let mut s = Settings::new("me");
        s.set("application_name", "a".into(), None, Level::Start);
        s.begin();
        s.set("application_name", "b".into(), None, Level::Session);
        s.set("application_name", "c".into(), None, Level::Transaction);
        assert_eq!(s.get("application_name"), Some("c"));
        s.end(true);
        assert_eq!(s.get("Application_Name"), Some("b"));
        s.begin();
        s.set("application_name", "d".into(), None, Level::Session);
        s.end(false);
        assert_eq!(s.get("application_name"), Some("b"));
        s.reset("application_name").unwrap();
        assert_eq!(s.get("application_name"), Some("a"));
    }
}
