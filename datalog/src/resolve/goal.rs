//! Clauses in which every name has found its meaning: sources, attributes and constants are there, rules are written out.

use crate::functions::Function;
use crate::query::Var;
use crate::value::{Cell, Kind, told};
use daodb_storage::Attr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// A place of a pattern or an argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Slot {
    Var(Var),
    Const(Cell),
    Blank,
}

impl Slot {
    pub fn var(&self) -> Option<&Var> {
        match self {
            Slot::Var(v) => Some(v),
            _ => None,
        }
    }
    pub fn is_blank(&self) -> bool {
        *self == Slot::Blank
    }
}

#[derive(Debug, Clone)]
pub enum AttrSlot {
    Attr(Attr),
    /// Bound by the attribute of each datom.
    Any(Slot),
}

/// `[e a v t m added]` over a database.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Into the sources of the query.
    pub source: usize,
    pub e: Slot,
    pub a: AttrSlot,
    pub v: Slot,
    pub t: Slot,
    pub m: Slot,
    pub added: Slot,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Apply {
    pub function: &'static Function,
    pub args: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    Slot(Slot),
    Call(Apply),
}

impl From<Slot> for Argument {
    fn from(slot: Slot) -> Self {
        Argument::Slot(slot)
    }
}

/// Where a function's value goes.
#[derive(Debug, Clone)]
pub enum Out {
    Slot(Slot),
    Tuple(Vec<Out>),
    Each(Box<Out>),
}

#[derive(Debug, Clone)]
pub enum Goal {
    Pattern(Pattern),
    /// A pattern over a plain collection.
    Row {
        source: usize,
        slots: Vec<Slot>,
    },
    /// Rows that came in.
    Values {
        vars: Vec<Var>,
        rows: Arc<Vec<Vec<Cell>>>,
    },
    Test(Apply),
    Bind(Apply, Out),
    /// The value of the first of these attributes that `e` has, else the default; `which` takes the attribute.
    First {
        source: usize,
        e: Slot,
        attributes: Vec<Attr>,
        default: Option<Cell>,
        which: Out,
        out: Out,
    },
    /// All of `vars` are shared with what stands around; None: those that something else binds.
    Not {
        vars: Option<BTreeSet<Var>>,
        goals: Vec<Goal>,
    },
    Or {
        vars: BTreeSet<Var>,
        required: BTreeSet<Var>,
        branches: Vec<Vec<Goal>>,
    },
    /// A call of a recursive rule: its place in the program.
    Rule {
        rule: usize,
        args: Vec<Slot>,
    },
    /// A query of its own for each of the rows of its parameters.
    Query(Box<Nested>),
    /// It cannot hold, and why.
    Never {
        vars: Vec<Var>,
        why: String,
    },
}

#[derive(Debug, Clone)]
pub struct Nested {
    /// Variables around it that it is asked with.
    pub params: BTreeSet<Var>,
    pub goals: Vec<Goal>,
    pub find: Vec<NestedElement>,
    pub with: Vec<Slot>,
    /// At most one row for each of the parameters.
    pub one: bool,
    /// One for each column of `find`.
    pub outs: Vec<Out>,
    /// Takes a whole row.
    pub row: Option<Out>,
}

#[derive(Debug, Clone)]
pub enum NestedElement {
    Slot(Slot),
    /// With the n of `(min n ?x)`.
    Aggregate(Arc<str>, Option<usize>, Slot),
}

impl NestedElement {
    pub fn slot(&self) -> &Slot {
        match self {
            NestedElement::Slot(slot) | NestedElement::Aggregate(_, _, slot) => slot,
        }
    }
}

impl Nested {
    /// What it gives to the clauses around it.
    fn outs(&self) -> impl Iterator<Item = &Out> {
        self.outs.iter().chain(&self.row)
    }
}

impl Apply {
    pub fn new(function: &'static Function, args: Vec<Slot>) -> Apply {
        Apply { function, args: args.into_iter().map(Argument::from).collect() }
    }

    /// Those of calls within it too.
    pub fn vars(&self) -> impl Iterator<Item = &Var> {
        let mut out = Vec::new();
        self.add_vars(&mut out);
        out.into_iter()
    }

