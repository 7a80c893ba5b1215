//! SQL's `datalog('[:find ...]', $1, ...)`: an answer as a table, of the statement's snapshot. And SQL as a [`source`].
//!
//! In the order data flows: [`arguments`] makes the inputs of SQL's [`values`]; [`table`](mod@table) is the planned query, whose
//! [`columns`] show what is found as SQL shows it; [`exec`] runs it within the statement's plan.

mod arguments;
mod columns;
mod edn;
mod exec;
pub mod source;
mod table;
mod values;

pub use edn::edn;
pub(crate) use values::from_sql;

use crate::query::query as parse;
use crate::run::{self, QueryRequest};
use columns::Shown;
use daodb_catalog::session::{Argument, TableCall};
use daodb_catalog::{Error, Result, SqlState};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use futures::future::BoxFuture;
use std::sync::Arc;
use table::DatalogTable;

/// What the function is called.
pub const FUNCTION: &str = "datalog";

/// The answer of a call as a table. Its columns are those of `:find`; their types depend on the types of parameters, never on
/// their values. Where an error has a position, that counts in the query.
pub fn table<'a>(call: &'a TableCall<'a>) -> BoxFuture<'a, Result<Arc<dyn TableProvider>>> {
    Box::pin(async move {
        let (text, given) = text(call)?;
        let node = QueryRequest::text(text).query;
        let query = parse(&node).map_err(|fault| fault.into_error(Some(text)))?;
        let open = given.iter().any(|a| a.parameter);
        let described = match open {
            true => Some(
                run::plan(&call.info.catalog, &request(call, text, &query, given, true).await?)
                    .await?,
            ),
            false => None,
        };
        if given.iter().any(|a| a.value.is_none())
            && let Some(described) = described
        {
            let shown = Shown::all(&described);
            return Ok(
                Arc::new(DatalogTable::new(text, described, shown)) as Arc<dyn TableProvider>
            );
        }
        let planned = request(call, text, &query, given, false).await?;
        let planned = run::plan(&call.info.catalog, &planned).await?;
        let shown = match &described {
            Some(described) => Shown::as_described(described, &planned)?,
            None => Shown::all(&planned),
        };
        Ok(Arc::new(DatalogTable::new(text, planned, shown)) as Arc<dyn TableProvider>)
    })
}

/// The query, which is a literal: what columns there are depends on it.
fn text<'a>(call: &'a TableCall<'a>) -> Result<(&'a str, &'a [Argument])> {
    let wrong = |message: &str| {
        Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .hint("datalog('[:find ?name :where [_ :person/name ?name]]')"))
    };
    match call.arguments.split_first() {
        None => wrong("datalog() takes a query first"),
        Some((first, _)) if first.parameter => {
            wrong("the query of datalog() is a literal: what columns there are depends on it")
        }
        Some((first, rest)) => match &first.value {
            Some(
                ScalarValue::Utf8(Some(text))
                | ScalarValue::Utf8View(Some(text))
                | ScalarValue::LargeUtf8(Some(text)),
            ) => Ok((text, rest)),
            _ => wrong("the query of datalog() is a text"),
        },
    }
}

/// `stand_ins`: parameters are values of their types, whatever they are.
async fn request(
    call: &TableCall<'_>,
    text: &str,
    query: &crate::query::Query,
    given: &[Argument],
    stand_ins: bool,
) -> Result<QueryRequest> {
    let mut request = QueryRequest::text(text).of(&call.info.database, call.snapshot);
    request.args = arguments::args(call, query, given, stand_ins).await?;
    Ok(request)
}
