//! Casts between instants and what a clock and a calendar on the wall say, and of texts to instants, follow the session's zone, as
//! in Postgres: DataFusion's own follow the zone that a type happens to have, or drop it.

use super::zones::AtTimeZone;
use super::{expressions, literals};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

const UTC: &str = "UTC";
const WALL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Puts the zone into each such cast. Runs after types are settled.
#[derive(Debug)]
pub struct ZonedCasts {
    at_time_zone: Arc<ScalarUDF>,
}

impl ZonedCasts {
    pub fn new() -> Self {
        ZonedCasts { at_time_zone: Arc::new(AtTimeZone::udf()) }
    }

    fn replace(&self, e: Expr, schema: &dyn ExprSchema, zone: &str) -> Result<Transformed<Expr>> {
        let Expr::Cast(Cast { expr, field }) = e else { return Ok(Transformed::no(e)) };
        let (Ok(from), to) = (expr.get_type(schema), field.data_type()) else {
            return Ok(Transformed::no(Expr::Cast(Cast { expr, field })));
        };
        let zoned = |ty: &DataType| matches!(ty, DataType::Timestamp(_, Some(_)));
        let here = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        let read = match (&from, zoned(to)) {
            // One that names a zone of its own has that.
            (DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8, in_zone) => {
                let text = match *expr {
                    Expr::Literal(text, about) => Expr::Literal(literals::whole(text), about),
                    text => text,
                };
                if in_zone { Expr::Cast(Cast::new(Box::new(text), here)) } else { text }
            }
            _ if zone == UTC => return Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
            (DataType::Timestamp(_, Some(_)), false) => self.elsewhere(*expr, zone, here),
            (DataType::Date32, true) => {
                self.elsewhere(Expr::Cast(Cast::new(expr, WALL)), zone, here)
            }
            (DataType::Timestamp(_, None), true) => self.elsewhere(*expr, zone, here),
            _ => return Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
        };
        Ok(Transformed::yes(Expr::Cast(Cast { expr: Box::new(read), field })))
    }

    fn elsewhere(&self, time: Expr, zone: &str, here: DataType) -> Expr {
        let name = Expr::Literal(ScalarValue::Utf8(Some(zone.to_owned())), None);
        let here = Expr::Cast(Cast::new(Box::new(Expr::Literal(ScalarValue::Null, None)), here));
        let args = vec![time, name, here];
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.at_time_zone), args))
    }
}

fn to_timestamp(e: &Expr) -> bool {
    matches!(e, Expr::Cast(c) if matches!(c.field.data_type(), DataType::Timestamp(..)))
}

impl AnalyzerRule for ZonedCasts {
    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        let zone = options.execution.time_zone.as_deref().unwrap_or(UTC);
        expressions::replace(plan, to_timestamp, |e, schema| self.replace(e, schema, zone))
    }
    fn name(&self) -> &str {
        "zoned_casts"
    }
}
