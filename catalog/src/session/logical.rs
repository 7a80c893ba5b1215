//! The engine's rules for logical plans, kept from where they go wrong: what each would lose is put out of its way before.
//!
//! Each of them is right by the rules of SQL on its own; `sqltests/slt/engine.slt` has a statement for each that was not.

use super::{correlated, dependencies, partitions};
use datafusion::common::NullEquality;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, Filter, Join, JoinType, LogicalPlan, Operator, binary_expr, lit,
};
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

pub type LogicalRule = Arc<dyn OptimizerRule + Send + Sync>;

pub fn logical_rules() -> Vec<LogicalRule> {
    let kept = |rule: LogicalRule| -> LogicalRule {
        match rule.name() {
            "eliminate_cross_join" => Arc::new(First(rule, |plan, _| whole_conditions(plan))),
            "simplify_expressions" => {
                Arc::new(First(rule, |plan, _| plain_comparisons(partitions::once(plan)?)))
            }
            "decorrelate_predicate_subquery" | "scalar_subquery_to_join" => {
                Arc::new(First(rule, correlated::told_apart))
            }
            "extract_equijoin_predicate" => equijoins(),
            "push_down_filter" => Arc::new(Above(rule)),
            // These ask what columns decide others.
            "eliminate_join" | "optimize_projections" => {
                Arc::new(First(rule, |plan, _| dependencies::told(plan)))
            }
            "replace_distinct_aggregate" | "eliminate_duplicated_expr" => {
                Arc::new(First(rule, |plan, _| dependencies::told_of_node(plan)))
            }
            _ => rule,
        }
    };
    let mut rules: Vec<LogicalRule> = Optimizer::new().rules.into_iter().map(kept).collect();
    // Conditions that come down to a join late are its keys, too.
    if let Some(down) = rules.iter().position(|rule| rule.name() == "push_down_filter") {
        rules.insert(down + 1, equijoins());
    }
    rules
}

fn equijoins() -> LogicalRule {
    Arc::new(First(Arc::new(ExtractEquijoinPredicate::new()), |plan, _| nulls_apart(plan)))
}

/// The keys of a join are equal where both are null, or they are not: what is equal there is no key beside a condition that may
/// become one.
fn nulls_apart(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Join(mut join) = plan else { return Ok(plan) };
    if join.null_equality == NullEquality::NullEqualsNull && join.filter.is_some() {
        let on = std::mem::take(&mut join.on);
        conditions(&mut join, on);
    }
    Ok(LogicalPlan::Join(join))
}

/// Makes pairs that must be equal conditions like any other.
fn conditions(join: &mut Join, pairs: Vec<(Expr, Expr)>) {
    let op = match join.null_equality {
        NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
        NullEquality::NullEqualsNothing => Operator::Eq,
    };
    let pairs = pairs.into_iter().map(|(left, right)| binary_expr(left, op, right));
    join.filter = conjunction(join.filter.take().into_iter().chain(pairs));
    join.null_equality = NullEquality::NullEqualsNothing;
}

/// A rule, and what is done with its plan before.
#[derive(Debug)]
struct First(LogicalRule, fn(LogicalPlan, &dyn OptimizerConfig) -> Result<LogicalPlan>);

impl OptimizerRule for First {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }
    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        self.0.rewrite((self.1)(plan, config)?, config)
    }
}

/// The joins of inner joins are put in another order by the pairs of columns that must be equal. What is no pair of two of the
/// joined relations (`a.x = b.y + c.z`), and what is equal where both are null, is a condition like any other.
fn whole_conditions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(mut join) = node else { return Ok(Transformed::no(node)) };
        if join.join_type != JoinType::Inner || join.on.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let nulls_equal = join.null_equality == NullEquality::NullEqualsNull;
        let on = std::mem::take(&mut join.on);
        let (pairs, others): (Vec<_>, Vec<_>) = {
            let mut relations = Vec::new();
            joined(&join, &mut relations);
            let of_one = |e: &Expr| {
                let columns = e.column_refs();
                let has = |relation: &&LogicalPlan| {
                    columns.iter().all(|c| relation.schema().has_column(c))
                };
                !columns.is_empty() && relations.iter().any(has)
            };
            let is_pair = |pair: &(Expr, Expr)| !nulls_equal && of_one(&pair.0) && of_one(&pair.1);
            on.into_iter().partition(is_pair)
        };
        join.on = pairs;
        if others.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        conditions(&mut join, others);
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    })?;
    Ok(plan.data)
}

