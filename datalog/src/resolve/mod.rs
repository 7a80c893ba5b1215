//! From clauses to goals: sources, attributes, idents and lookup refs become what they name, inputs become constants or rows,
//! rules that do not recur are written out where they are called.
//!
//! In the order data flows: [`inputs`] takes the arguments apart; [`lookup`] finds the entities that are named by values;
//! [`clauses`] and [`rules`] make [`goal`]s of clauses, [`log`] of questions to the log, [`nested`] of queries in queries; [`places`] finds which variables stand for entities, so that names in
//! rows and in calls of rules can be replaced by what they name;
//! [`numbers`] makes longs and bigints one where a variable joins them.

mod clauses;
pub mod goal;
pub mod inputs;
mod log;
pub mod lookup;
mod nested;
mod numbers;
mod places;
pub mod rename;
mod rules;

pub use goal::{Apply, Argument, AttrSlot, Goal, Nested, NestedElement, Out, Pattern, Slot};
pub use inputs::Inputs;

use crate::query::{Element, Fault, Name, Query, Result, RuleSet, Var, check};
use crate::source::Source;
use crate::value::Cell;
use lookup::Found;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

/// A rule that recurs; several branches mean "or".
#[derive(Debug, Clone)]
pub struct RuleDef {
    pub name: Arc<str>,
    pub heads: Vec<Var>,
    pub branches: Vec<Vec<Goal>>,
}

/// A query that only needs an order.
pub struct Resolved {
    pub goals: Vec<Goal>,
    pub program: Vec<RuleDef>,
    /// Inputs that have one value.
    pub constants: BTreeMap<Var, Cell>,
    /// Variables of rows whose names were replaced: which other variable has what was given.
    pub given: BTreeMap<Var, Var>,
    /// The entities that constants name for pulls.
    pub pulled: BTreeMap<Var, i64>,
    pub sources: Vec<Source>,
    /// Of which of the inputs' sources those after them are the histories.
    pub histories: Vec<usize>,
    /// What a user would want to know though it is no error.
    pub warnings: Vec<String>,
}

/// More goals than this, all rules written out, are refused.
const MAX_GOALS: usize = 20_000;

struct Resolver<'a> {
    inputs: &'a Inputs,
    rules: &'a RuleSet,
    reach: rules::Reach,
    found: &'a Found,
    program: Vec<Option<RuleDef>>,
    /// Rules that recur by name and source, and their place in the program.
    known: HashMap<(Arc<str>, usize), usize>,
    fresh: usize,
    goals: usize,
    warnings: BTreeSet<String>,
    /// Variables, as they are written, that stand for what attributes refer to.
    of_schema: BTreeSet<Var>,
    names: Arc<BTreeMap<Name, usize>>,
    /// Sources beside those of the inputs: their histories.
    more: Vec<Source>,
    /// Of which source each of those is.
    histories: Vec<usize>,
}

/// What the variables of a scope mean.
struct Env {
    slots: HashMap<Var, Slot>,
    /// Variables that are not in `slots` are this scope's own: they get new names.
    closed: bool,
    /// The source of clauses that name none.
    source: Option<usize>,
    /// What sources are called here.
    names: Arc<BTreeMap<Name, usize>>,
}

/// The sources of a query: those of its inputs, and histories of some of them.
pub fn sources(inputs: &Inputs, histories: &[usize]) -> Vec<Source> {
    let history = |i: &usize| match inputs.sources.get(*i) {
        Some(Source::Database(db)) => Some(Source::Database(Arc::new(db.history()))),
        _ => None,
    };
    inputs.sources.iter().cloned().chain(histories.iter().filter_map(history)).collect()
}

