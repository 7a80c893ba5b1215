//! Every error of parsing, planning and running as one of ours: the right SQLSTATE, Postgres's words where they are natural,
//! and the place in the text.

use super::columns::{of_output, unmarked};
use crate::error::{Error, SqlState};
use crate::nearest::nearest;
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use datafusion::sql::sqlparser::parser::ParserError;

const DIVISION_BY_ZERO: SqlState = SqlState::Code("22012");
const OUT_OF_RANGE: SqlState = SqlState::Code("22003");
const INVALID_DATETIME: SqlState = SqlState::Code("22007");
const INVALID_REGEX: SqlState = SqlState::Code("2201B");
const DATA_EXCEPTION: SqlState = SqlState::Code("22000");
const TYPE_MISMATCH: SqlState = SqlState::Code("42804");
const GROUPING: SqlState = SqlState::Code("42803");
const AMBIGUOUS_COLUMN: SqlState = SqlState::Code("42702");
const DUPLICATE_ALIAS: SqlState = SqlState::Code("42712");
const INDETERMINATE_TYPE: SqlState = SqlState::Code("42P18");
const CARDINALITY: SqlState = SqlState::Code("21000");
pub const TOO_COMPLEX: SqlState = SqlState::Code("54001");
const DATETIME_OUT_OF_RANGE: SqlState = SqlState::Code("22008");
const INVALID_COLUMN_REFERENCE: SqlState = SqlState::Code("42P10");
const NEGATIVE_LIMIT: SqlState = SqlState::Code("2201W");
const NEGATIVE_OFFSET: SqlState = SqlState::Code("2201X");
/// "Syntax error or access rule violation" without more: a plan that cannot be, for a reason that has no code of its own.
const INVALID_STATEMENT: SqlState = SqlState::Code("42000");

impl From<DataFusionError> for Error {
    fn from(e: DataFusionError) -> Self {
        of(&e)
    }
}

impl From<ArrowError> for Error {
    fn from(e: ArrowError) -> Self {
        of_arrow(&e)
    }
}

/// Without a position: see [`at`].
fn of(e: &DataFusionError) -> Error {
    match e {
        DataFusionError::External(inner) => of_external(inner.as_ref()),
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => of(inner),
        DataFusionError::Shared(inner) => of(inner),
        DataFusionError::Collection(all) => {
            all.first().map_or_else(|| internal("no error in a collection"), of)
        }
        DataFusionError::ArrowError(e, _) => of_arrow(e),
        DataFusionError::ParquetError(e) => of_parquet(e),
        DataFusionError::ObjectStore(e) => Error::new(SqlState::IO, e.to_string()),
        DataFusionError::IoError(e) => Error::new(SqlState::IO, e.to_string()),
        DataFusionError::SQL(e, _) => of_parser(e, ""),
        DataFusionError::NotImplemented(m) => of_missing(m),
        DataFusionError::Plan(m) => of_plan(m),
        DataFusionError::Configuration(m) => {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, clean(m))
        }
        DataFusionError::SchemaError(e, _) => of_schema(e),
        DataFusionError::Execution(m) => of_execution(m),
        DataFusionError::ResourcesExhausted(m) => Error::new(
            SqlState::OUT_OF_MEMORY,
            "the query needs more memory than it may take",
        )
        .detail(clean(m))
        .hint("ask for fewer rows or columns at once, or raise memory in the server's settings"),
        DataFusionError::ExecutionJoin(e) if e.is_cancelled() => {
            Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
        }
        DataFusionError::Internal(m) => internal(&clean(m)),
        e => internal(&clean(&e.to_string())),
    }
}

fn internal(message: &str) -> Error {
    Error::new(SqlState::INTERNAL, format!("internal error: {message}"))
        .hint("this is a bug of DaoDB; please report it with the statement")
}

