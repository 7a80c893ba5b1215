//! SQL's values as the inputs of a query.
//!
//! A text is a string where `:in` has a variable. Where it takes a value apart, and for rules, patterns and sources, it is
//! EDN: no text could be meant there. `edn(...)` is EDN everywhere.

use super::edn::{is_edn, text_of};
use crate::edn::{Form, Node, read};
use crate::query::{Binding, Input, Query};
use crate::run::{Arg, At};
use crate::source::moment;
use crate::value::{Cell, node, to_form};
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use daodb_catalog::session::{Argument, TableCall};
use daodb_catalog::{Error, Result, SqlState};
use daodb_storage::Value;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// Those of `:in` but for `$`, in its order. `stand_ins`: in place of parameters, values of their types.
pub async fn args(
    call: &TableCall<'_>,
    query: &Query,
    given: &[Argument],
    stand_ins: bool,
) -> Result<Vec<Arg>> {
    let wanted: Vec<&Input> = query
        .inputs
        .iter()
        .filter(|i| !matches!(i, Input::Source(name) if name.as_ref() == "$"))
        .collect();
    if wanted.len() != given.len() {
        let message =
            format!("the query takes {} arguments, here are {}", wanted.len(), given.len());
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .hint("they are those of :in, in its order; $ is the statement's snapshot"));
    }
    let mut args = Vec::with_capacity(given.len());
    for (i, (input, argument)) in wanted.into_iter().zip(given).enumerate() {
        // The query is the first.
        let place = i + 2;
        args.push(arg(call, input, argument, place, stand_ins && argument.parameter).await?);
    }
    Ok(args)
}

