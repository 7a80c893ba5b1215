//! `pg_subquery(kind, sql, outer...)`: a correlated subquery over system relations, run once for each set of outer values.
//!
//! DataFusion turns correlated subqueries into joins, and refuses those for which it has no join (anything but an aggregate
//! correlated by equality). Clients ask system relations such questions all the time (`ARRAY(SELECT ...)`, a default's
//! text, lateral `unnest`), about few rows. The rewrite puts `pg_arg_0()`, `pg_arg_1()`... where the subquery names outer
//! columns; here each is a function that answers the row's value.

use super::super::context::context;
use super::super::field_type::list_field;
use super::super::statement::Bound;
use super::each_row;
use daodb_catalog::{Error, SqlState};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub const NAME: &str = "pg_subquery";

/// The stand-in for the i-th outer column.
pub fn argument_name(i: usize) -> String {
    format!("pg_arg_{i}")
}

/// Kinds of subquery, as the first argument says them.
pub const SCALAR: &str = "scalar";
pub const ARRAY: &str = "array";
pub const EXISTS: &str = "exists";

pub fn function(bound: &Arc<Bound>) -> ScalarUDF {
    ScalarUDF::new_from_impl(Subquery {
        signature: Signature::variadic_any(Volatility::Stable),
        bound: Arc::clone(bound),
    })
}

/// The statement that this function is bound to, if it is this one.
pub fn bound(function: &dyn ScalarUDFImpl) -> Option<Arc<Bound>> {
    let function: &dyn Any = function;
    function.downcast_ref::<Subquery>().map(|s| Arc::clone(&s.bound))
}

struct Subquery {
    signature: Signature,
    bound: Arc<Bound>,
}

impl PartialEq for Subquery {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bound, &other.bound)
    }
}
impl Eq for Subquery {}
impl Hash for Subquery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NAME.hash(state);
    }
}
impl fmt::Debug for Subquery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

impl ScalarUDFImpl for Subquery {
    fn name(&self) -> &str {
        NAME
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(DataFusionError::Internal(format!("{NAME} was asked for a type without fields")))
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let literal = |i: usize| {
            args.scalar_arguments.get(i).copied().flatten().and_then(|v| v.try_as_str().flatten())
        };
        let (Some(kind), Some(sql)) = (literal(0), literal(1)) else {
            return Err(DataFusionError::Plan(format!("{NAME} is not to be called by name")));
        };
        if kind == EXISTS {
            return Ok(Arc::new(Field::new(NAME, DataType::Boolean, true)));
        }
        let outer = args.arg_fields.get(2..).unwrap_or_default();
        let nulls = outer.iter().map(|f| ScalarValue::try_from(f.data_type()));
        let nulls = nulls.collect::<Result<Vec<_>>>()?;
        let ctx = context(&self.bound);
        let plan = self.plan(&ctx, sql, &nulls, outer)?;
        let field = Arc::clone(plan.schema().field(0));
        Ok(if kind == ARRAY {
            Arc::new(list_field(NAME, &field))
        } else {
            Arc::new(field.as_ref().clone().with_nullable(true))
        })
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ty = args.return_field.data_type().clone();
        let ctx = context(&self.bound);
        each_row(&args, &ty, |row| {
            let text = |i: usize| row.get(i).and_then(|v| v.try_as_str().flatten());
            let (Some(kind), Some(sql)) = (text(0), text(1)) else {
                return Err(DataFusionError::Internal(format!("{NAME} without a query")));
            };
            let outer = args.arg_fields.get(2..).unwrap_or_default();
            let plan = self.plan(&ctx, sql, row.get(2..).unwrap_or_default(), outer)?;
            let batches = now(async { ctx.execute_logical_plan(plan).await?.collect().await })??;
            result(kind, &batches, &ty)
        })
    }
}

impl Subquery {
    fn plan(
        &self,
        ctx: &SessionContext,
        sql: &str,
        outer: &[ScalarValue],
        fields: &[FieldRef],
    ) -> Result<LogicalPlan> {
        for (i, (value, field)) in outer.iter().zip(fields).enumerate() {
            ctx.register_udf(ScalarUDF::new_from_impl(Argument {
                name: argument_name(i),
                value: value.clone(),
                field: Arc::clone(field),
                signature: Signature::nullary(Volatility::Immutable),
            }));
        }
        let state = ctx.state();
        now(async move { state.create_logical_plan(sql).await })?
    }
}

fn result(kind: &str, batches: &[RecordBatch], ty: &DataType) -> Result<ScalarValue> {
    let values = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| ScalarValue::try_from_array(batch.column(0), row))
    });
    match kind {
        EXISTS => Ok(ScalarValue::Boolean(Some(batches.iter().any(|b| b.num_rows() > 0)))),
        ARRAY => {
            let values = values.collect::<Result<Vec<_>>>()?;
            let DataType::List(item) = ty else { return ScalarValue::try_from(ty) };
            Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, item.data_type())))
        }
        _ => {
            let mut values = values;
            let first = values.next().unwrap_or_else(|| ScalarValue::try_from(ty))?;
            if values.next().is_some() {
                let message = "more than one row returned by a subquery used as an expression";
                return Err(Error::new(SqlState::Code("21000"), message).into());
            }
            first.cast_to(ty)
        }
    }
}

/// Runs what waits for nothing: plans over memory, in one partition.
fn now<T>(future: impl Future<Output = T>) -> Result<T> {
    // Yielding to other tasks is not possible within a function, so the task's budget does not count.
    let mut future = pin!(tokio::task::unconstrained(future));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        std::thread::yield_now();
    }
    Err(DataFusionError::Internal("a subquery over system relations had to wait".to_owned()))
}

/// Operators that yield by themselves are polled again, but not for ever.
const POLLS: usize = 100_000;

/// `pg_arg_0()`: an outer column's value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Argument {
    name: String,
    value: ScalarValue,
    field: FieldRef,
    signature: Signature,
}

impl ScalarUDFImpl for Argument {
    fn name(&self) -> &str {
        &self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }
    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(self.field.as_ref().clone().with_name(&self.name).with_nullable(true)))
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}
