//! Functions of Postgres's that work on one row after the other.

use super::zone;
use datafusion::arrow::array::{ArrayRef, new_empty_array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};

/// Null where an argument is.
#[derive(Debug)]
pub struct RowWise {
    name: &'static str,
    returns: DataType,
    /// Of one row's arguments, in the session's zone.
    eval: fn(&[ScalarValue], &str) -> Result<ScalarValue>,
    signature: Signature,
}

impl RowWise {
    /// `args`: their types, or how many of any type.
    pub fn udf(
        name: &'static str,
        args: Result<Vec<DataType>, usize>,
        returns: DataType,
        eval: fn(&[ScalarValue], &str) -> Result<ScalarValue>,
    ) -> ScalarUDF {
        let signature = match args {
            Ok(types) => Signature::exact(types, Volatility::Immutable),
            Err(n) => Signature::any(n, Volatility::Stable),
        };
        ScalarUDF::from(RowWise { name, returns, eval, signature })
    }
}

impl PartialEq for RowWise {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for RowWise {}
impl Hash for RowWise {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowWise {
    fn name(&self) -> &str {
        self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = zone(&args);
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let null = ScalarValue::try_new_null(&self.returns)?;
        let rows = columns.first().map_or(args.number_rows, |c| c.len());
        let mut out = Vec::with_capacity(rows);
        for i in 0..rows {
            let row = columns.iter().map(|c| ScalarValue::try_from_array(c, i));
            let row = row.collect::<Result<Vec<_>>>()?;
            out.push(match row.iter().any(ScalarValue::is_null) {
                true => null.clone(),
                false => (self.eval)(&row, zone)?,
            });
        }
        column(out, &self.returns).map(ColumnarValue::Array)
    }
}

/// Values of one type as a column, which may have none.
pub fn column(values: Vec<ScalarValue>, ty: &DataType) -> Result<ArrayRef> {
    match values.is_empty() {
        true => Ok(new_empty_array(ty)),
        false => ScalarValue::iter_to_array(values),
    }
}
