//! What a column of a variable holds, and how one becomes another.

use super::any::{decode, encode};
use super::{Cell, plain};
use daodb_storage::value::ValueColumn;
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use std::fmt;
use std::sync::Arc;

/// `Typed(Ref)` does not occur: references are longs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Typed(ValueType),
    /// As [`super::any`] writes it.
    Any,
}

impl Kind {
    pub const LONG: Kind = Kind::Typed(ValueType::Long);
    pub const BOOLEAN: Kind = Kind::Typed(ValueType::Boolean);

    pub fn of(ty: ValueType) -> Kind {
        match ty {
            ValueType::Ref => Kind::LONG,
            ty => Kind::Typed(ty),
        }
    }
    /// The one that holds values of all these types.
    pub fn of_all(types: impl IntoIterator<Item = ValueType>) -> Option<Kind> {
        types.into_iter().map(Kind::of).reduce(Kind::join)
    }
    /// The one that holds what both hold.
    pub fn join(self, other: Kind) -> Kind {
        if self == other { self } else { Kind::Any }
    }
    pub fn arrow(self) -> DataType {
        match self {
            Kind::Typed(ty) => ty.arrow(),
            Kind::Any => DataType::BinaryView,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Typed(ty) => f.write_str(ty.name()),
            Kind::Any => f.write_str("any"),
        }
    }
}

/// Values as a column; what the kind cannot hold is null.
pub fn array<'a>(kind: Kind, values: impl ExactSizeIterator<Item = Option<&'a Value>>) -> ArrayRef {
    match kind {
        Kind::Typed(ty) => ty.array(values),
        Kind::Any => {
            let (mut out, mut bytes) = (BinaryViewBuilder::with_capacity(values.len()), Vec::new());
            for v in values {
                bytes.clear();
                encode(v, &mut bytes);
                out.append_value(&bytes);
            }
            Arc::new(out.finish())
        }
    }
}

/// The same, where outer None is absence and inner None is nil.
pub fn array_or_absent(kind: Kind, values: &[Option<Cell>]) -> ArrayRef {
    match kind {
        Kind::Typed(ty) => ty.array(values.iter().map(|v| v.as_ref().and_then(Option::as_ref))),
        Kind::Any => {
            let (mut out, mut bytes) = (BinaryViewBuilder::with_capacity(values.len()), Vec::new());
            for v in values {
                bytes.clear();
                match v {
                    Some(cell) => {
                        encode(cell.as_ref(), &mut bytes);
                        out.append_value(&bytes);
                    }
                    None => out.append_null(),
                }
            }
            Arc::new(out.finish())
        }
    }
}

/// The values of a column.
pub fn cells(kind: Kind, column: &ArrayRef) -> Result<Vec<Cell>> {
    match kind {
        Kind::Typed(ty) => {
            let reader = ValueColumn::new(ty, column)?;
            (0..column.len()).map(|i| Ok(reader.value(i)?.map(plain))).collect()
        }
        Kind::Any => {
            let bytes = column.as_binary_view();
            let cell = |i| match bytes.is_null(i) {
                true => Ok(None),
                false => decode(bytes.value(i)).ok_or_else(broken),
            };
            (0..bytes.len()).map(cell).collect()
        }
    }
}

fn broken() -> DataFusionError {
    DataFusionError::Internal("a value of any type cannot be read back".to_owned())
}

/// A column as one of another kind: a value that is not of that type is null.
pub fn convert(from: Kind, column: &ArrayRef, to: Kind) -> Result<ArrayRef> {
    if from == to {
        return Ok(Arc::clone(column));
    }
    let cells = cells(from, column)?;
    Ok(array(to, cells.iter().map(Option::as_ref)))
}
