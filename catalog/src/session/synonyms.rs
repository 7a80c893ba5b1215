//! Expressions of Postgres that the planner reads in other words: operators that are functions, functions under other names, `LIKE
//! ... ESCAPE`, arrays as texts.

use super::functions::{SUBSTRING, TIME_OF};
use super::syntax::{call, cast, expression, number};
use super::{array_text, names};
use crate::error::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CharacterLength, DataType, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident, ObjectName, OrderByExpr,
    OrderByOptions, TimezoneInfo, UnaryOperator, Value, visit_expressions,
};
use std::ops::ControlFlow;

/// What Postgres calls it, and what the engine does.
const NAMES: [(&str, &str); 5] = [
    ("ceiling", "ceil"),
    ("sign", "signum"),
    ("every", "bool_and"),
    ("variance", "var_samp"),
    ("gen_random_uuid", "uuid"),
];

/// What the engine calls a function of Postgres's.
pub fn engines_name(name: &str) -> &str {
    NAMES.iter().find(|(postgres, _)| *postgres == name).map_or(name, |(_, engines)| engines)
}

pub fn reread(e: &mut Expr) -> Result<()> {
    match e {
        // A sign binds more than a power does.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr }
            if matches!(expr.as_ref(), Expr::BinaryOp { op: BinaryOperator::PGExp, .. }) =>
        {
            if let Expr::BinaryOp { left, op, right } = *taken(expr) {
                let left = Box::new(Expr::UnaryOp { op: UnaryOperator::Minus, expr: left });
                *e = Expr::BinaryOp { left, op, right };
            }
        }
        Expr::Function(f) => {
            if let Some(other) = function(f)? {
                *e = other;
            }
        }
        Expr::UnaryOp { op, expr } => {
            let name = match op {
                UnaryOperator::PGSquareRoot => "sqrt",
                UnaryOperator::PGCubeRoot => "cbrt",
                UnaryOperator::PGAbs => "abs",
                UnaryOperator::BitwiseNot => {
                    let (left, right) = (Box::new(number("-1")), taken(expr));
                    let minus = Expr::BinaryOp { left, op: BinaryOperator::Minus, right };
                    *e = Expr::Nested(Box::new(minus));
                    return Ok(());
                }
                _ => return Ok(()),
            };
            *e = call(name, vec![*taken(expr)]);
        }
        Expr::BinaryOp { left, op: BinaryOperator::PGStartsWith, right } => {
            *e = call("starts_with", vec![*taken(left), *taken(right)]);
        }
        Expr::Substring {
            expr,
            substring_from: Some(from),
            substring_for: None,
            special: false,
            ..
        } if matches!(from.as_ref(), Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_))) =>
        {
            *e = call(SUBSTRING, vec![*taken(expr), *taken(from)]);
        }
        Expr::Cast { expr, data_type, .. } => {
            if let Some(length) = length(data_type) {
                let whole = cast(*taken(expr), DataType::Text);
                *e = call("left", vec![whole, number(&length.to_string())]);
            }
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            if let Some(escape) = escape_char
                && let Expr::Value(pattern) = pattern.as_mut()
                && let (Value::SingleQuotedString(text), Value::SingleQuotedString(escape)) =
                    (&mut pattern.value, &escape.value)
            {
                *text = unescaped(text, escape)?;
                *escape_char = None;
            }
        }
        Expr::AnyOp { left, compare_op, right, .. } => {
            if let Some(elements) = listed(right)? {
                *e = each(left, compare_op, elements, false)?;
            }
        }
        Expr::AllOp { left, compare_op, right } => {
            if let Some(elements) = listed(right)? {
                *e = each(left, compare_op, elements, true)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A call in other words; None: it stays, with the engine's name for it.
fn function(f: &mut Function) -> Result<Option<Expr>> {
    let [part] = f.name.0.as_slice() else { return Ok(None) };
    let Some(name) = part.as_ident().map(names::fold) else { return Ok(None) };
    let engines = engines_name(&name);
    if engines != name {
        f.name = ObjectName::from(vec![Ident::new(engines)]);
        return Ok(None);
    }
    if matches!(f.args, FunctionArguments::None) {
        return now_of(&name);
    }
    if matches!(name.as_str(), "array_agg" | "string_agg") {
        in_order(f);
        return Ok(None);
    }
    // Before the arguments are copied.
    if !matches!(
        name.as_str(),
        "age"
            | "date"
            | "date_trunc"
            | "div"
            | "mod"
            | "regexp_split_to_table"
            | "timezone"
            | "to_timestamp"
    ) {
        return Ok(None);
    }
    match (name.as_str(), arguments(f).as_deref()) {
        // The zone stands twice, so it is a literal.
        ("date_trunc", Some([unit, x, zone])) if matches!(zone, Expr::Value(_)) => {
            let (unit, x, zone) = (unit.clone(), x.clone(), zone.clone());
            let there = at_zone(x, zone.clone());
            Ok(Some(at_zone(call("date_trunc", vec![unit, there]), zone)))
        }
        ("mod" | "div", Some([x, y])) => {
            let nested = |e: &Expr| Box::new(Expr::Nested(Box::new(e.clone())));
            let both = |op| Expr::BinaryOp { left: nested(x), op, right: nested(y) };
            Ok(Some(match name.as_str() {
                "mod" => Expr::Nested(Box::new(both(BinaryOperator::Modulo))),
                _ => call("trunc", vec![both(BinaryOperator::Divide)]),
            }))
        }
        ("timezone", Some([zone, x])) => Ok(Some(at_zone(x.clone(), zone.clone()))),
        ("to_timestamp", Some([text, template])) => {
            let time = call(TIME_OF, vec![text.clone(), template.clone()]);
            Ok(Some(cast(time, DataType::Timestamp(Some(6), TimezoneInfo::Tz))))
        }
        ("date", Some([x])) => Ok(Some(cast(x.clone(), DataType::Date))),
        ("regexp_split_to_table", Some([text, pattern])) => {
            let split = call("regexp_split_to_array", vec![text.clone(), pattern.clone()]);
            Ok(Some(call("unnest", vec![split])))
        }
        ("age", Some([x])) => {
            let today = expression("CAST(current_date AS TIMESTAMP(6))")?;
            Ok(Some(call("age", vec![today, x.clone()])))
        }
        _ => Ok(None),
    }
}

fn arguments(f: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &f.args else { return None };
    let plain = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}

fn at_zone(x: Expr, zone: Expr) -> Expr {
    let timestamp = Box::new(Expr::Nested(Box::new(x)));
    Expr::AtTimeZone { timestamp, time_zone: Box::new(zone) }
}

/// What is collected without equal ones is sorted, as Postgres does it.
fn in_order(f: &mut Function) {
    let FunctionArguments::List(list) = &mut f.args else { return };
    let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let ordered = list.clauses.iter().any(|c| matches!(c, FunctionArgumentClause::OrderBy(_)));
    if let (true, false, Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(x)))) =
        (distinct, ordered, list.args.first())
        && is_small(x)
    {
        let options = OrderByOptions { asc: None, nulls_first: None };
        let by = OrderByExpr { expr: x.clone(), options, with_fill: None };
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![by]));
    }
}

