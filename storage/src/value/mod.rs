//! The typed values that stand in v, their one total order, and their canonical bytes.

mod canonical;
mod column;
mod order;
mod text;

pub use column::ValueColumn;
pub use text::{bigdec_text, instant_text};

use bigdecimal::{BigDecimal, num_bigint::BigInt};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use std::sync::Arc;
use uuid::Uuid;

/// The type of a value; the order of the variants is the order of types in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ValueType {
    Boolean = 1,
    Long = 2,
    Bigint = 3,
    Double = 4,
    Bigdec = 5,
    Instant = 6,
    Ref = 7,
    String = 8,
    Keyword = 9,
    Symbol = 10,
    Uri = 11,
    Uuid = 12,
    Bytes = 13,
    Tuple = 14,
}

impl ValueType {
    pub const ALL: [ValueType; 14] = [
        ValueType::Boolean,
        ValueType::Long,
        ValueType::Bigint,
        ValueType::Double,
        ValueType::Bigdec,
        ValueType::Instant,
        ValueType::Ref,
        ValueType::String,
        ValueType::Keyword,
        ValueType::Symbol,
        ValueType::Uri,
        ValueType::Uuid,
        ValueType::Bytes,
        ValueType::Tuple,
    ];

    /// The bare name: `long`. The schema keyword is `:db.type/long`; the Parquet column is `v_long`.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Boolean => "boolean",
            ValueType::Long => "long",
            ValueType::Bigint => "bigint",
            ValueType::Double => "double",
            ValueType::Bigdec => "bigdec",
            ValueType::Instant => "instant",
            ValueType::Ref => "ref",
            ValueType::String => "string",
            ValueType::Keyword => "keyword",
            ValueType::Symbol => "symbol",
            ValueType::Uri => "uri",
            ValueType::Uuid => "uuid",
            ValueType::Bytes => "bytes",
            ValueType::Tuple => "tuple",
        }
    }

    /// The Arrow type of its column in memory. Bigint and bigdec are their decimal text, uuid its text, a tuple its
    /// canonical bytes.
    pub fn arrow(self) -> DataType {
        match self {
            ValueType::Boolean => DataType::Boolean,
            ValueType::Long | ValueType::Ref => DataType::Int64,
            ValueType::Double => DataType::Float64,
            ValueType::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ValueType::Bytes | ValueType::Tuple => DataType::BinaryView,
            _ => DataType::Utf8View,
        }
    }

    /// From `long`, `:db.type/long` or `db.type/long`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim_start_matches(':');
        let name = name.strip_prefix("db.type/").unwrap_or(name);
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// A value. Strings are shared, so cloning is cheap.
#[derive(Debug, Clone)]
pub enum Value {
    Boolean(bool),
    Long(i64),
    Bigint(Arc<BigInt>),
    Double(f64),
    Bigdec(Arc<BigDecimal>),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// An entity id.
    Ref(i64),
    String(Arc<str>),
    /// With its colon.
    Keyword(Arc<str>),
    Symbol(Arc<str>),
    Uri(Arc<str>),
    Uuid(Uuid),
    Bytes(Arc<[u8]>),
    /// nil where a component is absent.
    Tuple(Arc<[Option<Value>]>),
}

impl Value {
    pub fn string(s: impl AsRef<str>) -> Self {
        Value::String(s.as_ref().into())
    }
    /// The colon is added where missing.
    pub fn keyword(s: impl AsRef<str>) -> Self {
        let s = s.as_ref();
        if s.starts_with(':') {
            Value::Keyword(s.into())
        } else {
            Value::Keyword(format!(":{s}").into())
        }
    }
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Boolean(_) => ValueType::Boolean,
            Value::Long(_) => ValueType::Long,
            Value::Bigint(_) => ValueType::Bigint,
            Value::Double(_) => ValueType::Double,
            Value::Bigdec(_) => ValueType::Bigdec,
            Value::Instant(_) => ValueType::Instant,
            Value::Ref(_) => ValueType::Ref,
            Value::String(_) => ValueType::String,
            Value::Keyword(_) => ValueType::Keyword,
            Value::Symbol(_) => ValueType::Symbol,
            Value::Uri(_) => ValueType::Uri,
            Value::Uuid(_) => ValueType::Uuid,
            Value::Bytes(_) => ValueType::Bytes,
            Value::Tuple(_) => ValueType::Tuple,
        }
    }
    /// The text of a string-like value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) | Value::Keyword(s) | Value::Symbol(s) | Value::Uri(s) => Some(s),
            _ => None,
        }
    }
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Long(n) | Value::Ref(n) | Value::Instant(n) => Some(*n),
            _ => None,
        }
    }
}

/// The instant now, in microseconds; callers that must be reproducible inject their own clock instead.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