    fn add_vars<'a>(&'a self, out: &mut Vec<&'a Var>) {
        for arg in &self.args {
            match arg {
                Argument::Slot(slot) => out.extend(slot.var()),
                Argument::Call(call) => call.add_vars(out),
            }
        }
    }

    /// With other variables; None where one has none.
    pub fn with(&self, slot: &dyn Fn(&Slot) -> Option<Slot>) -> Option<Apply> {
        let arg = |a: &Argument| match a {
            Argument::Slot(s) => slot(s).map(Argument::Slot),
            Argument::Call(call) => call.with(slot).map(Argument::Call),
        };
        let args = self.args.iter().map(arg).collect::<Option<_>>()?;
        Some(Apply { function: self.function, args })
    }

    /// The kind of what it gives; None where that of a variable is not known.
    pub fn kind(&self, of: &dyn Fn(&Var) -> Option<Kind>) -> Option<Kind> {
        let kinds = self.args.iter().map(|a| a.kind(of)).collect::<Option<Vec<_>>>()?;
        // A value that is taken over has the kind of what it is taken from.
        Some(match (self.function.name, kinds.as_slice()) {
            ("identity" | "ground" | "untuple", [one]) => *one,
            (_, kinds) => self.function.kind(kinds),
        })
    }

    /// What it gives where all of its arguments are constants.
    pub fn constant(&self) -> Result<Option<Cell>, String> {
        let mut cells = Vec::with_capacity(self.args.len());
        for arg in &self.args {
            let cell = match arg {
                Argument::Slot(Slot::Const(cell)) => Some(cell.clone()),
                Argument::Slot(_) => None,
                Argument::Call(call) => call.constant()?,
            };
            let Some(cell) = cell else { return Ok(None) };
            cells.push(cell);
        }
        self.function.call(&cells).map(Some).map_err(|why| {
            let shown: Vec<String> = cells.iter().map(told).collect();
            format!("({} {}): {why}", self.function.name, shown.join(" "))
        })
    }
}

impl Argument {
    pub fn kind(&self, of: &dyn Fn(&Var) -> Option<Kind>) -> Option<Kind> {
        match self {
            Argument::Slot(Slot::Var(v)) => of(v),
            Argument::Slot(Slot::Const(Some(v))) => Some(Kind::of(v.value_type())),
            Argument::Slot(_) => Some(Kind::Any),
            Argument::Call(call) => call.kind(of),
        }
    }
}

impl Out {
    pub fn vars<'a>(&'a self, out: &mut BTreeSet<&'a Var>) {
        match self {
            Out::Slot(slot) => out.extend(slot.var()),
            Out::Tuple(parts) => parts.iter().for_each(|p| p.vars(out)),
            Out::Each(item) => item.vars(out),
        }
    }
}

impl Pattern {
    /// In the order of the datom.
    pub fn slots(&self) -> [&Slot; 6] {
        const BLANK: Slot = Slot::Blank;
        let a = match &self.a {
            AttrSlot::Attr(_) => &BLANK,
            AttrSlot::Any(slot) => slot,
        };
        [&self.e, a, &self.v, &self.t, &self.m, &self.added]
    }
}

impl Goal {
    /// The variables that it can bind.
    pub fn binds(&self) -> BTreeSet<&Var> {
        let mut out = BTreeSet::new();
        match self {
            Goal::Pattern(p) => out.extend(p.slots().into_iter().filter_map(Slot::var)),
            Goal::Row { slots, .. } | Goal::Rule { args: slots, .. } => {
                out.extend(slots.iter().filter_map(Slot::var));
            }
            Goal::Values { vars, .. } | Goal::Never { vars, .. } => out.extend(vars),
            Goal::Bind(_, to) => to.vars(&mut out),
            Goal::Query(query) => query.outs().for_each(|o| o.vars(&mut out)),
            Goal::First { which, out: to, .. } => {
                which.vars(&mut out);
                to.vars(&mut out);
            }
            Goal::Or { vars, required, .. } => {
                out.extend(vars.iter().filter(|v| !required.contains(*v)));
            }
            Goal::Test(_) | Goal::Not { .. } => {}
        }
        out
    }

