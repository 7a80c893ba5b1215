//! The words of DECLARE, FETCH, MOVE and CLOSE, read as Postgres reads them. The parser of SQL knows no MOVE, no FETCH
//! without FROM and no options in another order.

use super::super::errors;
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Declare(Declare),
    Fetch(Fetch),
    /// None: all of them.
    Close(Option<String>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declare {
    pub name: String,
    pub binary: bool,
    pub scroll: bool,
    pub hold: bool,
}

/// FETCH, or MOVE, which gives no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    pub cursor: String,
    pub direction: Direction,
    pub moves: bool,
}

/// Where to: NEXT is one row forward, LAST the first before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Backward where negative.
    Forward(i64),
    Absolute(i64),
    Relative(i64),
}

/// The rows of `ALL`.
pub const ALL: i64 = i64::MAX;

/// A statement about cursors, and of DECLARE which token its query begins at. None: it is another statement.
pub fn read(solid: &[&TokenWithSpan], source: &str) -> Result<Option<(Command, usize)>> {
    let mut words = Words { tokens: solid, at: 0, source };
    let command = if words.skip("DECLARE") {
        Command::Declare(words.declare()?)
    } else if words.skip("FETCH") {
        words.fetch(false)?
    } else if words.skip("MOVE") {
        words.fetch(true)?
    } else if words.skip("CLOSE") {
        let all = words.skip("ALL");
        let name = if all { None } else { Some(words.name()?) };
        words.end()?;
        Command::Close(name)
    } else {
        return Ok(None);
    };
    Ok(Some((command, words.at)))
}

/// The error at a token; None: the text ends too early.
pub fn unexpected(token: Option<&TokenWithSpan>, source: &str) -> Error {
    let Some(token) = token else {
        let end = source.chars().count() + 1;
        return Error::new(SqlState::SYNTAX, "syntax error at end of input").at(end);
    };
    let message = format!("syntax error at or near \"{}\"", token.token);
    let start = token.span.start;
    let e = Error::new(SqlState::SYNTAX, message);
    match errors::position(source, start.line, start.column) {
        Some(position) => e.at(position),
        None => e,
    }
}

struct Words<'a> {
    /// Without white space.
    tokens: &'a [&'a TokenWithSpan],
    at: usize,
    source: &'a str,
}

