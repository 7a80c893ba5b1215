//! Walks a statement: finds its relations and parameters, takes out version clauses, refuses what the planner would ignore.

use super::quantified::{self, Spelled};
use super::relations::Name;
use super::syntax::continued;
use super::{
    array_text, errors, exists, grouped, literals, merged, names, prepared, scalar, seconds,
    selects, synonyms, ungrouped, windows, zones,
};
use crate::error::{Error, Result, SqlState};
use crate::timetravel::clause::{self, Clause};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, LimitClause, ObjectName, Query, Select,
    Spanned, Statement, TableFactor, TableFunctionArgs, TableVersion, UnaryOperator, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A relation with a version clause.
pub struct Versioned {
    pub name: Name,
    pub written: ObjectName,
    pub clause: Clause,
}

/// A call of a function that a front end answers.
pub struct Called {
    pub name: String,
    pub written: ObjectName,
    pub arguments: Vec<Expr>,
}

/// A relation that is resolved before the planner comes to it: the syntax tree carries its place in their list.
pub enum Numbered {
    Versioned(Versioned),
    Called(Called),
}

#[derive(Default)]
pub struct References {
    /// Every name that stands without a version clause, also those of CTEs.
    pub plain: BTreeSet<Name>,
    pub numbered: Vec<Numbered>,
    /// The largest n of `$n`.
    pub parameters: usize,
    /// Whether a query of it is recursive.
    pub recursive: bool,
    /// The types that parameters are cast to: `$1::int4` is an int4.
    pub casts: Vec<(usize, DataType)>,
}

/// One query's common table expressions, while it is walked.
struct Frame {
    /// Names that are defined so far and seen here.
    visible: Vec<String>,
    /// Names still to be defined, the next one last.
    coming: Vec<String>,
}

struct Walk<'a> {
    text: &'a str,
    database: &'a str,
    /// Functions that a front end answers.
    functions: &'static [&'static str],
    found: References,
    frames: Vec<Frame>,
    spelled: Spelled,
}

/// Takes the version clauses and the calls of `functions` out of the statement and says what it refers to; `text` is what it
/// was parsed from.
pub fn references(
    statement: &mut Statement,
    text: &str,
    database: &str,
    functions: &'static [&'static str],
) -> Result<References> {
    let found = References::default();
    let (frames, spelled) = (Vec::new(), Spelled::default());
    let mut walk = Walk { text, database, functions, found, frames, spelled };
    match statement.visit(&mut walk) {
        ControlFlow::Break(e) => Err(e),
        ControlFlow::Continue(()) => Ok(walk.found),
    }
}

impl Walk<'_> {
    /// A clause leaves the tree before its own expressions would be walked: its literals are reread here.
    fn bounds_of(&mut self, clause: &mut Clause) -> Result<()> {
        match clause.bounds().into_iter().try_for_each(|e| e.visit(self)) {
            ControlFlow::Break(e) => Err(e),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    fn is_cte(&self, name: &ObjectName) -> bool {
        let [part] = name.0.as_slice() else { return false };
        let Some(name) = part.as_ident().map(names::fold) else { return false };
        self.frames.iter().any(|f| f.visible.contains(&name))
    }

    /// The name of a function that a front end answers.
    fn function(&self, name: &ObjectName) -> Option<String> {
        let [part] = name.0.as_slice() else { return None };
        let name = names::fold(part.as_ident()?);
        self.functions.contains(&name.as_str()).then_some(name)
    }

    /// Its arguments leave the tree, as the bounds of a version clause do.
    fn call(
        &mut self,
        name: String,
        written: &ObjectName,
        args: &mut TableFunctionArgs,
    ) -> Result<TableVersion> {
        let mut arguments = Vec::with_capacity(args.args.len());
        for arg in std::mem::take(&mut args.args) {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => arguments.push(e),
                other => {
                    return Err(unsupported(&format!("{name} takes no argument as {other}"))
                        .hint("it takes its arguments by their places"));
                }
            }
        }
        if let ControlFlow::Break(e) = arguments.iter_mut().try_for_each(|e| e.visit(self)) {
            return Err(e);
        }
        let number = clause::resolved(self.found.numbered.len());
        let called = Called { name, written: written.clone(), arguments };
        self.found.numbered.push(Numbered::Called(called));
        Ok(number)
    }

    fn table(&mut self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table { name, args, version, sample, with_ordinality, .. } = factor else {
            return match factor {
                TableFactor::Function { name, .. } if self.function(name).is_some() => {
                    Err(unsupported(&format!("{name} cannot be LATERAL"))
                        .hint("it takes literals and parameters; join with its rows"))
                }
                TableFactor::Derived { sample: Some(_), .. } => Err(no_sample()),
                _ => Ok(()),
            };
        };
        if sample.is_some() {
            return Err(no_sample());
        }
        if *with_ordinality {
            return Err(unsupported("WITH ORDINALITY is not supported")
                .hint("row_number() OVER () counts rows"));
        }
        match (version.as_ref(), args.is_some()) {
            (Some(_), true) => Err(no_past(&format!("function {name}"))),
            (Some(_), false) if self.is_cte(name) => Err(no_past(&format!("\"{name}\""))),
            (Some(v), false) => {
                let mut clause = Clause::of(v)?;
                self.bounds_of(&mut clause)?;
                *version = Some(clause::resolved(self.found.numbered.len()));
                self.found.numbered.push(Numbered::Versioned(Versioned {
                    name: names::relation_name(name, self.database)?,
                    written: name.clone(),
                    clause,
                }));
                Ok(())
            }
            (None, true) => {
                // Other functions are the planner's, with their arguments.
                if let Some(function) = self.function(name)
                    && let Some(mut given) = args.take()
                {
                    *version = Some(self.call(function, name, &mut given)?);
                }
                Ok(())
            }
            (None, false) => {
                self.found.plain.insert(names::relation_name(name, self.database)?);
                Ok(())
            }
        }
    }
}

