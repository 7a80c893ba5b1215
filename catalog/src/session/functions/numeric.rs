//! Products and quotients of numerics, as in Postgres but for their digits, which a column has as many of as its type says: the
//! engine's own cut a quotient four places behind what the left side has, and let the places of products grow until nothing fits
//! before the point.

use super::refused;
use crate::session::expressions::infix;
use datafusion::arrow::array::{AsArray, Decimal128Array};
use datafusion::arrow::compute::try_binary;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

/// All digits of a numeric.
const PRECISION: u8 = 38;
/// Places of a quotient at least: Postgres gives 16 digits and more.
const QUOTIENT: i8 = 16;
/// Places that a product is rounded to, where neither side has more.
const PRODUCT: i8 = 18;

/// `l * r` or `l / r`, of decimals and integers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Numeric {
    op: Operator,
    signature: Signature,
}

impl Numeric {
    pub fn product() -> ScalarUDF {
        Numeric::udf(Operator::Multiply)
    }
    pub fn quotient() -> ScalarUDF {
        Numeric::udf(Operator::Divide)
    }
    fn udf(op: Operator) -> ScalarUDF {
        ScalarUDF::from(Numeric { op, signature: Signature::user_defined(Volatility::Immutable) })
    }

    /// The places of what two scales give.
    fn scale(&self, left: i8, right: i8) -> i8 {
        let larger = left.max(right);
        match self.op {
            Operator::Multiply => left.saturating_add(right).min(larger.max(PRODUCT)),
            _ => larger.max(QUOTIENT),
        }
    }
}

impl ScalarUDFImpl for Numeric {
    fn name(&self) -> &str {
        match self.op {
            Operator::Multiply => "dao_product",
            _ => "dao_quotient",
        }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let decimal = |ty: &DataType| match ty {
            DataType::Decimal128(..) => Ok(ty.clone()),
            ty if ty.is_integer() || ty.is_null() => Ok(DataType::Decimal128(20, 0)),
            ty => plan_err!("operator does not exist: numeric {} {ty}", self.op),
        };
        types.iter().map(decimal).collect()
    }
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Decimal128(_, left), DataType::Decimal128(_, right)] => {
                Ok(DataType::Decimal128(PRECISION, self.scale(*left, *right)))
            }
            _ => plan_err!("{} takes two numerics", self.name()),
        }
    }
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(infix(self.op, args, self.name(), Expr::to_string))
    }
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(infix(self.op, args, self.name(), |e| e.schema_name().to_string()))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let sides = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = sides.as_slice() else {
            return plan_err!("{} takes two arguments", self.name());
        };
        let (left, right) =
            (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
        let scale = self.scale(left.scale(), right.scale());
        let out: Decimal128Array = match self.op {
            Operator::Multiply => {
                let dropped = power(left.scale() as i32 + right.scale() as i32 - scale as i32)?;
                try_binary(left, right, |l, r| fitting(product(l, r, dropped)))
            }
            _ => {
                let more = power(scale as i32 - left.scale() as i32 + right.scale() as i32)?;
                try_binary(left, right, |l, r| match r {
                    0 => Err(external(refused("22012", "division by zero"))),
                    r => fitting(quotient(l, more, r)),
                })
            }
        }
        .map_err(DataFusionError::from)?
        .with_precision_and_scale(PRECISION, scale)?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&out, 0)?),
            false => ColumnarValue::Array(Arc::new(out)),
        })
    }
}

fn external(e: DataFusionError) -> ArrowError {
    ArrowError::ExternalError(Box::new(e))
}

fn overflow() -> DataFusionError {
    refused("22003", "value overflows numeric format")
}

fn power(places: i32) -> Result<i256> {
    let places = u32::try_from(places).ok().filter(|p| *p <= 76).ok_or_else(overflow)?;
    i256::from_i128(10).checked_pow(places).ok_or_else(overflow)
}

fn fitting(value: Option<i256>) -> std::result::Result<i128, ArrowError> {
    const MOST: i128 = 10i128.pow(PRECISION as u32);
    let value = value.and_then(i256::to_i128).filter(|v| -MOST < *v && *v < MOST);
    value.ok_or_else(|| external(overflow()))
}

fn product(l: i128, r: i128, dropped: i256) -> Option<i256> {
    match (l.checked_mul(r), dropped == i256::ONE) {
        (Some(whole), true) => Some(i256::from_i128(whole)),
        _ => rounded(i256::from_i128(l).checked_mul(i256::from_i128(r))?, dropped),
    }
}

fn quotient(l: i128, more: i256, r: i128) -> Option<i256> {
    // Nearly all fit: dividing longer numbers takes ten times as long.
    if let Some(more) = more.to_i128()
        && let Some(l) = l.checked_mul(more)
        && let (Some(whole), Some(rest)) = (l.checked_div(r), l.checked_rem(r))
    {
        let up = rest.unsigned_abs() >= r.unsigned_abs().div_ceil(2) && rest != 0;
        let away = if (l < 0) == (r < 0) { 1 } else { -1 };
        return Some(i256::from_i128(if up { whole + away } else { whole }));
    }
    rounded(i256::from_i128(l).checked_mul(more)?, i256::from_i128(r))
}

/// Halves go away from zero.
fn rounded(l: i256, r: i256) -> Option<i256> {
    let (whole, rest) = (l.checked_div(r)?, l.checked_rem(r)?);
    let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    match twice >= r.wrapping_abs() {
        true if l.is_negative() == r.is_negative() => whole.checked_add(i256::ONE),
        true => whole.checked_sub(i256::ONE),
        false => Some(whole),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quotients_are_rounded_whichever_way_they_are_found() {
        let check = |l: i128, places: i32, r: i128, expect: i128| {
            let more = power(places).unwrap();
            assert_eq!(quotient(l, more, r), Some(i256::from_i128(expect)), "{l} / {r}");
            let long = i256::from_i128(l).checked_mul(more).unwrap();
            assert_eq!(rounded(long, i256::from_i128(r)), Some(i256::from_i128(expect)));
        };
        for (l, r, expect) in [(1, 3, 333), (2, 3, 667), (1, 2000, 1), (1, 2001, 0), (0, 7, 0)] {
            for (l, r, expect) in
                [(l, r, expect), (-l, -r, expect), (-l, r, -expect), (l, -r, -expect)]
            {
                check(l, 3, r, expect);
            }
        }
        // Beyond what 128 bits hold on the way.
        check(10i128.pow(37), 16, 10i128.pow(20), 10i128.pow(33));
    }

    #[test]
    fn products_are_rounded_where_digits_are_dropped() {
        let check = |l: i128, r: i128, dropped: i32, expect: Option<i128>| {
            let found = product(l, r, power(dropped).unwrap());
            assert_eq!(found.and_then(i256::to_i128), expect, "{l} * {r}");
        };
        check(15, 15, 1, Some(23));
        check(-15, 15, 1, Some(-23));
        check(14, 1, 1, Some(1));
        check(10i128.pow(30), 10i128.pow(30), 30, Some(10i128.pow(30)));
        check(10i128.pow(30), 10i128.pow(30), 0, None);
    }
}
