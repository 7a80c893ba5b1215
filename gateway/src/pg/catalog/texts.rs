//! Casts to text: values as the wire writes them, which is as Postgres does. The engine's own are Arrow's.

use crate::pg::encode::{self, text, types};
use bytes::BytesMut;
use daodb_catalog::session::expressions;
use datafusion::arrow::array::{ArrayRef, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Replaces such casts. Runs after types are settled.
#[derive(Debug)]
pub struct TextCasts {
    text: Arc<ScalarUDF>,
}

impl TextCasts {
    pub fn new() -> Self {
        let signature = Signature::any(1, Volatility::Stable);
        TextCasts { text: Arc::new(ScalarUDF::from(Text { signature })) }
    }

    fn replace(&self, e: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let Expr::Cast(Cast { expr, field }) = e else { return Ok(Transformed::no(e)) };
        if !expr.get_type(schema).is_ok_and(|ty| differs(&ty)) {
            return Ok(Transformed::no(Expr::Cast(Cast { expr, field })));
        }
        let call = ScalarFunction::new_udf(Arc::clone(&self.text), vec![*expr]);
        let text = Box::new(Expr::ScalarFunction(call));
        // A text is no longer the value that the column's metadata names.
        Ok(Transformed::yes(Expr::Cast(Cast::new(text, field.data_type().clone()))))
    }
}

/// Types whose texts are others to Arrow.
fn differs(ty: &DataType) -> bool {
    ty.is_floating()
        || ty.is_decimal()
        || matches!(ty, DataType::Timestamp(..) | DataType::Interval(_) | DataType::Duration(_))
        || matches!(ty, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
        || matches!(ty, DataType::List(_))
}

impl AnalyzerRule for TextCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let to_text = |e: &Expr| matches!(e, Expr::Cast(c) if c.field.data_type().is_string());
        expressions::replace(plan, to_text, |e, schema| self.replace(e, schema))
    }
    fn name(&self) -> &str {
        "text_casts"
    }
}

/// It prints as what it writes, so that names of columns stay.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Text {
    signature: Signature,
}

impl ScalarUDFImpl for Text {
    fn name(&self) -> &str {
        "dao_text"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.first().map_or_else(|| self.name().to_owned(), ToString::to_string))
    }
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.first().map_or_else(|| self.name().to_owned(), |e| e.schema_name().to_string()))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = args.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let array = args.args[0].to_array(args.number_rows)?;
        let [field] = args.arg_fields.as_slice() else { return exec_err!("one value has a text") };
        texts(&array, field, zone).map(ColumnarValue::Array)
    }
}

fn texts(array: &ArrayRef, field: &Field, zone: &str) -> Result<ArrayRef> {
    let external = |e: Box<daodb_catalog::Error>| DataFusionError::External(e);
    let zone = encode::calendar::Zone::parse(zone).unwrap_or(encode::calendar::Zone::Utc);
    let style = text::Style { zone, trimmed: types::is_bigdec(field), ..text::Style::default() };
    let ty = types::of_field(field).map_err(external)?;
    let write = text::writer(array, &ty, &style).map_err(external)?;
    let nulls = array.logical_nulls();
    let (mut out, mut bytes) =
        (StringBuilder::with_capacity(array.len(), array.len() * 16), BytesMut::new());
    for row in 0..array.len() {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            out.append_null();
            continue;
        }
        bytes.clear();
        write(row, &mut bytes).map_err(external)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => out.append_value(text),
            Err(e) => return exec_err!("a text is not UTF-8: {e}"),
        }
    }
    Ok(Arc::new(out.finish()))
}
