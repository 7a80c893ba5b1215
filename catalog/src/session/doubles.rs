//! What is a double in one branch and a numeric in another is a double, as in Postgres: the engine makes both numerics of 15
//! places, which have fewer digits than a double, and not its range.

use super::expressions;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ExprSchema};
use datafusion::error::Result;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, Projection, Union};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use std::sync::Arc;

/// The engine's, and before it settles types ours.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(Doubles));
    rules
}

#[derive(Debug)]
struct Doubles;

impl AnalyzerRule for Doubles {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = expressions::replace(plan, branches, |e, schema| Ok(as_doubles(e, schema)))?;
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Union(union) => of_union(union),
            plan => Ok(Transformed::no(plan)),
        })
        .map(|t| t.data)
    }
    fn name(&self) -> &str {
        "doubles"
    }
}

fn branches(e: &Expr) -> bool {
    match e {
        Expr::Case(_) => true,
        Expr::ScalarFunction(f) => matches!(f.name(), "coalesce" | "greatest" | "least" | "nullif"),
        _ => false,
    }
}

/// The branches of an expression that has some.
fn of(e: &mut Expr) -> Vec<&mut Expr> {
    match e {
        Expr::Case(case) => {
            let then = case.when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            then.chain(case.else_expr.as_deref_mut()).collect()
        }
        Expr::ScalarFunction(f) => f.args.iter_mut().collect(),
        _ => vec![],
    }
}

fn as_doubles(mut e: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let branches = of(&mut e);
    let cast = mixed(branches.iter().map(|e| kind(e, schema)));
    if cast {
        for branch in branches.into_iter().filter(|e| kind(e, schema) == Kind::Numeric) {
            *branch = Expr::Cast(Cast::new(Box::new(branch.clone()), DataType::Float64));
        }
    }
    Transformed::new_transformed(e, cast)
}

/// The same of the columns of a union's inputs.
fn of_union(mut union: Union) -> Result<Transformed<LogicalPlan>> {
    let columns = union.schema.fields().len();
    let kind = |input: &LogicalPlan, i: usize| Kind::of(input.schema().field(i).data_type());
    let all = |i: usize| mixed(union.inputs.iter().map(|input| kind(input, i)));
    let mixed: Vec<usize> = (0..columns).filter(|i| all(*i)).collect();
    if mixed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    for input in &mut union.inputs {
        let of_input = input.schema().columns().into_iter().enumerate();
        let cast = of_input.map(|(i, column)| {
            match mixed.contains(&i) && kind(input, i) == Kind::Numeric {
                true => {
                    let (relation, name) = (column.relation.clone(), column.name.clone());
                    let cast = Cast::new(Box::new(Expr::Column(column)), DataType::Float64);
                    Expr::Cast(cast).alias_qualified(relation, name)
                }
                false => Expr::Column(column),
            }
        });
        let cast = Projection::try_new(cast.collect(), Arc::clone(input))?;
        *input = Arc::new(LogicalPlan::Projection(cast));
    }
    let union = Union::try_new_with_loose_types(union.inputs)?;
    Ok(Transformed::yes(LogicalPlan::Union(union)))
}

#[derive(PartialEq)]
enum Kind {
    Numeric,
    Double,
    Other,
}

impl Kind {
    fn of(ty: &DataType) -> Kind {
        match ty {
            ty if ty.is_floating() => Kind::Double,
            ty if ty.is_decimal() => Kind::Numeric,
            _ => Kind::Other,
        }
    }
}

/// A literal with a point is a numeric to Postgres, of which the engine makes what stands beside it.
fn kind(e: &Expr, schema: &dyn ExprSchema) -> Kind {
    match (e.get_type(schema).as_ref().map_or(Kind::Other, Kind::of), e) {
        (Kind::Double, Expr::Literal(..)) => Kind::Other,
        (kind, _) => kind,
    }
}

fn mixed(kinds: impl Iterator<Item = Kind>) -> bool {
    let kinds: Vec<Kind> = kinds.collect();
    kinds.contains(&Kind::Numeric) && kinds.contains(&Kind::Double)
}
