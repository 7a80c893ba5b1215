//! Windows that refine a named one (`OVER (w ORDER BY x)`) have what that one says, too: DataFusion forgets it.

use super::names;
use super::syntax::{cast, continued};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr, Value,
    VisitMut, WindowSpec, WindowType, visit_expressions_mut,
};
use std::ops::ControlFlow;

/// To be called of inner queries first: their windows have names of their own.
pub fn refine(query: &mut Query) -> Result<()> {
    let Query { body, order_by, .. } = query;
    let mut known = Vec::new();
    if let SetExpr::Select(select) = body.as_mut() {
        known = named(select)?;
        over(select.as_mut(), &known)?;
    }
    order_by.iter_mut().try_for_each(|order| over(order, &known))
}

/// What counts rows is a bigint, as Postgres has it, and no unsigned number.
pub fn counted(e: &mut Expr) {
    let Expr::Function(f) = e else { return };
    let name = f.name.to_string().to_lowercase();
    if f.over.is_some() && matches!(name.as_str(), "row_number" | "rank" | "dense_rank" | "ntile") {
        let count = std::mem::replace(e, Expr::value(Value::Null));
        *e = cast(count, DataType::BigInt(None));
    }
}

type Known = Vec<(String, WindowSpec)>;

fn named(select: &mut Select) -> Result<Known> {
    let mut known = Known::new();
    for NamedWindowDefinition(name, window) in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(spec) = window {
            complete(spec, &known)?;
            known.push((names::fold(name), spec.clone()));
        }
    }
    Ok(known)
}

fn over(part: &mut impl VisitMut, known: &Known) -> Result<()> {
    let refined = visit_expressions_mut(part, |e| {
        let Expr::Function(function) = e else { return ControlFlow::Continue(()) };
        let Some(WindowType::WindowSpec(spec)) = &mut function.over else {
            return ControlFlow::Continue(());
        };
        continued(complete(spec, known))
    });
    match refined {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(e) => Err(e),
    }
}

fn complete(spec: &mut WindowSpec, known: &Known) -> Result<()> {
    let Some(name) = spec.window_name.take().map(|name| names::fold(&name)) else { return Ok(()) };
    let wrong = |text: String| Err(Error::new(SqlState::Code("42P20"), text));
    let Some((_, base)) = known.iter().rfind(|(known, _)| *known == name) else {
        let text = format!("window \"{name}\" does not exist");
        return Err(Error::new(SqlState::Code("42704"), text));
    };
    if !spec.partition_by.is_empty() {
        return wrong(format!("cannot override PARTITION BY clause of window \"{name}\""));
    } else if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return wrong(format!("cannot override ORDER BY clause of window \"{name}\""));
    } else if base.window_frame.is_some() {
        return wrong(format!("cannot copy window \"{name}\" because it has a frame clause"));
    }
    spec.partition_by.clone_from(&base.partition_by);
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    Ok(())
}
