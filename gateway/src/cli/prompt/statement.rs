//! Where what was typed ends: a statement with its semicolon, a query of Datalog with its last bracket, a command with its
//! line.

use daodb_datalog::edn;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// More must come.
    Open,
    Nothing,
    Sql,
    Datalog,
    /// `\d file`: its name and what follows.
    Command(String, String),
}

pub fn read(text: &str) -> Typed {
    let trimmed = text.trim();
    match trimmed.chars().next() {
        None => Typed::Nothing,
        Some('\\') => {
            let (name, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
            Typed::Command(name.to_owned(), rest.trim().trim_end_matches(';').to_owned())
        }
        Some('[' | '{') => match edn::read(trimmed.trim_end_matches(';')) {
            Err(e) if e.message.contains("never closed") => Typed::Open,
            // What is wrong with it is told when it is run.
            _ => Typed::Datalog,
        },
        Some(_) if ends(text) => Typed::Sql,
        Some(_) => Typed::Open,
    }
}

/// Whether the last thing outside of texts and comments is a semicolon.
fn ends(sql: &str) -> bool {
    let (parts, open) = parts(sql);
    !open && parts.last().is_some_and(|last| is_blank(last)) && parts.len() > 1
}

/// Statements, one after the other, without their semicolons.
pub fn statements(sql: &str) -> Vec<&str> {
    let (parts, _) = parts(sql);
    parts.into_iter().filter(|part| !is_blank(part)).collect()
}

/// Nothing but spaces and comments.
fn is_blank(part: &str) -> bool {
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        let is_comment = rest.starts_with("--") || rest.starts_with("/*");
        if !c.is_whitespace() && !is_comment {
            return false;
        }
        rest = step(rest).and_then(|skipped| rest.get(skipped..)).unwrap_or_default();
    }
    true
}

/// What stands between the semicolons that are outside of texts and comments; and whether a text or comment never ends.
fn parts(sql: &str) -> (Vec<&str>, bool) {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(skipped) = step(rest) else {
            parts.push(sql.get(from..).unwrap_or_default());
            return (parts, true);
        };
        if rest.starts_with(';') {
            parts.push(sql.get(from..at).unwrap_or_default());
            from = at + 1;
        }
        at += skipped;
    }
    parts.push(sql.get(from..).unwrap_or_default());
    (parts, false)
}

/// The length of what a text begins with: a letter, something quoted, a comment. None: it never ends.
fn step(text: &str) -> Option<usize> {
    match text.chars().next()? {
        '-' if text.starts_with("--") => text.find('\n').or(Some(text.len())),
        '/' if text.starts_with("/*") => comment(text),
        quote @ ('\'' | '"') => quoted(text, quote),
        '$' => dollar(text),
        c => Some(c.len_utf8()),
    }
}

/// The length of what is quoted; None: it has no end. A doubled quote ends it and begins another one: the same in the end.
fn quoted(text: &str, quote: char) -> Option<usize> {
    text.get(1..)?.find(quote).map(|at| at + 2)
}

/// Comments stand within comments.
fn comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = text.get(at..)?;
        let step = match rest {
            rest if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            rest if rest.starts_with("*/") => {
                depth -= 1;
                2
            }
            rest => rest.chars().next()?.len_utf8(),
        };
        at += step;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// `$tag$ ... $tag$`; a parameter `$1` is no quote.
fn dollar(text: &str) -> Option<usize> {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.get(1..)?.find(|c| !name(c)).map(|at| at + 1);
    match end.and_then(|end| text.get(..=end)) {
        Some(tag) if tag.ends_with('$') && !tag[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let body = text.get(tag.len()..)?;
            body.find(tag).map(|at| tag.len() + at + tag.len())
        }
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_with_a_semicolon() {
        for whole in [
            "SELECT 1;",
            "SELECT 1; -- done",
            "SELECT 1; /* done /* really */ */",
            "SELECT ';' ;",
            "SELECT 'it''s';",
            "SELECT $$;$$;",
            "SELECT $a$ $$ ; $a$;",
            "SELECT $1;",
            "SELECT \"a;b\";\n",
            "SELECT 'ß' - 1;",
        ] {
            assert_eq!(read(whole), Typed::Sql, "{whole}");
        }
        for open in [
            "SELECT 1",
            "SELECT ';",
            "SELECT ';'",
            "SELECT 1 -- ;",
            "SELECT 1 /* ; */",
            "SELECT 1; /* never",
            "SELECT $$ ; ",
            "SELECT $a$ $$ ;",
            "SELECT 1; SELECT 2",
            "SELECT \"a;",
        ] {
            assert_eq!(read(open), Typed::Open, "{open}");
        }
    }

    #[test]
    fn statements_are_told_apart() {
        let sql = "SELECT ';' ; -- none\n SELECT $$;$$;;\n/* ; */ SELECT 2 -- last";
        let all: Vec<&str> = statements(sql).into_iter().map(str::trim).collect();
        assert_eq!(all, ["SELECT ';'", "-- none\n SELECT $$;$$", "/* ; */ SELECT 2 -- last"]);
        assert_eq!(statements(" ; -- \n"), [""; 0]);
    }

    #[test]
    fn queries_end_with_their_bracket() {
        assert_eq!(read("[:find ?e :where [?e :a]]"), Typed::Datalog);
        assert_eq!(read("[:find ?e\n :where [?e :a]"), Typed::Open);
        assert_eq!(read("{:find [?e] :where [[?e :a \"]\"]]};"), Typed::Datalog);
        assert_eq!(read("[:find ?e]]"), Typed::Datalog);
    }

    #[test]
    fn commands_are_one_line() {
        assert_eq!(read("\\d file;"), Typed::Command("\\d".to_owned(), "file".to_owned()));
        assert_eq!(read("\\q"), Typed::Command("\\q".to_owned(), String::new()));
        assert_eq!(read(" \n"), Typed::Nothing);
    }
}