/// The relations of inner joins within inner joins.
fn joined<'a>(join: &'a Join, relations: &mut Vec<&'a LogicalPlan>) {
    for side in [&join.left, &join.right] {
        match side.as_ref() {
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => joined(join, relations),
            other => relations.push(other),
        }
    }
}

/// `2 + 2 = x` is `x = 2 + 2`: what is compared from two sides with one value counts as compared with two. A list of IN with a
/// null or with what is no value yet is told apart: two lists about one column are made one, as if all stood for themselves.
fn plain_comparisons(plan: LogicalPlan) -> Result<LogicalPlan> {
    let names = NamePreserver::new(&plan);
    let plan = plan.map_expressions(|e| {
        let name = names.save(&e);
        let plain = e.transform_up(|e| {
            Ok(match e {
                Expr::BinaryExpr(BinaryExpr { left, op, right })
                    if is_constant(&left) && !is_constant(&right) =>
                {
                    match op.swap() {
                        Some(op) => Transformed::yes(binary_expr(*right, op, *left)),
                        None => Transformed::no(binary_expr(*left, op, *right)),
                    }
                }
                Expr::InList(InList { expr, list, negated }) if !list.iter().all(is_value) => {
                    Transformed::yes(among(*expr, list, negated))
                }
                e => Transformed::no(e),
            })
        })?;
        Ok(plain.update_data(|e| name.restore(e)))
    })?;
    Ok(plan.data)
}

fn is_constant(e: &Expr) -> bool {
    !e.is_volatile() && e.column_refs().is_empty() && !e.contains_outer() && !has_subquery(e)
}

fn has_subquery(e: &Expr) -> bool {
    let is_subquery = |e: &Expr| {
        Ok(matches!(
            e,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
                | Expr::Placeholder(_)
        ))
    };
    e.exists(is_subquery).unwrap_or(true)
}

fn is_value(e: &Expr) -> bool {
    match e {
        Expr::Literal(value, _) => !value.is_null(),
        Expr::Cast(cast) => is_value(&cast.expr),
        _ => false,
    }
}

/// `x IN (1, y)` as `x IN (1) OR x = y`.
fn among(x: Expr, list: Vec<Expr>, negated: bool) -> Expr {
    let (values, others): (Vec<_>, Vec<_>) = list.into_iter().partition(is_value);
    let (op, both) = match negated {
        false => (Operator::Eq, Operator::Or),
        true => (Operator::NotEq, Operator::And),
    };
    let mut all: Vec<Expr> =
        others.into_iter().map(|other| binary_expr(x.clone(), op, other)).collect();
    if !values.is_empty() {
        all.push(Expr::InList(InList { expr: Box::new(x), list: values, negated }));
    }
    // In halves: a long list must not become a deep tree.
    while all.len() > 1 {
        let mut pairs = all.into_iter();
        let mut halves = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            halves.push(match pairs.next() {
                Some(right) => binary_expr(left, both, right),
                None => left,
            });
        }
        all = halves;
    }
    all.pop().unwrap_or_else(|| lit(negated))
}

/// A condition that names no column stays above what gives a row where there is none.
#[derive(Debug)]
struct Above(LogicalRule);

impl OptimizerRule for Above {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }
    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return self.0.rewrite(plan, config) };
        // Filters of a filter are one.
        let mut all = split_conjunction_owned(filter.predicate.clone());
        let mut input = &filter.input;
        while let LogicalPlan::Filter(filter) = input.as_ref() {
            all.extend(split_conjunction_owned(filter.predicate.clone()));
            input = &filter.input;
        }
        let LogicalPlan::Aggregate(aggregate) = input.as_ref() else {
            return self.0.rewrite(plan, config);
        };
        let (above, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|e| e.column_refs().is_empty());
        if above.is_empty() || !has_row_of_none(aggregate) {
            return self.0.rewrite(plan, config);
        }
        let (Some(others), Some(above)) = (conjunction(others), conjunction(above)) else {
            return Ok(Transformed::no(plan));
        };
        let below = Filter::try_new(others, Arc::clone(input))?;
        let below = self.0.rewrite(LogicalPlan::Filter(below), config)?.data;
        let plan = Filter::try_new(above, Arc::new(below))?;
        Ok(Transformed::yes(LogicalPlan::Filter(plan)))
    }
}

fn has_row_of_none(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.is_empty()
        || matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)])
}
