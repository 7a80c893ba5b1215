//! Version clauses: found among tokens, read by the parser, carried in the syntax tree.
//!
//! The parser reads only `FOR SYSTEM_TIME AS OF expr`. Each form is turned into that, with a marker word before `expr`; the
//! dialect reads what follows a marker. Tokens keep their places, so errors point into the user's text.

use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{Expr, Ident, TableVersion, Value};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Which kind of time an AS OF takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A transaction or an instant.
    SystemTime,
    /// `VERSION AS OF`: a transaction.
    Version,
    /// `TIMESTAMP AS OF`: an instant.
    Timestamp,
}

/// The ranges of SQL:2011 and of SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeKind {
    /// Versions that held at some time in `[x, y)`.
    FromTo,
    /// Versions that held at some time in `[x, y]`.
    Between,
    /// Versions that began and ended within `[x, y]`.
    ContainedIn,
}

/// What a version clause asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    AsOf(Kind, Box<Expr>),
    Range(RangeKind, Box<Expr>, Box<Expr>),
    All,
}

impl Clause {
    /// The expressions that say when.
    pub fn bounds(&mut self) -> Vec<&mut Expr> {
        match self {
            Clause::AsOf(_, e) => vec![e],
            Clause::Range(_, x, y) => vec![x, y],
            Clause::All => vec![],
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Marker {
    AsOf(Kind),
    Range(RangeKind),
    All,
}

/// Stands for the TO of a range.
const RANGE_END: &str = "daodb to";

/// No user can write a marker: an unquoted word has no space in it.
const MARKERS: [(&str, Marker); 7] = [
    ("daodb as of", Marker::AsOf(Kind::SystemTime)),
    ("daodb version", Marker::AsOf(Kind::Version)),
    ("daodb timestamp", Marker::AsOf(Kind::Timestamp)),
    ("daodb from", Marker::Range(RangeKind::FromTo)),
    ("daodb between", Marker::Range(RangeKind::Between)),
    ("daodb contained in", Marker::Range(RangeKind::ContainedIn)),
    ("daodb all", Marker::All),
];

impl Marker {
    fn of(word: &str) -> Option<Marker> {
        MARKERS.iter().find(|(name, _)| *name == word).map(|(_, m)| *m)
    }
    fn word(self) -> &'static str {
        MARKERS.iter().find(|(_, m)| *m == self).map_or("", |(name, _)| name)
    }
}

/// The tokens with each version clause as `FOR SYSTEM_TIME AS OF <marker> ...`.
pub fn mark(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<usize> =
        (0..tokens.len()).filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_))).collect();
    let mut out = Vec::with_capacity(tokens.len() + 8);
    let mut done = 0;
    let mut at = 0;
    // Parentheses open since a FROM whose TO is still to come.
    let mut waiting: Option<usize> = None;
    while at < solid.len() {
        let place = solid[at];
        if let Some(depth) = &mut waiting {
            match tokens[place].token {
                Token::LParen => *depth += 1,
                Token::RParen => *depth = depth.saturating_sub(1),
                _ if *depth == 0 && is_range_end(&tokens, &solid[..=at]) => {
                    out.extend_from_slice(&tokens[done..place]);
                    out.push(word(RANGE_END, Keyword::NoKeyword, &tokens[place]));
                    (waiting, done) = (None, place + 1);
                    at += 1;
                    continue;
                }
                _ => {}
            }
        }
        match clause_at(&tokens, &solid[at..]) {
            Some((marker, length)) => {
                out.extend_from_slice(&tokens[done..place]);
                out.extend(canonical(marker, &tokens[place]));
                waiting = (marker == Marker::Range(RangeKind::FromTo)).then_some(0);
                let last = solid[at + length - 1];
                done = last + 1;
                at += length;
            }
            None => {
                out.extend_from_slice(&tokens[done..place]);
                out.push(plain(&tokens, &solid[at..]));
                done = place + 1;
                at += 1;
            }
        }
    }
    out.extend_from_slice(&tokens[done..]);
    out
}