fn of_external(e: &(dyn std::error::Error + Send + Sync + 'static)) -> Error {
    if let Some(ours) = e.downcast_ref::<Error>() {
        return ours.clone();
    }
    if let Some(storage) = e.downcast_ref::<daodb_storage::Error>() {
        return storage.clone().into();
    }
    if let Some(e) = e.downcast_ref::<DataFusionError>() {
        return of(e);
    }
    if let Some(e) = e.downcast_ref::<ArrowError>() {
        return of_arrow(e);
    }
    let text = clean(&e.to_string());
    match text.contains("regex parse error") {
        true => of_execution(&text),
        false => internal(&text),
    }
}

fn of_arrow(e: &ArrowError) -> Error {
    match e {
        ArrowError::DivideByZero => Error::new(DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(m) => {
            Error::new(OUT_OF_RANGE, "number out of range").detail(clean(m))
        }
        ArrowError::CastError(m) | ArrowError::ParseError(m) => of_cast(m),
        ArrowError::ComputeError(m) | ArrowError::InvalidArgumentError(m) => of_execution(m),
        ArrowError::MemoryError(m) => Error::new(SqlState::OUT_OF_MEMORY, clean(m)),
        ArrowError::IoError(m, _) => Error::new(SqlState::IO, clean(m)),
        ArrowError::ParquetError(m) | ArrowError::IpcError(m) => {
            Error::new(SqlState::DATA_CORRUPTED, clean(m))
        }
        ArrowError::NotYetImplemented(m) => Error::new(SqlState::FEATURE_NOT_SUPPORTED, clean(m)),
        ArrowError::ExternalError(e) => of_external(e.as_ref()),
        ArrowError::OffsetOverflowError(_) => Error::new(
            SqlState::OUT_OF_MEMORY,
            "a column of the result is larger than 2 GB in one batch",
        ),
        e => internal(&clean(&e.to_string())),
    }
}

fn of_parquet(e: &ParquetError) -> Error {
    match e {
        ParquetError::External(e) => of_external(e.as_ref()),
        e => Error::new(SqlState::DATA_CORRUPTED, clean(&e.to_string())),
    }
}

/// `Cannot cast string 'x' to value of Int64 type`, `Error parsing timestamp from 'x': ...`
fn of_cast(m: &str) -> Error {
    let text = quoted(m, '\'');
    let lower = m.to_ascii_lowercase();
    if lower.contains("overflow")
        || lower.contains("can't cast value")
        || lower.contains("out of range")
        || lower.contains("too large to store")
    {
        return Error::new(OUT_OF_RANGE, "value out of range").detail(clean(m));
    }
    for (word, name) in [
        ("timestamp", "timestamp"),
        ("date", "date"),
        ("interval", "interval"),
        ("timezone", "time zone"),
    ] {
        if lower.contains(word) {
            let text = text.unwrap_or_default();
            if is_date(text) {
                return Error::new(
                    DATETIME_OUT_OF_RANGE,
                    format!("date/time field value out of range: \"{text}\""),
                );
            }
            return Error::new(
                INVALID_DATETIME,
                format!("invalid input syntax for type {name}: \"{text}\""),
            )
            .detail(clean(m));
        }
    }
    match (text, arrow_type(m)) {
        (Some(text), Some(ty)) => Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {ty}: \"{text}\""),
        ),
        _ => Error::new(SqlState::INVALID_TEXT_REPRESENTATION, clean(m)),
    }
}

