//! Aggregates with Datomic's meaning: variance and deviation are of a population, the median of longs is a long, `(min n ?x)`
//! is a vector of the least values, equal ones as often as they come.

use crate::functions::{add, number_order, to_double};
use crate::value::any::{decode, encoded};
use crate::value::{Cell, Kind, array, cells, to_form};
use daodb_catalog::{Error, SqlState};
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An aggregate over a column of values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    function: String,
    /// What the plan calls it: one query may have `(min ?x)` and `(min 3 ?x)`.
    label: String,
    /// Of `(min 3 ?x)`.
    n: Option<usize>,
    of: Kind,
    gives: Kind,
    signature: Signature,
}

impl Aggregate {
    /// `place` is that in `:find`.
    pub fn new(name: &str, place: usize, n: Option<usize>, of: Kind) -> Aggregate {
        let double = Kind::Typed(ValueType::Double);
        let gives = match (name, n) {
            ("count" | "count-distinct", _) => Kind::LONG,
            ("avg" | "variance" | "stddev", _) => double,
            ("min" | "max" | "rand", None) => of,
            ("sum" | "median", _) if of == Kind::LONG || of == double => of,
            _ => Kind::Any,
        };
        let signature = Signature::variadic_any(Volatility::Immutable);
        let label = format!("{name}#{place}");
        Aggregate { function: name.to_owned(), label, n, of, gives, signature }
    }
    pub fn kind(&self) -> Kind {
        self.gives
    }
    pub fn call(self, arg: Expr) -> Expr {
        AggregateUDF::from(self).call(vec![arg])
    }

    fn evaluate(&self, mut values: Vec<Value>) -> Result<Cell, String> {
        let n = self.n.unwrap_or(0);
        Ok(match (self.function.as_str(), self.n) {
            ("count", _) => Some(Value::Long(values.len() as i64)),
            ("count-distinct", _) => {
                Some(Value::Long(values.iter().collect::<BTreeSet<_>>().len() as i64))
            }
            ("distinct", _) => Some(tuple(values.into_iter().collect::<BTreeSet<_>>())),
            ("sum", _) => sum(values)?,
            // Of the exact sum, so that it is no worse for decimals.
            ("avg", _) => {
                let n = values.len() as f64;
                sum(values)?.as_ref().and_then(to_double).map(|sum| Value::Double(sum / n))
            }
            ("variance", _) => variance(&doubles(&values)?).map(Value::Double),
            ("stddev", _) => variance(&doubles(&values)?).map(|v| Value::Double(v.sqrt())),
            ("median", _) => median(values)?,
            ("min", None) => values.into_iter().min_by(order),
            ("max", None) => values.into_iter().max_by(order),
            ("min", Some(_)) => {
                values.sort_by(order);
                Some(tuple(values.into_iter().take(n)))
            }
            ("max", Some(_)) => {
                values.sort_by(|a, b| order(b, a));
                Some(tuple(values.into_iter().take(n)))
            }
            ("rand", None) => values.get(random(values.len())).cloned(),
            ("rand", Some(_)) => {
                Some(tuple((0..n).filter_map(|_| values.get(random(values.len())).cloned())))
            }
            ("sample", _) => {
                let mut distinct: Vec<Value> =
                    values.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
                for i in 0..n.min(distinct.len()) {
                    let other = i + random(distinct.len() - i);
                    distinct.swap(i, other);
                }
                Some(tuple(distinct.into_iter().take(n)))
            }
            (other, _) => return Err(format!("there is no aggregate {other}")),
        })
    }
}

fn sum(values: Vec<Value>) -> Result<Cell, String> {
    let zero = Some(Value::Long(0));
    values.into_iter().try_fold(zero, |sum, v| add(&sum, &Some(v)))
}

fn tuple(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Tuple(values.into_iter().map(Some).collect())
}

/// A number below `n`, of no quality: what asks for it asks for any.
fn random(n: usize) -> usize {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    if n == 0 { 0 } else { (random % n as u64) as usize }
}

fn order(a: &Value, b: &Value) -> Ordering {
    number_order(a, b).unwrap_or_else(|| a.cmp(b))
}

fn doubles(values: &[Value]) -> Result<Vec<f64>, String> {
    values.iter().map(double).collect()
}