    /// All variables that it speaks of towards what stands around it.
    pub fn mentions(&self) -> BTreeSet<&Var> {
        let mut out = self.binds();
        match self {
            Goal::Test(apply) | Goal::Bind(apply, _) => out.extend(apply.vars()),
            Goal::First { e, .. } => out.extend(e.var()),
            Goal::Not { vars: Some(vars), .. } => out.extend(vars),
            Goal::Not { vars: None, goals } => goals.iter().for_each(|g| out.extend(g.mentions())),
            Goal::Or { vars, .. } => out.extend(vars),
            Goal::Query(query) => out.extend(&query.params),
            _ => {}
        }
        out
    }
}

impl Goal {
    /// Functions see what was given, patterns what it names.
    pub fn take_given(&mut self, given: &BTreeMap<Var, Var>) {
        if let Goal::Test(apply) | Goal::Bind(apply, _) = self {
            let of = |slot: &Slot| match slot.var().and_then(|v| given.get(v)) {
                Some(v) => Some(Slot::Var(v.clone())),
                None => Some(slot.clone()),
            };
            *apply = apply.with(&of).unwrap_or_else(|| apply.clone());
        }
    }
}

impl Display for Slot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Var(v) => write!(f, "{v}"),
            Slot::Const(cell) => write!(f, "{}", crate::value::to_form(cell)),
            Slot::Blank => f.write_str("_"),
        }
    }
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Slot(slot) => write!(f, "{slot}"),
            Argument::Call(call) => write!(f, "{call}"),
        }
    }
}

impl Display for Apply {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({}", self.function.name)?;
        self.args.iter().try_for_each(|a| write!(f, " {a}"))?;
        f.write_str(")")
    }
}

impl Display for Out {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Out::Slot(slot) => write!(f, "{slot}"),
            Out::Tuple(parts) => {
                f.write_str("[")?;
                list(f, parts)?;
                f.write_str("]")
            }
            Out::Each(item) => write!(f, "[{item} ...]"),
        }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let slots = self.slots();
        let last = slots.iter().rposition(|s| !s.is_blank()).unwrap_or(0).max(1);
        write!(f, "[")?;
        if self.source > 0 {
            write!(f, "${} ", self.source)?;
        }
        write!(f, "{}", self.e)?;
        for (i, slot) in slots.iter().enumerate().skip(1).take(last) {
            match &self.a {
                AttrSlot::Attr(a) if i == 1 => write!(f, " {a}")?,
                _ => write!(f, " {slot}")?,
            }
        }
        f.write_str("]")
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result {
    for (i, item) in items.into_iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { " " } else { "" })?;
    }
    Ok(())
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Goal::Pattern(p) => write!(f, "{p}"),
            Goal::Row { source, slots } => {
                write!(f, "[${source} ")?;
                list(f, slots)?;
                f.write_str("]")
            }
            Goal::Values { vars, rows } => {
                write!(f, "(in [")?;
                list(f, vars)?;
                write!(f, "] {} rows)", rows.len())
            }
            Goal::Test(apply) => write!(f, "[{apply}]"),
            Goal::Bind(apply, out) => write!(f, "[{apply} {out}]"),
            Goal::First { e, attributes, out, .. } => {
                write!(f, "[(first-of {e} ")?;
                list(f, attributes)?;
                write!(f, ") {out}]")
            }
            Goal::Not { vars, goals } => {
                f.write_str("(not")?;
                if let Some(vars) = vars {
                    f.write_str("-join [")?;
                    list(f, vars)?;
                    f.write_str("]")?;
                }
                goals.iter().try_for_each(|g| write!(f, " {g}"))?;
                f.write_str(")")
            }
            Goal::Or { vars, branches, .. } => {
                f.write_str("(or-join [")?;
                list(f, vars)?;
                f.write_str("]")?;
                for branch in branches {
                    f.write_str(" (and ")?;
                    list(f, branch)?;
                    f.write_str(")")?;
                }
                f.write_str(")")
            }
            Goal::Rule { rule, args } => {
                write!(f, "(rule{rule} ")?;
                list(f, args)?;
                f.write_str(")")
            }
            Goal::Query(query) => {
                f.write_str("(q [")?;
                list(f, &query.params)?;
                f.write_str("]")?;
                query.goals.iter().try_for_each(|g| write!(f, " {g}"))?;
                f.write_str(" -> ")?;
                list(f, query.outs())?;
                f.write_str(")")
            }
            Goal::Never { why, .. } => write!(f, "(never {why:?})"),
        }
    }
}