/// Written as a date, perhaps with a time, whatever its numbers are: `2026-13-01`.
fn is_date(text: &str) -> bool {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let mut parts = date.split('-');
    let digits = |part: Option<&str>, most: usize| {
        part.is_some_and(|p| (1..=most).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    digits(parts.next(), 6)
        && digits(parts.next(), 2)
        && digits(parts.next(), 2)
        && parts.next().is_none()
        && time.bytes().all(|b| b.is_ascii_digit() || b":.+-Zz ".contains(&b))
}

/// Postgres's name of the Arrow type that a message speaks of.
fn arrow_type(m: &str) -> Option<&'static str> {
    let names = [
        ("Int64", "bigint"),
        ("UInt64", "bigint"),
        ("Int32", "integer"),
        ("Int16", "smallint"),
        ("Float64", "double precision"),
        ("Float32", "real"),
        ("Boolean", "boolean"),
        ("Decimal", "numeric"),
    ];
    names.iter().find(|(arrow, _)| m.contains(arrow)).map(|(_, pg)| *pg)
}

fn of_plan(m: &str) -> Error {
    let message = clean(m);
    let lower = message.to_ascii_lowercase();
    if let Some(rest) = message.strip_prefix("Invalid function ") {
        let name = quoted(rest, '\'').unwrap_or(rest);
        return undefined_function(name, nearest_in(&message));
    }
    let unmatched = ["failed to match any signature", "user-defined coercion failed"];
    if unmatched.iter().any(|text| lower.contains(text)) {
        let name = quoted(&message, '\'').unwrap_or("?");
        let what = format!("function {name} does not take these arguments");
        return Error::new(SqlState::UNDEFINED_FUNCTION, what).hint("a cast may help");
    }
    if lower.contains("no function matches") || lower.contains("failed to coerce arguments") {
        let e =
            Error::new(SqlState::UNDEFINED_FUNCTION, message.lines().next().unwrap_or(&message));
        return e.hint("no function of this name takes arguments of these types; a cast may help");
    }
    if lower.contains("table function") && lower.contains("not found") {
        return undefined_function(quoted(&message, '\'').unwrap_or("?"), None);
    }
    if let Some(e) = of_query(&message) {
        return e;
    }
    let state = if lower.contains("placeholder") {
        INDETERMINATE_TYPE
    } else if lower.contains("group by") || lower.contains("aggregate") {
        GROUPING
    } else if lower.contains("coerc") || lower.contains("type") || lower.contains("cannot infer") {
        TYPE_MISMATCH
    } else if lower.contains("more than one row") {
        CARDINALITY
    } else if lower.contains("unsupported") || lower.contains("not supported") {
        SqlState::FEATURE_NOT_SUPPORTED
    } else {
        INVALID_STATEMENT
    };
    Error::new(state, message)
}

/// What a query says that cannot be, where Postgres has a code and words for it.
fn of_query(m: &str) -> Option<Error> {
    let is = |start: &str| m.starts_with(start);
    let (state, message) = if let Some((op, _)) = m.split_once(" queries have different number") {
        (SqlState::SYNTAX, format!("each {op} query must have the same number of columns"))
    } else if is("Order by column out of bounds") || is("Cannot find column with position") {
        let clause = if is("Order") { "ORDER BY" } else { "GROUP BY" };
        let digits = |c: char| !c.is_ascii_digit();
        let n = m.split(digits).find(|n| !n.is_empty()).unwrap_or("?");
        (INVALID_COLUMN_REFERENCE, format!("{clause} position {n} is not in select list"))
    } else if is("For SELECT DISTINCT, ORDER BY") {
        let what = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
        (INVALID_COLUMN_REFERENCE, what.into())
    } else if is("LIMIT must be >=") {
        (NEGATIVE_LIMIT, "LIMIT must not be negative".into())
    } else if is("OFFSET must be >=") {
        (NEGATIVE_OFFSET, "OFFSET must not be negative".into())
    } else if is("Cannot create filter with non-boolean predicate") {
        (TYPE_MISMATCH, "the condition must be of type boolean".into())
    } else if m.contains("should only return one column") {
        (SqlState::SYNTAX, "subquery must return only one column".into())
    } else if is("SELECT * with no tables specified") {
        (SqlState::SYNTAX, m.into())
    } else if let Some(table) = m.strip_prefix("Invalid qualifier ") {
        let what = format!("missing FROM-clause entry for table \"{table}\"");
        (SqlState::UNDEFINED_TABLE, what)
    } else if is("Projections require unique expression names") {
        // `"t.name" at position 0`: the name alone.
        let name = quoted(m, '"').map_or("?", |n| n.rsplit('.').next().unwrap_or(n));
        let e = Error::new(AMBIGUOUS_COLUMN, format!("column \"{name}\" is there more than once"));
        return Some(e.hint("give the columns names of their own with AS"));
    } else if is("Cannot coerce arithmetic expression") || is("Cannot infer common argument type") {
        (SqlState::UNDEFINED_FUNCTION, m.into())
    } else {
        return None;
    };
    Some(Error::new(state, message))
}

fn undefined_function(name: &str, nearest: Option<String>) -> Error {
    let e = Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"));
    match nearest {
        Some(nearest) => e.hint(format!("perhaps you meant {nearest}")),
        None => e,
    }
}

/// `Did you mean 'bar'?`
fn nearest_in(m: &str) -> Option<String> {
    quoted(m.split_once("Did you mean")?.1, '\'').map(str::to_owned)
}

/// What the planner has no way for.
fn of_missing(m: &str) -> Error {
    let of_outer = ["OuterReferenceColumn", "ScalarSubquery", "Exists"];
    let unsupported = m.contains("Physical plan does not support");
    if unsupported && m.contains("InSubquery") {
        let text = "IN of a subquery is supported as a condition of WHERE and HAVING";
        return Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
            .hint("count what is found: (SELECT count(*) FROM ... WHERE y = x) > 0");
    }
    if unsupported && of_outer.iter().any(|w| m.contains(w)) {
        let text = "a subquery that depends on each outer row in this way is not supported";
        return Error::new(SqlState::FEATURE_NOT_SUPPORTED, text)
            .hint("tie it to the outer row by equality (x = outside.y), or write a join");
    }
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, clean(m))
}

