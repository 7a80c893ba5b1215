//! The engine under a session: its options, and the functions that are ours: those that answer from a snapshot, and those that
//! Postgres has and the engine has not, or otherwise.

mod among;
mod intervals;
mod moment;
mod numeric;
mod padded;
mod picture;
mod read;
mod rowwise;
mod template;
mod texts;
mod time_of;
mod times;
mod to_char;

pub use intervals::{divided, epoch_of, part_of, times as multiplied};
pub use numeric::Numeric;
pub use rowwise::column;
pub use texts::SUBSTRING;
pub use time_of::TIME_OF;

use super::SessionInfo;
use crate::error::{Error, SqlState};
use chrono::{DateTime, Utc};
use daodb_storage::FIRST_T;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;

/// What is wrong with a value that a function is given.
fn refused(code: &'static str, text: impl Into<String>) -> DataFusionError {
    Error::new(SqlState::Code(code), text.into()).into()
}

/// The zone of the session that a function is called in.
pub fn zone(args: &ScalarFunctionArgs) -> &str {
    args.config_options.execution.time_zone.as_deref().unwrap_or("UTC")
}

/// A context for one session. It has no tables of its own: each statement's are resolved for it alone.
pub fn context(runtime: Arc<RuntimeEnv>) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let options = config.options_mut();
    options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".into());
    // A join's filter for its other side waits until all partitions of the join are asked. A join above that has nothing on
    // its own side of one partition does not ask that one, and both would wait for ever.
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    // Casts that we replace take with them what their columns said of what was cast; a union above still says it.
    options.execution.skip_physical_aggregate_schema_check = true;
    let state = SessionStateBuilder::new()
        .with_expr_planners(vec![Arc::new(super::operators::Operators)])
        .with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_analyzer_rules(super::doubles::analyzer_rules())
        .with_analyzer_rule(Arc::new(super::rounded::RoundedCasts::new()))
        .with_analyzer_rule(Arc::new(super::parts::PartsOfIntervals::new()))
        .with_analyzer_rule(Arc::new(super::checked::CheckedArithmetic::new()))
        .with_analyzer_rule(Arc::new(super::zoned::ZonedCasts::new()))
        .with_optimizer_rules(super::logical::logical_rules())
        .with_physical_optimizer_rules(super::physical::physical_rules())
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_udaf(AggregateUDF::from(super::sum::Sum::new()));
    let single = [
        super::zones::AtTimeZone::udf(),
        ScalarUDF::from(super::scalar::Maybe::new()),
        among::function(),
        ScalarUDF::from(to_char::ToChar::new()),
        ScalarUDF::from(time_of::TimeOf::new(true)),
        ScalarUDF::from(time_of::TimeOf::new(false)),
    ];
    let functions = single.into_iter().chain(super::scalar::Taken::functions());
    let functions = functions.chain(padded::functions()).chain(intervals::functions());
    functions.chain(texts::functions()).for_each(|function| context.register_udf(function));
    context
}

/// The functions that answer from the statement's snapshot.
pub fn bind(ctx: &SessionContext, info: &SessionInfo) {
    let t = Some(info.snapshot.t()).filter(|t| *t >= FIRST_T);
    ctx.register_udf(ScalarUDF::from(Basis {
        t,
        signature: Signature::exact(vec![], Volatility::Stable),
    }));
}

/// One statement's state: what `now()` says, and in which zone.
pub fn state(ctx: &SessionContext, now: DateTime<Utc>, zone: &str) -> SessionState {
    let mut state = ctx.state();
    if state.config_options().execution.time_zone.as_deref() != Some(zone) {
        state.config_mut().options_mut().execution.time_zone = Some(zone.to_owned());
    }
    // What functions are given: else it would have the zone of the context.
    let options = Arc::clone(state.config_options());
    let props = state.execution_props_mut();
    props.query_execution_start_time = Some(now);
    props.config_options = Some(options);
    state
}

/// `dao_basis()`: the t that the statement reads at; null in an empty database.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Basis {
    t: Option<i64>,
    signature: Signature,
}

impl ScalarUDFImpl for Basis {
    fn name(&self) -> &str {
        "dao_basis"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Int64)
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Int64(self.t)))
    }
}
