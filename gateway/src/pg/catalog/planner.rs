//! Expressions whose meaning depends on types that only the planner knows: arrays.

use super::field_type::is_zero_based;
use super::literal::array_elements;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, lit};
use std::sync::Arc;

/// `array = '{1,2}'`, and subscripts of the vectors that begin at 0.
#[derive(Debug)]
pub struct ArrayPlanner;

impl ArrayPlanner {
    pub fn register(state: &mut SessionState) {
        // A state without planners of expressions could not plan at all, so this one has room for another.
        if let Err(e) = state.register_expr_planner(Arc::new(ArrayPlanner)) {
            tracing::error!("arrays will not be planned: {e}");
        }
    }
}

impl ExprPlanner for ArrayPlanner {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some(typed) = as_array(&expr.left, &expr.right, schema)? {
            expr.right = typed;
        } else if let Some(typed) = as_array(&expr.right, &expr.left, schema)? {
            expr.left = typed;
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_field_access(
        &self,
        mut expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        if let GetFieldAccess::ListIndex { key } = &expr.field_access {
            let (_, field) = expr.expr.to_field(schema)?;
            if is_zero_based(&field) {
                let key = Box::new(key.as_ref().clone() + lit(1_i64));
                expr.field_access = GetFieldAccess::ListIndex { key };
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// A text literal that stands beside an array, as an array of its type.
fn as_array(array: &Expr, text: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let Expr::Literal(value, _) = text else { return Ok(None) };
    let Some(Some(text)) = value.try_as_str() else { return Ok(None) };
    let (DataType::List(item), Some(elements)) = (array.get_type(schema)?, array_elements(text))
    else {
        return Ok(None);
    };
    let elements: Vec<ScalarValue> = elements
        .into_iter()
        .map(|e| ScalarValue::Utf8(e).cast_to(item.data_type()))
        .collect::<Result<_>>()?;
    let list = ScalarValue::List(ScalarValue::new_list_nullable(&elements, item.data_type()));
    Ok(Some(Expr::Cast(Cast::new(Box::new(lit(list)), DataType::List(item)))))
}
