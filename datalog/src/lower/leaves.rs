//! What plans read, before it is known at which snapshot: a compiled query keeps none, so that it holds no old data fast and
//! serves the next basis too. [`physical`] puts the snapshots of now in.

use crate::fixpoint::FixpointTable;
use crate::scan::{DatomRead, DatomTable};
use crate::source::{DbSource, Source};
use daodb_catalog::table::scan::filter::{Filter, compile, pushdown};
use daodb_catalog::table::star::StarTable;
use daodb_catalog::table::{TableDef, entity_table};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr_rewriter::unnormalize_cols;
use datafusion::logical_expr::{
    Expr, LogicalPlan, TableProviderFilterPushDown, TableScan, TableSource,
};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::{Arc, OnceLock};

/// A relation of a source of the query, by the source's place; or one that is worked out of such.
#[derive(Debug)]
pub enum Leaf {
    Star { source: usize, def: Arc<TableDef>, schema: SchemaRef },
    Datoms { source: usize, read: DatomRead },
    Fixpoint(FixpointTable),
}

impl Leaf {
    pub fn source(self) -> Arc<dyn TableSource> {
        Arc::new(self)
    }
}

impl TableSource for Leaf {
    fn schema(&self) -> SchemaRef {
        match self {
            Leaf::Star { schema, .. } => Arc::clone(schema),
            Leaf::Datoms { read, .. } => Arc::clone(&read.schema),
            Leaf::Fixpoint(table) => table.columns(),
        }
    }
    /// As what it is bound to says.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(match self {
            Leaf::Star { .. } | Leaf::Datoms { .. } => pushdown(filters),
            Leaf::Fixpoint(_) => vec![TableProviderFilterPushDown::Unsupported; filters.len()],
        })
    }
}

fn database(sources: &[Source], i: usize) -> Result<&Arc<DbSource>> {
    match sources.get(i) {
        Some(Source::Database(db)) => Ok(db),
        _ => Err(DataFusionError::Internal("a scan of no database".to_owned())),
    }
}

/// What stands in place of a leaf; None: the leaf itself.
type Instead = Result<Option<Arc<dyn TableSource>>>;

fn with_sources(plan: LogicalPlan, of: &dyn Fn(&Leaf) -> Instead) -> Result<LogicalPlan> {
    let changed = plan.transform_up(|plan| {
        let LogicalPlan::TableScan(scan) = plan else { return Ok(Transformed::no(plan)) };
        let source = match scan.source.downcast_ref::<Leaf>() {
            Some(leaf) => of(leaf)?,
            None => None,
        };
        Ok(match source {
            Some(source) => Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })),
            None => Transformed::no(LogicalPlan::TableScan(scan)),
        })
    })?;
    Ok(changed.data)
}

/// A plan through the engine's rules, and the plans that its fixpoints read.
pub fn optimized(state: &SessionState, plan: &LogicalPlan) -> Result<LogicalPlan> {
    let plan = state.optimize(plan)?;
    with_sources(plan, &|leaf| match leaf {
        Leaf::Fixpoint(table) => {
            let table = table.with_inputs(&|input| optimized(state, input))?;
            Ok(Some(Leaf::Fixpoint(table).source()))
        }
        _ => Ok(None),
    })
}

/// What a leaf is over the data of these sources.
fn table(leaf: &Leaf, sources: &[Source]) -> Result<Arc<dyn TableProvider>> {
    Ok(match leaf {
        Leaf::Star { source, def, .. } => {
            entity_table(Arc::clone(def), &database(sources, *source)?.snapshot, false)
        }
        Leaf::Datoms { source, read } => {
            let db = Arc::clone(database(sources, *source)?);
            Arc::new(DatomTable { db, read: read.clone() })
        }
        Leaf::Fixpoint(table) => Arc::new(table.with_inputs(&|input| bind(input, sources))?),
    })
}

/// The plan over the data of these sources.
fn bind(plan: &LogicalPlan, sources: &[Source]) -> Result<LogicalPlan> {
    with_sources(plan.clone(), &|leaf| Ok(Some(provider_as_source(table(leaf, sources)?))))
}

/// The filters of a plan that is one scan of a star, compiled: its next run needs them again.
pub type Filters = OnceLock<Vec<Arc<Filter>>>;

/// The engine's plan, over the data of these sources, of one that was [`optimized`]. Columns of one scan need no plan of the
/// engine's: making one takes longer than finding an entity. `compiled` is this plan's own.
pub async fn physical(
    state: &SessionState,
    plan: &LogicalPlan,
    compiled: &Filters,
    sources: &[Source],
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some((scan, columns)) = of_one_scan(plan) else {
        return of_bound(state, &bind(plan, sources)?).await;
    };
    let Some(leaf) = scan.source.downcast_ref::<Leaf>() else {
        return of_bound(state, plan).await;
    };
    match leaf {
        Leaf::Star { source, def, schema } => {
            let filters = match compiled.get() {
                Some(known) => known,
                None => {
                    let made = compile(state, &filters(scan), schema)?;
                    compiled.get_or_init(|| made)
                }
            };
            let snapshot = database(sources, *source)?.snapshot.clone();
            let table = StarTable { def: Arc::clone(def), snapshot, schema: Arc::clone(schema) };
            table.filtered(state, columns, filters.clone(), scan.fetch).await
        }
        leaf => table(leaf, sources)?.scan(state, Some(&columns), &filters(scan), scan.fetch).await,
    }
}

/// The same of a plan whose leaves are bound: the rules are not asked again.
pub async fn of_bound(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some((scan, columns)) = of_one_scan(plan) {
        let table = source_as_provider(&scan.source)?;
        return table.scan(state, Some(&columns), &filters(scan), scan.fetch).await;
    }
    state.query_planner().create_physical_plan(plan, state).await
}

/// As the engine asks a table: about its columns, whatever the plan calls it.
fn filters(scan: &TableScan) -> Vec<Expr> {
    unnormalize_cols(scan.filters.iter().cloned())
}

/// The one scan that a plan is, and which of its columns are wanted; None: more than that is asked for.
fn of_one_scan(plan: &LogicalPlan) -> Option<(&TableScan, Vec<usize>)> {
    match plan {
        LogicalPlan::TableScan(scan) => Some((scan, scan.projection.clone()?)),
        LogicalPlan::Projection(projection) => {
            let (scan, of_input) = of_one_scan(&projection.input)?;
            let schema = projection.input.schema();
            let place = |e| of_input.get(schema.maybe_index_of_column(named(e)?)?).copied();
            let columns = projection.expr.iter().map(place).collect::<Option<_>>()?;
            Some((scan, columns))
        }
        _ => None,
    }
}

/// The column that an expression is, under whatever name.
fn named(e: &Expr) -> Option<&Column> {
    match e {
        Expr::Alias(alias) => named(&alias.expr),
        Expr::Column(column) => Some(column),
        _ => None,
    }
}
