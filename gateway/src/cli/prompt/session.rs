//! Runs what is typed, until there is no more. What fails is told, and the next line comes.

use super::history::History;
use super::place::Place;
use super::statement::{Typed, read};
use super::terminal::{self, Line};
use crate::cli::Failure;
use crate::cli::render::{Broken, Format};
use console::Term;
use std::io::Write;

const HELP: &str = "\
A statement ends with a semicolon, a query of Datalog ([:find ...]) with its last bracket; both may have several lines.
  \\dt          the tables
  \\d TABLE     its columns
  \\q           ends, as Ctrl-D does
SET daodb.as_of = '2026-01-01' reads the past, in both languages; RESET daodb.as_of the present.
Tab completes, the arrows bring back what was typed, Ctrl-C forgets a line or stops what runs.";

const TABLES: &str = "SELECT table_name FROM information_schema.tables \
    WHERE table_schema = 'public' AND table_name NOT LIKE '%\\_\\_history' ORDER BY table_name";

pub async fn run(mut place: Place<'_>, format: Format) -> Result<(), Failure> {
    let term = Term::stdout();
    let (mut history, mut words) = (History::open(), place.words().await?);
    let name = place.database().to_owned();
    println!("database {name}; \\? helps, \\q ends");
    let mut text = String::new();
    loop {
        let mark = if text.is_empty() { "=>" } else { "->" };
        let prompt = format!("{name}{mark} ");
        let line = terminal::line(&term, &prompt, &text, &mut history, &words)
            .map_err(|e| Failure::failed(format!("the terminal: {e}")))?;
        match line {
            Line::End => return Ok(()),
            Line::Interrupted => {
                text.clear();
                continue;
            }
            Line::Whole(line) => {
                text.push_str(&line);
                text.push('\n');
            }
        }
        let typed = read(&text);
        if typed == Typed::Open {
            continue;
        }
        let whole = std::mem::take(&mut text);
        history.add(&whole);
        let whole = whole.trim();
        let statement = match typed {
            Typed::Open | Typed::Nothing => continue,
            Typed::Command(name, _) if name == "\\q" => return Ok(()),
            Typed::Command(name, rest) => match command(&name, &rest) {
                Some(statement) => statement,
                None => continue,
            },
            Typed::Sql => whole.to_owned(),
            Typed::Datalog => {
                told(stoppable(place.ask(whole.trim_end_matches(';'), format)).await);
                continue;
            }
        };
        told(stoppable(place.sql(&statement, format)).await);
        words = place.words().await?;
    }
}

/// What a command asks of the database. None: it is answered.
fn command(name: &str, rest: &str) -> Option<String> {
    match (name, rest) {
        ("\\dt", "") | ("\\d", "") => Some(TABLES.to_owned()),
        ("\\d", table) => Some(format!(
            "SELECT column_name, data_type FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{}' ORDER BY ordinal_position",
            table.replace('\'', "''")
        )),
        ("\\?" | "\\h", _) => {
            println!("{HELP}");
            None
        }
        (other, _) => {
            Failure::usage(format!("there is no command {other}")).hint("\\? tells all").report();
            None
        }
    }
}

/// Until Ctrl-C.
async fn stoppable(ran: impl Future<Output = Result<(), Broken>>) -> Result<(), Broken> {
    tokio::select! {
        ran = ran => ran,
        _ = tokio::signal::ctrl_c() => Err(Failure::failed("stopped").into()),
    }
}

fn told(ran: Result<(), Broken>) {
    if let Err(Broken::Failed(failure)) = ran {
        failure.report();
    }
    // Where nobody reads any more, the next line's prompt says so.
    let _ = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_statements() {
        assert_eq!(command("\\dt", "").as_deref(), Some(TABLES));
        let columns = command("\\d", "o'clock").unwrap_or_default();
        assert!(columns.contains("table_name = 'o''clock'"), "{columns}");
        assert_eq!(command("\\?", ""), None);
        assert_eq!(command("\\nothing", ""), None);
    }
}
