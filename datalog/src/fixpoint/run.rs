//! Semi-naive evaluation: each round joins only what the last one found with the rest, until a round finds nothing.
//!
//! ```text
//! round 0: every branch that calls no rule of the cycle
//! while the last round found rows:
//!     for each branch, for each of its calls: that call takes the rows of the last round, those before it all rows, those
//!     after it the rows before the last round; what comes out and is not there yet is of this round
//! ```

use super::program::{Age, From, Given, Known, Match, Operation, Program, Take, programs};
use super::rows::{Cursor, Rows};
use super::words::Words;
use crate::algebra::rules::Fixpoint;
use crate::value::Cell;
use daodb_catalog::{Error, SqlState};
use daodb_storage::Value;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Rounds after which a recursion counts as endless.
const MAX_ROUNDS: usize = 100_000;
/// Rows of one rule; their numbers are words of 32 bits, with room for those of a round that is not counted yet.
const MAX_ROWS: usize = 4_000_000_000;
/// Matches between two looks at whether the query still runs.
const LOOK: u32 = 1 << 16;

pub struct Run {
    pub words: Words,
    /// By rule of the fixpoint. Those of the round that runs stand behind `last`, where nobody looks yet.
    pub rules: Vec<Rows>,
    inputs: Vec<Rows>,
    programs: Vec<Prepared>,
    /// By rule: the rows of the last round.
    last: Vec<Range<usize>>,
    /// The row that is put together.
    row: Vec<u32>,
    memory: MemoryReservation,
    stopped: Arc<AtomicBool>,
    until_look: u32,
}

/// A program whose keys have their indexes and whose constants are words.
struct Prepared {
    program: Program,
    /// By operation.
    keys: Vec<Key>,
    recurs: bool,
}

/// What an operation looks up: the index, and the words of its key (None: of a register).
#[derive(Default)]
struct Key {
    index: Option<usize>,
    constants: Vec<Option<u32>>,
}

/// The words of a key; most have one.
enum KeyWords {
    One([u32; 1]),
    Many(Vec<u32>),
}

impl KeyWords {
    #[inline]
    fn as_slice(&self) -> &[u32] {
        match self {
            KeyWords::One(word) => word,
            KeyWords::Many(words) => words,
        }
    }
}

impl Run {
    /// `inputs`: the rows of all inputs and nots of all branches, in order.
    pub fn new(
        fixpoint: &Fixpoint,
        inputs: Vec<Rows>,
        words: Words,
        memory: MemoryReservation,
        stopped: Arc<AtomicBool>,
    ) -> Run {
        let widths = fixpoint.rules.iter().map(|r| r.heads.len());
        let mut run = Run {
            words,
            rules: widths.map(Rows::new).collect(),
            row: Vec::new(),
            last: vec![0..0; fixpoint.rules.len()],
            inputs,
            programs: Vec::new(),
            memory,
            stopped,
            until_look: LOOK,
        };
        let mut first = 0;
        for (rule, of) in fixpoint.rules.iter().enumerate() {
            for branch in &of.branches {
                for program in programs(fixpoint, rule, branch, first) {
                    let prepared = run.prepare(program, !branch.calls.is_empty());
                    run.programs.push(prepared);
                }
                first += branch.inputs.len() + branch.nots.len();
            }
        }
        run.inputs.iter_mut().for_each(Rows::refresh);
        run
    }

    fn prepare(&mut self, program: Program, recurs: bool) -> Prepared {
        let mut keys = Vec::with_capacity(program.operations.len());
        for operation in &program.operations {
            let (from, known) = match operation {
                Operation::Match(m) => (m.from, &m.key),
                Operation::None(from, key) => (*from, key),
                _ => {
                    keys.push(Key::default());
                    continue;
                }
            };
            let columns: Vec<usize> = known.iter().map(|(c, _)| *c).collect();
            let rows = match from {
                From::Input(i) => &mut self.inputs[i],
                From::Rule(rule, _) => &mut self.rules[rule],
            };
            let index = (!columns.is_empty()).then(|| rows.index(&columns));
            let constant = |k: &Known| match k {
                Known::Const(cell) => Some(self.words.word(cell)),
                Known::Register(_) => None,
            };
            keys.push(Key {
                index,
                constants: known.iter().map(|(_, k)| k).map(constant).collect(),
            });
        }
        Prepared { program, keys, recurs }
    }

