//! Expressions replaced all over a plan, once types are settled.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

/// Replaces the expressions that `is` says yes to, also within others and within subqueries. Names of columns stay.
pub fn replace(
    plan: LogicalPlan,
    is: impl Fn(&Expr) -> bool,
    replace: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let one = |plan: LogicalPlan| {
        if !contains(&plan, &is)? {
            return Ok(Transformed::no(plan));
        }
        let mut schema = DFSchema::empty();
        for input in plan.inputs() {
            schema.merge(input.schema());
        }
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&scan.projected_schema);
        }
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|e| {
            let name = names.save(&e);
            let e = e.transform_up(|e| match is(&e) {
                true => replace(e, &schema),
                false => Ok(Transformed::no(e)),
            })?;
            Ok(e.update_data(|e| name.restore(e)))
        })?;
        rewritten.map_data(LogicalPlan::recompute_schema)
    };
    plan.transform_up_with_subqueries(one).map(|t| t.data)
}

fn contains(plan: &LogicalPlan, is: impl Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|e| {
        e.apply(|e| {
            found |= is(e);
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

/// How a function that stands for an operator prints: as the operator.
pub fn infix(op: Operator, args: &[Expr], name: &str, text: impl Fn(&Expr) -> String) -> String {
    match args {
        [l, r] => format!("{} {op} {}", text(l), text(r)),
        _ => name.to_owned(),
    }
}