/// The parameters that are counts of rows.
fn counts(query: &Query) -> impl Iterator<Item = usize> {
    let (limit, offset) = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset, .. }) => {
            (limit.as_ref(), offset.as_ref().map(|o| &o.value))
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
        None => (None, None),
    };
    [limit, offset].into_iter().flatten().filter_map(placeholder)
}

fn unsupported(message: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

fn no_sample() -> Error {
    unsupported("TABLESAMPLE is not supported").hint("write WHERE random() < 0.01")
}

fn no_past(what: &str) -> Error {
    unsupported(&format!(
        "{what} has no past: a version clause stands after a table's or view's name"
    ))
    .hint("write the clause at the tables inside")
}

impl VisitorMut for Walk<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        selects::limited(query);
        if !self.frames.is_empty() {
            selects::ordered_offset(query);
        }
        if let Err(e) = grouped::reread_order(query).and_then(|()| merged::reread_order(query)) {
            return ControlFlow::Break(e);
        }
        self.found.casts.extend(counts(query).map(|n| (n, DataType::Int64)));
        let (mut coming, mut visible) = (Vec::new(), Vec::new());
        if let Some(with) = &query.with {
            let names = with.cte_tables.iter().map(|c| names::fold(&c.alias.name));
            coming.extend(names);
            if with.recursive {
                self.found.recursive = true;
                visible.clone_from(&coming);
            }
            coming.reverse();
        }
        self.frames.push(Frame { visible, coming });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.frames.pop();
        // The bodies of a query's CTEs are walked before all else of it, in their order.
        if let Some(outer) = self.frames.last_mut()
            && let Some(name) = outer.coming.pop()
        {
            outer.visible.push(name);
        }
        continued(windows::refine(query).and_then(|()| selects::refuse_counted(&query.body)))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor
            && let Err(e) = selects::refuse_bare_joins(table_with_joins)
        {
            return ControlFlow::Break(e);
        }
        let Err(e) = self.table(factor) else { return ControlFlow::Continue(()) };
        let start = factor.span().start;
        ControlFlow::Break(match errors::position(self.text, start.line, start.column) {
            Some(position) => e.at(position),
            None => e,
        })
    }

    fn pre_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Cast { expr, data_type, .. } = e
            && let Some(n) = placeholder(expr)
            && let Ok(ty) = prepared::arrow_type(data_type, "UTC")
        {
            self.found.casts.push((n, ty));
        }
        // Nothing else says that it is a list; drivers leave the type of a list of texts out.
        if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = e
            && let Some(n) = placeholder(right)
        {
            let texts = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
            self.found.casts.push((n, texts));
        }
        subquery(e);
        let done = quantified::refuse(e).and_then(|()| selects::refuse_natural(e));
        let done = done.and_then(|()| scalar::reread(e));
        let done = done.and_then(|()| synonyms::reread(e));
        continued(done.and_then(|()| literals::reread(e)))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let done = select.from.iter().try_for_each(selects::refuse_bare_joins);
        let done = done.and_then(|()| selects::refuse_windows(select));
        let done = done.and_then(|()| grouped::reread(select));
        let done = done.and_then(|()| self.spelled.reread(select));
        let done = done.and_then(|()| exists::reread(select));
        continued(done.and_then(|()| merged::reread(select)))
    }

    fn post_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<Error> {
        seconds::reread(e);
        windows::counted(e);
        array_text::dimension(e);
        scalar::nullable(e);
        continued(zones::reread(e))
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Error> {
        if let Value::Placeholder(name) = &value.value {
            match name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()) {
                Some(n) if (1..=65_535).contains(&n) => {
                    self.found.parameters = self.found.parameters.max(n);
                }
                _ => {
                    let e = Error::new(
                        SqlState::Code("42P02"),
                        format!("there is no parameter {name}"),
                    );
                    return ControlFlow::Break(e.hint("parameters are $1 to $65535"));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// A condition over a subquery, in the words that all who read it look for.
pub fn subquery(e: &mut Expr) {
    not_exists(e);
    in_subquery(e);
    ungrouped::reread(e);
}

/// `NOT EXISTS (...) IS NULL` is the contrary of `EXISTS (...) IS NULL`: NOT is weaker.
fn not_exists(e: &mut Expr) {
    let (Expr::IsNull(of) | Expr::IsNotNull(of)) = e else { return };
    if let Expr::Exists { negated, .. } = of.as_mut()
        && std::mem::take(negated)
    {
        let expr = Box::new(std::mem::replace(e, Expr::value(Value::Null)));
        *e = Expr::UnaryOp { op: UnaryOperator::Not, expr };
    }
}

/// `= ANY (SELECT ...)` as IN, `<> ALL (SELECT ...)` as NOT IN. The planner's own way with them takes a column of the
/// subquery for the one of the same table outside.
fn in_subquery(e: &mut Expr) {
    let (left, right, negated) = match e {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => (left, right, false),
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => (left, right, true),
        _ => return,
    };
    let Expr::Subquery(subquery) = right.as_ref() else { return };
    let (expr, subquery) = (left.clone(), subquery.clone());
    *e = Expr::InSubquery { expr, subquery, negated };
}

/// `$1` alone, as a time.
pub fn placeholder(e: &Expr) -> Option<usize> {
    match e {
        Expr::Value(v) => match &v.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