/// The clause that begins at the first of these places, and how many tokens it takes.
fn clause_at(tokens: &[TokenWithSpan], places: &[usize]) -> Option<(Marker, usize)> {
    let is = |i: usize, word: &str| {
        matches!(places.get(i).map(|p| &tokens[*p].token), Some(Token::Word(w))
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    };
    let as_of = |i: usize| is(i, "AS") && is(i + 1, "OF");
    if is(0, "FOR") && is(1, "SYSTEM_TIME") {
        if as_of(2) {
            return Some((Marker::AsOf(Kind::SystemTime), 4));
        } else if is(2, "FROM") {
            return Some((Marker::Range(RangeKind::FromTo), 3));
        } else if is(2, "BETWEEN") {
            return Some((Marker::Range(RangeKind::Between), 3));
        } else if is(2, "CONTAINED") && is(3, "IN") {
            return Some((Marker::Range(RangeKind::ContainedIn), 4));
        } else if is(2, "ALL") {
            return Some((Marker::All, 3));
        }
        return None;
    }
    let skip = usize::from(is(0, "FOR"));
    let kind = if is(skip, "VERSION") {
        Kind::Version
    } else if is(skip, "TIMESTAMP") {
        Kind::Timestamp
    } else {
        return None;
    };
    // `SELECT version AS of FROM t`: a column and its name, and no time follows.
    let time_follows = match places.get(skip + 3).map(|p| &tokens[*p].token) {
        Some(Token::Word(w)) => w.keyword != Keyword::FROM,
        Some(Token::Comma | Token::RParen | Token::SemiColon | Token::EOF) | None => skip == 1,
        Some(_) => true,
    };
    (as_of(skip + 1) && time_follows).then_some((Marker::AsOf(kind), skip + 3))
}

/// TO after FROM; not that of `INTERVAL '1-2' YEAR TO MONTH`. The parser would take `INTERVAL '1 day' TO` for the like.
fn is_range_end(tokens: &[TokenWithSpan], places: &[usize]) -> bool {
    let keyword =
        |back: usize| match places.len().checked_sub(back).map(|i| &tokens[places[i]].token) {
            Some(Token::Word(w)) if w.quote_style.is_none() => Some(w.keyword),
            _ => None,
        };
    use Keyword::{DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
    keyword(1) == Some(Keyword::TO)
        && !matches!(keyword(2), Some(YEAR | MONTH | DAY | HOUR | MINUTE | SECOND))
}

fn word(value: &str, keyword: Keyword, at: &TokenWithSpan) -> TokenWithSpan {
    let word = Word { value: value.into(), quote_style: None, keyword };
    TokenWithSpan { token: Token::Word(word), span: at.span }
}

fn canonical(marker: Marker, at: &TokenWithSpan) -> Vec<TokenWithSpan> {
    let word = |value: &str, keyword| word(value, keyword, at);
    vec![
        word("FOR", Keyword::FOR),
        word("SYSTEM_TIME", Keyword::SYSTEM_TIME),
        word("AS", Keyword::AS),
        word("OF", Keyword::OF),
        word(marker.word(), Keyword::NoKeyword),
    ]
}

/// `changes`, `at` and `before` are names (of `dao.changes`, of an alias) unless a parenthesis follows.
fn plain(tokens: &[TokenWithSpan], places: &[usize]) -> TokenWithSpan {
    let mut token = tokens[places[0]].clone();
    let next = places.get(1).map(|p| &tokens[*p].token);
    let time_zone = matches!(next, Some(Token::Word(w)) if w.keyword == Keyword::TIME);
    if let Token::Word(w) = &mut token.token
        && matches!(w.keyword, Keyword::CHANGES | Keyword::AT | Keyword::BEFORE)
        && !matches!(next, Some(Token::LParen))
        && !time_zone
    {
        w.keyword = Keyword::NoKeyword;
    }
    token
}

/// Reads what follows a marker; None: there is no marker here.
pub fn parse(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let marker = match &parser.peek_token_ref().token {
        Token::Word(w) if w.quote_style.is_none() => Marker::of(&w.value)?,
        _ => return None,
    };
    let span = parser.next_token().span;
    let mut parts = vec![Expr::Identifier(Ident::with_span(span, marker.word()))];
    Some(bounds(marker, parser).map(|bounds| {
        parts.extend(bounds);
        Expr::Tuple(parts)
    }))
}

fn bounds(marker: Marker, parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    Ok(match marker {
        Marker::AsOf(_) => vec![parser.parse_expr()?],
        Marker::Range(RangeKind::FromTo) => {
            let x = parser.parse_expr()?;
            let end = parser.next_token();
            match &end.token {
                Token::Word(w) if w.value == RANGE_END => vec![x, parser.parse_expr()?],
                _ => return parser.expected("TO", end),
            }
        }
        Marker::Range(RangeKind::Between) => {
            let above_and = PostgreSqlDialect {}.prec_value(Precedence::Between);
            let x = parser.parse_subexpr(above_and)?;
            parser.expect_keyword(Keyword::AND)?;
            vec![x, parser.parse_subexpr(above_and)?]
        }
        Marker::Range(RangeKind::ContainedIn) => {
            parser.expect_token(&Token::LParen)?;
            let x = parser.parse_expr()?;
            parser.expect_token(&Token::Comma)?;
            let y = parser.parse_expr()?;
            parser.expect_token(&Token::RParen)?;
            vec![x, y]
        }
        Marker::All => vec![],
    })
}

impl Clause {
    /// What a table's version clause asks for.
    pub fn of(version: &TableVersion) -> Result<Clause> {
        let parts = match version {
            TableVersion::ForSystemTimeAsOf(Expr::Tuple(parts)) => parts.as_slice(),
            _ => return Err(unsupported()),
        };
        let Some((Expr::Identifier(word), bounds)) = parts.split_first() else {
            return Err(unsupported());
        };
        match (Marker::of(&word.value), bounds) {
            (Some(Marker::AsOf(kind)), [at]) => Ok(Clause::AsOf(kind, Box::new(at.clone()))),
            (Some(Marker::Range(kind)), [x, y]) => {
                Ok(Clause::Range(kind, Box::new(x.clone()), Box::new(y.clone())))
            }
            (Some(Marker::All), []) => Ok(Clause::All),
            _ => Err(unsupported()),
        }
    }
}

fn unsupported() -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, "this form of a version clause is not supported")
        .hint(
            "write FOR SYSTEM_TIME AS OF, VERSION AS OF, TIMESTAMP AS OF, or FOR SYSTEM_TIME FROM x TO y, \
             BETWEEN x AND y, CONTAINED IN (x, y), ALL",
        )
}

