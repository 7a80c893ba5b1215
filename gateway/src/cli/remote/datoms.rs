//! Datoms of a server as they come: rows of EDN, one a line, so that no database must fit in memory.

use super::rows::broken;
use super::{EDN, Remote, lost, refused};
use crate::cli::Failure;
use crate::http::formats::field;
use daodb_datalog::edn::{self, Form, Node};
use daodb_storage::{Attr, Datom, Value};
use reqwest::header::{ACCEPT, CONTENT_TYPE};

/// Lines that are read at once.
const LINES: usize = 4096;

impl Remote {
    /// What a path answers with rows `[e a v t m added]`; with a body it is posted.
    pub async fn datoms(&self, path: &str, body: Option<&Node>) -> Result<Datoms, Failure> {
        let url = format!("{}/{path}", self.url);
        let request = match body {
            Some(body) => self.client.post(&url).header(CONTENT_TYPE, EDN).body(body.to_string()),
            None => self.client.get(&url),
        };
        let response = request.header(ACCEPT, EDN).send().await.map_err(|e| lost(&url, &e))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.text().await.map_err(|e| lost(&url, &e))?;
            let read = edn::read(&body).ok();
            return Err(match read.as_ref().and_then(|node| field(node, "error")) {
                Some(error) => refused(error, None),
                None => Failure::failed(format!("{url}: {status}")),
            });
        }
        Ok(Datoms { response, bytes: Vec::new(), headed: false, ended: false })
    }
}

/// Datoms on their way.
pub struct Datoms {
    response: reqwest::Response,
    /// What came and is no whole line yet.
    bytes: Vec<u8>,
    /// The line before the rows was read.
    headed: bool,
    /// The line that closes the answer was read.
    ended: bool,
}

impl Datoms {
    /// Some of them; None: there are no more, and none is missing.
    pub async fn next(&mut self) -> Result<Option<Vec<Datom>>, Failure> {
        let mut datoms = Vec::new();
        while !self.ended && datoms.len() < LINES {
            let chunk = self.response.chunk().await.map_err(|e| broken(&e.to_string()))?;
            match &chunk {
                Some(chunk) => self.bytes.extend_from_slice(chunk),
                None if self.bytes.is_empty() => return Err(broken("it has no end")),
                None => self.bytes.push(b'\n'),
            }
            let whole = self.bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let lines: Vec<u8> = self.bytes.drain(..whole).collect();
            let lines = std::str::from_utf8(&lines).map_err(|e| broken(&e.to_string()))?;
            for line in lines.lines() {
                self.line(line, &mut datoms)?;
            }
            if chunk.is_none() && !self.ended {
                return Err(broken("it has no end"));
            }
        }
        Ok(if datoms.is_empty() { None } else { Some(datoms) })
    }

    /// `{:t ..., :result [`, then a row each; the last one has the end of the answer behind it.
    fn line(&mut self, line: &str, datoms: &mut Vec<Datom>) -> Result<(), Failure> {
        if !self.headed {
            self.headed = true;
            // An answer without rows is one line.
            self.ended = line.ends_with("]}");
            return Ok(());
        }
        if !line.ends_with('}') {
            let row = edn::read(line).map_err(|e| broken(&e.message))?;
            datoms.push(datom(&row)?);
            return Ok(());
        }
        self.ended = true;
        let last = edn::read(&format!("{{:result [{line}")).map_err(|e| broken(&e.message))?;
        if let Some(error) = field(&last, "error") {
            return Err(refused(error, None));
        }
        let rows = field(&last, "result").and_then(Node::sequence).unwrap_or_default();
        for row in rows {
            datoms.push(datom(row)?);
        }
        Ok(())
    }
}

fn datom(row: &Node) -> Result<Datom, Failure> {
    let wrong = || broken(&format!("{row} is no datom"));
    let Some([e, a, v, t, m, added]) = row.sequence() else { return Err(wrong()) };
    let long = |node: &Node| match &node.form {
        Form::Value(Value::Long(n) | Value::Ref(n)) => Ok(*n),
        _ => Err(wrong()),
    };
    let added = match &added.form {
        Form::Value(Value::Boolean(added)) => *added,
        _ => return Err(wrong()),
    };
    let a = Attr::new(a.keyword().ok_or_else(wrong)?);
    let v = value(v).ok_or_else(wrong)?;
    Ok(Datom { e: long(e)?, a, v, t: long(t)?, m: long(m)?, added })
}

/// A tuple is a vector.
fn value(node: &Node) -> Option<Value> {
    match &node.form {
        Form::Value(v) => Some(v.clone()),
        Form::Vector(parts) => {
            let part = |part: &Node| match part.form {
                Form::Nil => Some(None),
                _ => value(part).map(Some),
            };
            Some(Value::Tuple(parts.iter().map(part).collect::<Option<Vec<_>>>()?.into()))
        }
        _ => None,
    }
}
