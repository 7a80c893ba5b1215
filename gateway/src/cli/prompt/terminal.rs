//! Keys from a terminal, and the line on it. A line that is wider than the terminal is shown in part.

use super::editor::{Asked, Editor};
use super::history::History;
use super::words::{Completion, Words};
use console::{Key, Term};
use std::io::{self, ErrorKind, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Whole(String),
    /// Forget what was typed.
    Interrupted,
    /// There is nothing more to come.
    End,
}

/// Reads a line after `prompt`. `before` are the lines of its statement that are done.
pub fn line(
    term: &Term,
    prompt: &str,
    before: &str,
    history: &mut History,
    words: &Words,
) -> io::Result<Line> {
    let mut editor = Editor::default();
    loop {
        show(term, prompt, &editor)?;
        let key = match term.read_key_raw() {
            Ok(key) => key,
            Err(e) if e.kind() == ErrorKind::Interrupted => Key::CtrlC,
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(Line::End),
            Err(e) => return Err(e),
        };
        match editor.key(key) {
            Asked::Nothing => {}
            Asked::Enter => {
                term.write_line("")?;
                return Ok(Line::Whole(editor.text()));
            }
            Asked::Interrupt => {
                term.write_line("^C")?;
                return Ok(Line::Interrupted);
            }
            Asked::End => {
                term.write_line("")?;
                return Ok(Line::End);
            }
            Asked::Older => {
                if let Some(entry) = history.older(&editor.text()) {
                    editor.set(&entry);
                }
            }
            Asked::Newer => {
                if let Some(entry) = history.newer() {
                    editor.set(&entry);
                }
            }
            Asked::Clear => term.clear_screen()?,
            Asked::Complete => match words.complete(&format!("{before}{}", editor.before())) {
                Completion::Nothing => {}
                Completion::Insert(more) => editor.insert(&more),
                Completion::Choose(all) => choices(term, &all)?,
            },
        }
    }
}

fn show(term: &Term, prompt: &str, editor: &Editor) -> io::Result<()> {
    let width = usize::from(term.size().1);
    let room = width.saturating_sub(prompt.width() + 1).max(8);
    let (shown, cursor) = window(editor.chars(), editor.at(), room);
    let right = match prompt.width() + cursor {
        0 => String::new(),
        n => format!("\x1b[{n}C"),
    };
    let mut out = term;
    write!(out, "\r{prompt}{shown}\x1b[K\r{right}")?;
    out.flush()
}

/// Where a line ends, in an entry of several that was brought back: it is edited as one.
const LINE_END: char = '⏎';

/// The part of a line that fits into so many cells with the cursor in it, and the cell of the cursor.
fn window(text: &[char], at: usize, room: usize) -> (String, usize) {
    let shown = |c: &char| if *c == '\n' { LINE_END } else { *c };
    let text: Vec<char> = text.iter().map(shown).collect();
    let cells = |chars: &[char]| chars.iter().map(|c| c.width().unwrap_or(0)).sum::<usize>();
    let mut from = 0;
    while cells(&text[from..at]) > room {
        from += 1;
    }
    let mut to = text.len();
    while cells(&text[from..to]) > room && to > at {
        to -= 1;
    }
    (text[from..to].iter().collect(), cells(&text[from..at]))
}

/// Words to choose from, in columns below the line.
fn choices(term: &Term, all: &[String]) -> io::Result<()> {
    let width = usize::from(term.size().1).max(20);
    let column = all.iter().map(|word| word.width()).max().unwrap_or(0) + 2;
    let count = (width / column).max(1);
    term.write_line("")?;
    for row in all.chunks(count) {
        let cells = row.iter().map(|word| format!("{word}{}", " ".repeat(column - word.width())));
        term.write_line(cells.collect::<String>().trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_shown_in_part() {
        let check = |text: &str, at: usize, room: usize, expect: (&str, usize)| {
            let chars: Vec<char> = text.chars().collect();
            let (shown, cursor) = window(&chars, at, room);
            assert_eq!((shown.as_str(), cursor), expect, "{text} {at}");
        };
        check("abc", 3, 8, ("abc", 3));
        check("abcdefghij", 10, 8, ("cdefghij", 8));
        check("abcdefghij", 0, 8, ("abcdefgh", 0));
        check("日本語", 3, 4, ("本語", 4));
        check("", 0, 8, ("", 0));
        check("a\nb", 3, 8, ("a⏎b", 3));
    }
}
