//! Integer arithmetic that fails where the result does not fit, as in Postgres: DataFusion's own wraps around.

use super::expressions::{self, infix};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{BinaryExpr, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;
use std::sync::Arc;

/// Replaces `+`, `-` and `*` of integers. Runs after types are settled.
#[derive(Debug)]
pub struct CheckedArithmetic {
    plus: Arc<ScalarUDF>,
    minus: Arc<ScalarUDF>,
    times: Arc<ScalarUDF>,
}

impl CheckedArithmetic {
    pub fn new() -> Self {
        let udf = |op| Arc::new(ScalarUDF::from(Checked::new(op)));
        CheckedArithmetic {
            plus: udf(Operator::Plus),
            minus: udf(Operator::Minus),
            times: udf(Operator::Multiply),
        }
    }

    fn replace(&self, e: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
        let (left, op, right) = match &e {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => (left, op, right),
            Expr::Negative(x) => return self.negated(x, schema),
            _ => return Ok(Transformed::no(e)),
        };
        let udf = match op {
            Operator::Plus => &self.plus,
            Operator::Minus => &self.minus,
            Operator::Multiply => &self.times,
            _ => return Ok(Transformed::no(e)),
        };
        match (left.get_type(schema), right.get_type(schema)) {
            (Ok(l), Ok(r)) if l.is_integer() && l == r => {}
            _ => return Ok(Transformed::no(e)),
        }
        let args = vec![left.as_ref().clone(), right.as_ref().clone()];
        let function = ScalarFunction::new_udf(Arc::clone(udf), args);
        Ok(Transformed::yes(Expr::ScalarFunction(function)))
    }

    /// The least integer has no opposite: `-x` is `0 - x`.
    fn negated(&self, x: &Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
        match x.get_type(schema) {
            Ok(ty) if ty.is_signed_integer() => {
                let zero = Expr::Literal(ScalarValue::new_zero(&ty)?, None);
                Ok(Transformed::yes(self.minus.call(vec![zero, x.clone()])))
            }
            _ => Ok(Transformed::no(Expr::Negative(Box::new(x.clone())))),
        }
    }
}

fn is_arithmetic(e: &Expr) -> bool {
    use Operator::{Minus, Multiply, Plus};
    match e {
        Expr::BinaryExpr(b) => matches!(b.op, Plus | Minus | Multiply),
        Expr::Negative(_) => true,
        _ => false,
    }
}

impl AnalyzerRule for CheckedArithmetic {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::replace(plan, is_arithmetic, |e, schema| self.replace(e, schema))
    }
    fn name(&self) -> &str {
        "checked_arithmetic"
    }
}

/// One operator as a function that prints as the operator.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl Checked {
    fn new(op: Operator) -> Self {
        Checked { op, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "checked_plus",
            Operator::Minus => "checked_minus",
            _ => "checked_times",
        }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args.first().cloned().unwrap_or(DataType::Int64))
    }
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(infix(self.op, args, self.name(), Expr::to_string))
    }
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(infix(self.op, args, self.name(), |e| e.schema_name().to_string()))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [l, r] = args.args.as_slice() else {
            return datafusion::common::internal_err!("{} takes two arguments", self.name());
        };
        match self.op {
            Operator::Plus => apply(l, r, numeric::add),
            Operator::Minus => apply(l, r, numeric::sub),
            _ => apply(l, r, numeric::mul),
        }
    }
}
