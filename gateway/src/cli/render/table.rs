//! A table as psql draws it. Widths are those of the first rows; a wider cell further down widens its column from there.

use super::cell::Columns;
use super::{Broken, Rows};
use datafusion::arrow::array::RecordBatch;
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// Rows that are laid out together.
const LAID_OUT: usize = 10_000;

pub struct Table<'a> {
    out: &'a mut dyn Write,
    columns: Columns,
    widths: Vec<usize>,
    waiting: Vec<Vec<String>>,
    headed: bool,
    rows: u64,
}

impl<'a> Table<'a> {
    pub fn new(columns: Columns, out: &'a mut dyn Write) -> Self {
        let widths = columns.names().map(UnicodeWidthStr::width).collect();
        Self { out, columns, widths, waiting: Vec::new(), headed: false, rows: 0 }
    }

    fn lay_out(&mut self) -> Result<(), Broken> {
        for row in &self.waiting {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.split('\n').map(UnicodeWidthStr::width).fold(*width, usize::max);
            }
        }
        if !std::mem::replace(&mut self.headed, true) {
            self.head()?;
        }
        for row in std::mem::take(&mut self.waiting) {
            self.row(&row)?;
        }
        Ok(())
    }

    /// Names stand in the middle.
    fn head(&mut self) -> Result<(), Broken> {
        let names = self.columns.names().zip(&self.widths).map(|(name, width)| {
            let gap = width - name.width();
            format!(" {}{name}{} ", " ".repeat(gap / 2), " ".repeat(gap - gap / 2))
        });
        writeln!(self.out, "{}", names.collect::<Vec<_>>().join("|"))?;
        let lines = self.widths.iter().map(|width| "-".repeat(width + 2));
        Ok(writeln!(self.out, "{}", lines.collect::<Vec<_>>().join("+"))?)
    }

    /// Numbers stand to the right; `+` marks a text that goes on in the next line.
    fn row(&mut self, row: &[String]) -> Result<(), Broken> {
        let cells: Vec<Vec<&str>> = row.iter().map(|cell| cell.split('\n').collect()).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for i in 0..height {
            let parts = cells.iter().enumerate().map(|(column, lines)| {
                let last = column + 1 == cells.len();
                self.part(column, lines.get(i).copied(), i + 1 < lines.len(), last)
            });
            let line = parts.collect::<Vec<_>>().join("|");
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// One line of one cell. The last column is filled up only where its text goes on.
    fn part(&self, column: usize, text: Option<&str>, goes_on: bool, last: bool) -> String {
        if last && text.is_none() {
            return " ".to_owned();
        }
        let text = text.unwrap_or_default();
        let gap = " ".repeat(self.widths[column].saturating_sub(text.width()));
        let end = if goes_on { "+" } else { " " };
        match self.columns.is_number(column) {
            true if last => format!(" {gap}{text}"),
            true => format!(" {gap}{text}{end}"),
            false if last && !goes_on => format!(" {text}"),
            false => format!(" {text}{gap}{end}"),
        }
    }
}

/// As psql shows what would move the cursor: a tab goes to the next eighth column, other controls are written out.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut line = 0;
    for c in text.chars() {
        match c {
            '\n' => {
                out.push('\n');
                line = out.len();
            }
            '\t' => out.push_str(&" ".repeat(8 - out[line..].width() % 8)),
            '\r' => out.push_str("\\r"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

impl Rows for Table<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        let mut cells = self.columns.cells(batch)?;
        for row in 0..batch.num_rows() {
            let texts = (0..batch.num_columns())
                .map(|column| Ok(shown(cells.text(column, row)?.unwrap_or_default())));
            self.waiting.push(texts.collect::<Result<_, Broken>>()?);
            self.rows += 1;
            if self.waiting.len() == LAID_OUT {
                self.lay_out()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.lay_out()?;
        let rows = self.rows;
        Ok(writeln!(self.out, "({rows} {})\n", if rows == 1 { "row" } else { "rows" })?)
    }
}
