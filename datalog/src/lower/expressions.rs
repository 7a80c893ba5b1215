//! Functions and conversions as the engine's expressions.

use crate::algebra::Plan;
use crate::functions::Function;
use crate::query::Var;
use crate::resolve::{Apply, Argument, Slot};
use crate::value::{Cell, Kind, array, array_or_absent, cells, convert, told};
use daodb_catalog::{Error, SqlState};
use daodb_storage::{Value, ValueType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, binary_expr, lit,
};
use std::sync::Arc;

/// The column of a variable.
pub fn column(var: &Var) -> Expr {
    Expr::Column(Column::new_unqualified(var.0.as_ref()))
}

/// A literal of a column of that kind; None where it cannot hold the value.
pub fn literal(kind: Kind, cell: &Cell) -> Option<Expr> {
    crate::algebra::build_scalar(kind, cell).map(|v| Expr::Literal(v, None))
}

/// An expression of one kind as one of another; null where the value is of another type.
pub fn converted(expr: Expr, from: Kind, to: Kind) -> Expr {
    match from == to {
        true => expr,
        false => ScalarUDF::from(Convert { from, to, signature: any_arguments() }).call(vec![expr]),
    }
}

fn any_arguments() -> Signature {
    Signature::variadic_any(Volatility::Immutable)
}

/// What a call gives, of this kind.
pub fn call(plan: &Plan, apply: &Apply, kind: Kind) -> Expr {
    if let Some(native) = native(plan, apply) {
        return native;
    }
    let (mut kinds, mut args) = (Vec::new(), Vec::new());
    for arg in &apply.args {
        let (expr, of) = argument(plan, arg);
        kinds.push(of);
        args.push(expr);
    }
    // A call without arguments would not know how many rows there are; it is a constant, worked out before.
    let udf =
        Call { function: apply.function.name, kinds, gives: kind, signature: any_arguments() };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(udf)), args))
}

fn argument(plan: &Plan, arg: &Argument) -> (Expr, Kind) {
    match arg {
        Argument::Slot(Slot::Var(v)) => (column(v), plan.column(v).map_or(Kind::Any, |c| c.kind)),
        Argument::Slot(Slot::Const(cell)) => {
            let kind = cell.as_ref().map_or(Kind::Any, |v| Kind::of(v.value_type()));
            (literal(kind, cell).unwrap_or_else(|| lit(ScalarValue::Null)), kind)
        }
        Argument::Slot(Slot::Blank) => (lit(ScalarValue::Null), Kind::Any),
        Argument::Call(apply) => {
            let kind = plan.kind_of(apply);
            (call(plan, apply, kind), kind)
        }
    }
}

/// Comparisons that the engine's own operators do alike, so that scans can use them: of two longs, strings or instants.
fn native(plan: &Plan, apply: &Apply) -> Option<Expr> {
    let operator = match apply.function.name {
        "=" | "==" => Operator::Eq,
        "!=" | "not=" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => return None,
    };
    let [x, y] = apply.args.as_slice() else { return None };
    let ((x, kind), (y, other)) = (argument(plan, x), argument(plan, y));
    let same = matches!(
        kind,
        Kind::Typed(
            ValueType::Long
                | ValueType::String
                | ValueType::Instant
                | ValueType::Keyword
                | ValueType::Boolean
        )
    );
    (same && kind == other).then(|| binary_expr(x, operator, y))
}

/// Whether a value is neither false nor nil.
pub fn holds(plan: &Plan, apply: &Apply) -> Expr {
    match plan.kind_of(apply) {
        kind @ Kind::Typed(ValueType::Boolean) => call(plan, apply, kind),
        kind => {
            let value = call(plan, apply, kind);
            ScalarUDF::from(Truth { of: kind, signature: any_arguments() }).call(vec![value])
        }
    }
}

/// An argument as a column. The optimizer asks what comes of nulls that have no type.
fn of_kind(arg: &ColumnarValue, rows: usize, kind: Kind) -> Result<ArrayRef> {
    let column = arg.to_array(rows)?;
    Ok(match column.data_type() {
        DataType::Null => new_null_array(&kind.arrow(), rows),
        _ => column,
    })
}

/// A function over columns, a row at a time.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Call {
    function: &'static str,
    kinds: Vec<Kind>,
    gives: Kind,
    signature: Signature,
}

