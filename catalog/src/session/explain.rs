//! EXPLAIN: the plan as text, a line a row, in one column as Postgres's.

use super::{Outcome, RowsTag, rows};
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::sqlparser::ast::{AnalyzeFormatKind, Expr, UtilityOption, Value};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Instant;

/// What EXPLAIN is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Runs the statement and shows what it took.
    pub analyze: bool,
    /// Shows the logical plan too.
    pub verbose: bool,
}

impl Options {
    pub fn of(
        analyze: bool,
        verbose: bool,
        format: Option<&AnalyzeFormatKind>,
        options: Option<&Vec<UtilityOption>>,
    ) -> Result<Options> {
        let mut found = Options { analyze, verbose };
        if let Some(format) = format
            && !format.to_string().to_ascii_uppercase().ends_with("TEXT")
        {
            return Err(only_text());
        }
        for option in options.into_iter().flatten() {
            let on = option.arg.as_ref().is_none_or(is_on);
            match option.name.value.to_ascii_lowercase().as_str() {
                "analyze" => found.analyze = on,
                "verbose" => found.verbose = on,
                "format" if option.arg.as_ref().is_some_and(is_text) => {}
                "format" => return Err(only_text()),
                // What they would add is shown anyhow, or is not known here.
                "costs" | "buffers" | "timing" | "summary" | "settings" | "wal" => {}
                other => {
                    return Err(Error::new(
                        SqlState::SYNTAX,
                        format!("unrecognized EXPLAIN option \"{other}\""),
                    ));
                }
            }
        }
        Ok(found)
    }
}

fn only_text() -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, "EXPLAIN prints text only").hint("leave FORMAT out")
}

fn word(e: &Expr) -> String {
    match e {
        Expr::Identifier(i) => i.value.to_ascii_lowercase(),
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(s) => s.to_ascii_lowercase(),
            other => other.to_string().to_ascii_lowercase(),
        },
        other => other.to_string().to_ascii_lowercase(),
    }
}

fn is_on(e: &Expr) -> bool {
    !matches!(word(e).as_str(), "off" | "false" | "0")
}

fn is_text(e: &Expr) -> bool {
    word(e) == "text"
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("QUERY PLAN", DataType::Utf8, false)]))
}

/// Explains a planned query; with ANALYZE it runs to its end first, without keeping its rows.
pub async fn explain(
    state: &SessionState,
    plan: &LogicalPlan,
    options: Options,
    text: &str,
) -> Result<Outcome> {
    let mut lines = Vec::new();
    if options.verbose {
        let optimized = state.optimize(plan).map_err(|e| super::errors::at(e, text))?;
        lines.push("Logical plan".to_owned());
        lines.extend(optimized.display_indent().to_string().lines().map(|l| format!("  {l}")));
        lines.push("Physical plan".to_owned());
    }
    let began = Instant::now();
    let physical = rows::physical(state, plan, text).await?;
    let planned = began.elapsed();
    let indent = if options.verbose { "  " } else { "" };
    let mut add = |shown: String| {
        lines.extend(shown.lines().map(|l| format!("{indent}{}", l.trim_end())));
    };
    if options.analyze {
        let mut stream = execute_stream(Arc::clone(&physical), state.task_ctx())?;
        let mut count = 0;
        while let Some(batch) = stream.next().await {
            count += batch?.num_rows();
        }
        let ran = began.elapsed().saturating_sub(planned);
        let shown = DisplayableExecutionPlan::with_metrics(physical.as_ref());
        add(shown.indent(options.verbose).to_string());
        lines.push(format!("Planning Time: {:.3} ms", planned.as_secs_f64() * 1000.0));
        lines.push(format!("Execution Time: {:.3} ms", ran.as_secs_f64() * 1000.0));
        lines.push(format!("Rows: {count}"));
    } else {
        let shown = DisplayableExecutionPlan::new(physical.as_ref());
        add(shown.indent(options.verbose).to_string());
    }
    let batch = RecordBatch::try_new(schema(), vec![Arc::new(StringArray::from(lines))])?;
    Ok(rows::of_batch(batch, RowsTag::Explain))
}
