//! `PARTITION BY a.x, b.x` over rows of which a join wants `a.x = b.x`: the engine takes the two for one where it looks for an order
//! of the rows, and misses the other. Each value stands once.

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, JoinType, LogicalPlan, Operator};

/// Columns that are equal in each row.
type Pairs<'a> = Vec<(&'a Column, &'a Column)>;

pub fn once(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Window(mut window) = plan else { return Ok(plan) };
    let mut pairs = Pairs::new();
    equal(&window.input, &mut pairs);
    if !pairs.is_empty() {
        let names = NamePreserver::new_for_projection();
        let kept = window.window_expr.into_iter().map(|e| {
            let name = names.save(&e);
            Ok(e.transform_up(|e| Ok(without(e, &pairs)))?.update_data(|e| name.restore(e)).data)
        });
        window.window_expr = kept.collect::<Result<_>>()?;
    }
    Ok(LogicalPlan::Window(window))
}

/// The call, partitioned by no column that equals one before it.
fn without(e: Expr, pairs: &Pairs<'_>) -> Transformed<Expr> {
    let Expr::WindowFunction(mut call) = e else { return Transformed::no(e) };
    let all = std::mem::take(&mut call.params.partition_by);
    let before = all.len();
    for key in all {
        let same = |other: &Expr| are_equal(&key, other, pairs);
        if !call.params.partition_by.iter().any(same) {
            call.params.partition_by.push(key);
        }
    }
    let changed = call.params.partition_by.len() < before;
    Transformed::new_transformed(Expr::WindowFunction(call), changed)
}

/// By one pair or several.
fn are_equal(a: &Expr, b: &Expr, pairs: &Pairs<'_>) -> bool {
    let (Expr::Column(a), Expr::Column(b)) = (a, b) else { return false };
    let mut same = vec![a];
    let mut at = 0;
    while let Some(one) = same.get(at).copied() {
        for (x, y) in pairs {
            for (x, y) in [(x, y), (y, x)] {
                if *x == one && !same.contains(y) {
                    same.push(y);
                }
            }
        }
        at += 1;
    }
    same.contains(&b)
}

/// What conditions below say of whole columns. Nulls are equal to none, so that no row has one in either.
fn equal<'a>(plan: &'a LogicalPlan, pairs: &mut Pairs<'a>) {
    match plan {
        LogicalPlan::Filter(filter) => {
            of_condition(&filter.predicate, pairs);
            equal(&filter.input, pairs);
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            for pair in &join.on {
                if let (Expr::Column(a), Expr::Column(b)) = pair {
                    pairs.push((a, b));
                }
            }
            join.filter.iter().for_each(|condition| of_condition(condition, pairs));
            equal(&join.left, pairs);
            equal(&join.right, pairs);
        }
        LogicalPlan::Window(window) => equal(&window.input, pairs),
        LogicalPlan::Sort(sort) => equal(&sort.input, pairs),
        _ => {}
    }
}

fn of_condition<'a>(condition: &'a Expr, pairs: &mut Pairs<'a>) {
    for part in split_conjunction(condition) {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = part
            && let (Expr::Column(a), Expr::Column(b)) = (left.as_ref(), right.as_ref())
        {
            pairs.push((a, b));
        }
    }
}
