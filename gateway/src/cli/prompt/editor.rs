//! One line that is edited, without a terminal: keys in, and what is to be done about them.

use console::Key;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Editor {
    text: Vec<char>,
    /// The character before which the cursor stands.
    at: usize,
    /// What was cut last.
    cut: Vec<char>,
}

/// What a key asks for beyond the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    /// The line is done.
    Enter,
    Complete,
    /// The entry of the history before, or after.
    Older,
    Newer,
    /// Forget what was typed.
    Interrupt,
    /// There is nothing more to come.
    End,
    /// Show it on an empty screen.
    Clear,
}

impl Editor {
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// What stands before the cursor.
    pub fn before(&self) -> String {
        self.text[..self.at].iter().collect()
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn chars(&self) -> &[char] {
        &self.text
    }

    /// Another line; the cursor stands at its end.
    pub fn set(&mut self, text: &str) {
        self.text = text.chars().collect();
        self.at = self.text.len();
    }

    pub fn insert(&mut self, text: &str) {
        let new: Vec<char> = text.chars().collect();
        let count = new.len();
        self.text.splice(self.at..self.at, new);
        self.at += count;
    }

    pub fn key(&mut self, key: Key) -> Asked {
        match key {
            Key::Enter | Key::Char('\n' | '\r') => return Asked::Enter,
            Key::Tab => return Asked::Complete,
            Key::ArrowUp | Key::Char('\x10') => return Asked::Older,
            Key::ArrowDown | Key::Char('\x0e') => return Asked::Newer,
            Key::CtrlC => return Asked::Interrupt,
            Key::Char('\x0c') => return Asked::Clear,
            Key::Char('\x04') if self.text.is_empty() => return Asked::End,
            Key::Char('\x04') | Key::Del => self.delete(self.at, self.at + 1),
            Key::Backspace => self.delete(self.at.saturating_sub(1), self.at),
            Key::ArrowLeft | Key::Char('\x02') => self.at = self.at.saturating_sub(1),
            Key::ArrowRight | Key::Char('\x06') => self.at = (self.at + 1).min(self.text.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.text.len(),
            Key::Char('\x0b') => self.cut(self.at, self.text.len()),
            Key::Char('\x15') => self.cut(0, self.at),
            Key::Char('\x17') => self.cut(self.word(), self.at),
            Key::Char('\x19') => {
                let cut: String = self.cut.iter().collect();
                self.insert(&cut);
            }
            Key::Char(c) if !c.is_control() => self.insert(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        Asked::Nothing
    }

    /// Where the word before the cursor begins.
    fn word(&self) -> usize {
        let before = &self.text[..self.at];
        let spaces = before.iter().rev().take_while(|c| c.is_whitespace()).count();
        let word = before.iter().rev().skip(spaces).take_while(|c| !c.is_whitespace()).count();
        self.at - spaces - word
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.cut = self.text[from..to].to_vec();
        self.delete(from, to);
    }

    fn delete(&mut self, from: usize, to: usize) {
        let to = to.min(self.text.len());
        if from < to {
            self.text.drain(from..to);
            self.at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line after keys, with | where the cursor stands. `<` is left, `^` home, `$` end, `#` backspace, `x` delete,
    /// `K` `U` `W` `Y` cut and paste.
    fn check(typed: &str, keys: &str, expect: &str) {
        let mut editor = Editor::default();
        editor.set(typed);
        for key in keys.chars() {
            editor.key(match key {
                '<' => Key::ArrowLeft,
                '>' => Key::ArrowRight,
                '^' => Key::Home,
                '$' => Key::End,
                '#' => Key::Backspace,
                'x' => Key::Del,
                'K' => Key::Char('\x0b'),
                'U' => Key::Char('\x15'),
                'W' => Key::Char('\x17'),
                'Y' => Key::Char('\x19'),
                other => Key::Char(other),
            });
        }
        let after: String = editor.chars()[editor.at()..].iter().collect();
        assert_eq!(format!("{}|{after}", editor.before()), expect, "{typed} {keys}");
    }

    #[test]
    fn keys_edit_the_line() {
        check("", "ab", "ab|");
        check("größe", "<<ü", "gröü|ße");
        check("ab", "##", "|");
        check("ab", "###", "|");
        check("ab", "^x", "|b");
        check("ab", "x", "ab|");
        check("ab", ">>", "ab|");
        check("one two", "W", "one |");
        check("one two ", "W", "one |");
        check("one two", "WWW", "|");
        check("one two", "^>>>K", "one|");
        check("one two", "<<<U", "|two");
        check("one two", "W^Y", "two|one ");
    }

    #[test]
    fn keys_ask_for_more() {
        let mut editor = Editor::default();
        assert_eq!(editor.key(Key::Char('\x04')), Asked::End);
        assert_eq!(editor.key(Key::Char('a')), Asked::Nothing);
        assert_eq!(editor.key(Key::Char('\x04')), Asked::Nothing);
        assert_eq!(editor.key(Key::Tab), Asked::Complete);
        assert_eq!(editor.key(Key::CtrlC), Asked::Interrupt);
        assert_eq!(editor.key(Key::ArrowUp), Asked::Older);
        assert_eq!(editor.key(Key::UnknownEscSeq(vec!['x'])), Asked::Nothing);
        assert_eq!(editor.key(Key::Enter), Asked::Enter);
        assert_eq!(editor.text(), "a");
    }
}
