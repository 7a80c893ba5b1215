//! How far an import is: a bar on a terminal, now and then a line in a pipe. On stderr.

use crate::import::run::{Progress, Summary};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const LINE_EVERY: Duration = Duration::from_secs(5);

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