    pub fn run(&mut self) -> Result<()> {
        self.round(false)?;
        for _ in 0..MAX_ROUNDS {
            if !self.advance()? {
                return Ok(());
            }
            self.round(true)?;
        }
        Err(Error::new(
            SqlState::Code("54001"),
            format!("the rules found new rows in each of {MAX_ROUNDS} rounds"),
        )
        .hint("bound what they count by a predicate")
        .into())
    }

    fn round(&mut self, recursive: bool) -> Result<()> {
        let programs = std::mem::take(&mut self.programs);
        let done = programs.iter().filter(|p| p.recurs == recursive).try_for_each(|p| {
            let mut registers = vec![0; p.program.registers];
            self.step(p, 0, &mut registers)
        });
        self.programs = programs;
        done
    }

    /// What was found becomes the last round; false where it was nothing.
    fn advance(&mut self) -> Result<bool> {
        let mut any = false;
        for (rows, last) in self.rules.iter_mut().zip(&mut self.last) {
            rows.refresh();
            *last = last.end..rows.len();
            any |= last.start < last.end;
        }
        self.account()?;
        Ok(any)
    }

    fn account(&mut self) -> Result<()> {
        let rows = self.rules.iter().chain(&self.inputs).map(Rows::memory);
        let bytes = rows.sum::<usize>() + self.words.memory();
        if self.rules.iter().any(|r| r.len() > MAX_ROWS) {
            let text = format!("a recursive rule has more than {MAX_ROWS} rows");
            return Err(Error::new(SqlState::Code("54000"), text)
                .hint("bind one of its arguments")
                .into());
        }
        if self.words.len() > MAX_ROWS {
            let text = format!("a recursion has more than {MAX_ROWS} values");
            return Err(Error::new(SqlState::Code("54000"), text)
                .hint("bind what its rules count by a predicate")
                .into());
        }
        self.memory.try_resize(bytes)
    }

    #[inline]
    fn look(&mut self) -> Result<()> {
        self.until_look -= 1;
        if self.until_look > 0 {
            return Ok(());
        }
        self.looked()
    }

    #[cold]
    fn looked(&mut self) -> Result<()> {
        self.until_look = LOOK;
        if self.stopped.load(Relaxed) {
            return Err(DataFusionError::Execution("the query was given up".to_owned()));
        }
        self.account()
    }

    fn step(&mut self, p: &Prepared, at: usize, registers: &mut [u32]) -> Result<()> {
        self.look()?;
        let Some(operation) = p.program.operations.get(at) else {
            self.found(&p.program, registers);
            return Ok(());
        };
        match operation {
            Operation::Match(m) => self.matches(p, at, m, registers),
            Operation::None(from, key) => {
                let words = self.key(&p.keys[at], key, registers);
                let mut cursor = self.cursor(*from, &p.keys[at], words.as_slice());
                match self.rows(*from).next(&mut cursor, words.as_slice()) {
                    None => self.step(p, at + 1, registers),
                    Some(_) => Ok(()),
                }
            }
            Operation::Test(function, args) => {
                let value = self.call(function, args, registers)?;
                if crate::functions::truth(&value) {
                    self.step(p, at + 1, registers)
                } else {
                    Ok(())
                }
            }
            Operation::Bind(function, args, take) => {
                let value = self.call(function, args, registers)?;
                for row in self.taken(&value, take, registers)? {
                    let mut registers = row;
                    self.step(p, at + 1, &mut registers)?;
                }
                Ok(())
            }
        }
    }

    #[inline]
    fn found(&mut self, program: &Program, registers: &[u32]) {
        self.row.clear();
        self.row.extend(program.heads.iter().map(|r| registers[*r]));
        self.rules[program.rule].insert(&self.row);
    }

    #[inline]
    fn rows(&self, from: From) -> &Rows {
        match from {
            From::Input(i) => &self.inputs[i],
            From::Rule(rule, _) => &self.rules[rule],
        }
    }

