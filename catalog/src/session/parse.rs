//! Text to statements: split at semicolons, parsed in our dialect, each with its own text.

use super::cursor::grammar::{self, Command};
use super::{Statement, errors};
use crate::error::{Error, Result, SqlState};
use crate::timetravel::{DaoDialect, clause};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};
use std::sync::Arc;

/// Longer texts are refused: a tree of their size would not fit a stack.
const MAX_TEXT: usize = 4 << 20;
/// Operators in a row (`a OR b OR c ...`) make a tree as deep; deeper ones would not fit a stack.
const MAX_CHAIN: usize = 1000;
/// How deep expressions and queries nest.
const MAX_DEPTH: usize = 64;

/// All statements of a text; none of an empty one.
pub fn statements(sql: &str) -> Result<Vec<Statement>> {
    if sql.len() > MAX_TEXT {
        return Err(too_complex(format!(
            "a text of {} bytes is too long: at most {MAX_TEXT} are accepted",
            sql.len()
        )));
    }
    let dialect = DaoDialect::default();
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|e| of_tokenizer(&e, sql))?;
    let source: Arc<str> = sql.into();
    let offsets = Offsets::new(sql);
    tokens
        .split(|t| t.token == Token::SemiColon)
        .filter(|tokens| tokens.iter().any(is_solid))
        .map(|tokens| statement(tokens, &source, &offsets))
        .collect()
}

/// A statement's text after something is done to it.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub fn shown_after(sql: &str, change: impl FnOnce(&mut ast::Statement)) -> String {
    let mut statement = statements(sql).unwrap()[0].ast.as_ref().clone();
    change(&mut statement);
    statement.to_string()
}

fn is_solid(t: &TokenWithSpan) -> bool {
    !matches!(t.token, Token::Whitespace(_) | Token::EOF)
}

fn too_complex(message: String) -> Error {
    Error::new(SqlState::Code("54001"), message).hint("split the statement")
}

fn of_tokenizer(e: &TokenizerError, text: &str) -> Error {
    let ours = Error::new(SqlState::SYNTAX, e.message.clone());
    match errors::position(text, e.location.line, e.location.column) {
        Some(position) => ours.at(position),
        None => ours,
    }
}

fn statement(tokens: &[TokenWithSpan], source: &Arc<str>, offsets: &Offsets) -> Result<Statement> {
    check_chain(tokens)?;
    let solid: Vec<&TokenWithSpan> = tokens.iter().filter(|t| is_solid(t)).collect();
    let text = match (solid.first(), solid.last()) {
        (Some(first), Some(last)) => offsets.text(source, first, last),
        _ => "",
    };
    let view_query =
        view_query(&solid).map(|(first, last)| offsets.text(source, first, last).into());
    let cursor = grammar::read(&solid, source)?;
    let ast = match (&cursor, solid.first().map(|t| &t.token)) {
        (Some((Command::Declare(_), first)), _) => declared(solid.get(*first..), source)?,
        // Has been read; this only stands for it.
        (Some(_), _) => ast::Statement::Close { cursor: ast::CloseCursor::All },
        // Postgres's other word for ROLLBACK.
        (None, Some(Token::Word(w))) if w.value.eq_ignore_ascii_case("abort") => {
            ast::Statement::Rollback { chain: false, savepoint: None }
        }
        (None, _) => parse_whole(tokens.to_vec(), source)?,
    };
    Ok(Statement {
        text: text.into(),
        source: Arc::clone(source),
        ast: Arc::new(ast),
        cursor: cursor.map(|(command, _)| Arc::new(command)),
        view_query,
    })
}

/// The query of a DECLARE.
fn declared(solid: Option<&[&TokenWithSpan]>, source: &str) -> Result<ast::Statement> {
    let solid = solid.unwrap_or_default();
    match parse_whole(solid.iter().map(|t| (*t).clone()).collect(), source)? {
        query @ ast::Statement::Query(_) => Ok(query),
        _ => Err(grammar::unexpected(solid.first().copied(), source)),
    }
}

fn parse_whole(tokens: Vec<TokenWithSpan>, source: &str) -> Result<ast::Statement> {
    let dialect = DaoDialect::default();
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_DEPTH)
        .with_tokens_with_locations(clause::mark(tokens));
    let statement =
        parser.parse_statement().and_then(|statement| match parser.peek_token_ref().token {
            Token::EOF => Ok(statement),
            _ => parser.expected("end of statement", parser.peek_token()),
        });
    statement.map_err(|e| at_version_clause(errors::of_parser(&e, source), source))
}

/// What to do where a version clause stands after something that is no table.
fn at_version_clause(e: Error, source: &str) -> Error {
    let rest: String = match e.position {
        Some(p) => source.chars().skip(p.saturating_sub(1)).take(16).collect(),
        None => return e,
    };
    // The clause was marked as FOR SYSTEM_TIME, which the user may never have written.
    let written = rest.split_whitespace().next().unwrap_or_default();
    let message = format!("syntax error at or near \"{written}\"");
    let rest = rest.to_ascii_uppercase();
    let words = ["FOR ", "VERSION ", "TIMESTAMP ", "SYSTEM_TIME"];
    if words.iter().any(|w| rest.starts_with(w)) {
        Error { message, detail: None, ..e }
            .hint("a version clause stands after a table's or view's name, before its alias")
    } else {
        e
    }
}