/// `found`: the entities that its lookup refs name.
pub fn resolve(query: &Query, inputs: &Inputs, found: &Found) -> Result<Resolved> {
    let rules = &inputs.rules;
    for rule in rules.rules.values().flatten() {
        check::rule_clauses(&rule.clauses, inputs.names.keys().cloned())?;
    }
    let reach = rules::Reach::of(rules)?;
    let mut of_schema = BTreeSet::new();
    clauses::of_schema(&query.clauses, &mut of_schema);
    rules.rules.values().flatten().for_each(|r| clauses::of_schema(&r.clauses, &mut of_schema));
    let mut resolver = Resolver {
        inputs,
        rules,
        reach,
        found,
        program: Vec::new(),
        known: HashMap::new(),
        fresh: 0,
        goals: 0,
        warnings: BTreeSet::new(),
        of_schema,
        names: Arc::new(inputs.names.clone()),
        more: Vec::new(),
        histories: Vec::new(),
    };
    let constants = inputs.constants.iter();
    let mut env = Env {
        slots: constants.map(|(v, cell)| (v.clone(), Slot::Const(cell.clone()))).collect(),
        closed: false,
        source: inputs.names.get("$").copied(),
        names: Arc::clone(&resolver.names),
    };
    let mut goals = resolver.clauses(&query.clauses, &mut env)?;
    let mut program: Vec<RuleDef> = resolver.program.into_iter().flatten().collect();
    let places = places::Places::of(&inputs.sources, &program);
    let named = |goals: &[Goal]| places.named(goals, inputs, found);
    let alike = |goals: Vec<Goal>| numbers::alike(goals, &inputs.sources);
    goals = alike(named(&goals));
    for rule in &mut program {
        rule.branches = rule.branches.iter().map(|branch| alike(named(branch))).collect();
    }
    let mut of_variables = places.of_goals(&goals);
    let clauses = goals.iter().filter(|goal| !matches!(goal, Goal::Row { .. }));
    let mentioned: BTreeSet<&Var> = clauses.flat_map(Goal::mentions).collect();
    of_variables.extend(only_pulled(query, inputs, &mentioned));
    let mut given = BTreeMap::new();
    for (vars, rows) in &inputs.rows {
        let named = found.named_rows(inputs, vars, rows, &of_variables);
        given.extend(named.given);
        goals.push(Goal::Values { vars: named.vars, rows: named.rows });
    }
    for goal in &mut goals {
        let Goal::Row { source, slots } = &*goal else { continue };
        let tuples = inputs.sources.get(*source).and_then(Source::tuples);
        let named = tuples.and_then(|t| found.named_tuples(inputs, slots, t, &of_variables));
        if let Some(named) = named {
            given.extend(named.given);
            *goal = Goal::Values { vars: named.vars, rows: named.rows };
        }
    }
    goals.iter_mut().for_each(|goal| goal.take_given(&given));
    let pulled = pulled(query, inputs, found);
    Ok(Resolved {
        goals,
        program,
        constants: inputs.constants.clone(),
        given,
        pulled,
        sources: inputs.sources.iter().cloned().chain(resolver.more).collect(),
        histories: resolver.histories,
        warnings: resolver.warnings.into_iter().collect(),
    })
}

/// What no clause over a database has and a pull shows is an entity of the pull's source.
fn only_pulled(
    query: &Query,
    inputs: &Inputs,
    mentioned: &BTreeSet<&Var>,
) -> BTreeMap<Var, places::Place> {
    let of = |element: &Element| {
        let Element::Pull { source, var, .. } = element else { return None };
        let source = *inputs.names.get(source.as_deref().unwrap_or("$"))?;
        let place = places::Place { meaning: places::Meaning::Entity(source), always: false };
        (!mentioned.contains(var)).then(|| (var.clone(), place))
    };
    query.find.iter().filter_map(of).collect()
}

fn pulled(query: &Query, inputs: &Inputs, found: &Found) -> BTreeMap<Var, i64> {
    let of = |element: &Element| {
        let Element::Pull { source, var, .. } = element else { return None };
        let source = inputs.names.get(source.as_deref().unwrap_or("$"))?;
        let e = found.entity(inputs, *source, inputs.constants.get(var)?)?;
        Some((var.clone(), e))
    };
    query.find.iter().filter_map(of).collect()
}

impl Resolver<'_> {
    /// A name that no query can write.
    fn fresh(&mut self, of: &Var) -> Var {
        self.fresh += 1;
        let bare = of.0.split('\'').next().unwrap_or("?");
        Var(format!("{bare}'{}", self.fresh).into())
    }

    fn slot(&mut self, v: &Var, env: &mut Env) -> Slot {
        if let Some(slot) = env.slots.get(v) {
            return slot.clone();
        }
        if !env.closed {
            return Slot::Var(v.clone());
        }
        let slot = Slot::Var(self.fresh(v));
        env.slots.insert(v.clone(), slot.clone());
        slot
    }

    fn count(&mut self, span: crate::edn::Span) -> Result<()> {
        self.goals += 1;
        match self.goals > MAX_GOALS {
            true => Err(Fault::new(
                span,
                format!("with its rules written out the query has more than {MAX_GOALS} clauses"),
            )),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.goals.iter().try_for_each(|g| writeln!(f, "{g}"))?;
        for (i, rule) in self.program.iter().enumerate() {
            for branch in &rule.branches {
                write!(f, "(rule{i}")?;
                rule.heads.iter().try_for_each(|h| write!(f, " {h}"))?;
                write!(f, ") :-")?;
                branch.iter().try_for_each(|g| write!(f, " {g}"))?;
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
