//! `COPY ... TO STDOUT`: which rows, and how they are written.

use super::{CopyFormat, CopyOptions};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, CopySource, CopyTarget, Expr, GroupByExpr,
    Ident, ObjectName, Query, Select, SelectItem, Statement,
};

/// The query whose rows `COPY` gives out.
pub fn query(source: &CopySource, to: bool, target: &CopyTarget) -> Result<Statement> {
    if !to {
        return Err(super::run::writes_later("COPY ... FROM"));
    }
    match target {
        CopyTarget::Stdout => {}
        CopyTarget::File { .. } | CopyTarget::Program { .. } => {
            return Err(Error::new(
                SqlState::Code("42501"),
                "COPY to a file or a program of the server is not allowed",
            )
            .hint(
                "COPY ... TO STDOUT sends the rows to you; psql's \\copy writes them to a file",
            ));
        }
        CopyTarget::Stdin => return Err(Error::new(SqlState::SYNTAX, "COPY ... TO takes STDOUT")),
    }
    Ok(match source {
        CopySource::Query(query) => Statement::Query(query.clone()),
        CopySource::Table { table_name, columns } => {
            Statement::Query(Box::new(whole_table(table_name, columns)?))
        }
    })
}

/// `SELECT columns FROM table`.
fn whole_table(table: &ObjectName, columns: &[Ident]) -> Result<Query> {
    let parsed = super::parse::statements("SELECT * FROM t")?;
    let Some(Statement::Query(query)) = parsed.first().map(|s| s.ast.as_ref().clone()) else {
        return Err(Error::new(SqlState::INTERNAL, "SELECT * FROM t does not parse"));
    };
    let mut query = *query;
    if let datafusion::sql::sqlparser::ast::SetExpr::Select(select) = query.body.as_mut() {
        fill(select, table, columns);
    }
    Ok(query)
}

fn fill(select: &mut Select, table: &ObjectName, columns: &[Ident]) {
    if !columns.is_empty() {
        let item = |c: &Ident| SelectItem::UnnamedExpr(Expr::Identifier(c.clone()));
        select.projection = columns.iter().map(item).collect();
    }
    for from in &mut select.from {
        if let datafusion::sql::sqlparser::ast::TableFactor::Table { name, .. } = &mut from.relation
        {
            name.clone_from(table);
        }
    }
    select.group_by = GroupByExpr::Expressions(vec![], vec![]);
}

/// The options as written, over the defaults of the format.
pub fn options(options: &[CopyOption], legacy: &[CopyLegacyOption]) -> Result<CopyOptions> {
    let mut read = Read::default();
    for option in options {
        read.option(option)?;
    }
    for option in legacy {
        read.legacy(option)?;
    }
    read.finish()
}

#[derive(Default)]
struct Read {
    format: Option<CopyFormat>,
    delimiter: Option<char>,
    null: Option<String>,
    header: bool,
    quote: Option<char>,
    escape: Option<char>,
    force_quote: Vec<String>,
}

fn refused(what: impl std::fmt::Display) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("COPY option {what} is not supported"))
}

