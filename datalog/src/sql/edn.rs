//! SQL's `edn(text)`: a value that SQL has no type for (a keyword, a lookup ref, a relation), as an argument of `datalog`.

use datafusion::arrow::array::{Array, ArrayRef, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

const NAME: &str = "edn";

/// The function, for a session's context.
pub fn edn() -> ScalarUDF {
    ScalarUDF::from(Edn { signature: Signature::string(1, Volatility::Immutable) })
}

/// A text of its own type: one field that is named as the function.
fn data_type() -> DataType {
    DataType::Struct(fields())
}

fn fields() -> Fields {
    Fields::from(vec![Field::new(NAME, DataType::Utf8, true)])
}

/// The text of a value that the function gave. None: it is of another type. Some(None): it is null.
pub fn text_of(value: &ScalarValue) -> Option<Option<String>> {
    let ScalarValue::Struct(one) = value else { return None };
    (*one.data_type() == data_type()).then(|| match ScalarValue::try_from_array(one.column(0), 0) {
        Ok(ScalarValue::Utf8(text)) if !one.is_null(0) => text,
        _ => None,
    })
}

pub fn is_edn(ty: &DataType) -> bool {
    *ty == data_type()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Edn {
    signature: Signature,
}

impl ScalarUDFImpl for Edn {
    fn name(&self) -> &str {
        NAME
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(data_type())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [text] = args.args.as_slice() else {
            return Err(DataFusionError::Internal("edn takes one text".to_owned()));
        };
        let scalar = matches!(text, ColumnarValue::Scalar(_));
        let text: ArrayRef = cast(&text.to_array(rows)?, &DataType::Utf8)?;
        let shown = StructArray::try_new(fields(), vec![text], None)?;
        Ok(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&shown, 0)?),
            false => ColumnarValue::Array(Arc::new(shown)),
        })
    }
}
