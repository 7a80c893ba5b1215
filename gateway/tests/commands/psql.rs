//! Sessions of psql in the documents: statements at the prompt, and what the real psql prints.

use super::docs::trimmed;
use super::program;
use std::iter::Peekable;
use std::process::Command;

const MARK: &str = "--8<--";

/// Whether there is a psql to compare with.
pub fn is_there(document: &str) -> bool {
    program::is_there("psql", &format!("the psql sessions of {document}"))
}

/// psql apart from the settings of whoever runs the test.
pub fn quiet(mut command: Command) -> Command {
    command.env("PSQLRC", "/dev/null").env("PGUSER", "me").env("PGCONNECT_TIMEOUT", "10");
    command.env_remove("PGOPTIONS").env_remove("PGTZ").env_remove("PGCLIENTENCODING");
    command
}

/// The arguments of a command that starts a psql without a statement of its own.
pub fn arguments(command: &str) -> Option<String> {
    let arguments = command.strip_prefix("psql ")?;
    (!arguments.contains("-c ")).then(|| arguments.to_owned())
}

/// Statements and what the document shows for them.
pub struct Session {
    exchanges: Vec<Exchange>,
}

struct Exchange {
    /// With prompts, as shown.
    shown: String,
    statement: String,
    answer: String,
}

/// The rest of a block, from the first prompt on. `before`: what psql says when it starts, which is not compared.
pub fn session<'a>(before: &str, lines: &mut Peekable<impl Iterator<Item = &'a str>>) -> Session {
    assert!(before.trim().is_empty(), "psql's own first lines change: leave them out: {before}");
    let mut exchanges: Vec<Exchange> = Vec::new();
    while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
        let input =
            ["demo=> ", "demo=# ", "demo-> ", "demo-# "].iter().find_map(|p| line.strip_prefix(p));
        match input {
            Some(statement) if line.starts_with("demo=") => exchanges.push(Exchange {
                shown: format!("{line}\n"),
                statement: format!("{statement}\n"),
                answer: String::new(),
            }),
            Some(more) => {
                let last = exchanges.last_mut().expect("a statement starts at demo=>");
                last.shown.push_str(&format!("{line}\n"));
                last.statement.push_str(&format!("{more}\n"));
            }
            None => {
                let last = exchanges.last_mut().expect("an answer follows a statement");
                last.answer.push_str(&format!("{line}\n"));
            }
        }
    }
    Session { exchanges }
}

impl Session {
    pub fn as_shown(&self) -> String {
        self.exchanges.iter().map(|e| format!("{}{}", e.shown, e.answer)).collect()
    }

    /// Runs psql with these arguments; the session with its answers.
    pub fn run(&self, arguments: &str) -> String {
        let mut input = String::new();
        for exchange in &self.exchanges {
            input.push_str(&format!("{}\\echo {MARK}\n", exchange.statement));
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("psql {arguments}")]);
        let (said, _) = program::both(quiet(command), &input);
        let answers: Vec<&str> = said.split(&format!("{MARK}\n")).collect();
        assert_eq!(answers.len(), self.exchanges.len() + 1, "psql {arguments}: {said}");
        let shown = self.exchanges.iter().zip(answers).map(|(exchange, answer)| {
            // psql leaves an empty line after rows.
            let gap = if answer.ends_with("\n\n") { "\n" } else { "" };
            format!("{}{}{gap}", exchange.shown, trimmed(answer))
        });
        let shown: String = shown.collect();
        format!("{}\n", shown.trim_end())
    }
}