    fn matches(&mut self, p: &Prepared, at: usize, m: &Match, registers: &mut [u32]) -> Result<()> {
        let words = self.key(&p.keys[at], &m.key, registers);
        let mut cursor = self.cursor(m.from, &p.keys[at], words.as_slice());
        let last = at + 1 == p.program.operations.len();
        loop {
            let rows = self.rows(m.from);
            let Some(i) = rows.next(&mut cursor, words.as_slice()) else { return Ok(()) };
            let row = rows.row(i);
            m.out.iter().for_each(|(c, r)| registers[*r] = row[*c]);
            if !m.same.iter().all(|(c, r)| registers[*r] == row[*c]) {
                continue;
            }
            if last {
                self.look()?;
                self.found(&p.program, registers);
            } else {
                self.step(p, at + 1, registers)?;
            }
        }
    }

    /// The words that an operation looks for.
    #[inline]
    fn key(&self, key: &Key, known: &[(usize, Known)], registers: &[u32]) -> KeyWords {
        let word = |(constant, known): (&Option<u32>, &(usize, Known))| match (constant, &known.1) {
            (Some(word), _) => *word,
            (None, Known::Register(r)) => registers[*r],
            (None, Known::Const(_)) => 0,
        };
        let mut words = key.constants.iter().zip(known).map(word);
        match key.constants.len() {
            1 => KeyWords::One(words.next().map(|w| [w]).unwrap_or_default()),
            _ => KeyWords::Many(words.collect()),
        }
    }

    /// The rows of a relation that have the key.
    #[inline]
    fn cursor(&self, from: From, key: &Key, words: &[u32]) -> Cursor {
        let (rows, within) = match from {
            From::Input(i) => (&self.inputs[i], 0..self.inputs[i].len()),
            From::Rule(rule, age) => {
                let last = &self.last[rule];
                let within = match age {
                    Age::Old => 0..last.start,
                    Age::Last => last.clone(),
                    Age::All => 0..last.end,
                };
                (&self.rules[rule], within)
            }
        };
        match key.index {
            None => Cursor::Range(within),
            Some(index) => rows.probe(index, words, within),
        }
    }

    fn cell(&self, known: &Known, registers: &[u32]) -> Cell {
        match known {
            Known::Register(r) => self.words.cell(registers[*r]).clone(),
            Known::Const(cell) => cell.clone(),
        }
    }

    fn call(
        &self,
        function: &crate::functions::Function,
        args: &[Given],
        registers: &[u32],
    ) -> Result<Cell> {
        let args: Vec<Cell> = args
            .iter()
            .map(|a| match a {
                Given::Known(known) => Ok(self.cell(known, registers)),
                Given::Call(function, args) => self.call(function, args, registers),
            })
            .collect::<Result<_>>()?;
        function.call(&args).map_err(|why| {
            let shown: Vec<String> = args.iter().map(crate::value::told).collect();
            let text = format!("({} {}): {why}", function.name, shown.join(" "));
            Error::new(SqlState::INVALID_PARAMETER_VALUE, text).into()
        })
    }

    /// The registers after a value is taken apart, once for each way to do so.
    fn taken(&mut self, value: &Cell, take: &Take, registers: &[u32]) -> Result<Vec<Vec<u32>>> {
        Ok(match (take, value) {
            // nil binds nothing.
            (_, None) => vec![],
            (Take::Any, _) => vec![registers.to_vec()],
            (Take::Register(r), value) => {
                let mut registers = registers.to_vec();
                registers[*r] = self.words.word(value);
                vec![registers]
            }
            (Take::Same(known), value) => {
                let word = self.words.word(value);
                let other = self.cell(known, registers);
                if self.words.word(&other) == word { vec![registers.to_vec()] } else { vec![] }
            }
            (Take::Tuple(parts), Some(Value::Tuple(cells))) if parts.len() <= cells.len() => {
                let mut all = vec![registers.to_vec()];
                for (part, cell) in parts.iter().zip(cells.iter()) {
                    let mut next = Vec::new();
                    for registers in &all {
                        next.extend(self.taken(cell, part, registers)?);
                    }
                    all = next;
                }
                all
            }
            (Take::Each(item), Some(Value::Tuple(cells))) => {
                let cells: BTreeSet<&Cell> = cells.iter().collect();
                let mut all = Vec::new();
                for cell in cells {
                    all.extend(self.taken(cell, item, registers)?);
                }
                all
            }
            (_, other) => {
                let text = format!("{} cannot be taken apart", crate::value::to_form(other));
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).into());
            }
        })
    }
}