impl Words<'_> {
    /// Takes the word, if it is the next.
    fn skip(&mut self, word: &str) -> bool {
        let is = matches!(self.tokens.get(self.at).map(|t| &t.token), Some(Token::Word(w))
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn unexpected<T>(&self) -> Result<T> {
        Err(unexpected(self.tokens.get(self.at).copied(), self.source))
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.skip(word) { Ok(()) } else { self.unexpected() }
    }

    fn end(&self) -> Result<()> {
        if self.at == self.tokens.len() { Ok(()) } else { self.unexpected() }
    }

    fn name(&mut self) -> Result<String> {
        let name = match self.tokens.get(self.at).map(|t| &t.token) {
            Some(Token::Word(w)) if w.quote_style.is_some() => w.value.clone(),
            Some(Token::Word(w)) => w.value.to_ascii_lowercase(),
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(name)
    }

    /// A number with or without its sign; None: there is none. Larger ones than an integer are no syntax of Postgres's.
    fn number(&mut self) -> Result<Option<i64>> {
        let token = |at: usize| self.tokens.get(at).map(|t| &t.token);
        let sign = match token(self.at) {
            Some(Token::Minus) => -1,
            Some(Token::Plus) => 1,
            _ => 0,
        };
        let signed = sign != 0;
        let Some(Token::Number(digits, _)) = token(self.at + usize::from(signed)) else {
            return if signed { self.unexpected() } else { Ok(None) };
        };
        let parsed = digits.parse::<i32>();
        self.at += usize::from(signed);
        let Ok(n) = parsed else { return self.unexpected() };
        self.at += 1;
        Ok(Some(if sign < 0 { -i64::from(n) } else { i64::from(n) }))
    }

    fn expect_number(&mut self) -> Result<i64> {
        match self.number()? {
            Some(n) => Ok(n),
            None => self.unexpected(),
        }
    }

    fn declare(&mut self) -> Result<Declare> {
        let mut declare = Declare { name: self.name()?, ..Declare::default() };
        let (mut no_scroll, mut insensitive, mut asensitive) = (false, false, false);
        while !self.skip("CURSOR") {
            if self.skip("NO") {
                self.expect("SCROLL")?;
                no_scroll = true;
            } else if self.skip("SCROLL") {
                declare.scroll = true;
            } else if self.skip("BINARY") {
                declare.binary = true;
            } else if self.skip("INSENSITIVE") {
                // What every cursor is here: a snapshot never changes.
                insensitive = true;
            } else if self.skip("ASENSITIVE") {
                asensitive = true;
            } else {
                return self.unexpected();
            }
        }
        if self.skip("WITH") {
            declare.hold = true;
            self.expect("HOLD")?;
        } else if self.skip("WITHOUT") {
            self.expect("HOLD")?;
        }
        self.expect("FOR")?;
        let both = |one: &str, other: &str| {
            let message = format!("cannot specify both {one} and {other}");
            Err(Error::new(SqlState::Code("42P11"), message))
        };
        if declare.scroll && no_scroll {
            return both("SCROLL", "NO SCROLL");
        } else if insensitive && asensitive {
            return both("ASENSITIVE", "INSENSITIVE");
        }
        Ok(declare)
    }

    fn fetch(&mut self, moves: bool) -> Result<Command> {
        let direction = self.direction()?;
        if !self.skip("FROM") {
            self.skip("IN");
        }
        let cursor = self.name()?;
        self.end()?;
        Ok(Command::Fetch(Fetch { cursor, direction, moves }))
    }

    fn direction(&mut self) -> Result<Direction> {
        use Direction::{Absolute, Forward, Relative};
        if let Some(n) = self.number()? {
            return Ok(Forward(n));
        }
        // The last word is always the cursor's name: `FETCH next`.
        if self.at + 1 >= self.tokens.len() || self.skip("NEXT") {
            return Ok(Forward(1));
        }
        Ok(if self.skip("PRIOR") {
            Forward(-1)
        } else if self.skip("FIRST") {
            Absolute(1)
        } else if self.skip("LAST") {
            Absolute(-1)
        } else if self.skip("ABSOLUTE") {
            Absolute(self.expect_number()?)
        } else if self.skip("RELATIVE") {
            Relative(self.expect_number()?)
        } else if self.skip("ALL") {
            Forward(ALL)
        } else if self.skip("FORWARD") {
            Forward(self.count()?)
        } else if self.skip("BACKWARD") {
            Forward(-self.count()?)
        } else {
            Forward(1)
        })
    }

    fn count(&mut self) -> Result<i64> {
        if self.skip("ALL") {
            return Ok(ALL);
        }
        Ok(self.number()?.unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Direction::{Absolute, Forward, Relative};
    use super::*;
    use crate::session::parse::statements;

    fn command(sql: &str) -> Command {
        let statements = statements(sql).unwrap();
        statements[0].cursor.as_deref().unwrap().clone()
    }

    #[test]
    fn where_to() {
        let check = |words: &str, direction, name: &str| {
            for (verb, moves) in [("FETCH", false), ("move", true)] {
                let fetch = Fetch { cursor: name.to_owned(), direction, moves };
                assert_eq!(command(&format!("{verb} {words}")), Command::Fetch(fetch), "{words}");
            }
        };
        check("C", Forward(1), "c");
        check("FROM \"C\"", Forward(1), "C");
        check("next", Forward(1), "next");
        check("NEXT next", Forward(1), "next");
        check("NEXT IN c", Forward(1), "c");
        check("10 FROM c", Forward(10), "c");
        check("- 10 c", Forward(-10), "c");
        check("+0 c", Forward(0), "c");
        check("ALL c", Forward(ALL), "c");
        check("FORWARD c", Forward(1), "c");
        check("FORWARD 100 FROM _psql_cursor", Forward(100), "_psql_cursor");
        check("FORWARD ALL IN c", Forward(ALL), "c");
        check("BACKWARD -3 c", Forward(3), "c");
        check("BACKWARD ALL c", Forward(-ALL), "c");
        check("PRIOR c", Forward(-1), "c");
        check("FIRST FROM c", Absolute(1), "c");
        check("LAST c", Absolute(-1), "c");
        check("ABSOLUTE 7 IN c", Absolute(7), "c");
        check("RELATIVE -2 c", Relative(-2), "c");
    }

    #[test]
    fn declaring() {
        let check = |sql: &str, expect: Declare| {
            assert_eq!(command(sql), Command::Declare(expect), "{sql}");
        };
        let plain = Declare { name: "c".into(), ..Declare::default() };
        check("DECLARE c CURSOR FOR SELECT 1", plain.clone());
        check("declare C no scroll insensitive cursor without hold for values (1)", plain.clone());
        let all = Declare { binary: true, scroll: true, hold: true, ..plain };
        check("DECLARE c BINARY ASENSITIVE SCROLL CURSOR WITH HOLD FOR (SELECT 1)", all);
        assert_eq!(command("CLOSE ALL"), Command::Close(None));
        assert_eq!(command("CLOSE \"all\""), Command::Close(Some("all".into())));
    }

    #[test]
    fn what_is_none() {
        let check = |sql: &str, state: &str, position: Option<usize>| {
            let e = statements(sql).unwrap_err();
            assert_eq!((e.state.as_str(), e.position), (state, position), "{sql}: {e:?}");
        };
        check("FETCH", "42601", Some(6));
        check("FETCH 99999999999 c", "42601", Some(7));
        check("MOVE 3 FROM", "42601", Some(12));
        check("FETCH ABSOLUTE c", "42601", Some(16));
        check("FETCH 1 FROM c d", "42601", Some(16));
        check("CLOSE c d", "42601", Some(9));
        check("DECLARE c CURSOR INSENSITIVE FOR SELECT 1", "42601", Some(18));
        check("DECLARE c CURSOR FOR INSERT INTO t VALUES (1)", "42601", Some(22));
        check("DECLARE c CURSOR FOR SELEC 1", "42601", Some(22));
        check("DECLARE c CURSOR FOR", "42601", Some(21));
        check("DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT 1", "42P11", None);
        check("DECLARE c INSENSITIVE ASENSITIVE CURSOR FOR SELECT 1", "42P11", None);
    }
}
