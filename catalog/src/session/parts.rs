//! `extract` and `date_part` of intervals, and of what lies between two times, as in Postgres: the engine's own take a time for
//! minutes in all, and cut off what is no whole second.

use super::expressions;
use super::functions::{epoch_of, part_of};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;

/// Runs after types are settled.
#[derive(Debug)]
pub struct PartsOfIntervals {
    whole: ScalarUDF,
    epoch: ScalarUDF,
}

impl PartsOfIntervals {
    pub fn new() -> Self {
        PartsOfIntervals { whole: part_of(), epoch: epoch_of() }
    }
}

fn is_part(e: &Expr) -> bool {
    matches!(e, Expr::ScalarFunction(f) if f.name() == "date_part" && f.args.len() == 2)
}

impl AnalyzerRule for PartsOfIntervals {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::replace(plan, is_part, |e, schema| {
            let Expr::ScalarFunction(f) = &e else { return Ok(Transformed::no(e)) };
            let [Expr::Literal(part, _), x] = f.args.as_slice() else {
                return Ok(Transformed::no(e));
            };
            if !matches!(x.get_type(schema)?, DataType::Interval(_) | DataType::Duration(_)) {
                return Ok(Transformed::no(e));
            }
            let part = part.try_as_str().flatten().unwrap_or_default().to_ascii_lowercase();
            Ok(Transformed::yes(match part.as_str() {
                "epoch" => self.epoch.call(vec![x.clone()]),
                _ => {
                    let part = Expr::Literal(ScalarValue::Utf8(Some(part)), None);
                    self.whole.call(vec![part, x.clone()])
                }
            }))
        })
    }
    fn name(&self) -> &str {
        "parts_of_intervals"
    }
}