fn of_execution(m: &str) -> Error {
    let lower = m.to_ascii_lowercase();
    if lower.contains("divide by zero") || lower.contains("division by zero") {
        return Error::new(DIVISION_BY_ZERO, "division by zero");
    }
    if lower.contains("overflow") || lower.contains("too large to store") {
        return Error::new(OUT_OF_RANGE, "number out of range").detail(clean(m));
    }
    if lower.contains("more than one row") {
        return Error::new(
            CARDINALITY,
            "more than one row returned by a subquery used as an expression",
        );
    }
    if lower.contains("regular expression") || lower.contains("regex") {
        return Error::new(INVALID_REGEX, "invalid regular expression").detail(clean(m));
    }
    if lower.contains("cast") || lower.contains("parsing") || lower.contains("parse ") {
        return of_cast(m);
    }
    if lower.contains("square root of a negative number") {
        let text = "cannot take square root of a negative number";
        return Error::new(SqlState::Code("2201F"), text);
    }
    if lower.contains("cancel") {
        return Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request");
    }
    Error::new(DATA_EXCEPTION, clean(m))
}

fn ambiguous(name: &str) -> Error {
    Error::new(AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous"))
}

fn of_schema(e: &SchemaError) -> Error {
    match e {
        SchemaError::FieldNotFound { field, valid_fields }
            if valid_fields.iter().any(|f| of_output(&f.name) == Some(field.name.as_str())) =>
        {
            let text = format!("column \"{}\" does not exist", field.name);
            Error::new(SqlState::UNDEFINED_COLUMN, text).hint(
                "it is a column of the result: ORDER BY takes it alone, not within an expression, and HAVING does not; write what it stands for",
            )
        }
        SchemaError::FieldNotFound { field, valid_fields }
            if valid_fields.iter().any(|f| unmarked(&f.name) == Some(field.name.as_str())) =>
        {
            ambiguous(&field.name).hint("give the columns names of their own with AS")
        }
        SchemaError::FieldNotFound { field, valid_fields } => {
            let shown = column_text(field);
            let e = match &field.relation {
                Some(r)
                    if !valid_fields.is_empty()
                        && valid_fields.iter().all(|f| f.relation.as_ref() != Some(r)) =>
                {
                    Error::new(
                        SqlState::UNDEFINED_TABLE,
                        format!("missing FROM-clause entry for table \"{}\"", r.table()),
                    )
                }
                _ => {
                    Error::new(SqlState::UNDEFINED_COLUMN, format!("column {shown} does not exist"))
                }
            };
            let names = valid_fields.iter().map(|f| f.name.as_str());
            let names = names.filter(|name| unmarked(name).is_none());
            match nearest(&field.name, names) {
                Some(near) if near != field.name => {
                    e.hint(format!("perhaps you meant the column \"{near}\""))
                }
                _ => e,
            }
        }
        SchemaError::AmbiguousReference { field } => ambiguous(&field.name),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => Error::new(
            DUPLICATE_ALIAS,
            format!("table name \"{}\" specified more than once", qualifier.table()),
        )
        .hint("give each use of the table an alias of its own"),
        SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(AMBIGUOUS_COLUMN, format!("column \"{name}\" is there more than once"))
                .hint("give the columns names of their own with AS")
        }
    }
}

