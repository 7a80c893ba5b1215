//! The second of a time has its fraction, as in Postgres: DataFusion's own cuts it off. No part is an integer, so that half a month
//! is none either.

use super::syntax::{call, cast};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

/// `extract(second FROM x)` and `date_part('second', x)`, and those of milliseconds, count microseconds.
pub fn reread(e: &mut Expr) {
    let (unit, x) = match &*e {
        Expr::Extract { field, expr, .. } => (field.to_string(), expr.as_ref()),
        Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("date_part") => {
            let FunctionArguments::List(list) = &f.args else { return };
            let [unit, x] = list.args.as_slice() else { return };
            let (Some(Expr::Value(unit)), Some(x)) = (plain(unit), plain(x)) else { return };
            let Value::SingleQuotedString(unit) = &unit.value else { return };
            (unit.clone(), x)
        }
        _ => return,
    };
    let microseconds = match unit.to_ascii_lowercase().as_str() {
        "second" | "seconds" | "sec" | "secs" => "1000000.0",
        "millisecond" | "milliseconds" | "msec" | "msecs" => "1000.0",
        _ => {
            let part = std::mem::replace(e, Expr::value(Value::Null));
            *e = cast(part, DataType::DoublePrecision);
            return;
        }
    };
    let part = Expr::value(Value::SingleQuotedString("microsecond".to_owned()));
    let number = cast(call("date_part", vec![part, x.clone()]), DataType::DoublePrecision);
    *e = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(number),
        op: BinaryOperator::Divide,
        right: Box::new(Expr::value(Value::Number(microseconds.to_owned(), false))),
    }));
}

fn plain(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
        _ => None,
    }
}
