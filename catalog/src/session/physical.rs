//! The engine's rules for physical plans, kept from where they go wrong, and ours after them.

use super::bare::Bare;
use super::pauses::PausingJoins;
use super::probes::Probes;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::HashSet;
use std::sync::Arc;

pub type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

pub fn physical_rules() -> Vec<Rule> {
    let kept = |rule: Rule| match rule.name().starts_with("FilterPushdown") {
        true => Arc::new(ByName(rule)) as Rule,
        false => rule,
    };
    // That rule takes the first groups of the groups of others, before these are whole.
    let all = PhysicalOptimizer::new().rules.into_iter();
    let right = all.filter(|rule| rule.name() != "LimitAggregation");
    let mut rules: Vec<Rule> = right.map(kept).collect();
    // Before sorts are chosen.
    let sorts = rules.iter().position(|rule| rule.name() == "EnsureRequirements");
    rules.insert(sorts.unwrap_or(0), Arc::new(Bare));
    rules.push(Arc::new(Probes));
    rules.push(Arc::new(PausingJoins));
    rules
}

/// A rule that takes columns of one name for one column: where two of a node have one name, as those of a table that is joined
/// with itself, it would filter by the other one. Then it is left out.
#[derive(Debug)]
struct ByName(Rule);

impl PhysicalOptimizerRule for ByName {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match has_a_name_twice(&plan)? {
            true => Ok(plan),
            false => self.0.optimize(plan, options),
        }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

fn has_a_name_twice(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut twice = false;
    plan.apply(|node| {
        let schema = node.schema();
        let mut names = HashSet::with_capacity(schema.fields().len());
        twice = !schema.fields().iter().all(|field| names.insert(field.name()));
        Ok(if twice { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(twice)
}