fn taken(e: &mut Box<Expr>) -> Box<Expr> {
    std::mem::replace(e, Box::new(Expr::value(Value::Null)))
}

fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}

/// The n of `varchar(n)` or `char(n)`, to which a cast cuts.
fn length(ty: &DataType) -> Option<u64> {
    match ty {
        DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. }))
        | DataType::Char(Some(CharacterLength::IntegerLength { length, .. }))
        | DataType::Character(Some(CharacterLength::IntegerLength { length, .. }))
        | DataType::CharacterVarying(Some(CharacterLength::IntegerLength { length, .. })) => {
            Some(*length)
        }
        _ => None,
    }
}

/// `localtimestamp` and `localtime`, which are no columns.
fn now_of(name: &str) -> Result<Option<Expr>> {
    match name {
        "localtimestamp" => expression("CAST(now() AS TIMESTAMP(6))").map(Some),
        "localtime" => expression("CAST(CAST(now() AS TIMESTAMP(6)) AS TIME)").map(Some),
        _ => Ok(None),
    }
}

/// A pattern whose escape is a backslash.
fn unescaped(pattern: &str, escape: &str) -> Result<String> {
    let mut escapes = escape.chars();
    let (escape, None) = (escapes.next(), escapes.next()) else {
        return Err(Error::new(SqlState::Code("22025"), "invalid escape string")
            .hint("Escape string must be empty or one character."));
    };
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                let Some(next) = chars.next() else {
                    return Err(Error::new(
                        SqlState::Code("22025"),
                        "LIKE pattern must not end with escape character",
                    ));
                };
                out.extend(['\\', next]);
            }
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The elements of `'{a,b}'`, as ANY and ALL take it.
fn listed(e: &Expr) -> Result<Option<Vec<Expr>>> {
    let Expr::Value(value) = e else { return Ok(None) };
    let Value::SingleQuotedString(literal) = &value.value else { return Ok(None) };
    let element = |e: Option<String>| e.map_or(Expr::value(Value::Null), |e| text(&e));
    Ok(Some(array_text::elements(literal)?.into_iter().map(element).collect()))
}

/// `x = a OR x = b`, each element as a literal, so that its type is that of x.
fn each(x: &Expr, op: &BinaryOperator, elements: Vec<Expr>, all: bool) -> Result<Expr> {
    let equal = matches!((op, all), (BinaryOperator::Eq, false) | (BinaryOperator::NotEq, true));
    let join = if all { BinaryOperator::And } else { BinaryOperator::Or };
    if equal && !elements.is_empty() {
        return Ok(Expr::InList { expr: Box::new(x.clone()), list: elements, negated: all });
    }
    if elements.len() > MAX_ELEMENTS || (elements.len() > 1 && !is_small(x)) {
        let text = format!(
            "an array of more than {MAX_ELEMENTS} elements, or beside a subquery, is compared by = ANY and <> ALL alone"
        );
        return Err(
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, text).hint("cast it: '{1,2}'::int[]")
        );
    }
    let one = |element: Expr| Expr::BinaryOp {
        left: Box::new(x.clone()),
        op: op.clone(),
        right: Box::new(element),
    };
    let joined = elements.into_iter().map(one).reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: join.clone(),
        right: Box::new(right),
    });
    let nothing = || Expr::value(Value::Boolean(all));
    Ok(Expr::Nested(Box::new(joined.unwrap_or_else(nothing))))
}

/// It is written once for each.
const MAX_ELEMENTS: usize = 100;

/// Whether an expression may be written again: within it nothing is that would be in turn.
pub fn is_small(e: &Expr) -> bool {
    let collects = |f: &Function| {
        let name = f.name.to_string().to_ascii_lowercase();
        matches!(name.as_str(), "array_agg" | "string_agg")
    };
    let large = |e: &Expr| match e {
        Expr::AnyOp { .. } | Expr::AllOp { .. } => ControlFlow::Break(()),
        Expr::Function(f) if collects(f) => ControlFlow::Break(()),
        e if is_subquery(e) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    !visit_expressions(e, large).is_break()
}

pub fn is_subquery(e: &Expr) -> bool {
    matches!(e, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
}
