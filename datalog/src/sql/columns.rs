//! What is found as columns of SQL: a type as tables show it, what is of no one type or no value (a pull, a set) as text.

use crate::answer::forms;
use crate::edn::Form;
use crate::find::{Column, Shows};
use crate::query::{Element, Query};
use crate::run::Planned;
use crate::source::Source;
use crate::value::{Cell, Kind, array, cells};
use daodb_catalog::table::types;
use daodb_catalog::{Error, Result, SqlState};
use daodb_storage::ValueType;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// One column of the table.
#[derive(Debug, Clone)]
pub struct Shown {
    pub name: String,
    /// Of the answer.
    pub column: Column,
    /// The type that it is shown as; None: text.
    ty: Option<ValueType>,
}

impl Shown {
    pub fn all(planned: &Planned) -> Vec<Shown> {
        let names = names(&planned.compiled.query);
        let shown = |(name, column): (String, &Column)| Shown {
            name,
            column: column.clone(),
            ty: typed(column),
        };
        names.into_iter().zip(&planned.compiled.columns).map(shown).collect()
    }

    /// The columns of a planned query, with the types that it was described with.
    pub fn as_described(described: &Planned, planned: &Planned) -> Result<Vec<Shown>> {
        let mut all = Shown::all(planned);
        for (shown, described) in all.iter_mut().zip(&described.compiled.columns) {
            let ty = typed(described);
            let fits = ty.is_none() || ty == shown.ty || shown.column.kind == Kind::Any;
            if !fits {
                let message = format!("column {} has another type than described", shown.name);
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .hint("cast the parameters in the statement: $1::bigint"));
            }
            shown.ty = ty;
        }
        Ok(all)
    }

    pub fn field(&self) -> Field {
        match self.ty {
            Some(ty) => {
                let tag = HashMap::from([("daodb:type".to_owned(), ty.name().to_owned())]);
                Field::new(&self.name, types::sql_type(ty), true).with_metadata(tag)
            }
            None => Field::new(&self.name, DataType::Utf8View, true),
        }
    }

    async fn array(&self, sources: &[Source], found: &ArrayRef) -> Result<ArrayRef> {
        let Some(ty) = self.ty else {
            let forms = forms(sources, &self.column, found).await?;
            return Ok(Arc::new(forms.iter().map(text).collect::<StringViewArray>()));
        };
        let found = match self.column.kind == Kind::Typed(ty) {
            true => Arc::clone(found),
            false => self.narrowed(ty, &cells(self.column.kind, found)?)?,
        };
        Ok(types::convert(ty, &found, ty, &[])?)
    }

    fn narrowed(&self, ty: ValueType, cells: &[Cell]) -> Result<ArrayRef> {
        let fits =
            |c: &Cell| c.as_ref().is_none_or(|v| Kind::of(v.value_type()) == Kind::Typed(ty));
        match cells.iter().find(|c| !fits(c)) {
            None => Ok(array(Kind::Typed(ty), cells.iter().map(Option::as_ref))),
            Some(other) => {
                let other = crate::value::to_form(other);
                let message = format!("{other} in column {} is no {}", self.name, ty.name());
                Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
            }
        }
    }
}

/// The type of a column that SQL has one for.
fn typed(column: &Column) -> Option<ValueType> {
    match (&column.shows, column.kind) {
        (Shows::Value, Kind::Typed(ValueType::Tuple) | Kind::Any) => None,
        (Shows::Value, Kind::Typed(ty)) => Some(ty),
        (Shows::Ident { .. } | Shows::Set | Shows::Pull { .. }, _) => None,
    }
}

/// As tables show values of several types; what is no value is EDN.
fn text(form: &Form) -> Option<String> {
    match form {
        Form::Nil => None,
        Form::Value(v) => Some(types::value_text(v)),
        other => Some(other.to_string()),
    }
}

/// `name` of `?name`, `sum` of `(sum ?x)`, what `:keys` says; spelled as columns of tables are, each once.
fn names(query: &Query) -> Vec<String> {
    let wanted: Vec<&str> = match &query.keys {
        Some(keys) => keys.names.iter().map(AsRef::as_ref).collect(),
        None => query.find.iter().map(name).collect(),
    };
    let mut taken = BTreeSet::new();
    let mut out = Vec::with_capacity(wanted.len());
    for name in wanted {
        let spelled = name.replace(['-', '.', '/'], "_");
        let another = |n: &i32| if *n == 1 { spelled.clone() } else { format!("{spelled}_{n}") };
        let free = (1..).map(|n| another(&n)).find(|name| !taken.contains(name));
        let free = free.unwrap_or_else(|| spelled.clone());
        taken.insert(free.clone());
        out.push(free);
    }
    out
}

fn name(element: &Element) -> &str {
    match element {
        Element::Var(v, _) | Element::Pull { var: v, .. } => v.0.trim_start_matches('?'),
        Element::Aggregate(call) => &call.name,
    }
}

/// A batch of an answer, some of whose columns are wanted.
pub async fn batch(
    sources: &[Source],
    found: &RecordBatch,
    shown: &[Shown],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut arrays = Vec::with_capacity(shown.len());
    for (shown, array) in shown.iter().zip(found.columns()) {
        arrays.push(shown.array(sources, array).await?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(found.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}