/// The tokens of the query of a CREATE VIEW, first and last.
fn view_query<'a>(solid: &[&'a TokenWithSpan]) -> Option<(&'a TokenWithSpan, &'a TokenWithSpan)> {
    let keyword = |t: &TokenWithSpan| match &t.token {
        Token::Word(w) if w.quote_style.is_none() => Some(w.keyword),
        _ => None,
    };
    if keyword(solid.first()?) != Some(Keyword::CREATE) {
        return None;
    }
    let view = solid.iter().position(|t| keyword(t) == Some(Keyword::VIEW))?;
    let is_as = |t: &&TokenWithSpan| keyword(t) == Some(Keyword::AS);
    let after_as = view + 2 + solid[view + 1..].iter().position(is_as)?;
    Some((solid.get(after_as)?, solid.last()?))
}

/// How deep the operators between two commas or parentheses nest.
#[derive(Clone, Copy, Default)]
struct Chain {
    /// AND, OR, UNION, JOIN: each a level above all before it.
    logic: usize,
    /// All others since the last of those.
    other: usize,
}

fn check_chain(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut chains = Vec::new();
    let mut chain = Chain::default();
    for t in tokens {
        match &t.token {
            Token::LParen => chains.push(std::mem::take(&mut chain)),
            Token::RParen => chain = chains.pop().unwrap_or_default(),
            Token::Comma => chain = Chain::default(),
            Token::Word(w) if is_logic(w.keyword) => {
                chain = Chain { logic: chain.logic + 1, other: 0 };
            }
            Token::Word(w) if !is_operator(w.keyword) => {}
            Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Period => {}
            _ => chain.other += 1,
        }
        if chain.logic > MAX_CHAIN || chain.other > MAX_CHAIN {
            return Err(too_complex(format!("more than {MAX_CHAIN} operators in one expression"))
                .hint("write IN (...) or a join with VALUES"));
        }
    }
    Ok(())
}

fn is_logic(k: Keyword) -> bool {
    use Keyword::*;
    matches!(k, AND | OR | UNION | EXCEPT | INTERSECT | JOIN | WHEN)
}

fn is_operator(k: Keyword) -> bool {
    use Keyword::*;
    matches!(k, NOT | IS | LIKE | ILIKE | BETWEEN | IN | COLLATE | AT | CASE)
}

/// Byte offsets of lines, to cut texts by what tokens say of their places.
struct Offsets {
    lines: Vec<usize>,
}

impl Offsets {
    fn new(text: &str) -> Offsets {
        let starts = text.match_indices('\n').map(|(i, _)| i + 1);
        Offsets { lines: std::iter::once(0).chain(starts).collect() }
    }

    fn byte(&self, text: &str, line: u64, column: u64) -> Option<usize> {
        let start = *self.lines.get(usize::try_from(line.checked_sub(1)?).ok()?)?;
        let chars = usize::try_from(column.checked_sub(1)?).ok()?;
        let rest = text.get(start..)?;
        Some(rest.char_indices().nth(chars).map_or(text.len(), |(i, _)| start + i))
    }

    fn text<'a>(&self, text: &'a str, first: &TokenWithSpan, last: &TokenWithSpan) -> &'a str {
        let start = self.byte(text, first.span.start.line, first.span.start.column);
        let end = self.byte(text, last.span.end.line, last.span.end.column);
        match (start, end) {
            (Some(start), Some(end)) => text.get(start..end).unwrap_or(text),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(sql: &str, expect: &[&str]) {
        let found: Vec<String> =
            statements(sql).unwrap().iter().map(|s| s.text.to_string()).collect();
        assert_eq!(found, expect, "{sql}");
    }

    #[test]
    fn splitting() {
        check("", &[]);
        check(" ;; -- nothing\n", &[]);
        check("SELECT 1; SELECT ';' ; ", &["SELECT 1", "SELECT ';'"]);
        check("/* é */ SELECT 'é'\n;\nSHOW x", &["SELECT 'é'", "SHOW x"]);
        check("abort", &["abort"]);
    }

    #[test]
    fn syntax_errors_have_places_in_the_whole_text() {
        let e = statements("SELECT 1;\nSELEC 2").unwrap_err();
        assert_eq!((e.state, e.position), (SqlState::SYNTAX, Some(11)), "{e:?}");
        let e = statements("SELECT 'open").unwrap_err();
        assert_eq!((e.state, e.position), (SqlState::SYNTAX, Some(8)), "{e:?}");
        let e = statements("SELECT 1 FROM (SELECT 1) FOR SYSTEM_TIME AS OF 5").unwrap_err();
        assert!(e.hint.unwrap().contains("before its alias"));
        let e = statements("SELECT 1 FROM (SELECT 1) VERSION AS OF 5").unwrap_err();
        assert_eq!(e.message, "syntax error at or near \"VERSION\"");
    }

    #[test]
    fn views_keep_their_text() {
        let s = statements("CREATE VIEW v AS\n SELECT * FROM p VERSION AS OF 5 x;").unwrap();
        assert_eq!(s[0].view_query.as_deref(), Some("SELECT * FROM p VERSION AS OF 5 x"));
    }

    #[test]
    fn what_no_stack_could_hold_is_refused() {
        for sql in [
            format!("SELECT {}1", "1+".repeat(5000)),
            format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
            format!("SELECT {}", "x".repeat(5 << 20)),
            format!("SELECT {} 1", "NOT ".repeat(5000)),
        ] {
            assert_eq!(statements(&sql).unwrap_err().state.as_str(), "54001");
        }
        assert!(
            statements(&format!("SELECT * FROM t WHERE {} x = 1", "x = 1 OR ".repeat(900))).is_ok()
        );
    }
}
