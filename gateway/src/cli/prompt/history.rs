//! What was typed before, in a file: an entry a line, its line ends as `\n`.

use std::io::Write;
use std::path::PathBuf;

/// Entries that are kept.
const KEPT: usize = 1000;

#[derive(Debug, Default)]
pub struct History {
    entries: Vec<String>,
    /// The entry that is shown; that many: none, but what is typed.
    at: usize,
    /// What was typed before an entry was shown.
    typed: String,
    /// None: it is forgotten at the end.
    file: Option<PathBuf>,
}

impl History {
    /// Of the file that `DAODB_HISTORY` names (empty: of none), else of the one for all.
    pub fn open() -> History {
        let file = match std::env::var_os("DAODB_HISTORY") {
            Some(name) => Some(PathBuf::from(name)).filter(|name| !name.as_os_str().is_empty()),
            None => place(),
        };
        History::of(file)
    }

    fn of(file: Option<PathBuf>) -> History {
        // A file that is not there yet, or cannot be read, is none.
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let all: Vec<String> = text.unwrap_or_default().lines().map(unescape).collect();
        let entries = all[all.len().saturating_sub(KEPT)..].to_vec();
        History { at: entries.len(), entries, typed: String::new(), file }
    }

    /// Remembers a statement. It must not fail: history is a comfort.
    pub fn add(&mut self, entry: &str) {
        let entry = entry.trim();
        if !entry.is_empty() && self.entries.last().is_none_or(|last| last != entry) {
            self.entries.push(entry.to_owned());
            self.append(entry);
        }
        self.at = self.entries.len();
    }

    fn append(&self, entry: &str) {
        let Some(file) = &self.file else { return };
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        // What was asked may be nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        if let Ok(mut opened) = options.open(file) {
            let _ = opened.write_all(format!("{}\n", escape(entry)).as_bytes());
        }
    }

    /// The entry before the one that is shown. `typed` is what stands there now.
    pub fn older(&mut self, typed: &str) -> Option<String> {
        let at = self.at.checked_sub(1)?;
        if self.at == self.entries.len() {
            self.typed = typed.to_owned();
        }
        self.at = at;
        self.entries.get(at).cloned()
    }

    /// The entry after it; in the end what was typed.
    pub fn newer(&mut self) -> Option<String> {
        if self.at >= self.entries.len() {
            return None;
        }
        self.at += 1;
        match self.entries.get(self.at) {
            Some(entry) => Some(entry.clone()),
            None => Some(std::mem::take(&mut self.typed)),
        }
    }
}

fn place() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("daodb/history"))
}

fn escape(entry: &str) -> String {
    entry.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(line: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(line.len()), line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_are_walked_through() {
        let mut history = History::default();
        assert_eq!(history.older("x"), None);
        for entry in ["a", "b", "b", " ", "c"] {
            history.add(entry);
        }
        assert_eq!(history.older("typed").as_deref(), Some("c"));
        assert_eq!(history.older("c").as_deref(), Some("b"));
        assert_eq!(history.older("b").as_deref(), Some("a"));
        assert_eq!(history.older("a"), None);
        assert_eq!(history.newer().as_deref(), Some("b"));
        assert_eq!(history.newer().as_deref(), Some("c"));
        assert_eq!(history.newer().as_deref(), Some("typed"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn entries_are_kept_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/history");
        let mut history = History::of(Some(file.clone()));
        history.add("SELECT 1 -- one\n, '\\n';");
        history.add("SELECT a -- one\n, b;");
        let mut again = History::of(Some(file.clone()));
        // With its lines, or a comment would swallow what follows it.
        assert_eq!(again.older("").as_deref(), Some("SELECT a -- one\n, b;"));
        assert_eq!(again.older("").as_deref(), Some("SELECT 1 -- one\n, '\\n';"));
        let many: String = (0..KEPT + 5).map(|n| format!("{n}\n")).collect();
        std::fs::write(&file, many).unwrap();
        let history = History::of(Some(file));
        assert_eq!((history.entries.len(), history.entries[0].as_str()), (KEPT, "5"));
    }
}
