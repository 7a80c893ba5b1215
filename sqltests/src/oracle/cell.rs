//! Values, how a column shows them, and rows.

use crate::show;
use std::cmp::Ordering;

/// A value as it is stored; the order of the variants is the order of types.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    Boolean(bool),
    Long(i64),
    Double(f64),
    /// Microseconds.
    Instant(i64),
    Ref(i64),
    Text(String),
    /// With its colon.
    Keyword(String),
}

impl Val {
    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Boolean(_) => "boolean",
            Val::Long(_) => "long",
            Val::Double(_) => "double",
            Val::Instant(_) => "instant",
            Val::Ref(_) => "ref",
            Val::Text(_) => "string",
            Val::Keyword(_) => "keyword",
        }
    }

    fn rank(&self) -> usize {
        const ORDER: [&str; 7] =
            ["boolean", "long", "double", "instant", "ref", "string", "keyword"];
        ORDER.iter().position(|name| *name == self.type_name()).unwrap_or(0)
    }

    pub fn order(&self, other: &Val) -> Ordering {
        match (self, other) {
            (Val::Boolean(a), Val::Boolean(b)) => a.cmp(b),
            (Val::Long(a), Val::Long(b))
            | (Val::Instant(a), Val::Instant(b))
            | (Val::Ref(a), Val::Ref(b)) => a.cmp(b),
            (Val::Double(a), Val::Double(b)) => a.total_cmp(b),
            (Val::Text(a), Val::Text(b)) | (Val::Keyword(a), Val::Keyword(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// As a text column shows it, and `dao.datoms`.
    pub fn text(&self) -> String {
        match self {
            Val::Boolean(b) => b.to_string(),
            Val::Long(n) | Val::Ref(n) => n.to_string(),
            Val::Double(d) => format!("{d:?}"),
            Val::Instant(us) => iso(*us),
            Val::Text(s) | Val::Keyword(s) => s.clone(),
        }
    }
}

/// ISO 8601, with milliseconds or microseconds where there are any.
fn iso(us: i64) -> String {
    let text = show::timestamp(us, false).replace(' ', "T");
    match text.split_once('.') {
        Some((seconds, part)) if part.len() <= 3 => format!("{seconds}.{part:0<3}Z"),
        Some((seconds, part)) => format!("{seconds}.{part:0<6}Z"),
        None => format!("{text}Z"),
    }
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Ty {
    Boolean,
    Long,
    Double,
    Instant,
    Text,
    List(Box<Ty>),
}

impl Ty {
    /// The narrowest that shows values of all these types.
    pub fn narrowest(types: &[&str]) -> Ty {
        let within = |set: &[&str]| types.iter().all(|t| set.contains(t));
        match types {
            [] => Ty::Text,
            ["boolean"] => Ty::Boolean,
            ["instant"] => Ty::Instant,
            _ if within(&["long", "ref"]) => Ty::Long,
            _ if within(&["long", "double"]) => Ty::Double,
            _ => Ty::Text,
        }
    }

    pub fn show(&self, v: &Val) -> Cell {
        match (self, v) {
            (Ty::Boolean, Val::Boolean(b)) => Cell::Boolean(*b),
            (Ty::Long, Val::Long(n) | Val::Ref(n)) => Cell::Long(*n),
            (Ty::Double, Val::Double(d)) => Cell::Double(*d),
            (Ty::Double, Val::Long(n)) => Cell::Double(*n as f64),
            (Ty::Instant, Val::Instant(us)) => Cell::Instant(*us),
            _ => Cell::Text(v.text()),
        }
    }
}

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Boolean(bool),
    Long(i64),
    Double(f64),
    Instant(i64),
    Text(String),
    List(Vec<Cell>),
}

impl Cell {
    /// As psql prints it.
    pub fn text(&self) -> String {
        match self {
            Cell::Boolean(b) => show::boolean(*b).to_owned(),
            Cell::Long(n) => n.to_string(),
            Cell::Double(d) => show::float(*d),
            Cell::Instant(us) => show::timestamp(*us, true),
            Cell::Text(s) => s.clone(),
            Cell::List(items) => show::array(items.iter().map(|item| Some(item.text()))),
        }
    }

    /// As SQL writes it.
    pub fn literal(&self) -> String {
        match self {
            Cell::Boolean(b) => b.to_string(),
            Cell::Long(n) => n.to_string(),
            Cell::Double(d) => format!("{d:?}"),
            Cell::Instant(us) => format!("TIMESTAMP '{}'", show::timestamp(*us, false)),
            Cell::Text(s) => format!("'{}'", s.replace('\'', "''")),
            Cell::List(_) => "NULL".into(),
        }
    }

    /// None: not to be compared.
    pub fn compare(&self, other: &Cell) -> Option<Ordering> {
        match (self, other) {
            (Cell::Boolean(a), Cell::Boolean(b)) => Some(a.cmp(b)),
            (Cell::Long(a), Cell::Long(b)) | (Cell::Instant(a), Cell::Instant(b)) => Some(a.cmp(b)),
            (Cell::Double(a), Cell::Double(b)) => Some(a.total_cmp(b)),
            (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

pub type Row = Vec<Option<Cell>>;

#[derive(Debug, Clone)]
pub struct Relation {
    pub columns: Vec<(String, Ty)>,
    pub rows: Vec<Row>,
}

/// A row as text; sorted, they compare as bags.
pub fn printed(row: &Row) -> Vec<String> {
    row.iter().map(|cell| cell.as_ref().map_or_else(|| "NULL".into(), Cell::text)).collect()
}
