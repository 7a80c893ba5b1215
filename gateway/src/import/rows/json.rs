//! JSON: an array of objects, or objects one after the other (a line each, as `.jsonl` has them). Keys are columns; null is
//! absent. Objects are cut out of the file one by one and read by themselves, so that no file is too large.

use super::{Cell, Fault, Place, ROW_BYTES, Row, Rows};
use crate::http::formats::Format;
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use std::collections::HashMap;
use std::io::BufRead;

pub struct Json<R> {
    input: R,
    names: Vec<String>,
    /// The column of a key.
    by_name: HashMap<String, usize>,
    rows: u64,
    /// The line of the next byte.
    line: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    /// Of an array, before an element or its end.
    First,
    Element,
    /// After an element.
    Between,
    /// Objects without an array around them.
    Bare,
    End,
}

/// How much of an object was read.
#[derive(Default)]
struct Cut {
    bytes: Vec<u8>,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Cut {
    /// Whether the object ends with this byte.
    fn take(&mut self, byte: u8) -> bool {
        self.bytes.push(byte);
        match (self.in_text, self.escaped, byte) {
            (true, true, _) => self.escaped = false,
            (true, false, b'\\') => self.escaped = true,
            (_, _, b'"') => self.in_text = !self.in_text,
            (false, _, b'{' | b'[') => self.depth += 1,
            (false, _, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

impl<R: BufRead> Json<R> {
    pub fn new(input: R) -> Json<R> {
        let (names, by_name) = (Vec::new(), HashMap::new());
        Json { input, names, by_name, rows: 0, line: 1, state: State::Begin }
    }

    fn place(&self) -> Place {
        Place { row: self.rows + 1, line: Some(self.line) }
    }

    /// The next byte that is no space, left where it is. None: the end.
    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let chunk = self.input.fill_buf()?;
            let spaces = chunk.iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.line += chunk[..spaces].iter().filter(|b| **b == b'\n').count() as u64;
            let found = chunk.get(spaces).copied();
            let over = chunk.is_empty();
            self.input.consume(spaces);
            if found.is_some() || over {
                return Ok(found);
            }
        }
    }

    /// The next object's bytes. None: there are no more.
    fn object(&mut self) -> Result<Option<Cut>, Fault> {
        loop {
            let next = self.peek()?;
            let wrong = |what: &str| {
                let shown = next.map_or("the end".to_owned(), |b| char::from(b).to_string());
                Err(Fault::new(format!("{shown} where {what} is expected")).at(self.place()))
            };
            self.state = match (self.state, next) {
                (State::Begin, Some(b'[')) => State::First,
                (State::Begin | State::Bare | State::First | State::Element, Some(b'{')) => {
                    let bare = matches!(self.state, State::Begin | State::Bare);
                    let cut = self.cut()?;
                    self.state = if bare { State::Bare } else { State::Between };
                    return Ok(Some(cut));
                }
                (State::Between, Some(b',')) => State::Element,
                (State::Between | State::First, Some(b']')) => State::End,
                (State::Begin | State::Bare | State::End, None) => return Ok(None),
                (State::Begin | State::Bare | State::First | State::Element, _) => {
                    return wrong("an object");
                }
                (State::Between, _) => return wrong("a comma, or the end of the array"),
                (State::End, _) => return wrong("the end of the file"),
            };
            self.input.consume(1);
        }
    }

    fn cut(&mut self) -> Result<Cut, Fault> {
        let mut cut = Cut::default();
        let place = self.place();
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Err(Fault::new("the object is never closed").at(place));
            }
            let ended = chunk.iter().position(|byte| cut.take(*byte));
            let used = ended.map_or(chunk.len(), |at| at + 1);
            self.line += chunk[..used].iter().filter(|b| **b == b'\n').count() as u64;
            self.input.consume(used);
            if cut.bytes.len() > ROW_BYTES {
                let text = format!("the object has more than {ROW_BYTES} bytes");
                return Err(Fault::new(text).at(place));
            }
            if ended.is_some() {
                return Ok(cut);
            }
        }
    }

    fn column(&mut self, key: &str) -> usize {
        if let Some(column) = self.by_name.get(key) {
            return *column;
        }
        self.names.push(key.to_owned());
        self.by_name.insert(key.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

impl<R: BufRead + Send> Rows for Json<R> {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self) -> Result<Option<Row>, Fault> {
        let Some(cut) = self.object()? else { return Ok(None) };
        let lines = cut.bytes.iter().filter(|b| **b == b'\n').count() as u64;
        let place = Place { row: self.rows + 1, line: Some(self.line - lines) };
        let read = Format::Json.read(&cut.bytes).map_err(|refusal| {
            let within = refusal.place.map_or(0, |p| p.line.saturating_sub(1)) as u64;
            let line = place.line.map(|line| line + within);
            Fault { hint: refusal.error.hint, ..Fault::new(refusal.error.message) }
                .at(Place { line, ..place })
        })?;
        let Form::Map(pairs) = read.form else {
            return Err(Fault::new("a row is an object").at(place));
        };
        self.rows += 1;
        let mut cells = Vec::with_capacity(self.names.len());
        for (key, value) in pairs {
            let key = key.keyword().or(key.string()).unwrap_or_default().to_owned();
            let column = self.column(key.trim_start_matches(':'));
            if cells.len() <= column {
                cells.resize(column + 1, Cell::Absent);
            }
            cells[column] = match plain(value).form {
                Form::Nil => Cell::Absent,
                form => Cell::Form(form),
            };
        }
        Ok(Some(Row { place, cells }))
    }
}

/// Files of others know no keywords: a text is a text, whatever it begins with.
fn plain(node: Node) -> Node {
    let form = match node.form {
        Form::Value(Value::Keyword(text)) => Form::Value(Value::String(text)),
        Form::Vector(all) => Form::Vector(all.into_iter().map(plain).collect()),
        other => other,
    };
    Node { form, ..node }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, size: usize) -> Result<Vec<String>, Fault> {
        let input = std::io::BufReader::with_capacity(size, text.as_bytes());
        let mut json = Json::new(input);
        let mut out = Vec::new();
        while let Some(row) = json.next()? {
            let cells = row.cells.iter().map(|cell| match cell {
                Cell::Form(form) => form.to_string(),
                _ => "-".to_owned(),
            });
            out.push(format!(
                "{}:{}",
                row.place.line.unwrap(),
                cells.collect::<Vec<_>>().join("|")
            ));
        }
        out.push(json.names().join("|"));
        Ok(out)
    }

    fn check(text: &str, expect: &[&str]) {
        for size in [1, 3, 8192] {
            assert_eq!(read(text, size).unwrap(), expect, "{text:?} by {size}");
        }
    }

    #[test]
    fn objects() {
        check(
            "[{\"a\": 1, \"b\": \"x\"},\n {\"b\": null, \"c\": [1, 2]}]\n",
            &["1:1|\"x\"", "2:-|-|[1 2]", "a|b|c"],
        );
        check("{\"a\": \"}\\\"{\"}\n{\"a\":\n2.5}", &["1:\"}\\\"{\"", "2:2.5", "a"]);
        check("[]", &[""]);
        check("", &[""]);
        check(
            "{\"a\": \":-)\"}{\"a\": {\"#inst\": \"2026-01-01\"}}",
            &["1:\":-)\"", "1:#inst \"2026-01-01T00:00:00Z\"", "a"],
        );
    }

    #[test]
    fn what_is_no_rows_says_where() {
        for (text, message, place) in [
            ("[{\"a\": 1} {\"a\": 2}]", "{ where a comma", (2, 1)),
            ("[{\"a\": 1},\n]", "] where an object", (2, 2)),
            ("[1]", "1 where an object", (1, 1)),
            ("[{\"a\": 1}", "the end where a comma", (2, 1)),
            ("[] x", "x where the end of the file", (1, 1)),
            ("{\"a\": 1}\n\n{\"a\":\n oops}", "", (2, 4)),
            ("{\"a\": [1}", "", (1, 1)),
            ("{\"a\": 1", "the object is never closed", (1, 1)),
        ] {
            let fault = read(text, 8192).unwrap_err();
            assert!(fault.message.contains(message), "{fault:?}");
            let found = fault.place.map(|p| (p.row, p.line.unwrap()));
            assert_eq!(found, Some(place), "{text}: {fault:?}");
        }
    }
}
