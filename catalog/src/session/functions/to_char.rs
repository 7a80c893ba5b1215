//! `to_char` of times, intervals and numbers, as in Postgres: DataFusion's own takes another language of templates.

use super::moment::{self, Moment};
use super::picture::Picture;
use super::template::parts;
use super::times::moments;
use super::{refused, zone};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ToChar {
    signature: Signature,
}

impl ToChar {
    pub fn new() -> Self {
        ToChar { signature: Signature::any(2, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        "to_char"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args {
            [x, template] if template.is_string() && (x.is_temporal() || x.is_numeric()) => {
                Ok(DataType::Utf8)
            }
            [DataType::Null, _] | [_, DataType::Null] => Ok(DataType::Utf8),
            _ => {
                plan_err!("function to_char takes a time, an interval or a number, and a template")
            }
        }
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = zone(&args);
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [x, template] = arrays.as_slice() else {
            return plan_err!("to_char takes two arguments");
        };
        Ok(ColumnarValue::Array(Arc::new(shown(x, template, zone)?)))
    }
}

fn shown(x: &ArrayRef, templates: &ArrayRef, zone: &str) -> Result<StringArray> {
    let templates = cast(templates, &DataType::Utf8)?;
    let templates = templates.as_string::<i32>();
    let double = x.data_type().is_floating();
    if x.data_type().is_numeric() {
        let doubles = cast(x, &DataType::Float64)?;
        let texts = cast(x, &DataType::Utf8)?;
        let (doubles, texts) = (doubles.as_primitive::<Float64Type>(), texts.as_string::<i32>());
        return each(x, templates, Picture::of, |picture, row| match double {
            true => Ok(picture.of_double(doubles.value(row))),
            false => match texts.value(row).parse() {
                Ok(number) => Ok(picture.of_number(&number)),
                Err(e) => exec_err!("{} is no number: {e}", texts.value(row)),
            },
        });
    }
    let moments: Vec<Option<Moment>> = match x.data_type() {
        DataType::Interval(_) => {
            let x = cast(x, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let x = x.as_primitive::<IntervalMonthDayNanoType>();
            let of = |v: IntervalMonthDayNano| Moment::of_interval(v.months, v.days, v.nanoseconds);
            x.iter().map(|v| v.map(of)).collect()
        }
        _ => moments(x, zone)?,
    };
    each(
        x,
        templates,
        |template| Ok(parts(template)),
        |parts, row| {
            let moment = moments.get(row).and_then(Option::as_ref);
            moment.and_then(|moment| moment::shown(parts, moment)).ok_or_else(|| {
                refused("22007", "invalid format specification for an interval value")
            })
        },
    )
}

/// One text for each value that has a template; one template for all rows is the rule.
fn each<T>(
    x: &ArrayRef,
    templates: &StringArray,
    read: impl Fn(&str) -> Result<T, String>,
    shown: impl Fn(&T, usize) -> Result<String>,
) -> Result<StringArray> {
    let mut known: Option<(&str, T)> = None;
    let mut out = Vec::with_capacity(x.len());
    for row in 0..x.len() {
        if x.is_null(row) || templates.is_null(row) {
            out.push(None);
            continue;
        }
        let template = templates.value(row);
        let read = match known.take() {
            Some((of, read)) if of == template => read,
            _ => read(template).map_err(|why| refused("42601", why))?,
        };
        out.push(Some(shown(&read, row)?));
        known = Some((template, read));
    }
    Ok(StringArray::from(out))
}
