//! Where an export goes, and in which format.

use super::super::Failure;
use super::super::render::{self, Broken, Rows};
use super::Format;
use crate::pg::encode::text::Style;
use daodb_datalog::edn::write as edn;
use daodb_storage::export::ParquetFile;
use daodb_storage::value::{bigdec_text, instant_text};
use daodb_storage::{Datom, Value};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub type Writer = Box<dyn Write + Send>;

/// A file that gets its name once it is whole, or stdout.
pub struct Target {
    /// None: stdout.
    file: Option<(PathBuf, PathBuf)>,
}

impl Target {
    pub fn open(file: Option<&Path>) -> Result<(Target, Writer), Failure> {
        let Some(file) = file else {
            // Not locked: the lock of stdout cannot cross threads.
            return Ok((Target { file: None }, Box::new(BufWriter::new(std::io::stdout()))));
        };
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let made = File::create(&part)
            .map_err(|e| Failure::failed(format!("cannot write {}: {e}", part.display())))?;
        let target = Target { file: Some((part, file.to_owned())) };
        Ok((target, Box::new(BufWriter::new(made))))
    }

    /// Everything is written; the writer is gone.
    pub fn done(mut self) -> Result<(), Failure> {
        let Some((part, file)) = self.file.take() else { return Ok(()) };
        std::fs::rename(&part, &file)
            .map_err(|e| Failure::failed(format!("cannot name {}: {e}", file.display())))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.file {
            let _ = std::fs::remove_file(part);
        }
    }
}

/// Writes datoms.
pub enum Datoms {
    Edn(Writer),
    Csv(Writer),
    Parquet(Box<ParquetFile<Writer>>),
}

impl Datoms {
    pub fn new(format: Format, mut out: Writer) -> Result<Datoms, Broken> {
        Ok(match format {
            Format::Edn => Datoms::Edn(out),
            Format::Csv => {
                out.write_all(b"e,a,v,type,t,m,added\n")?;
                Datoms::Csv(out)
            }
            Format::Parquet => Datoms::Parquet(Box::new(ParquetFile::of_datoms(out)?)),
        })
    }

    pub fn write(&mut self, datoms: &[Datom]) -> Result<(), Broken> {
        let mut text = String::new();
        match self {
            Datoms::Edn(out) => {
                datoms.iter().for_each(|d| edn::datom(&mut text, d));
                out.write_all(text.as_bytes())?;
            }
            Datoms::Csv(out) => {
                datoms.iter().for_each(|d| csv(&mut text, d));
                out.write_all(text.as_bytes())?;
            }
            Datoms::Parquet(file) => file.datoms(datoms)?,
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), Broken> {
        let mut out = match self {
            Datoms::Edn(out) | Datoms::Csv(out) => out,
            Datoms::Parquet(file) => file.finish()?,
        };
        Ok(out.flush()?)
    }
}

/// As COPY writes CSV: the value's text as `dao.datoms` shows it, beside its type.
fn csv(out: &mut String, d: &Datom) {
    // Writing to a String never fails.
    let _ = write!(out, "{},", d.e);
    out.push_str(&render::csv_field(d.a.as_str()));
    out.push(',');
    out.push_str(&render::csv_field(&text(&d.v)));
    let added = if d.added { 't' } else { 'f' };
    let _ = writeln!(out, ",{},{},{},{added}", d.v.value_type().name(), d.t, d.m);
}

fn text(v: &Value) -> String {
    match v {
        Value::Bigint(n) => n.to_string(),
        Value::Bigdec(d) => bigdec_text(d),
        Value::Double(d) if d.is_nan() => "NaN".to_owned(),
        Value::Double(d) if d.is_infinite() => {
            if *d > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        Value::Instant(us) => instant_text(*us),
        Value::Uuid(u) => u.to_string(),
        Value::Bytes(b) => b.iter().fold(String::from("\\x"), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        }),
        v => v.as_str().map_or_else(|| v.to_string(), str::to_owned),
    }
}

/// Writes the rows of a table.
pub enum Table {
    Edn(Writer),
    Csv { out: Writer, style: Style, schema: SchemaRef, headed: bool },
    Parquet(Box<ParquetFile<Writer>>),
}

impl Table {
    pub fn new(
        format: Format,
        schema: &SchemaRef,
        style: Style,
        out: Writer,
    ) -> Result<Table, Broken> {
        let schema = SchemaRef::clone(schema);
        Ok(match format {
            Format::Edn => Table::Edn(out),
            Format::Csv => Table::Csv { out, style, schema, headed: false },
            Format::Parquet => Table::Parquet(Box::new(ParquetFile::new(schema, out)?)),
        })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        match self {
            Table::Edn(out) => Ok(out.write_all(render::edn(batch)?.as_bytes())?),
            Table::Csv { out, style, schema, headed } => {
                let first = !std::mem::replace(headed, true);
                let mut rows = render::csv(schema, style, out, first)?;
                rows.batch(batch)
            }
            Table::Parquet(file) => Ok(file.batch(batch)?),
        }
    }

    pub fn finish(self) -> Result<(), Broken> {
        let mut out = match self {
            Table::Edn(out) => out,
            Table::Csv { mut out, style, schema, headed } => {
                if !headed {
                    render::csv(&schema, &style, &mut out, true)?.end()?;
                }
                out
            }
            Table::Parquet(file) => file.finish()?,
        };
        Ok(out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use daodb_storage::Attr;

    #[test]
    fn csv_of_datoms() {
        let check = |v: Value, expect: &str| {
            let d = Datom { e: 7, a: Attr::new(":p/x"), v, t: 1000, m: 1, added: true };
            let mut out = String::new();
            csv(&mut out, &d);
            assert_eq!(out, expect);
        };
        check(Value::string("a, \"b\"\n"), "7,:p/x,\"a, \"\"b\"\"\n\",string,1000,1,t\n");
        check(Value::string(""), "7,:p/x,\"\",string,1000,1,t\n");
        check(Value::Bytes([1, 255].as_slice().into()), "7,:p/x,\\x01ff,bytes,1000,1,t\n");
        check(Value::Double(f64::NAN), "7,:p/x,NaN,double,1000,1,t\n");
        check(Value::Instant(1), "7,:p/x,1970-01-01T00:00:00.000001Z,instant,1000,1,t\n");
        check(Value::keyword("a/b"), "7,:p/x,:a/b,keyword,1000,1,t\n");
    }

    #[test]
    fn a_file_gets_its_name_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.edn");
        let (target, mut out) = Target::open(Some(&file)).unwrap();
        out.write_all(b"half").unwrap();
        drop(out);
        drop(target);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let (target, mut out) = Target::open(Some(&file)).unwrap();
        out.write_all(b"whole").unwrap();
        drop(out);
        target.done().unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
