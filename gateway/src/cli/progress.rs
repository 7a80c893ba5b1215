//! How far long work is: a bar on a terminal, now and then a line in a pipe. On stderr.

use crate::import::run::{Progress, Summary};
use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const LINE_EVERY: Duration = Duration::from_secs(5);

/// An import.
pub struct Shown {
    /// None: lines.
    bar: Option<ProgressBar>,
    start: Instant,
    last_line: Instant,
}

impl Shown {
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = "{bar:30} {pos}/{len} commits, {msg} changes, {elapsed}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, start: Instant::now(), last_line: Instant::now() }
    }

    pub fn update(&mut self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            bar.set_message(progress.changes.to_string());
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let Progress { done, total, changes } = progress;
            eprintln!("{done}/{total} commits, {changes} changes");
        }
    }

    /// Says what was done, and what is left.
    pub fn end(self, summary: &Summary) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let Summary { commits, brought, changes, t, .. } = summary;
        match (*commits, summary.stopped) {
            (0, false) => eprintln!("nothing new: t {t} is the newest transaction"),
            _ => eprintln!(
                "imported {commits} commits ({brought} more by merges) with {changes} changes \
                 in {seconds:.1} s; t {t} is the newest transaction"
            ),
        }
        if summary.stopped {
            eprintln!("stopped before the end: the same command goes on from there");
        }
        if summary.missing_blobs > 0 {
            eprintln!(
                "{} blobs are not in this clone: their files have no size and lines",
                summary.missing_blobs
            );
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Transactions,
    Datoms,
    Rows,
    /// Rows, of which it is known how many there are.
    RowsOf,
}

impl Unit {
    fn template(self) -> &'static str {
        match self {
            Unit::Bytes => {
                "{prefix} {bar:30} {binary_bytes}/{binary_total_bytes}, {elapsed}, {eta} left"
            }
            Unit::Transactions => {
                "{prefix} {bar:30} {pos}/{len} transactions, {elapsed}, {eta} left"
            }
            Unit::Datoms => "{prefix} {pos} datoms, {elapsed}",
            Unit::Rows => "{prefix} {pos} rows, {elapsed}",
            Unit::RowsOf => "{prefix} {bar:30} {pos}/{len} rows, {elapsed}, {eta} left",
        }
    }

    fn line(self, done: u64, of: u64) -> String {
        match self {
            Unit::Bytes => format!("{}/{}", BinaryBytes(done), BinaryBytes(of)),
            Unit::Transactions => format!("{done}/{of} transactions"),
            Unit::Datoms => format!("{done} datoms"),
            Unit::Rows => format!("{done} rows"),
            Unit::RowsOf => format!("{done}/{of} rows"),
        }
    }
}

/// Other work.
pub struct Work {
    what: String,
    unit: Unit,
    /// None: lines.
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Work {
    /// `what` is done: "verifying demo".
    pub fn new(what: impl Into<String>, unit: Unit) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template(unit.template()) {
                bar.set_style(style);
            }
            bar.set_prefix(what.clone());
            bar
        });
        Self { what, unit, bar, last_line: Instant::now() }
    }

    /// `of`: 0 where it is not known.
    pub fn update(&mut self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of.max(done));
            bar.set_position(done);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{}: {}", self.what, self.unit.line(done, of));
        }
    }

    /// Takes the bar away, as dropping does.
    pub fn end(self) {}
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
