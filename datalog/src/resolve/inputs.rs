//! The arguments of a query taken apart by `:in`.

use crate::edn::{Node, Span};
use crate::query::rules::rule_set;
use crate::query::{Binding, Fault, Input, Name, Query, Result, RuleSet, Var};
use crate::source::{DbSource, Rows, Source};
use crate::sql::source::SqlTable;
use crate::value::{Cell, Kind, of_form};
use daodb_catalog::SqlState;
use daodb_storage::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One argument.
#[derive(Clone)]
pub enum Arg {
    Database(Arc<DbSource>),
    Value(Node),
    Table(Arc<SqlTable>),
}

/// Variables, and rows of their values.
pub type Relation = (Vec<Var>, Arc<Vec<Vec<Cell>>>);

/// What all arguments together say.
#[derive(Default)]
pub struct Inputs {
    pub sources: Vec<Source>,
    pub names: BTreeMap<Name, usize>,
    pub constants: BTreeMap<Var, Cell>,
    pub rows: Vec<Relation>,
    pub rules: RuleSet,
    pub patterns: BTreeMap<Name, Node>,
}

/// Rows that an input may have.
const MAX_ROWS: usize = 1_000_000;

impl Inputs {
    /// `args` in the order of `:in`; `default` is `$`, which then has no argument.
    pub fn take(query: &Query, default: Option<Arc<DbSource>>, args: &[Arg]) -> Result<Inputs> {
        let mut out = Inputs::default();
        let mut rest = args.iter();
        let expected = |n: usize| {
            Fault::new(
                Span::default(),
                format!("the query takes {n} arguments, here are {}", args.len()),
            )
            .hint("they are those of :in, in its order; $ is the database that is asked")
            .state(SqlState::INVALID_PARAMETER_VALUE)
        };
        let implied = default.is_some();
        let wanted = query.inputs.iter().filter(|i| !(implied && is_default(i))).count();
        for input in &query.inputs {
            match (input, &default) {
                (Input::Source(name), Some(db)) if name.as_ref() == "$" => {
                    out.source(name, Source::Database(Arc::clone(db)));
                }
                _ => out.input(input, rest.next().ok_or_else(|| expected(wanted))?)?,
            }
        }
        match rest.next() {
            Some(_) => Err(expected(wanted)),
            None => Ok(out),
        }
    }

    fn source(&mut self, name: &Name, source: Source) {
        self.names.insert(name.clone(), self.sources.len());
        self.sources.push(source);
    }

    fn input(&mut self, input: &Input, arg: &Arg) -> Result<()> {
        match (input, arg) {
            (Input::Source(name), Arg::Database(db)) => {
                self.source(name, Source::Database(Arc::clone(db)));
            }
            (Input::Source(name), Arg::Value(node)) => {
                let rows = collection(name, node)?;
                self.source(name, Source::Rows(Arc::new(rows)));
            }
            (Input::Source(name), Arg::Table(rows)) => {
                self.source(name, Source::Table(Arc::clone(rows)));
            }
            (_, Arg::Database(_)) => {
                return Err(wrong(Span::default(), "a database is no value")
                    .hint("sources are named $ or $name in :in"));
            }
            (_, Arg::Table(_)) => {
                return Err(wrong(Span::default(), "the rows of SQL are no value")
                    .hint("sources are named $ or $name in :in"));
            }
            (Input::Rules, Arg::Value(node)) => self.rules = rule_set(node)?,
            (Input::Pattern(name), Arg::Value(node)) => {
                self.patterns.insert(name.clone(), node.clone());
            }
            (Input::Binding(binding), Arg::Value(node)) => {
                let cell = of_form(node).map_err(|e| wrong(node.span, e))?;
                self.bind(binding, &cell, node.span)?;
            }
        }
        Ok(())
    }

