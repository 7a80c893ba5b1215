//! What may be typed next: names of tables, columns, attributes, and the words of both languages.

use crate::cli::Failure;
use crate::cli::remote::Remote;
use daodb_catalog::{Database, Result};
use std::collections::BTreeSet;

const SQL: [&str; 44] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS NULL",
    "IS NOT NULL",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "DISTINCT",
    "UNION ALL",
    "WITH",
    "DESC",
    "count(*)",
    "VERSION AS OF",
    "FOR SYSTEM_TIME AS OF",
    "TIMESTAMP",
    "EXPLAIN",
    "SHOW",
    "SET daodb.as_of =",
    "RESET daodb.as_of",
    "dao.transactions",
    "dao.changes",
    "dao.datoms",
    "dao.attributes",
];

const DATALOG: [&str; 24] = [
    ":find",
    ":where",
    ":in",
    ":with",
    ":keys",
    ":order-by",
    ":limit",
    ":offset",
    "pull",
    "count",
    "count-distinct",
    "sum",
    "avg",
    "min",
    "max",
    "median",
    "not",
    "not-join",
    "or",
    "or-join",
    "get-else",
    "missing?",
    "ground",
    "desc",
];

const COMMANDS: [&str; 4] = ["\\d", "\\dt", "\\q", "\\?"];

#[derive(Debug, Default)]
pub struct Words {
    /// Tables and columns.
    sql: BTreeSet<String>,
    /// Attributes.
    datalog: BTreeSet<String>,
}

/// What Tab does.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion {
    Nothing,
    /// What is to be typed further.
    Insert(String),
    /// There are several.
    Choose(Vec<String>),
}

impl Words {
    pub async fn of(database: &Database) -> Result<Words> {
        let snapshot = database.snapshot();
        let mut words = Words::default();
        for table in database.tables(&snapshot).await?.iter() {
            words.sql.insert(table.name.clone());
            words.sql.extend(table.columns.iter().map(|column| column.name.clone()));
        }
        let schema = database.schema(&snapshot).await?;
        words.datalog.extend(schema.attributes.keys().map(|a| a.as_str().to_owned()));
        Ok(words)
    }

    /// Of a database that a server has.
    pub async fn there(server: &Remote) -> Result<Words, Failure> {
        let mut words = Words::default();
        let columns = "SELECT table_name, column_name FROM information_schema.columns \
            WHERE table_schema = 'public'";
        for row in server.texts(columns).await? {
            words.sql.extend(row);
        }
        for row in server.texts("SELECT attribute FROM dao.attributes").await? {
            words.datalog.extend(row);
        }
        Ok(words)
    }

    /// Completes the last word of `before`, what stands before the cursor on all lines of the statement.
    pub fn complete(&self, before: &str) -> Completion {
        let datalog = before.trim_start().starts_with(['[', '{']);
        let command = before.trim_start().starts_with('\\');
        let apart = |c: char| c.is_whitespace() || "()[]{},;=<>+*'\"".contains(c);
        let from = before
            .rfind(apart)
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[from..];
        if word.is_empty() {
            return Completion::Nothing;
        }
        let known: Vec<&str> = match (datalog, command) {
            (true, _) => of(&DATALOG, &self.datalog),
            (_, true) if word.starts_with('\\') => COMMANDS.to_vec(),
            (_, true) => of(&[], &self.sql),
            _ => of(&SQL, &self.sql),
        };
        let fits = |known: &&str| {
            known.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        let fitting: Vec<&str> = known.into_iter().filter(fits).collect();
        decide(word, &fitting)
    }
}

fn of<'a>(words: &[&'a str], names: &'a BTreeSet<String>) -> Vec<&'a str> {
    let mut all: Vec<&str> =
        words.iter().copied().chain(names.iter().map(String::as_str)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn decide(word: &str, fitting: &[&str]) -> Completion {
    let rest = |known: &str| known.get(word.len()..).unwrap_or_default().to_owned();
    match fitting {
        [] => Completion::Nothing,
        [one] => Completion::Insert(format!("{} ", rest(one))),
        [first, others @ ..] => {
            let common = others.iter().fold(rest(first), |common, other| {
                let other = rest(other);
                let same = common.chars().zip(other.chars()).take_while(|(a, b)| a == b);
                same.map(|(a, _)| a).collect()
            });
            match common.is_empty() {
                true => Completion::Choose(fitting.iter().map(|w| (*w).to_owned()).collect()),
                false => Completion::Insert(common),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        let words = Words {
            sql: names(&["file", "path", "parents"]),
            datalog: names(&[":file/path", ":file/lines"]),
        };
        let insert = |text: &str| Completion::Insert(text.to_owned());
        let choose = |all: &[&str]| Completion::Choose(names(all).into_iter().collect());
        for (before, expect) in [
            ("sel", insert("ECT ")),
            ("SELECT pat", insert("h ")),
            ("SELECT p", insert("a")),
            ("SELECT pa", choose(&["parents", "path"])),
            ("SELECT max(pat", insert("h ")),
            ("SELECT x FROM fi", insert("le ")),
            ("SELECT zz", Completion::Nothing),
            ("SELECT ", Completion::Nothing),
            ("[:find ?p :where [?f :file/p", insert("ath ")),
            ("[:find ?p :wh", insert("ere ")),
            ("[:find ?p :where [?f :fi", choose(&[":file/lines", ":file/path", ":find"])),
            ("\\d fi", insert("le ")),
            ("\\", choose(&["\\?", "\\d", "\\dt", "\\q"])),
            ("größe", Completion::Nothing),
        ] {
            let sorted = match words.complete(before) {
                Completion::Choose(mut all) => {
                    all.sort();
                    Completion::Choose(all)
                }
                other => other,
            };
            assert_eq!(sorted, expect, "{before}");
        }
    }
}