impl Read {
    fn option(&mut self, option: &CopyOption) -> Result<()> {
        match option {
            CopyOption::Format(name) => {
                self.format = Some(match name.value.to_ascii_lowercase().as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    other => {
                        return Err(Error::new(
                            SqlState::INVALID_PARAMETER_VALUE,
                            format!("COPY format \"{other}\" not recognized"),
                        )
                        .hint("there are text, csv and binary"));
                    }
                });
            }
            CopyOption::Delimiter(c) => self.delimiter = Some(*c),
            CopyOption::Null(s) => self.null = Some(s.clone()),
            CopyOption::Header(on) => self.header = *on,
            CopyOption::Quote(c) => self.quote = Some(*c),
            CopyOption::Escape(c) => self.escape = Some(*c),
            CopyOption::ForceQuote(columns) => {
                self.force_quote = columns.iter().map(super::names::fold).collect();
            }
            CopyOption::Encoding(name) => {
                super::settings::check("client_encoding", name)?;
            }
            other => return Err(refused(other)),
        }
        Ok(())
    }

    fn legacy(&mut self, option: &CopyLegacyOption) -> Result<()> {
        match option {
            CopyLegacyOption::Binary => self.format = Some(CopyFormat::Binary),
            CopyLegacyOption::Delimiter(c) => self.delimiter = Some(*c),
            CopyLegacyOption::Null(s) => self.null = Some(s.clone()),
            CopyLegacyOption::Header => self.header = true,
            CopyLegacyOption::Csv(options) => {
                self.format = Some(CopyFormat::Csv);
                for option in options {
                    match option {
                        CopyLegacyCsvOption::Header => self.header = true,
                        CopyLegacyCsvOption::Quote(c) => self.quote = Some(*c),
                        CopyLegacyCsvOption::Escape(c) => self.escape = Some(*c),
                        CopyLegacyCsvOption::ForceQuote(columns) => {
                            self.force_quote = columns.iter().map(super::names::fold).collect();
                        }
                        other => return Err(refused(other)),
                    }
                }
            }
            other => return Err(refused(other)),
        }
        Ok(())
    }

    fn finish(self) -> Result<CopyOptions> {
        let format = self.format.unwrap_or(CopyFormat::Text);
        let csv = format == CopyFormat::Csv;
        let needs_csv = |name: &str, given: bool| match given && !csv {
            true => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("COPY {name} requires CSV mode"),
            )),
            false => Ok(()),
        };
        needs_csv("QUOTE", self.quote.is_some())?;
        needs_csv("ESCAPE", self.escape.is_some())?;
        needs_csv("FORCE_QUOTE", !self.force_quote.is_empty())?;
        let written = self.delimiter.is_some() || self.null.is_some() || self.header;
        if format == CopyFormat::Binary && written {
            return Err(Error::new(
                SqlState::SYNTAX,
                "DELIMITER, NULL and HEADER cannot be given in BINARY mode",
            ));
        }
        let quote = self.quote.unwrap_or('"');
        let options = CopyOptions {
            format,
            delimiter: self.delimiter.unwrap_or(if csv { ',' } else { '\t' }),
            null: self.null.unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned()),
            header: self.header,
            quote,
            escape: self.escape.unwrap_or(quote),
            force_quote: self.force_quote,
        };
        let one_byte =
            [options.delimiter, options.quote, options.escape].iter().all(char::is_ascii);
        let unclear =
            matches!(options.delimiter, '\n' | '\r' | '\\') || (csv && options.delimiter == quote);
        match one_byte && !unclear {
            true => Ok(options),
            false => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "COPY delimiter, quote and escape must be single one-byte characters that differ, \
                 and no line break or backslash",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn check(sql: &str) -> Result<(String, CopyOptions)> {
        let statements = super::super::parse::statements(sql)?;
        let Statement::Copy { source, to, target, options: new, legacy_options, .. } =
            statements[0].ast.as_ref()
        else {
            panic!("{sql}")
        };
        Ok((query(source, *to, target)?.to_string(), options(new, legacy_options)?))
    }

    #[test]
    fn forms() {
        let (sql, o) = check("COPY person TO STDOUT").unwrap();
        assert_eq!(
            (sql.as_str(), o.format, o.null.as_str()),
            ("SELECT * FROM person", CopyFormat::Text, "\\N")
        );
        let (sql, o) =
            check("COPY public.person (a, \"B\") TO STDOUT WITH (FORMAT csv, HEADER)").unwrap();
        assert_eq!(sql, "SELECT a, \"B\" FROM public.person");
        assert!(o.header && o.delimiter == ',' && o.format == CopyFormat::Csv);
        let (_, o) = check("COPY (SELECT 1) TO STDOUT CSV HEADER").unwrap();
        assert!(o.header && o.format == CopyFormat::Csv);
        let (_, o) = check("COPY (SELECT 1) TO STDOUT (FORMAT binary)").unwrap();
        assert_eq!(o.format, CopyFormat::Binary);
    }

    #[test]
    fn refusals() {
        for (sql, state) in [
            ("COPY person TO '/etc/passwd'", "42501"),
            ("COPY person TO PROGRAM 'rm'", "42501"),
            ("COPY person FROM STDIN", "0A000"),
            ("COPY person TO STDOUT (FORMAT xml)", "22023"),
            ("COPY person TO STDOUT (QUOTE '\"')", "0A000"),
        ] {
            assert_eq!(check(sql).unwrap_err().state.as_str(), state, "{sql}");
        }
    }
}
