//! What clauses read: a database at a basis, a plain collection, or rows of SQL.

use crate::edn::{Form, Node};
use crate::sql::source::SqlTable;
use crate::value::{Cell, Kind};
use daodb_catalog::basis::Moment;
use daodb_catalog::schema::{Attribute, Cardinality};
use daodb_catalog::{Database, Result, Schema};
use daodb_storage::{Attr, AttributeStat, Snapshot, Value, ValueType};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A time as forms say it: a t, an instant, or either as a text. None: it is no time.
pub fn moment(node: &Node) -> Option<Result<Moment>> {
    match &node.form {
        Form::Value(Value::Long(t) | Value::Ref(t)) => Some(Ok(Moment::T(*t))),
        Form::Value(Value::Instant(us)) => Some(Ok(Moment::Instant(*us))),
        Form::Value(Value::String(text)) => Some(Moment::parse(text)),
        _ => None,
    }
}

#[derive(Clone)]
pub enum Source {
    Database(Arc<DbSource>),
    /// Tuples; patterns take them by place.
    Rows(Arc<Rows>),
    /// Rows of SQL, by place too.
    Table(Arc<SqlTable>),
}

impl Source {
    pub fn tuples(&self) -> Option<&Rows> {
        match self {
            Source::Rows(rows) => Some(rows),
            Source::Database(_) | Source::Table(_) => None,
        }
    }
}

/// A plain collection of tuples, each as long as the longest.
#[derive(Debug)]
pub struct Rows {
    pub kinds: Vec<Kind>,
    pub rows: Vec<Vec<Cell>>,
}

pub struct DbSource {
    pub database: Arc<Database>,
    pub snapshot: Snapshot,
    pub schema: Arc<Schema>,
    stats: OnceLock<Stats>,
}

/// What is known of the attributes that have facts, by type.
pub type Stats = BTreeMap<Attr, Vec<AttributeStat>>;

/// A whole number of this type, where it is another's and fits.
pub fn whole(v: &Value, ty: ValueType) -> Value {
    let fits = match (v, ty) {
        (Value::Long(n), ValueType::Bigint) => Some(Value::Bigint(Arc::new((*n).into()))),
        (Value::Bigint(n), ValueType::Long) => i64::try_from(n.as_ref()).ok().map(Value::Long),
        _ => None,
    };
    fits.unwrap_or_else(|| v.clone())
}

impl fmt::Debug for DbSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.database.name(), self.snapshot.t())
    }
}

impl DbSource {
    pub async fn open(database: Arc<Database>, snapshot: Snapshot) -> Result<DbSource> {
        let schema = database.schema(&snapshot).await?;
        Ok(DbSource { database, snapshot, schema, stats: OnceLock::new() })
    }

    /// What is known of the attributes that have facts, one type after the other, ordered by both.
    pub fn each_stat(&self) -> impl Iterator<Item = &AttributeStat> {
        self.snapshot.attributes().filter(|s| s.facts > 0)
    }

    /// The same by attribute. Worked out when it is first asked for: a query that was compiled before does not ask.
    pub fn stats(&self) -> &Stats {
        self.stats.get_or_init(|| {
            let mut stats = Stats::new();
            for stat in self.each_stat() {
                stats.entry(stat.a.clone()).or_default().push(stat.clone());
            }
            stats
        })
    }

    /// The same with all that was ever said, as of its basis.
    pub fn history(&self) -> DbSource {
        DbSource {
            database: Arc::clone(&self.database),
            snapshot: self.snapshot.history(),
            schema: Arc::clone(&self.schema),
            stats: OnceLock::new(),
        }
    }

    pub fn types(&self, a: &Attr) -> Vec<ValueType> {
        self.stats().get(a).into_iter().flatten().map(|s| s.value_type).collect()
    }

    /// A whole number as the values of an attribute are, where all are of one type: 5 and 5N are equal.
    pub fn held(&self, a: &Attr, v: &Value) -> Value {
        match self.types(a).as_slice() {
            [one] => whole(v, *one),
            _ => v.clone(),
        }
    }

    pub fn attribute(&self, a: &Attr) -> Option<&Attribute> {
        self.schema.get(a)
    }

    pub fn is_many(&self, a: &Attr) -> bool {
        self.attribute(a).is_some_and(|x| x.cardinality == Cardinality::Many)
    }

    /// Whether equal values are found without a scan.
    pub fn is_indexed(&self, a: &Attr) -> bool {
        self.attribute(a).is_some_and(|x| x.unique.is_some() || x.index)
    }

    /// The same of values of a type: references are always found by what they refer to.
    pub fn finds_by_value(&self, a: &Attr, ty: ValueType) -> bool {
        ty == ValueType::Ref || self.is_indexed(a)
    }

    /// What a variable in the place of the attribute takes: its entity, as in Datomic; its name where it has none.
    pub fn attribute_cell(&self, a: &Attr) -> Cell {
        match self.schema.entity_of(a) {
            Some(e) => Some(Value::Long(e)),
            None => Some(Value::keyword(a.as_str())),
        }
    }

    /// The inverse of [`DbSource::attribute_cell`], which also takes names of declared attributes.
    pub fn attribute_of(&self, cell: &Cell) -> Option<Attr> {
        let a = match cell {
            Some(Value::Long(e)) => self.schema.ident_of(*e).cloned(),
            Some(Value::Keyword(k)) => Some(Attr::new(k)),
            _ => None,
        };
        // One that was renamed is found by all its names; its datoms have the first.
        a.map(|a| self.schema.stored(&a).clone())
    }

    /// The facts of an attribute that a scan would go through.
    pub fn facts(&self, a: &Attr) -> f64 {
        let history = self.snapshot.view().history;
        let of =
            |s: &AttributeStat| if history { 2 * s.facts - s.open.min(s.facts) } else { s.open };
        self.stats().get(a).into_iter().flatten().map(of).sum::<u64>().max(1) as f64
    }

    /// About how many distinct entities and values an attribute has.
    pub fn distinct(&self, a: &Attr) -> (f64, f64) {
        let counts = self.stats().get(a).into_iter().flatten();
        let (e, v) = counts
            .map(|s| self.snapshot.distinct(a, s.value_type))
            .fold((0, 0), |sum, (e, v)| (sum.0 + e, sum.1 + v));
        (e.max(1) as f64, v.max(1) as f64)
    }
}
