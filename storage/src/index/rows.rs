//! Facts of one attribute and value type as columns.

use super::cache::Ascends;
use super::order::{Keys, Order, Place, merged_order_of_distinct};
use crate::error::{Error, Result};
use crate::fact::{Fact, OPEN};
use crate::snapshot::{FactColumns, Times};
use crate::value::{ValueColumn, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use datafusion::arrow::compute::{concat, filter, interleave, take};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::error::ArrowError;
use std::sync::Arc;

/// Sorted facts; columns that were not asked for, or that open facts do not have, are None.
#[derive(Debug, Clone)]
pub struct Rows {
    pub e: Int64Array,
    pub v: Option<ArrayRef>,
    pub t_from: Option<Int64Array>,
    pub m_from: Option<Int64Array>,
    pub t_to: Option<Int64Array>,
    pub m_to: Option<Int64Array>,
    /// Of `e`, where others have the same column.
    pub ascends: Option<Ascends>,
}

/// Which columns beside e.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Want {
    pub v: bool,
    pub t_from: bool,
    pub m_from: bool,
    pub t_to: bool,
    pub m_to: bool,
}

impl Want {
    pub const ALL: Want = Want { v: true, t_from: true, m_from: true, t_to: true, m_to: true };
    /// All that an open fact has.
    pub const OPEN: Want = Want { t_to: false, m_to: false, ..Want::ALL };
}

pub fn arrow_error(e: ArrowError) -> Error {
    Error::internal(format!("columns of facts: {e}"))
}

/// A list of chunks `of` one column, or None where it has none.
type Column<T> = Option<T>;

impl Rows {
    pub fn empty(ty: ValueType, want: Want) -> Rows {
        let long = |wanted: bool| wanted.then(|| Int64Array::from(Vec::<i64>::new()));
        Rows {
            e: Int64Array::from(Vec::<i64>::new()),
            v: want.v.then(|| ty.array(std::iter::empty())),
            t_from: long(want.t_from),
            m_from: long(want.m_from),
            t_to: long(want.t_to),
            m_to: long(want.m_to),
            ascends: None,
        }
    }

    pub fn len(&self) -> usize {
        self.e.len()
    }

    pub fn is_empty(&self) -> bool {
        self.e.is_empty()
    }

    /// Only these columns.
    pub fn select(self, want: Want) -> Rows {
        Rows {
            e: self.e,
            v: self.v.filter(|_| want.v),
            t_from: self.t_from.filter(|_| want.t_from),
            m_from: self.m_from.filter(|_| want.m_from),
            t_to: self.t_to.filter(|_| want.t_to),
            m_to: self.m_to.filter(|_| want.m_to),
            ascends: self.ascends,
        }
    }

    fn map(
        &self,
        mut array: impl FnMut(&dyn Array) -> Result<ArrayRef, ArrowError>,
    ) -> Result<Rows> {
        let mut long = |column: &Column<Int64Array>| -> Result<Column<Int64Array>> {
            Ok(match column {
                Some(c) => Some(array(c).map_err(arrow_error)?.as_primitive::<Int64Type>().clone()),
                None => None,
            })
        };
        let (t_from, m_from) = (long(&self.t_from)?, long(&self.m_from)?);
        let (t_to, m_to) = (long(&self.t_to)?, long(&self.m_to)?);
        let e = array(&self.e).map_err(arrow_error)?.as_primitive::<Int64Type>().clone();
        let v = match &self.v {
            Some(v) => Some(array(v).map_err(arrow_error)?),
            None => None,
        };
        Ok(Rows { e, v, t_from, m_from, t_to, m_to, ascends: None })
    }

    /// Without copying.
    pub fn slice(&self, at: usize, len: usize) -> Rows {
        let long = |column: &Column<Int64Array>| column.as_ref().map(|c| c.slice(at, len));
        Rows {
            e: self.e.slice(at, len),
            v: self.v.as_ref().map(|v| v.slice(at, len)),
            t_from: long(&self.t_from),
            m_from: long(&self.m_from),
            t_to: long(&self.t_to),
            m_to: long(&self.m_to),
            ascends: None,
        }
    }

    pub fn filter(&self, mask: &BooleanArray) -> Result<Rows> {
        self.map(|array| filter(array, mask))
    }

    pub fn take(&self, rows: &UInt32Array) -> Result<Rows> {
        self.map(|array| take(array, rows, None))
    }

    /// In another order.
    pub fn sorted(&self, order: Order, ty: ValueType) -> Result<Rows> {
        if self.len() <= 1 {
            return Ok(self.clone());
        }
        let keys = Keys::new(order, ty, self)?;
        let mut rows: Vec<u32> = (0..self.len() as u32).collect();
        rows.sort_unstable_by(|x, y| keys.cmp(*x as usize, &keys, *y as usize));
        self.take(&UInt32Array::from(rows))
    }

