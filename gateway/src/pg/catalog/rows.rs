//! Rows of a system relation: made by column name, read as one Arrow batch.

use super::builtin::SystemRelation;
use super::field_type::{arrow_type, field_of};
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Int16Builder, Int32Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringBuilder, UInt32Builder, new_empty_array,
};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::sync::Arc;

/// One value; its column says how it is held.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Cell>),
}

impl From<bool> for Cell {
    fn from(v: bool) -> Self {
        Cell::Bool(v)
    }
}
impl From<u32> for Cell {
    fn from(v: u32) -> Self {
        Cell::Int(v.into())
    }
}
impl From<i32> for Cell {
    fn from(v: i32) -> Self {
        Cell::Int(v.into())
    }
}
impl From<i16> for Cell {
    fn from(v: i16) -> Self {
        Cell::Int(v.into())
    }
}
impl From<i64> for Cell {
    fn from(v: i64) -> Self {
        Cell::Int(v)
    }
}
impl From<f32> for Cell {
    fn from(v: f32) -> Self {
        Cell::Float(v.into())
    }
}
impl From<&str> for Cell {
    fn from(v: &str) -> Self {
        Cell::Text(v.to_owned())
    }
}
impl From<String> for Cell {
    fn from(v: String) -> Self {
        Cell::Text(v)
    }
}
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(v: Option<T>) -> Self {
        v.map_or(Cell::Null, Into::into)
    }
}
impl<T: Into<Cell>> From<Vec<T>> for Cell {
    fn from(v: Vec<T>) -> Self {
        Cell::List(v.into_iter().map(Into::into).collect())
    }
}

/// The rows of one system relation. What a row does not name is null, or nothing of its type (0, false, '') where the
/// column is never null.
#[derive(Debug)]
pub struct Rows {
    relation: &'static SystemRelation,
    columns: Vec<Vec<Cell>>,
    len: usize,
}

impl Rows {
    pub fn of(relation: &'static SystemRelation) -> Rows {
        Rows { relation, columns: vec![Vec::new(); relation.columns.len()], len: 0 }
    }

    /// Adds a row; every name is a column of the relation.
    pub fn push<const N: usize>(&mut self, cells: [(&str, Cell); N]) {
        self.push_all(cells);
    }

    pub fn push_all<'a>(&mut self, cells: impl IntoIterator<Item = (&'a str, Cell)>) {
        for column in &mut self.columns {
            column.push(Cell::Null);
        }
        for (name, cell) in cells {
            let at = self.relation.columns.iter().position(|c| c.name == name);
            debug_assert!(at.is_some(), "{} has no column {name}", self.relation.name);
            if let Some(last) = at.and_then(|i| self.columns.get_mut(i)?.last_mut()) {
                *last = cell;
            }
        }
        self.len += 1;
    }

    /// The batch, of these columns only.
    pub fn batch(&self, projection: Option<&Vec<usize>>) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let wanted = projection.unwrap_or(&all);
        let schema = Arc::new(schema_of(self.relation).project(wanted)?);
        let arrays = wanted.iter().filter_map(|i| {
            let column = self.relation.columns.get(*i)?;
            Some(array(column.type_name, column.not_null, self.columns.get(*i)?))
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.len));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}

/// The columns of a system relation as Arrow fields.
pub fn schema_of(relation: &SystemRelation) -> SchemaRef {
    let fields = relation.columns.iter().map(|c| field_of(c.name, c.type_name, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn array(type_name: &str, not_null: bool, cells: &[Cell]) -> Result<ArrayRef> {
    let ty = arrow_type(type_name);
    if cells.is_empty() {
        return Ok(new_empty_array(&ty));
    }
    let int = |c: &Cell| match c {
        Cell::Int(v) => Some(*v),
        Cell::Bool(v) => Some((*v).into()),
        _ => not_null.then_some(0),
    };
    Ok(match &ty {
        DataType::Boolean => {
            let mut out = BooleanBuilder::new();
            for c in cells {
                out.append_option(match c {
                    Cell::Bool(v) => Some(*v),
                    _ => not_null.then_some(false),
                });
            }
            Arc::new(out.finish())
        }
        DataType::Int16 => {
            let mut out = Int16Builder::new();
            cells.iter().for_each(|c| out.append_option(int(c).and_then(|v| v.try_into().ok())));
            Arc::new(out.finish())
        }
        DataType::Int32 => {
            let mut out = Int32Builder::new();
            cells.iter().for_each(|c| out.append_option(int(c).and_then(|v| v.try_into().ok())));
            Arc::new(out.finish())
        }
        DataType::Int64 => {
            let mut out = Int64Builder::new();
            cells.iter().for_each(|c| out.append_option(int(c)));
            Arc::new(out.finish())
        }
        DataType::UInt32 => {
            let mut out = UInt32Builder::new();
            cells.iter().for_each(|c| out.append_option(int(c).and_then(|v| v.try_into().ok())));
            Arc::new(out.finish())
        }
        DataType::Utf8 => {
            let mut out = StringBuilder::new();
            for c in cells {
                match c {
                    Cell::Text(s) => out.append_value(s),
                    _ => out.append_option(not_null.then_some("")),
                }
            }
            Arc::new(out.finish())
        }
        ty => ScalarValue::iter_to_array(
            cells.iter().map(|c| scalar(c, ty, not_null)).collect::<Result<Vec<_>>>()?,
        )?,
    })
}

/// A cell as a value of this type.
fn scalar(cell: &Cell, ty: &DataType, not_null: bool) -> Result<ScalarValue> {
    if let DataType::List(item) = ty {
        return match cell {
            Cell::List(items) => {
                let items = items.iter().map(|c| scalar(c, item.data_type(), false));
                let items = items.collect::<Result<Vec<_>>>()?;
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&items, item.data_type())))
            }
            _ if not_null => {
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())))
            }
            _ => ScalarValue::try_from(ty),
        };
    }
    let value = match cell {
        Cell::Bool(v) => ScalarValue::Boolean(Some(*v)),
        Cell::Int(v) => ScalarValue::Int64(Some(*v)),
        Cell::Float(v) => ScalarValue::Float64(Some(*v)),
        Cell::Text(v) => ScalarValue::Utf8(Some(v.clone())),
        Cell::Null | Cell::List(_) if not_null => return ScalarValue::new_zero(ty),
        Cell::Null | Cell::List(_) => return ScalarValue::try_from(ty),
    };
    value.cast_to(ty)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pg::catalog::builtin;
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::{Int16Type, UInt32Type};

    #[test]
    fn rows_become_columns() {
        let mut rows = Rows::of(builtin::relation("pg_catalog", "pg_index").unwrap());
        rows.push([("indexrelid", 7_u32.into()), ("indkey", vec![5_i16].into())]);
        rows.push([("indrelid", 8_u32.into())]);
        let batch = rows.batch(None).unwrap();
        let oids = batch.column_by_name("indexrelid").unwrap();
        assert_eq!(oids.as_primitive::<UInt32Type>().values(), &[7, 0]);
        let keys = batch.column_by_name("indkey").unwrap().as_list::<i32>();
        assert_eq!(keys.value(0).as_primitive::<Int16Type>().values(), &[5]);
        assert_eq!(keys.value(1).len(), 0);
        assert!(batch.column_by_name("indexprs").unwrap().is_null(0));
    }

    #[test]
    fn every_relation_can_be_empty() {
        for relation in builtin::relations() {
            let batch = Rows::of(relation).batch(None).unwrap();
            assert_eq!(batch.num_columns(), relation.columns.len(), "{}", relation.name);
        }
    }
}
