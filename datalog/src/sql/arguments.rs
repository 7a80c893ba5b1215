//! SQL's values as the inputs of a query.
//!
//! A text is a string where `:in` has a variable. Where it takes a value apart, and for rules, patterns and sources, it is
//! EDN: no text could be meant there. `edn(...)` is EDN everywhere.

use super::edn::{is_edn, text_of};
use super::values::{of_scalar, of_type};
use crate::edn::{Form, Node, read};
use crate::query::{Binding, Input, Query};
use crate::run::{Arg, At};
use crate::source::moment;
use crate::value::{node, to_form};
use daodb_catalog::session::{Argument, TableCall};
use daodb_catalog::timetravel::bound;
use daodb_catalog::{Error, Result, SqlState};
use daodb_storage::Value;
use datafusion::arrow::datatypes::DataType;
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
        (Some(value), false) => of_scalar(value),
        _ => of_type(&argument.data_type),
    };
    let cell = cell.map_err(|e| Error { hint: e.hint, ..wrong(place, &e.message) })?;
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
            // It may be imagined, and no catalog knows it by its name.
            Some(name) if name == call.info.database.name() => Arc::clone(&call.info.database),
            Some(name) => call.info.catalog.database(name).await?,
            None => return Err(unknown(key, v)),
        },
        None => Arc::clone(&call.info.database),
    };
    // Times of the session's own database are those that the call's moment knows of.
    let newest = match Arc::ptr_eq(&database, &call.info.database) {
        true => call.moment.clone(),
        false => database.snapshot(),
    };
    let mut snapshot = newest.clone();
    for (key, v) in pairs {
        let time = async || match moment(v) {
            Some(moment) => bound::as_of(moment?, &newest, database.now()).await,
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
