//! Names that tell casts apart: the engine leaves casts out of the names of expressions, so that `max(x::int)` and `max(x::text)`
//! would be one column.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::plan_err;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

/// The same under a name that says what is cast to what, where an argument of an aggregate is of columns and casts.
pub fn told_apart(e: Expr) -> Result<Expr> {
    let mut types = Vec::new();
    e.apply(|e| {
        match e {
            Expr::Cast(cast) => types.push(cast.field.data_type().to_string()),
            Expr::TryCast(cast) => types.push(cast.field.data_type().to_string()),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if types.is_empty() || !e.any_column_refs() {
        return Ok(e);
    }
    let signature = Signature::any(1, Volatility::Immutable);
    let apart = Apart { types: types.join("::"), signature };
    Ok(Arc::new(ScalarUDF::from(apart)).call(vec![e]))
}

/// Its argument, by another name; simplified away.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart {
    types: String,
    signature: Signature,
}

const NAME: &str = "dao_apart";

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &str {
        NAME
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        args.first().cloned().map_or_else(|| plan_err!("{NAME} takes a value"), Ok)
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        args.arg_fields.first().cloned().map_or_else(|| plan_err!("{NAME} takes a value"), Ok)
    }
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        self.schema_name(args)
    }
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [e] => Ok(format!("{}::{}", e.schema_name(), self.types)),
            _ => plan_err!("{NAME} takes a value"),
        }
    }
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match <[Expr; 1]>::try_from(args) {
            Ok([e]) => Ok(ExprSimplifyResult::Simplified(e)),
            Err(_) => plan_err!("{NAME} takes a value"),
        }
    }
    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args.pop().map_or_else(|| plan_err!("{NAME} takes a value"), Ok)
    }
}