async fn arg(
    call: &TableCall<'_>,
    input: &Input,
    argument: &Argument,
    place: usize,
    stand_in: bool,
) -> Result<Arg> {
    let plain = matches!(input, Input::Binding(Binding::Var(_) | Binding::Blank));
    let is_text =
        matches!(argument.data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    if is_edn(&argument.data_type) || (is_text && !plain) {
        let form = edn(argument, place)?;
        return match input {
            Input::Source(_) => source(call, form, place).await,
            _ => Ok(Arg::Value(form)),
        };
    }
    if !matches!(input, Input::Binding(_)) {
        return Err(wrong(place, "rules, patterns and sources are EDN")
            .hint("write it as a text: '[[(rule ?x) ...]]'"));
    }
    let cell = match (&argument.value, stand_in) {
        (Some(value), false) => of_scalar(value, place)?,
        _ => of_type(&argument.data_type, place)?,
    };
    Ok(Arg::Value(node(to_form(&cell))))
}

fn wrong(place: usize, what: &str) -> Error {
    let message = format!("argument {place} of datalog: {what}");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// EDN is a literal: what types columns have may depend on it.
fn edn(argument: &Argument, place: usize) -> Result<Node> {
    if argument.parameter {
        let message = format!("argument {place} of datalog is EDN, and cannot be a parameter");
        return Err(Error::new(SqlState::Code("42P18"), message).hint(
            "parameters have types ($2::bigint, $2::text[]); what SQL has no type for is made in the query: [(keyword ?text) ?k]",
        ));
    }
    let text = match &argument.value {
        Some(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
        ) => text.clone(),
        Some(value) => text_of(value).flatten(),
        None => None,
    };
    let text = text.ok_or_else(|| wrong(place, "null is no EDN"))?;
    read(&text).map_err(|e| {
        let error = wrong(place, &e.message);
        match e.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}

/// A collection of tuples, or `{:db "name" :as-of T :since T :history true}`, all of which may be left out.
async fn source(call: &TableCall<'_>, form: Node, place: usize) -> Result<Arg> {
    let Form::Map(pairs) = &form.form else { return Ok(Arg::Value(form)) };
    let unknown = |key: &Node, v: &Node| {
        wrong(place, &format!("{key} {v} says nothing of a database"))
            .hint("known are :db, :as-of, :since and :history")
    };
    let database = match pairs.iter().find(|(key, _)| key.keyword() == Some(":db")) {
        Some((key, v)) => match v.string() {
            Some(name) => call.info.catalog.database(name).await?,
            None => return Err(unknown(key, v)),
        },
        None => Arc::clone(&call.info.database),
    };
    // Times of the session's own database are those that its moment knows of.
    let newest = match Arc::ptr_eq(&database, &call.info.database) {
        true => call.info.snapshot.clone(),
        false => database.snapshot(),
    };
    let mut snapshot = newest.clone();
    for (key, v) in pairs {
        let time = async || match moment(v) {
            Some(moment) => moment?.resolve(&newest, database.now()).await,
            None => Err(unknown(key, v)),
        };
        snapshot = match (key.keyword(), &v.form) {
            (Some(":db"), _) => snapshot,
            (Some(":as-of"), _) => snapshot.as_of(time().await?),
            (Some(":since"), _) => snapshot.since(time().await?),
            (Some(":history"), Form::Value(Value::Boolean(true))) => snapshot.history(),
            (Some(":history"), Form::Value(Value::Boolean(false))) => snapshot,
            _ => return Err(unknown(key, v)),
        };
    }
    Ok(Arg::Database(At { database, snapshot }))
}

fn no_counterpart(ty: &DataType, place: usize) -> Error {
    wrong(place, &format!("a value of type {ty} has no counterpart in Datalog"))
        .hint("cast it: to timestamptz, to text")
}

/// Any value of a type.
fn of_type(ty: &DataType, place: usize) -> Result<Cell> {
    use DataType as T;
    Ok(Some(match ty {
        T::Boolean => Value::Boolean(false),
        ty if ty.is_integer() => Value::Long(0),
        ty if ty.is_floating() => Value::Double(0.0),
        T::Decimal128(..) => Value::Bigdec(Arc::default()),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Value::string(""),
        T::Timestamp(..) => Value::Instant(0),
        T::Binary | T::LargeBinary | T::BinaryView => Value::Bytes([].into()),
        T::List(item) => Value::Tuple([of_type(item.data_type(), place)?].into()),
        ty => return Err(no_counterpart(ty, place)),
    }))
}

fn of_scalar(value: &ScalarValue, place: usize) -> Result<Cell> {
    use ScalarValue as S;
    let ty = value.data_type();
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match value {
        S::Boolean(Some(b)) => Value::Boolean(*b),
        S::Utf8(Some(s)) | S::LargeUtf8(Some(s)) | S::Utf8View(Some(s)) => Value::string(s),
        S::Binary(Some(b)) | S::LargeBinary(Some(b)) | S::BinaryView(Some(b)) => {
            Value::Bytes(b.as_slice().into())
        }
        S::Decimal128(Some(digits), _, scale) => {
            let exact = BigDecimal::new(BigInt::from(*digits), i64::from(*scale));
            Value::Bigdec(Arc::new(exact.normalized()))
        }
        S::List(list) => {
            let items = list.values();
            let cell = |i| of_scalar(&ScalarValue::try_from_array(items, i)?, place);
            let (start, end) = (list.value_offsets()[0], list.value_offsets()[1]);
            let places = (start as usize)..(end as usize);
            Value::Tuple(places.map(cell).collect::<Result<Vec<_>>>()?.into())
        }
        value if ty.is_integer() => match value.cast_to(&DataType::Int64)? {
            S::Int64(Some(n)) => Value::Long(n),
            _ => return Err(wrong(place, "the number does not fit a long")),
        },
        value if ty.is_floating() => match value.cast_to(&DataType::Float64)? {
            S::Float64(Some(d)) => Value::Double(d),
            _ => return Err(no_counterpart(&ty, place)),
        },
        value if matches!(ty, DataType::Timestamp(..)) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            match value.cast_to(&micros)? {
                S::TimestampMicrosecond(Some(us), _) => Value::Instant(us),
                _ => return Err(no_counterpart(&ty, place)),
            }
        }
        _ => return Err(no_counterpart(&ty, place)),
    }))
}
