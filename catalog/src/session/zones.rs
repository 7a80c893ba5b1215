//! `AT TIME ZONE` as in Postgres: an instant becomes the time on the wall there, and a time on the wall an instant.
//! DataFusion's own only names another zone for the same instant.

use super::syntax::call;
use super::{references, settings};
use crate::error::{Error, Result, SqlState};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::Result as DfResult;
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::{CastKind, DataType as SqlType, Expr, TimezoneInfo, Value};

const NAME: &str = "dao_at_time_zone";

/// Turns `x AT TIME ZONE 'zone'` into a call: of x, the zone, and a null whose type has the session's zone.
pub fn reread(e: &mut Expr) -> Result<()> {
    let Expr::AtTimeZone { timestamp, time_zone } = e else { return Ok(()) };
    let zone = match time_zone.as_ref() {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(zone) => zone,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    // The cast says what type a parameter has.
    if references::placeholder(timestamp).is_some() {
        return Ok(());
    }
    let Some(zone) = settings::time_zone(zone) else {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("time zone \"{zone}\" not recognized"),
        ));
    };
    let here = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::Null)),
        data_type: SqlType::Timestamp(Some(6), TimezoneInfo::Tz),
        array: false,
        format: None,
    };
    let x = std::mem::replace(timestamp.as_mut(), Expr::value(Value::Null));
    let zone = Expr::value(Value::SingleQuotedString(zone));
    *e = call(NAME, vec![x, zone, here]);
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AtTimeZone {
    signature: Signature,
}

impl AtTimeZone {
    pub fn udf() -> ScalarUDF {
        ScalarUDF::from(AtTimeZone { signature: Signature::any(3, Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        NAME
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    /// A text or a date is an instant first, as Postgres prefers.
    fn return_type(&self, args: &[DataType]) -> DfResult<DataType> {
        match args {
            [DataType::Timestamp(_, None), _, here] => Ok(here.clone()),
            [x, ..] if x.is_numeric() || *x == DataType::Boolean || x.is_nested() => {
                datafusion::common::plan_err!("AT TIME ZONE takes a timestamp: its type is {x}")
            }
            _ => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        }
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let wrong = || datafusion::common::internal_err!("{NAME} takes a time, a zone and a null");
        let [x, ColumnarValue::Scalar(zone), here] = args.args.as_slice() else { return wrong() };
        let Some(Some(zone)) = zone.try_as_str() else { return wrong() };
        let there = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        let x = match x.data_type() {
            DataType::Timestamp(_, None) => {
                return x.cast_to(&there, None)?.cast_to(args.return_type(), None);
            }
            DataType::Timestamp(..) => x.cast_to(&there, None)?,
            _ => x.cast_to(&here.data_type(), None)?.cast_to(&there, None)?,
        };
        to_local_time().invoke_with_args(ScalarFunctionArgs { args: vec![x], ..args })
    }
}