fn double(v: &Value) -> Result<f64, String> {
    to_double(v).ok_or_else(|| format!("{v} is no number"))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares = values.iter().map(|v| (v - mean) * (v - mean));
    Some(squares.sum::<f64>() / values.len() as f64)
}

/// Of an even number of values the mean of the two in the middle, without its fraction: as Datomic.
fn median(mut values: Vec<Value>) -> Result<Cell, String> {
    values.sort_by(order);
    let middle = values.len() / 2;
    let Some(high) = values.get(middle) else { return Ok(None) };
    if values.len() % 2 == 1 {
        return Ok(Some(high.clone()));
    }
    let low = &values[middle - 1];
    Ok(Some(match (low, high) {
        (Value::Long(a), Value::Long(b)) => {
            Value::Long(((i128::from(*a) + i128::from(*b)) / 2) as i64)
        }
        (a, b) => {
            let (a, b) = (double(a)?, double(b)?);
            Value::Double(((a + b) / 2.0).trunc())
        }
    }))
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        &self.label
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.gives.arrow())
    }
    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Collected { aggregate: self.clone(), values: Vec::new(), bytes: 0 }))
    }
    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(DataType::BinaryView, true);
        Ok(vec![Arc::new(Field::new(args.name, DataType::List(Arc::new(item)), true))])
    }
}

/// The values of one group, as `any`.
#[derive(Debug)]
struct Collected {
    aggregate: Aggregate,
    values: Vec<Vec<u8>>,
    bytes: usize,
}

impl Collected {
    fn push(&mut self, value: Vec<u8>) {
        self.bytes += value.capacity() + size_of::<Vec<u8>>();
        self.values.push(value);
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for cell in cells(self.aggregate.of, &values[0])? {
            self.push(encoded(cell.as_ref()));
        }
        Ok(())
    }
    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            for value in list.as_binary_view().iter().flatten() {
                self.push(value.to_vec());
            }
        }
        Ok(())
    }
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let items: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(&self.values));
        let field = Arc::new(Field::new_list_field(DataType::BinaryView, true));
        let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths([items.len()]);
        let list = datafusion::arrow::array::ListArray::try_new(field, offsets, items, None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }
    fn evaluate(&mut self) -> Result<ScalarValue> {
        // The engine asks once where there are no rows and no groups. The row that it gets is none of the answer.
        if self.values.is_empty() {
            return ScalarValue::try_from(self.aggregate.gives.arrow());
        }
        let broken = || DataFusionError::Internal("an aggregated value cannot be read".to_owned());
        let mut values = Vec::with_capacity(self.values.len());
        for bytes in &self.values {
            values.extend(decode(bytes).ok_or_else(broken)?);
        }
        let cell = self.aggregate.evaluate(values).map_err(|why| {
            let text = format!("({}): {why}", self.aggregate.function);
            DataFusionError::from(Error::new(SqlState::INVALID_PARAMETER_VALUE, text))
        })?;
        let column = array(self.aggregate.gives, [cell.as_ref()].into_iter());
        if column.is_null(0) && cell.is_some() {
            return Err(DataFusionError::Internal(format!("{} has another type", to_form(&cell))));
        }
        ScalarValue::try_from_array(&column, 0)
    }
    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn as_datomic_has_them() {
        let check = |name: &str, n: Option<usize>, values: &[i64], expect: &str| {
            let values = values.iter().map(|n| Value::Long(*n)).collect();
            let cell = Aggregate::new(name, 0, n, Kind::LONG).evaluate(values).unwrap();
            assert_eq!(to_form(&cell).to_string(), expect, "{name}");
        };
        check("median", None, &[4, 1, 3, 2], "2");
        check("median", None, &[4, 5], "4");
        check("median", None, &[7, 1, 3], "3");
        check("variance", None, &[4, 5], "0.25");
        check("stddev", None, &[4, 5], "0.5");
        check("avg", None, &[1, 2], "1.5");
        check("sum", None, &[1, 2], "3");
        check("min", Some(2), &[3, 1, 2, 1], "[1 1]");
        check("max", Some(2), &[3, 1, 2], "[3 2]");
        check("min", None, &[3, 1], "1");
        check("count", None, &[3, 3], "2");
        check("count-distinct", None, &[3, 3], "1");
        check("distinct", None, &[3, 1, 3], "[1 3]");
        check("sample", Some(5), &[3, 3], "[3]");
        check("rand", Some(2), &[3], "[3 3]");
    }
}
