//! CSV as RFC 4180 and `COPY ... WITH (FORMAT csv, HEADER)` have it: a header, quotes doubled within quotes, lines within them
//! too. What is empty is absent; `""` is an empty text.

use super::{Cell, Fault, Place, ROW_BYTES, Row, Rows};
use std::io::BufRead;

pub struct Csv<R> {
    input: R,
    delimiter: u8,
    names: Vec<String>,
    /// Rows read, without the header.
    rows: u64,
    /// Lines read.
    lines: u64,
}

/// Where in a field the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes: the end, or half of a doubled one.
    Quote,
}

/// A record while it is read.
struct Record {
    fields: Vec<Option<String>>,
    field: Vec<u8>,
    at: At,
    quoted: bool,
    bytes: usize,
    /// The line in which it begins.
    line: u64,
}

impl<R: BufRead> Csv<R> {
    pub fn open(input: R, delimiter: u8) -> Result<Csv<R>, Fault> {
        let mut csv = Csv { input, delimiter, names: Vec::new(), rows: 0, lines: 0 };
        let header = csv.record()?.map(|record| record.fields).unwrap_or_default();
        let name = |name: Option<String>| name.unwrap_or_default().trim().to_owned();
        csv.names = header.into_iter().map(name).collect();
        if let Some(first) = csv.names.first_mut() {
            *first = first.trim_start_matches('\u{feff}').trim_matches('"').to_owned();
        }
        let hint = "the first line names the columns";
        if csv.names.is_empty() {
            return Err(Fault::new("the file is empty").hint(hint));
        }
        match csv.names.iter().position(String::is_empty) {
            None => Ok(csv),
            Some(i) => {
                Err(Fault::new(format!("column {} of the header has no name", i + 1)).hint(hint))
            }
        }
    }

    /// The next that is no empty line.
    fn record(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            let Some(record) = self.any_record()? else { return Ok(None) };
            if record.fields != [None] {
                return Ok(Some(record));
            }
        }
    }

    fn any_record(&mut self) -> Result<Option<Record>, Fault> {
        let mut record = Record::new(self.lines + 1);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return self.end(record);
            }
            let mut used = 0;
            let mut ended = false;
            for byte in chunk {
                used += 1;
                self.lines += u64::from(*byte == b'\n');
                ended = record.take(*byte, self.delimiter).map_err(|fault| {
                    fault.at(Place { row: self.rows + 1, line: Some(record.line) })
                })?;
                if ended {
                    break;
                }
            }
            self.input.consume(used);
            if ended {
                return Ok(Some(record));
            }
        }
    }

    /// The last record may lack its line end.
    fn end(&mut self, mut record: Record) -> Result<Option<Record>, Fault> {
        let place = Place { row: self.rows + 1, line: Some(record.line) };
        if record.at == At::Quoted {
            return Err(Fault::new("a quote is never closed").at(place));
        }
        if record.bytes == 0 {
            return Ok(None);
        }
        record.field_ends(true).map_err(|fault| fault.at(place))?;
        Ok(Some(record))
    }
}

impl Record {
    fn new(line: u64) -> Record {
        let (fields, field) = (Vec::new(), Vec::new());
        Record { fields, field, at: At::Start, quoted: false, bytes: 0, line }
    }

    /// Takes a byte; whether the record ends with it.
    fn take(&mut self, byte: u8, delimiter: u8) -> Result<bool, Fault> {
        self.bytes += 1;
        if self.bytes > ROW_BYTES {
            let hint = "is there a quote that nobody closes?";
            return Err(Fault::new(format!("it has more than {ROW_BYTES} bytes")).hint(hint));
        }
        match (self.at, byte) {
            (At::Quoted, b'"') => self.at = At::Quote,
            (At::Quoted, _) => self.field.push(byte),
            (At::Quote, b'"') => {
                self.field.push(byte);
                self.at = At::Quoted;
            }
            (At::Start, b'"') => (self.at, self.quoted) = (At::Quoted, true),
            (_, b'\n') => {
                self.field_ends(true)?;
                return Ok(true);
            }
            (_, byte) if byte == delimiter => self.field_ends(false)?,
            // The line ends with it, or nothing may stand here.
            (At::Quote, b'\r') => {}
            (At::Quote, _) => {
                let hint = "a quote within a quoted text is written twice";
                return Err(Fault::new("there is more after a closing quote").hint(hint));
            }
            (At::Start | At::Plain, _) => {
                self.field.push(byte);
                self.at = At::Plain;
            }
        }
        Ok(false)
    }