    pub(super) fn bind(&mut self, binding: &Binding, cell: &Cell, span: Span) -> Result<()> {
        match (binding, cell) {
            (Binding::Blank, _) => Ok(()),
            (Binding::Var(v), None) => Err(wrong(span, format!("the input {v} is nil"))),
            (Binding::Var(v), Some(_)) => {
                self.constants.insert(v.clone(), cell.clone());
                Ok(())
            }
            (Binding::Tuple(parts), Some(Value::Tuple(cells))) if parts.len() <= cells.len() => {
                parts.iter().zip(cells.iter()).try_for_each(|(b, c)| self.bind(b, c, span))
            }
            (Binding::Each(item), Some(Value::Tuple(cells))) => {
                let mut vars = Vec::new();
                item.vars(&mut vars);
                let vars: Vec<Var> = vars.into_iter().cloned().collect();
                let mut rows = Vec::with_capacity(cells.len());
                for cell in cells.iter() {
                    spread(item, cell, span, vec![], &mut rows)?;
                }
                rows.sort_unstable();
                rows.dedup();
                if !vars.is_empty() {
                    self.rows.push((vars, Arc::new(rows)));
                }
                Ok(())
            }
            (binding, cell) => {
                let shown = crate::value::to_form(cell);
                Err(wrong(span, format!("{shown} cannot be taken apart as {binding}")))
            }
        }
    }
}

fn is_default(input: &Input) -> bool {
    matches!(input, Input::Source(name) if name.as_ref() == "$")
}

fn wrong(span: Span, message: impl Into<String>) -> Fault {
    Fault::new(span, message).state(SqlState::INVALID_PARAMETER_VALUE)
}

/// The rows that one item makes: one, or one for each of what it holds in turn.
fn spread(
    binding: &Binding,
    cell: &Cell,
    span: Span,
    before: Vec<Cell>,
    out: &mut Vec<Vec<Cell>>,
) -> Result<()> {
    let mut partial = vec![before];
    take(binding, cell, span, &mut partial)?;
    if out.len() + partial.len() > MAX_ROWS {
        return Err(wrong(span, format!("an input has more than {MAX_ROWS} rows")));
    }
    out.append(&mut partial);
    Ok(())
}

fn take(binding: &Binding, cell: &Cell, span: Span, rows: &mut Vec<Vec<Cell>>) -> Result<()> {
    match (binding, cell) {
        (Binding::Blank, _) => Ok(()),
        (Binding::Var(_), cell) => {
            rows.iter_mut().for_each(|row| row.push(cell.clone()));
            Ok(())
        }
        (Binding::Tuple(parts), Some(Value::Tuple(cells))) if parts.len() <= cells.len() => {
            parts.iter().zip(cells.iter()).try_for_each(|(b, c)| take(b, c, span, rows))
        }
        (Binding::Each(item), Some(Value::Tuple(cells))) => {
            let mut out = Vec::new();
            for cell in cells.iter() {
                let mut copy = rows.clone();
                take(item, cell, span, &mut copy)?;
                out.append(&mut copy);
            }
            *rows = out;
            Ok(())
        }
        (binding, cell) => {
            let shown = crate::value::to_form(cell);
            Err(wrong(span, format!("{shown} cannot be taken apart as {binding}")))
        }
    }
}

/// A plain collection as a source.
fn collection(name: &Name, node: &Node) -> Result<Rows> {
    let hint = "a source is a database or a collection of tuples: [[1 \"a\"] [2 \"b\"]]";
    let cell = of_form(node).map_err(|e| wrong(node.span, e))?;
    let Some(Value::Tuple(items)) = &cell else {
        return Err(wrong(node.span, format!("{name} is no source")).hint(hint));
    };
    let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(items.len());
    for item in items.iter() {
        match item {
            Some(Value::Tuple(parts)) => rows.push(parts.to_vec()),
            _ => {
                return Err(
                    wrong(node.span, format!("{name} has items that are no tuples")).hint(hint)
                );
            }
        }
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    rows.iter_mut().for_each(|row| row.resize(width, None));
    let kinds = (0..width).map(|i| kind_of(rows.iter().map(|row| &row[i]))).collect();
    Ok(Rows { kinds, rows })
}

/// The kind that holds all of these; nil needs one that can tell it from absence.
pub fn kind_of<'a>(cells: impl Iterator<Item = &'a Cell>) -> Kind {
    let kinds = cells.map(|c| c.as_ref().map_or(Kind::Any, |v| Kind::of(v.value_type())));
    kinds.reduce(Kind::join).unwrap_or(Kind::Any)
}
