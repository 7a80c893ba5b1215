//! What reads rows of SQL: their columns as those of variables.

use super::expressions::literal;
use super::project;
use crate::algebra::{Column, TableRead};
use crate::resolve::Slot;
use crate::source::Source;
use crate::sql::from_sql;
use crate::value::Kind;
use datafusion::common::Column as Name;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use std::sync::Arc;

pub fn table(read: &TableRead, columns: &[Column], sources: &[Source]) -> Result<LogicalPlan> {
    let Some(Source::Table(table)) = sources.get(read.source) else {
        return Err(DataFusionError::Internal("a read of no table".to_owned()));
    };
    let mut scan =
        LogicalPlanBuilder::scan("s", provider_as_source(Arc::clone(&table.provider)), None)?;
    let mut out = Vec::new();
    for (place, slot) in &read.places {
        let Some(column) = table.columns.get(*place) else { continue };
        let kind = column.kind.unwrap_or(Kind::Any);
        let found = Expr::Column(Name::new(Some("s"), format!("c{place}")));
        // Where the engine's own types do, comparisons reach the query.
        let value = match (column.data_type == kind.arrow(), is_cast(kind)) {
            (true, _) => found.clone(),
            (false, true) => cast(found.clone(), kind.arrow()),
            (false, false) => from_sql(found.clone(), kind, column.items),
        };
        match slot {
            Slot::Var(v) => {
                scan = scan.filter(found.is_not_null())?;
                out.push(value.alias(v.0.as_ref()));
            }
            Slot::Const(cell) => {
                let same = literal(kind, cell).map_or_else(|| lit(false), |same| value.eq(same));
                scan = scan.filter(same)?;
            }
            Slot::Blank => {}
        }
    }
    debug_assert!(columns.len() == out.len());
    project(scan, out)
}

/// Whether a cast to the kind's column keeps values as they are.
fn is_cast(kind: Kind) -> bool {
    use daodb_storage::ValueType::{Bigdec, Bigint, Tuple};
    !matches!(kind, Kind::Any | Kind::Typed(Bigint | Bigdec | Tuple))
}