fn column_text(c: &Column) -> String {
    match &c.relation {
        Some(r) => format!("{}.{}", r.table(), c.name),
        None => format!("\"{}\"", c.name),
    }
}

/// A parser's error; `text` is what was parsed.
pub fn of_parser(e: &ParserError, text: &str) -> Error {
    let message = match e {
        ParserError::RecursionLimitExceeded => {
            return Error::new(TOO_COMPLEX, "the statement is nested too deeply")
                .hint("split it, for example with WITH");
        }
        ParserError::ParserError(m) | ParserError::TokenizerError(m) => m,
    };
    let (what, position) = split_position(message, text);
    let found = what.split_once("found: ").map(|(_, found)| found.trim());
    let e = match found {
        Some("EOF") => Error::new(SqlState::SYNTAX, "syntax error at end of input"),
        Some(found) => Error::new(SqlState::SYNTAX, format!("syntax error at or near \"{found}\"")),
        None => Error::new(SqlState::SYNTAX, what.trim()),
    };
    let e = match what.split_once(", found: ") {
        Some((expected, _)) => e.detail(format!("{}.", expected.trim())),
        None => e,
    };
    match (position, found) {
        (_, Some("EOF")) if !text.is_empty() => e.at(text.chars().count() + 1),
        (Some(position), _) => e.at(position),
        (None, _) => e,
    }
}

