//! `(SELECT x FROM ... WHERE y = outside.y)` as a value. DataFusion plans what is told of each outer row only where an aggregate
//! makes one row of many: here the values are collected, and one of them is taken where they are used.

use super::functions::column;
use super::grouped::has_keys;
use super::names::fold;
use super::quantified::names_outside;
use super::selects::limited;
use super::synonyms::{engines_name, is_small};
use super::syntax::{call, expression};
use super::ungrouped;
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    LimitClause, OrderByKind, Query, SelectItem, SetExpr, Value, visit_expressions,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

pub fn reread(e: &mut Expr) -> Result<()> {
    let Expr::Subquery(query) = e else { return Ok(()) };
    if !names_outside(query) {
        return Ok(());
    }
    let Some(first) = collected(query)? else { return Ok(()) };
    let subquery = std::mem::replace(e, Expr::value(Value::Null));
    *e = call(if first { FIRST } else { ONLY }, vec![subquery]);
    Ok(())
}

/// What has no row is null: the engine knows a value of the subquery's by what its column says.
pub fn nullable(e: &mut Expr) {
    if let Expr::Subquery(query) = e
        && !ungrouped::has_one_row(query)
    {
        let subquery = std::mem::replace(e, Expr::value(Value::Null));
        *e = call(MAYBE, vec![subquery]);
    }
}

/// Makes the query collect what it selects; whether the first value is meant (`LIMIT 1`), None: it is no plain one.
fn collected(query: &mut Query) -> Result<Option<bool>> {
    limited(query);
    let first = match &query.limit_clause {
        None if query.fetch.is_some() => None,
        None => Some(false),
        Some(LimitClause::LimitOffset { limit: Some(Expr::Value(n)), offset: None, limit_by })
            if limit_by.is_empty() && n.value.to_string() == "1" =>
        {
            Some(true)
        }
        Some(_) => None,
    };
    let (Some(first), SetExpr::Select(select)) = (first, query.body.as_mut()) else {
        return Ok(None);
    };
    let grouped = has_keys(select);
    let plain = query.with.is_none() && select.distinct.is_none() && select.having.is_none();
    let (x, alias) = match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(x)] => (x, None),
        [SelectItem::ExprWithAlias { expr, alias }] => (expr, Some(alias.clone())),
        _ => return Ok(None),
    };
    if grouped || !plain || has_aggregate(x) {
        return Ok(None);
    }
    let mut by = match query.order_by.as_ref().map(|o| &o.kind) {
        None => vec![],
        Some(OrderByKind::Expressions(by)) => by.clone(),
        Some(OrderByKind::All(_)) => return Ok(None),
    };
    for by in &mut by {
        let selected = match &by.expr {
            Expr::Identifier(name) => alias.as_ref().is_some_and(|a| fold(a) == fold(name)),
            Expr::Value(place) => match place.value.to_string().as_str() {
                "1" => true,
                // The planner says what is wrong.
                _ => return Ok(None),
            },
            _ => false,
        };
        if selected && !is_small(x) {
            return Ok(None);
        }
        if selected {
            by.expr = x.clone();
        }
    }
    query.order_by = None;
    let mut collect = expression("array_agg(dao_x)")?;
    if let Expr::Function(f) = &mut collect
        && let FunctionArguments::List(list) = &mut f.args
    {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(x.clone()))];
        if first && !by.is_empty() {
            list.clauses.push(FunctionArgumentClause::OrderBy(by));
        }
    }
    *x = collect;
    query.limit_clause = None;
    Ok(Some(first))
}

fn has_aggregate(e: &Expr) -> bool {
    visit_expressions(e, |e| match e {
        Expr::Function(f) if f.over.is_some() || is_aggregate(f) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

pub fn is_aggregate(f: &Function) -> bool {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let all = all_default_aggregate_functions();
        all.iter().flat_map(|f| f.aliases().iter().cloned().chain([f.name().to_owned()])).collect()
    });
    NAMES.contains(engines_name(&f.name.to_string().to_lowercase()))
}

const ONLY: &str = "dao_only";
const FIRST: &str = "dao_first";
const MAYBE: &str = "dao_maybe";

/// A value, which may be null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Maybe {
    signature: Signature,
}

impl Maybe {
    pub fn new() -> Maybe {
        Maybe { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Maybe {
    fn name(&self) -> &str {
        MAYBE
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> DfResult<DataType> {
        args.first().cloned().map_or_else(|| plan_err!("{MAYBE} takes a value"), Ok)
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        match args.arg_fields.first() {
            Some(field) => Ok(Arc::new(field.as_ref().clone().with_nullable(true))),
            None => plan_err!("{MAYBE} takes a value"),
        }
    }
    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        match args.args.pop() {
            Some(value) => Ok(value),
            None => plan_err!("{MAYBE} takes a value"),
        }
    }
}

/// Takes a value out of a list.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Taken {
    /// Whether several are a fault.
    only: bool,
    signature: Signature,
}

impl Taken {
    pub fn functions() -> [ScalarUDF; 2] {
        [true, false].map(|only| {
            ScalarUDF::from(Taken { only, signature: Signature::any(1, Volatility::Immutable) })
        })
    }
}

impl ScalarUDFImpl for Taken {
    fn name(&self) -> &str {
        if self.only { ONLY } else { FIRST }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> DfResult<DataType> {
        match args {
            [DataType::List(item)] => Ok(item.data_type().clone()),
            other => plan_err!("{} takes a list: {other:?}", self.name()),
        }
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let returns = args.return_type().clone();
        let lists = args.args[0].to_array(args.number_rows)?;
        let lists = lists.as_list::<i32>();
        let null = ScalarValue::try_new_null(&returns)?;
        let mut out = Vec::with_capacity(lists.len());
        for i in 0..lists.len() {
            let length = if lists.is_null(i) { 0 } else { lists.value_length(i) };
            if self.only && length > 1 {
                let text = "more than one row returned by a subquery used as an expression";
                return Err(Error::new(SqlState::Code("21000"), text).into());
            }
            out.push(match length {
                0 => null.clone(),
                _ => ScalarValue::try_from_array(&lists.value(i), 0)?,
            });
        }
        column(out, &returns).map(ColumnarValue::Array)
    }
}
