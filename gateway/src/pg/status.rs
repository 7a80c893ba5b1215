//! The settings that a client is told of: at start-up, and again when one of them has changed.

use daodb_catalog::Session;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::startup::ParameterStatus;

/// What Postgres 15 reports, in its order, and what is said where the session knows no such setting.
const REPORTED: [(&str, &str); 13] = [
    ("application_name", ""),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("default_transaction_read_only", "off"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("IntervalStyle", "postgres"),
    ("is_superuser", "on"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("session_authorization", ""),
    ("standard_conforming_strings", "on"),
    ("TimeZone", "UTC"),
];

/// Clients read the number and behave as with that Postgres; people read the rest.
pub const SERVER_VERSION: &str = concat!("15.0 (DaoDB ", env!("CARGO_PKG_VERSION"), ")");

/// The longest value that is reported; Postgres cuts application_name at 63.
const LONGEST: usize = 1000;

/// What the client believes.
#[derive(Default)]
pub struct Reported([Option<String>; REPORTED.len()]);

impl Reported {
    /// Messages for everything that is not as the client believes.
    pub fn changes(&mut self, session: &Session, user: &str) -> Vec<PgWireBackendMessage> {
        self.differences(|name| match name {
            "session_authorization" => Some(user.to_owned()),
            name => session.setting(name),
        })
    }

    fn differences(
        &mut self,
        setting: impl Fn(&str) -> Option<String>,
    ) -> Vec<PgWireBackendMessage> {
        let mut messages = vec![];
        for ((name, otherwise), known) in REPORTED.iter().zip(&mut self.0) {
            let mut value = setting(name).unwrap_or_else(|| (*otherwise).to_owned());
            value.truncate(value.floor_char_boundary(LONGEST));
            if known.as_ref() != Some(&value) {
                *known = Some(value.clone());
                messages.push(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(
                    (*name).to_owned(),
                    value.replace('\0', ""),
                )));
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn everything_at_first_and_then_what_changed() {
        let mut reported = Reported::default();
        assert_eq!(reported.differences(|_| None).len(), REPORTED.len());
        assert!(reported.differences(|_| None).is_empty());
        let zone = |name: &str| (name == "TimeZone").then(|| "Europe/Berlin".to_owned());
        let changed = reported.differences(zone);
        match changed.as_slice() {
            [PgWireBackendMessage::ParameterStatus(p)] => {
                assert_eq!((p.name.as_str(), p.value.as_str()), ("TimeZone", "Europe/Berlin"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn drivers_read_the_version() {
        assert!(SERVER_VERSION.starts_with("15.0 (DaoDB "));
    }
}