/// `... at Line: 1, Column: 8` as the message and the position.
fn split_position<'a>(message: &'a str, text: &str) -> (&'a str, Option<usize>) {
    let Some((what, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let Some((line, column)) = place.split_once(", Column: ") else { return (message, None) };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => (what, position(text, line, column)),
        _ => (what, None),
    }
}

/// The 1-based character position of a line and column (both from 1); None: not in the text.
pub fn position(text: &str, line: u64, column: u64) -> Option<usize> {
    if line == 0 || column == 0 || text.is_empty() {
        return None;
    }
    let before: usize = text
        .split_inclusive('\n')
        .take(usize::try_from(line - 1).ok()?)
        .map(|l| l.chars().count())
        .sum();
    Some(before + usize::try_from(column).ok()?)
}

/// The error with its place in `text`, where the planner knows it.
pub fn at(e: DataFusionError, text: &str) -> Error {
    let ours = of(&e);
    if ours.position.is_some() {
        return ours;
    }
    let start = e.diagnostic().and_then(|d| d.span).map(|s| s.start);
    match start.and_then(|s| position(text, s.line, s.column)) {
        Some(position) => ours.at(position),
        None => ours,
    }
}

/// The first part between two of these marks.
fn quoted(m: &str, mark: char) -> Option<&str> {
    let (_, rest) = m.split_once(mark)?;
    Some(rest.split_once(mark)?.0)
}

/// DataFusion's message without its own prefixes, traces and advice.
fn clean(m: &str) -> String {
    let m = m.split("\n\nbacktrace:").next().unwrap_or(m);
    let m = m.split("This issue was likely caused by a bug").next().unwrap_or(m);
    m.trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn states_and_words() {
        let check = |e: DataFusionError, state: &str, message: &str| {
            let ours = Error::from(e);
            assert_eq!((ours.state.as_str(), ours.message.as_str()), (state, message));
        };
        let arrow = |e| DataFusionError::ArrowError(Box::new(e), None);
        check(arrow(ArrowError::DivideByZero), "22012", "division by zero");
        check(arrow(ArrowError::ArithmeticOverflow("x".into())), "22003", "number out of range");
        check(
            arrow(ArrowError::CastError("Cannot cast string 'x' to value of Int64 type".into())),
            "22P02",
            "invalid input syntax for type bigint: \"x\"",
        );
        check(
            DataFusionError::Plan("Invalid function 'fooo'.\nDid you mean 'floor'?".into()),
            "42883",
            "function fooo does not exist",
        );
        check(
            DataFusionError::Context("x".into(), Box::new(Error::new(SqlState::IO, "disk").into())),
            "58030",
            "disk",
        );
        check(
            daodb_storage::Error::data("segments/1.parquet", "torn").into(),
            "XX001",
            "segments/1.parquet: torn",
        );
        check(
            DataFusionError::ResourcesExhausted("pool".into()),
            "53200",
            "the query needs more memory than it may take",
        );
        check(DataFusionError::Internal("oops".into()), "XX000", "internal error: oops");
        let plan = |m: &str, state, message| check(DataFusionError::Plan(m.into()), state, message);
        plan(
            "UNION queries have different number of columns",
            "42601",
            "each UNION query must have the same number of columns",
        );
        plan(
            "Order by column out of bounds, specified: 5, max: 2",
            "42P10",
            "ORDER BY position 5 is not in select list",
        );
        plan("LIMIT must be >= 0, '-1' was provided", "2201W", "LIMIT must not be negative");
        plan("OFFSET must be >=0, '-1' was provided", "2201X", "OFFSET must not be negative");
        plan("Invalid qualifier x", "42P01", "missing FROM-clause entry for table \"x\"");
        plan(
            "Projections require unique expression names but the expression \"p.name\" at position 0",
            "42702",
            "column \"name\" is there more than once",
        );
        plan(
            "Internal error: Function 'sum' failed to match any signature, errors: x",
            "42883",
            "function sum does not take these arguments",
        );
        for (text, state) in [
            ("2026-13-01", "22008"),
            ("2026-02-30 10:00", "22008"),
            ("2026-02-03 noon", "22007"),
            ("x", "22007"),
        ] {
            let m = format!("Cannot cast string '{text}' to value of Date32 type");
            assert_eq!(of_cast(&m).state.as_str(), state, "{text}");
        }
    }

    #[test]
    fn positions_count_characters_and_lines() {
        assert_eq!(position("SELECT x", 1, 8), Some(8));
        assert_eq!(position("SELECT 'é',\n  x", 2, 3), Some(15));
        assert_eq!(position("", 1, 1), None);
    }

    #[test]
    fn syntax() {
        let text = "SELECT FROM FROM t";
        let e = ParserError::ParserError(
            "Expected: identifier, found: FROM at Line: 1, Column: 13".into(),
        );
        let ours = of_parser(&e, text);
        assert_eq!(ours.message, "syntax error at or near \"FROM\"");
        assert_eq!(ours.position, Some(13));
        assert_eq!(ours.detail.as_deref(), Some("Expected: identifier."));
        let e = ParserError::ParserError("Expected: an expression, found: EOF".into());
        let ours = of_parser(&e, "SELECT");
        assert_eq!(
            (ours.message.as_str(), ours.position),
            ("syntax error at end of input", Some(7))
        );
    }
}