    fn field_ends(&mut self, line_ends: bool) -> Result<(), Fault> {
        if line_ends && !self.quoted && self.field.last() == Some(&b'\r') {
            self.field.pop();
        }
        let bytes = std::mem::take(&mut self.field);
        let absent = bytes.is_empty() && !self.quoted;
        let text = String::from_utf8(bytes).map_err(|_| {
            Fault::new(format!("field {} is no UTF-8", self.fields.len() + 1))
                .hint("convert the file, as by iconv -t UTF-8")
        })?;
        self.fields.push((!absent).then_some(text));
        (self.at, self.quoted) = (At::Start, false);
        Ok(())
    }
}

impl<R: BufRead + Send> Rows for Csv<R> {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self) -> Result<Option<Row>, Fault> {
        let Some(record) = self.record()? else { return Ok(None) };
        self.rows += 1;
        let place = Place { row: self.rows, line: Some(record.line) };
        let (found, wanted) = (record.fields.len(), self.names.len());
        if found != wanted {
            let text = format!("it has {found} fields, and the header has {wanted}");
            let hint = "a field with a delimiter in it needs quotes; --delimiter names another";
            return Err(Fault::new(text).at(place).hint(hint));
        }
        let cell = |field: Option<String>| field.map_or(Cell::Absent, Cell::Text);
        Ok(Some(Row { place, cells: record.fields.into_iter().map(cell).collect() }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Rows as `line:a|b`, absent ones `-`; read in pieces of `size`.
    fn read(text: &[u8], size: usize) -> Result<Vec<String>, Fault> {
        let mut csv = Csv::open(std::io::BufReader::with_capacity(size, text), b',')?;
        let mut out = vec![csv.names().join("|")];
        while let Some(row) = csv.next()? {
            let cells = row.cells.iter().map(|cell| match cell {
                Cell::Text(text) => text.as_str(),
                _ => "-",
            });
            out.push(format!(
                "{}:{}",
                row.place.line.unwrap(),
                cells.collect::<Vec<_>>().join("|")
            ));
        }
        Ok(out)
    }

    fn check(text: &str, expect: &[&str]) {
        for size in [1, 2, 3, 8192] {
            assert_eq!(read(text.as_bytes(), size).unwrap(), expect, "{text:?} by {size}");
        }
    }

    #[test]
    fn records() {
        check("a,b\n1,2\n", &["a|b", "2:1|2"]);
        check("a,b\r\n1,2\r\n\r\n3,4", &["a|b", "2:1|2", "4:3|4"]);
        check("\u{feff}a , b\n1,\n,\"\"\n", &["a|b", "2:1|-", "3:-|"]);
        check("a,b\n\"x\ny\",\"say \"\"hi\"\"\"\n3,4\n", &["a|b", "2:x\ny|say \"hi\"", "4:3|4"]);
        check("a\n\n\"\"\n6\" nails\n", &["a", "3:", "4:6\" nails"]);
        check("\u{feff}\"a\",b\n\"1\",2", &["a|b", "2:1|2"]);
        check("a,b\n", &["a|b"]);
    }

    #[test]
    fn what_is_no_csv_says_where() {
        for (text, message, place) in [
            (&b"a,b\n1,2\n1,2,3\n"[..], "3 fields, and the header has 2", Some((2, 3))),
            (b"a,b\n1\n", "1 fields, and the header has 2", Some((1, 2))),
            (b"a,b\n1,\"2\n3,4\n", "a quote is never closed", Some((1, 2))),
            (b"a,b\n1,\"2\"3\n", "more after a closing quote", Some((1, 2))),
            (b"a,b\n1,2\n\xff,2\n", "field 1 is no UTF-8", Some((2, 3))),
            (b"", "the file is empty", None),
            (b"a,,b\n", "column 2 of the header has no name", None),
        ] {
            let fault = read(text, 8192).unwrap_err();
            assert!(fault.message.contains(message), "{fault:?}");
            let found = fault.place.map(|p| (p.row, p.line.unwrap()));
            assert_eq!(found, place, "{fault:?}");
        }
        let endless = [b"a\n\"".as_slice(), &vec![b'x'; ROW_BYTES + 1]].concat();
        assert!(read(&endless, 8192).unwrap_err().message.contains("more than 16777216 bytes"));
    }
}
