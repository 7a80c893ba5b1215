//! A branch as a list of operations on registers: a relation that is gone through, others that are looked into by what is
//! known so far, functions as soon as their arguments are known.

use crate::algebra::rules::{Branch, Fixpoint, Step};
use crate::functions::Function;
use crate::query::Var;
use crate::resolve::{Apply, Argument, Out, Slot};
use crate::value::Cell;
use std::collections::BTreeMap;

/// Where rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Rows that were read.
    Input(usize),
    /// Rows of a rule: those before the last round, those of the last round, or both.
    Rule(usize, Age),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Old,
    Last,
    All,
}

/// A word that is known: in a register, or a constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    Register(usize),
    Const(Cell),
}

/// An argument of a function.
#[derive(Debug)]
pub enum Given {
    Known(Known),
    Call(&'static Function, Vec<Given>),
}

/// Where the columns of a row go.
#[derive(Debug)]
pub struct Match {
    pub from: From,
    /// Columns that are known, ascending, and what they must be; none: all rows.
    pub key: Vec<(usize, Known)>,
    /// Columns to registers.
    pub out: Vec<(usize, usize)>,
    /// Columns that must be what another column has just put into a register.
    pub same: Vec<(usize, usize)>,
}

#[derive(Debug)]
pub enum Operation {
    Match(Match),
    /// No row has these values.
    None(From, Vec<(usize, Known)>),
    Test(&'static Function, Vec<Given>),
    Bind(&'static Function, Vec<Given>, Take),
}

/// What a value binds or must be.
#[derive(Debug)]
pub enum Take {
    Any,
    Register(usize),
    Same(Known),
    Tuple(Vec<Take>),
    Each(Box<Take>),
}

#[derive(Debug)]
pub struct Program {
    pub operations: Vec<Operation>,
    /// The rule that the rows are of, and its columns.
    pub rule: usize,
    pub heads: Vec<usize>,
    pub registers: usize,
}

/// Relations of a branch that are matched: each with what its columns are.
struct Atom {
    from: From,
    slots: Vec<Slot>,
}

struct Compiler {
    registers: BTreeMap<Var, usize>,
    operations: Vec<Operation>,
}

/// The programs of a branch: one where it calls no rule of the cycle, else one for each call that takes the last round.
/// `inputs` is the number of the branch's first input.
pub fn programs(fixpoint: &Fixpoint, rule: usize, branch: &Branch, inputs: usize) -> Vec<Program> {
    let turns = branch.calls.len().max(1);
    let one = |turn: usize| {
        let mut atoms = Vec::new();
        for (i, plan) in branch.inputs.iter().enumerate() {
            let slots = plan.columns.iter().map(|c| Slot::Var(c.var.clone())).collect();
            atoms.push(Atom { from: From::Input(inputs + i), slots });
        }
        for (i, call) in branch.calls.iter().enumerate() {
            let age = match i.cmp(&turn) {
                std::cmp::Ordering::Less => Age::All,
                std::cmp::Ordering::Equal => Age::Last,
                std::cmp::Ordering::Greater => Age::Old,
            };
            atoms.push(Atom { from: From::Rule(call.rule, age), slots: call.args.clone() });
        }
        compile(fixpoint, rule, branch, inputs, atoms)
    };
    (0..turns).map(one).collect()
}

fn compile(
    fixpoint: &Fixpoint,
    rule: usize,
    branch: &Branch,
    inputs: usize,
    mut atoms: Vec<Atom>,
) -> Program {
    let mut compiler = Compiler { registers: BTreeMap::new(), operations: Vec::new() };
    let mut steps: Vec<&Step> = branch.steps.iter().collect();
    let not = |(i, plan): (usize, &crate::algebra::Plan)| {
        let vars: Vec<Var> = plan.columns.iter().map(|c| c.var.clone()).collect();
        (From::Input(inputs + branch.inputs.len() + i), vars)
    };
    let mut nots: Vec<(From, Vec<Var>)> = branch.nots.iter().enumerate().map(not).collect();
    loop {
        compiler.steps(&mut steps, &mut nots);
        if atoms.is_empty() {
            break;
        }
        let next = (0..atoms.len()).max_by_key(|i| compiler.worth(&atoms[*i])).unwrap_or(0);
        let atom = atoms.remove(next);
        compiler.atom(&atom);
    }
    let heads = fixpoint.rules[rule].heads.iter().map(|h| compiler.register(h)).collect();
    Program { heads, rule, registers: compiler.registers.len(), operations: compiler.operations }
}

impl Compiler {
    fn register(&mut self, v: &Var) -> usize {
        let next = self.registers.len();
        *self.registers.entry(v.clone()).or_insert(next)
    }

    fn known(&self, slot: &Slot) -> Option<Known> {
        match slot {
            Slot::Var(v) => self.registers.get(v).copied().map(Known::Register),
            Slot::Const(c) => Some(Known::Const(c.clone())),
            Slot::Blank => None,
        }
    }

    /// The last round first, then what shares most with what is known; what shares nothing last.
    fn worth(&self, atom: &Atom) -> (bool, usize, bool) {
        let known = atom.slots.iter().filter(|s| self.known(s).is_some()).count();
        let last = matches!(atom.from, From::Rule(_, Age::Last));
        (last, known, matches!(atom.from, From::Input(_)))
    }

    fn atom(&mut self, atom: &Atom) {
        let (mut key, mut out, mut same) = (Vec::new(), Vec::new(), Vec::new());
        let before: Vec<Option<Known>> = atom.slots.iter().map(|s| self.known(s)).collect();
        for (c, (slot, known)) in atom.slots.iter().zip(before).enumerate() {
            match (slot, known) {
                (_, Some(known)) => key.push((c, known)),
                (Slot::Var(v), None) if self.registers.contains_key(v) => {
                    same.push((c, self.registers[v]));
                }
                (Slot::Var(v), None) => out.push((c, self.register(v))),
                _ => {}
            }
        }
        self.operations.push(Operation::Match(Match { from: atom.from, key, out, same }));
    }

    /// All functions, predicates and `not`s whose arguments are known.
    fn steps(&mut self, steps: &mut Vec<&Step>, nots: &mut Vec<(From, Vec<Var>)>) {
        while let Some(i) = steps.iter().position(|step| {
            let (Step::Test(apply) | Step::Bind(apply, _)) = step;
            apply.vars().all(|v| self.registers.contains_key(v))
        }) {
            match steps.remove(i) {
                Step::Test(apply) => {
                    let args = self.args(apply);
                    self.operations.push(Operation::Test(apply.function, args));
                }
                Step::Bind(apply, out) => {
                    let args = self.args(apply);
                    let take = self.take(out);
                    self.operations.push(Operation::Bind(apply.function, args, take));
                }
            }
        }
        let ready = |vars: &[Var]| vars.iter().all(|v| self.registers.contains_key(v));
        let (now, later) = std::mem::take(nots).into_iter().partition(|(_, vars)| ready(vars));
        *nots = later;
        let now: Vec<(From, Vec<Var>)> = now;
        for (from, vars) in now {
            let key = vars.iter().enumerate().map(|(c, v)| (c, Known::Register(self.registers[v])));
            let key = key.collect();
            self.operations.push(Operation::None(from, key));
        }
    }

    fn args(&self, apply: &Apply) -> Vec<Given> {
        let given = |a: &Argument| match a {
            Argument::Slot(slot) => Given::Known(self.known(slot).unwrap_or(Known::Const(None))),
            Argument::Call(call) => Given::Call(call.function, self.args(call)),
        };
        apply.args.iter().map(given).collect()
    }

    fn take(&mut self, out: &Out) -> Take {
        match out {
            Out::Slot(Slot::Blank) => Take::Any,
            Out::Slot(slot) => match (self.known(slot), slot) {
                (Some(known), _) => Take::Same(known),
                (None, Slot::Var(v)) => Take::Register(self.register(v)),
                _ => Take::Any,
            },
            Out::Tuple(parts) => Take::Tuple(parts.iter().map(|p| self.take(p)).collect()),
            Out::Each(item) => Take::Each(Box::new(self.take(item))),
        }
    }
}