    /// The same columns of several parts, one after the other.
    pub fn concat(mut parts: Vec<Rows>) -> Result<Rows> {
        match parts.len() {
            1 => Ok(parts.swap_remove(0)),
            _ => gather(&parts, |arrays| concat(arrays)),
        }
    }

    /// Rows of several parts in this order.
    pub fn interleave(parts: &[Rows], places: &[Place]) -> Result<Rows> {
        gather(parts, |arrays| interleave(arrays, places))
    }

    /// Sorted parts as one; where they follow each other nothing is compared row by row.
    pub fn merge(order: Order, ty: ValueType, mut parts: Vec<Rows>) -> Result<Rows> {
        parts.retain(|p| !p.is_empty());
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        if order == Order::Aevt {
            parts.sort_by_key(|p| p.e.value(0));
            if parts.windows(2).all(|w| w[0].e.value(w[0].len() - 1) < w[1].e.value(0)) {
                return Rows::concat(parts);
            }
        }
        let keys = parts.iter().map(|p| Keys::new(order, ty, p)).collect::<Result<Vec<Keys>>>()?;
        Rows::interleave(&parts, &merged_order_of_distinct(&keys))
    }

    /// Where t_to is missing, the facts are open.
    pub fn into_columns(self, value_type: ValueType, times: bool) -> FactColumns {
        let n = self.len();
        let constant = |c: Column<Int64Array>, x: i64| -> ArrayRef {
            Arc::new(c.unwrap_or_else(|| Int64Array::from_value(x, n)))
        };
        let times = times.then(|| Times {
            t_from: constant(self.t_from, 0),
            m_from: constant(self.m_from, 0),
            t_to: constant(self.t_to, OPEN),
            m_to: constant(self.m_to, 0),
        });
        FactColumns { value_type, e: Arc::new(self.e), v: self.v, times, ascends: self.ascends }
    }

    /// All columns but the ends must be there.
    pub fn facts(&self, ty: ValueType) -> Result<Vec<Fact>> {
        let (Some(v), Some(t_from), Some(m_from)) = (&self.v, &self.t_from, &self.m_from) else {
            return Err(Error::internal("facts were read without their columns"));
        };
        let values = ValueColumn::new(ty, v)?;
        (0..self.len())
            .map(|i| {
                let v = values
                    .value(i)?
                    .ok_or_else(|| Error::internal(format!("a {} column holds null", ty.name())))?;
                Ok(Fact {
                    e: self.e.value(i),
                    v,
                    t_from: t_from.value(i),
                    m_from: m_from.value(i),
                    t_to: self.t_to.as_ref().map_or(OPEN, |t| t.value(i)),
                    m_to: self.m_to.as_ref().map_or(0, |m| m.value(i)),
                })
            })
            .collect()
    }
}

/// A column of the result where any part has it; a part without it (no place names its rows) lends an empty one.
fn gather(
    parts: &[Rows],
    combine: impl Fn(&[&dyn Array]) -> Result<ArrayRef, ArrowError>,
) -> Result<Rows> {
    let none = Int64Array::from(Vec::<i64>::new());
    let long = |column: fn(&Rows) -> &Column<Int64Array>| -> Result<Column<Int64Array>> {
        if parts.iter().all(|p| column(p).is_none()) {
            return Ok(None);
        }
        let arrays: Vec<&dyn Array> =
            parts.iter().map(|p| column(p).as_ref().unwrap_or(&none) as &dyn Array).collect();
        let all = combine(&arrays).map_err(arrow_error)?;
        Ok(Some(all.as_primitive::<Int64Type>().clone()))
    };
    let es: Vec<&dyn Array> = parts.iter().map(|p| &p.e as &dyn Array).collect();
    let vs: Option<Vec<&dyn Array>> = parts.iter().map(|p| p.v.as_deref()).collect();
    Ok(Rows {
        e: combine(&es).map_err(arrow_error)?.as_primitive::<Int64Type>().clone(),
        v: match vs {
            Some(vs) => Some(compact(combine(&vs).map_err(arrow_error)?)),
            None => None,
        },
        t_from: long(|p| &p.t_from)?,
        m_from: long(|p| &p.m_from)?,
        t_to: long(|p| &p.t_to)?,
        m_to: long(|p| &p.m_to)?,
        ascends: None,
    })
}

/// Views over very many buffers are slow to combine again, and few strings must not hold the memory of many.
fn compact(v: ArrayRef) -> ArrayRef {
    const BUFFERS: usize = 16;
    if let Some(text) = v.as_string_view_opt().filter(|a| a.data_buffers().len() > BUFFERS) {
        return Arc::new(text.gc());
    }
    if let Some(bytes) = v.as_binary_view_opt().filter(|a| a.data_buffers().len() > BUFFERS) {
        return Arc::new(bytes.gc());
    }
    v
}