impl Call {
    fn function(&self) -> Result<&'static Function> {
        crate::functions::internal(self.function)
            .ok_or_else(|| DataFusionError::Internal(format!("no function {}", self.function)))
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        self.function
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.gives.arrow())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().zip(&self.kinds).map(|(a, kind)| of_kind(a, rows, *kind));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        if let Some(fast) = self.of_longs(&arrays)? {
            return Ok(ColumnarValue::Array(fast));
        }
        let function = self.function()?;
        let columns = self
            .kinds
            .iter()
            .zip(&arrays)
            .map(|(k, a)| cells(*k, a))
            .collect::<Result<Vec<_>>>()?;
        let mut out: Vec<Option<Cell>> = Vec::with_capacity(rows);
        let mut row: Vec<Cell> = Vec::with_capacity(columns.len());
        for i in 0..rows {
            // What is absent has no value to work on; nil is a value of `any`. The optimizer asks so, too.
            if !crate::functions::takes_absent(function) && arrays.iter().any(|a| a.is_null(i)) {
                out.push(None);
                continue;
            }
            row.clear();
            row.extend(columns.iter().map(|c| c[i].clone()));
            let value = function.call(&row).map_err(|why| failed(self.function, &row, &why))?;
            out.push(Some(value));
        }
        Ok(ColumnarValue::Array(array_or_absent(self.gives, &out)))
    }
}

impl Call {
    /// Sums and differences of two columns of longs, without values between.
    fn of_longs(&self, arrays: &[ArrayRef]) -> Result<Option<ArrayRef>> {
        let operation: fn(i64, i64) -> Option<i64> = match self.function {
            "+" => i64::checked_add,
            "-" => i64::checked_sub,
            "*" => i64::checked_mul,
            _ => return Ok(None),
        };
        let ([x, y], true) = (arrays, self.kinds.iter().all(|k| *k == Kind::LONG)) else {
            return Ok(None);
        };
        let (x, y) = (x.as_primitive::<Int64Type>(), y.as_primitive::<Int64Type>());
        if x.null_count() + y.null_count() > 0 {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(x.len());
        for (x, y) in x.values().iter().zip(y.values()) {
            let row = || [Some(Value::Long(*x)), Some(Value::Long(*y))];
            let n = operation(*x, *y);
            out.push(
                n.ok_or_else(|| failed(self.function, &row(), "the result does not fit a long"))?,
            );
        }
        Ok(Some(Arc::new(datafusion::arrow::array::Int64Array::from(out))))
    }
}

fn failed(name: &str, row: &[Cell], why: &str) -> DataFusionError {
    let args: Vec<String> = row.iter().map(told).collect();
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("({name} {}): {why}", args.join(" ")))
        .hint("leave such values out by another clause")
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Convert {
    from: Kind,
    to: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Convert {
    fn name(&self) -> &str {
        "as"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.arrow())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = of_kind(&args.args[0], args.number_rows, self.from)?;
        Ok(ColumnarValue::Array(convert(self.from, &column, self.to)?))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Truth {
    of: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Truth {
    fn name(&self) -> &str {
        "holds"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = of_kind(&args.args[0], args.number_rows, self.of)?;
        let truth = cells(self.of, &column)?.into_iter().map(|c| Some(crate::functions::truth(&c)));
        let truth: datafusion::arrow::array::BooleanArray = truth.collect();
        Ok(ColumnarValue::Array(Arc::new(truth)))
    }
}

/// The items of tuples, as lists of values of any type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Items {
    of: Kind,
    signature: Signature,
}

pub fn items(expr: Expr, of: Kind) -> Expr {
    ScalarUDF::from(Items { of, signature: any_arguments() }).call(vec![expr])
}

impl ScalarUDFImpl for Items {
    fn name(&self) -> &str {
        "items"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::BinaryView, true))))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = of_kind(&args.args[0], args.number_rows, self.of)?;
        let (mut lengths, mut all) = (Vec::new(), Vec::new());
        for cell in cells(self.of, &column)? {
            match cell {
                Some(Value::Tuple(parts)) => {
                    lengths.push(parts.len());
                    all.extend(parts.iter().cloned());
                }
                None => lengths.push(0),
                other => return Err(failed("each of", &[other], "it is no collection")),
            }
        }
        let items = array(Kind::Any, all.iter().map(Option::as_ref));
        let field = Arc::new(Field::new_list_field(DataType::BinaryView, true));
        let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths(lengths);
        let list = datafusion::arrow::array::ListArray::try_new(field, offsets, items, None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}