/// A clause that was resolved: the planner finds its table by this number.
pub fn resolved(number: usize) -> TableVersion {
    TableVersion::VersionAsOf(Expr::value(Value::Number(number.to_string(), false)))
}

/// The number that [`resolved`] wrote; None: the clause was not resolved.
pub fn number(version: &TableVersion) -> Option<usize> {
    match version {
        TableVersion::VersionAsOf(Expr::Value(v)) => match &v.value {
            Value::Number(n, _) => n.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::DaoDialect;
    use super::*;
    use datafusion::sql::sqlparser::ast::{SetExpr, Statement, TableFactor};
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    fn parse_sql(sql: &str) -> Result<Statement, ParserError> {
        let dialect = DaoDialect::default();
        let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location().unwrap();
        Parser::new(&dialect).with_tokens_with_locations(mark(tokens)).parse_statement()
    }

    /// The clause of the first table and its alias.
    fn clause(sql: &str) -> (Option<Clause>, Option<String>) {
        let Statement::Query(query) = parse_sql(sql).unwrap() else { panic!("{sql}") };
        let SetExpr::Select(select) = *query.body else { panic!("{sql}") };
        let TableFactor::Table { version, alias, .. } = &select.from[0].relation else {
            panic!("{sql}")
        };
        (version.as_ref().map(|v| Clause::of(v).unwrap()), alias.as_ref().map(|a| a.to_string()))
    }

    fn check(clause_text: &str, expect: &str) {
        for (tail, alias) in [("", None), (" p WHERE true", Some("p")), (" AS p", Some("AS p"))] {
            let sql = format!("SELECT * FROM person {clause_text}{tail}");
            let (found, name) = clause(&sql);
            let text = match found {
                Some(Clause::AsOf(kind, at)) => format!("{kind:?} {at}"),
                Some(Clause::Range(kind, x, y)) => format!("{kind:?} {x} | {y}"),
                Some(Clause::All) => "All".into(),
                None => "None".into(),
            };
            assert_eq!(text, expect, "{sql}");
            assert_eq!(
                name.as_deref().map(|a| a.trim_start_matches("AS ")),
                alias.map(|a| a.trim_start_matches("AS ")),
                "{sql}"
            );
        }
    }

    #[test]
    fn every_form() {
        check("FOR SYSTEM_TIME AS OF 1042", "SystemTime 1042");
        check("for system_time as of $1", "SystemTime $1");
        check(
            "FOR SYSTEM_TIME AS OF now() - INTERVAL '1 day'",
            "SystemTime now() - INTERVAL '1 day'",
        );
        check("VERSION AS OF 1042", "Version 1042");
        check("VERSION AS OF '1042'", "Version '1042'");
        check("FOR VERSION AS OF $2", "Version $2");
        check("TIMESTAMP AS OF '2026-01-01'", "Timestamp '2026-01-01'");
        check(
            "FOR TIMESTAMP AS OF '2026-01-01'::timestamptz",
            "Timestamp '2026-01-01'::TIMESTAMPTZ",
        );
        check("FOR SYSTEM_TIME FROM '2026-01-01' TO now()", "FromTo '2026-01-01' | now()");
        check(
            "FOR SYSTEM_TIME FROM now() - interval '1 day' TO $1",
            "FromTo now() - INTERVAL '1 day' | $1",
        );
        check("FOR SYSTEM_TIME BETWEEN 1000 + 1 AND 1042", "Between 1000 + 1 | 1042");
        check("FOR SYSTEM_TIME CONTAINED IN (1000, $1)", "ContainedIn 1000 | $1");
        check("FOR SYSTEM_TIME ALL", "All");
        check("/* then */ VERSION -- here\n AS OF 5", "Version 5");
    }

    #[test]
    fn names_stay_names() {
        for sql in [
            "SELECT version AS of FROM t",
            "SELECT timestamp AS of, 1 FROM t",
            "SELECT * FROM dao.changes changes WHERE changes.t > 1",
            "SELECT * FROM a before, b at WHERE at.x = before.x",
            "SELECT now() AT TIME ZONE 'UTC' FROM t",
            "SELECT \"FOR\" FROM t",
            "SELECT version FROM version",
        ] {
            assert_eq!(clause(sql).0, None, "{sql}");
        }
    }

    #[test]
    fn other_vendors_forms_are_refused() {
        let Statement::Query(q) = parse_sql("SELECT * FROM t AT (TIMESTAMP => 'x')").unwrap()
        else {
            panic!()
        };
        let SetExpr::Select(s) = *q.body else { panic!() };
        let TableFactor::Table { version: Some(v), .. } = &s.from[0].relation else { panic!() };
        assert_eq!(Clause::of(v).unwrap_err().state, SqlState::FEATURE_NOT_SUPPORTED);
    }

    #[test]
    fn errors_point_into_the_text() {
        let e = parse_sql("SELECT * FROM t FOR SYSTEM_TIME FROM 1 UNTIL 2").unwrap_err();
        assert!(e.to_string().contains("Column: 40"), "{e}");
    }
}
