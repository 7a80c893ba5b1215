//! What becomes of a query, stage by stage; and, where it is run for that, what each of the engine's operators did.

use crate::fixpoint;
use crate::run::{Planned, QueryRequest, plan};
use daodb_catalog::{Catalog, Result};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use futures::future::BoxFuture;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Every stage of a query as text.
pub fn explain(catalog: &Catalog, request: QueryRequest) -> BoxFuture<'_, Result<String>> {
    Box::pin(async move {
        let mut planned = plan(catalog, &request).await?;
        let physical = planned.physical().await?;
        let mut out = stages(&planned);
        let _ = writeln!(out, "-- physical\n{}", displayable(physical.as_ref()).indent(false));
        Ok(out)
    })
}

/// The same; the query is run to its end, and each operator tells about how many rows it was thought to give, how many it
/// gave, and the time that it took itself. The answer is not kept.
pub fn analyze(catalog: &Catalog, request: QueryRequest) -> BoxFuture<'_, Result<String>> {
    Box::pin(async move {
        let began = Instant::now();
        let mut planned = plan(catalog, &request).await?;
        let physical = planned.physical().await?;
        let running = Instant::now();
        let mut answer = planned.answer(Arc::clone(&physical), began)?;
        let mut rows = 0;
        while let Some(batch) = answer.rows().await? {
            rows += batch.len();
        }
        let ran = running.elapsed();
        let mut out = stages(&planned);
        let _ = writeln!(out, "-- ran");
        tree(&physical, 0, &mut out);
        let how =
            if planned.took.kept { "kept from before, found again in" } else { "compiled in" };
        let (compiling, planning) = (ms(planned.took.compiling), ms(planned.took.planning));
        let _ = writeln!(
            out,
            "\n-- took\n{how} {compiling} ms, planned in {planning} ms, {rows} rows in {} ms",
            ms(ran)
        );
        Ok(out)
    })
}

fn ms(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64() * 1000.0)
}

/// Those before the engine's plan.
fn stages(planned: &Planned) -> String {
    let (compiled, mut out) = (&planned.compiled, String::new());
    // Writing to a String never fails.
    let _ = writeln!(out, "-- query\n{}\n", compiled.query);
    let _ = writeln!(out, "-- resolved\n{}", compiled.resolved);
    for warning in &compiled.resolved.warnings {
        let _ = writeln!(out, "-- note: {warning}");
    }
    let _ = writeln!(out, "-- in join order\n{}", compiled.rows);
    let _ = writeln!(out, "-- logical\n{}\n", compiled.logical.display_indent());
    out
}

/// A line an operator, those that it reads below it.
fn tree(plan: &Arc<dyn ExecutionPlan>, depth: usize, out: &mut String) {
    let shown = displayable(plan.as_ref()).one_line().to_string();
    let _ = write!(out, "{:width$}{}", "", shown.trim_end(), width = depth * 2);
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    let thought = statistics.ok().and_then(|s| s.num_rows.get_value().copied());
    let metrics = plan.metrics();
    let gave = metrics.as_ref().and_then(|m| m.output_rows());
    let took = metrics.as_ref().and_then(|m| m.elapsed_compute());
    let mut told = Vec::new();
    told.extend(thought.map(|n| format!("about {n} rows")));
    told.extend(gave.map(|n| format!("{n} came")));
    told.extend(took.map(|ns| format!("{} ms", ms(Duration::from_nanos(ns as u64)))));
    let _ = writeln!(out, "{}{}", if told.is_empty() { "" } else { " -> " }, told.join(", "));
    let within = fixpoint::inputs(plan.as_ref());
    plan.children().into_iter().chain(within).for_each(|child| tree(child, depth + 1, out));
}
