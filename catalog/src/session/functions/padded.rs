//! `lpad` and `rpad` with a limit: the engine's own make texts as long as they are told to.

use super::refused;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::{cast, max};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::functions::unicode::{lpad, rpad};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

/// Characters of one call, in all of its rows.
const MAX_LENGTH: i64 = 100_000_000;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Padded {
    inner: Arc<ScalarUDF>,
}

pub fn functions() -> [ScalarUDF; 2] {
    [lpad(), rpad()].map(|inner| ScalarUDF::from(Padded { inner }))
}

impl ScalarUDFImpl for Padded {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn signature(&self) -> &Signature {
        self.inner.signature()
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.inner.return_type(args)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(length) = args.args.get(1) {
            let lengths = cast(&length.to_array(1)?, &DataType::Int64)?;
            let longest = max(lengths.as_primitive::<Int64Type>()).unwrap_or(0);
            let rows = i64::try_from(args.number_rows).unwrap_or(i64::MAX);
            if longest.saturating_mul(rows) > MAX_LENGTH {
                return Err(refused("54000", "requested length too large"));
            }
        }
        self.inner.invoke_with_args(args)
    }
}
