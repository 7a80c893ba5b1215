//! Transaction headers as JSON in the file's metadata.

use crate::error::{Error, Result};
use crate::log::{Header, Parent};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderText {
    t: i64,
    instant: String,
    count: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parents: Vec<ParentText>,
    hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParentText {
    stream: String,
    t: i64,
    hash: String,
}

pub(super) fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

pub(super) fn unhex(text: &str) -> Result<[u8; 32]> {
    let hash = blake3::Hash::from_hex(text).map_err(|e| Error::data("hash", e))?;
    Ok(*hash.as_bytes())
}

/// None where no calendar has such a time.
pub(super) fn instant_text(us: i64) -> Option<String> {
    let instant = DateTime::<Utc>::from_timestamp_micros(us)?;
    Some(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

pub(super) fn to_json(headers: &[&Header]) -> Result<String> {
    let texts = headers.iter().map(|h| {
        Ok(HeaderText {
            t: h.t,
            instant: instant_text(h.instant)
                .ok_or_else(|| Error::internal(format!("no calendar has {} µs", h.instant)))?,
            count: h.count,
            parents: h.parents.iter().map(parent_text).collect(),
            hash: hex(&h.hash),
        })
    });
    let texts = texts.collect::<Result<Vec<_>>>()?;
    serde_json::to_string(&texts).map_err(|e| Error::internal(e.to_string()))
}

/// `previous` is the hash before the first of them.
pub(super) fn from_json(json: &str, mut previous: [u8; 32]) -> Result<Vec<Header>> {
    let texts: Vec<HeaderText> =
        serde_json::from_str(json).map_err(|e| Error::data("transaction headers", e))?;
    let mut headers = Vec::with_capacity(texts.len());
    for text in texts {
        let instant = text.instant.parse::<DateTime<Utc>>();
        let instant = instant.map_err(|e| Error::data(format!("instant {:?}", text.instant), e))?;
        let header = Header {
            t: text.t,
            instant: instant.timestamp_micros(),
            parents: text.parents.into_iter().map(parent).collect::<Result<_>>()?,
            previous,
            hash: unhex(&text.hash)?,
            count: text.count,
        };
        previous = header.hash;
        headers.push(header);
    }
    Ok(headers)
}

fn parent_text(parent: &Parent) -> ParentText {
    ParentText { stream: parent.stream.clone(), t: parent.t, hash: hex(&parent.hash) }
}

fn parent(text: ParentText) -> Result<Parent> {
    Ok(Parent { stream: text.stream, t: text.t, hash: unhex(&text.hash)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_come_back_whatever_their_year() {
        let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        let year_10000 = 253_402_300_800_000_000;
        let instants =
            [0, 1, -1, 1_500_000, year_10000, min.timestamp_micros() + 1, max.timestamp_micros()];
        let mut previous = [7; 32];
        let mut headers = Vec::new();
        for (n, instant) in instants.into_iter().enumerate() {
            let n = n as u8;
            let parents = vec![Parent { stream: "a \"b\"".into(), t: 5, hash: [n; 32] }];
            let parents = if n.is_multiple_of(2) { parents } else { vec![] };
            let hash = [n + 100; 32];
            headers.push(Header { t: 1000, instant, parents, previous, hash, count: 3 });
            previous = hash;
        }
        let json = to_json(&headers.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(from_json(&json, [7; 32]).unwrap(), headers, "{json}");
    }

    #[test]
    fn a_time_outside_the_calendar_is_refused() {
        assert_eq!(instant_text(i64::MAX), None);
        assert_eq!(instant_text(i64::MIN), None);
    }
}
