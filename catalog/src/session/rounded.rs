//! Casts of other numbers to integers round, as in Postgres: DataFusion's own cut the fraction off. `round` of doubles rounds
//! halves to the even neighbour.

use super::expressions;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Rounds before each such cast. Runs after types are settled.
#[derive(Debug)]
pub struct RoundedCasts {
    even: Arc<ScalarUDF>,
    round: Arc<ScalarUDF>,
}

impl RoundedCasts {
    pub fn new() -> Self {
        let udf = |call| {
            let signature = Signature::any(1, Volatility::Immutable);
            Arc::new(ScalarUDF::from(ToEven { call, signature }))
        };
        RoundedCasts { even: udf(false), round: udf(true) }
    }

    fn replace(&self, e: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
        // `round` of a double, of two neighbours the even one; a literal with a point is a numeric to Postgres.
        if let Expr::ScalarFunction(f) = &e
            && let [x] = f.args.as_slice()
        {
            let double = !matches!(x, Expr::Literal(..))
                && matches!(x.get_type(schema), Ok(DataType::Float64 | DataType::Float32));
            return Ok(match double {
                true => {
                    let even = ScalarFunction::new_udf(Arc::clone(&self.round), vec![x.clone()]);
                    Transformed::yes(Expr::ScalarFunction(even))
                }
                false => Transformed::no(e),
            });
        }
        let Expr::Cast(Cast { expr, field }) = e else { return Ok(Transformed::no(e)) };
        let rounded = match (expr.as_ref(), expr.get_type(schema)) {
            // A literal with a point is a numeric to Postgres: halves go away from zero.
            (Expr::Literal(ScalarValue::Float64(Some(x)), _), _) => {
                Expr::Literal(ScalarValue::Float64(Some(x.round())), None)
            }
            (_, Ok(DataType::Float64 | DataType::Float32)) => {
                let args = vec![expr.as_ref().clone()];
                Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.even), args))
            }
            // From decimal to decimal Arrow rounds halves away from zero.
            (_, Ok(DataType::Decimal128(_, scale))) if scale > 0 => {
                Expr::Cast(Cast::new(expr, DataType::Decimal128(38, 0)))
            }
            _ => return Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
        };
        Ok(Transformed::yes(Expr::Cast(Cast { expr: Box::new(rounded), field })))
    }
}

fn rounds(e: &Expr) -> bool {
    match e {
        Expr::Cast(c) => c.field.data_type().is_integer(),
        Expr::ScalarFunction(f) => f.name() == "round",
        _ => false,
    }
}

impl AnalyzerRule for RoundedCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::replace(plan, rounds, |e, schema| self.replace(e, schema))
    }
    fn name(&self) -> &str {
        "rounded_casts"
    }
}

/// The nearest whole number, of two the even one. It prints as `round` where that was called, else as what it rounds, so that
/// names of columns stay.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToEven {
    call: bool,
    signature: Signature,
}

impl ToEven {
    fn named(&self, of: Option<String>) -> String {
        match of {
            Some(of) if self.call => format!("round({of})"),
            Some(of) => of,
            None => self.name().to_owned(),
        }
    }
}

impl ScalarUDFImpl for ToEven {
    fn name(&self) -> &str {
        if self.call { "round" } else { "dao_round_to_even" }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args.first().cloned().unwrap_or(DataType::Float64))
    }
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.named(args.first().map(Expr::to_string)))
    }
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.named(args.first().map(|e| e.schema_name().to_string())))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [x] = args.args.as_slice() else {
            return datafusion::common::internal_err!("{} takes one argument", self.name());
        };
        Ok(match x {
            ColumnarValue::Scalar(ScalarValue::Float64(x)) => {
                ColumnarValue::Scalar(ScalarValue::Float64(x.map(f64::round_ties_even)))
            }
            ColumnarValue::Scalar(ScalarValue::Float32(x)) => {
                ColumnarValue::Scalar(ScalarValue::Float32(x.map(f32::round_ties_even)))
            }
            ColumnarValue::Array(x) if *x.data_type() == DataType::Float32 => {
                let x = x.as_primitive::<Float32Type>();
                ColumnarValue::Array(Arc::new(x.unary::<_, Float32Type>(f32::round_ties_even)))
            }
            ColumnarValue::Array(x) if *x.data_type() == DataType::Float64 => {
                let x = x.as_primitive::<Float64Type>();
                ColumnarValue::Array(Arc::new(x.unary::<_, Float64Type>(f64::round_ties_even)))
            }
            other => {
                return datafusion::common::internal_err!("{:?} is no float", other.data_type());
            }
        })
    }
}
