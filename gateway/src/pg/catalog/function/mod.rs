//! The functions that clients ask a Postgres with. They are called on few rows, so one call works on one row.

mod array;
mod comment;
mod definition;
mod privilege;
mod regs;
mod session;
mod size;
mod subquery;
mod visible;

use super::field_type::field_of;
use super::statement::Bound;
use daodb_catalog::{Error, SqlState};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

pub use array::{EXPAND as EXPAND_ARRAY, SUBSCRIPTS};
pub use subquery::{ARRAY, EXISTS, NAME as SUBQUERY, SCALAR, argument_name};

/// One row's arguments to its result.
type Call = fn(&Call1<'_>) -> Result<ScalarValue>;

/// The arguments of one call, and what the statement knows.
pub struct Call1<'a> {
    pub bound: &'a Arc<Bound>,
    pub args: &'a [ScalarValue],
    pub fields: &'a [FieldRef],
}

/// A function of Postgres's, before a statement binds it.
pub struct Definition {
    name: &'static str,
    args: RangeInclusive<usize>,
    /// `typname` of the result.
    returns: &'static str,
    /// Null where any argument is.
    strict: bool,
    call: Call,
}

const fn strict(
    name: &'static str,
    args: RangeInclusive<usize>,
    returns: &'static str,
    call: Call,
) -> Definition {
    Definition { name, args, returns, strict: true, call }
}

const fn lenient(
    name: &'static str,
    args: RangeInclusive<usize>,
    returns: &'static str,
    call: Call,
) -> Definition {
    Definition { name, args, returns, strict: false, call }
}

/// The names of ours that a client may call.
pub fn names() -> impl Iterator<Item = &'static str> {
    let casts: HashSet<&str> = regs::FUNCTIONS.iter().map(|d| d.name).collect();
    let own = definitions().map(|d| d.name);
    let own = own.filter(move |n| !casts.contains(n) || n.starts_with("to_"));
    own.chain(["array_lower", "array_upper"])
}

/// All functions, bound to a statement.
pub fn all(bound: &Arc<Bound>) -> Vec<ScalarUDF> {
    let mut out: Vec<ScalarUDF> = definitions()
        .map(|definition| ScalarUDF::new_from_impl(Function::new(definition, bound)))
        .collect();
    out.push(subquery::function(bound));
    out.extend(array::functions());
    out
}

/// What the functions that a context has are bound to.
pub fn bound_of(state: &SessionState) -> Option<Arc<Bound>> {
    let function = state.scalar_functions().get(subquery::NAME)?;
    subquery::bound(function.inner().as_ref())
}

fn definitions() -> impl Iterator<Item = &'static Definition> {
    [
        comment::FUNCTIONS,
        definition::FUNCTIONS,
        privilege::FUNCTIONS,
        regs::FUNCTIONS,
        session::FUNCTIONS,
        size::FUNCTIONS,
        visible::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

struct Function {
    definition: &'static Definition,
    signature: Signature,
    bound: Arc<Bound>,
}

impl Function {
    fn new(definition: &'static Definition, bound: &Arc<Bound>) -> Self {
        let signature =
            TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let signature = Signature::new(signature, Volatility::Stable);
        Self { definition, signature, bound: Arc::clone(bound) }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && Arc::ptr_eq(&self.bound, &other.bound)
    }
}
impl Eq for Function {}
impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}
impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.definition.name)
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.definition.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(field_of("", self.definition.returns, true).data_type().clone())
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let Definition { name, returns, .. } = self.definition;
        if !self.definition.args.contains(&args.arg_fields.len()) {
            return Err(no_such_function(name, args.arg_fields.len()));
        }
        Ok(Arc::new(field_of(name, returns, true)))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ty = args.return_field.data_type().clone();
        each_row(&args, &ty, |row| {
            if self.definition.strict && row.iter().any(ScalarValue::is_null) {
                return ScalarValue::try_from(&ty);
            }
            let call = Call1 { bound: &self.bound, args: row, fields: &args.arg_fields };
            (self.definition.call)(&call)
        })
    }
}

/// Applies a function of one row to all; rows with equal arguments share one call.
fn each_row(
    args: &ScalarFunctionArgs,
    ty: &DataType,
    mut call: impl FnMut(&[ScalarValue]) -> Result<ScalarValue>,
) -> Result<ColumnarValue> {
    let scalars: Option<Vec<ScalarValue>> = args
        .args
        .iter()
        .map(|a| match a {
            ColumnarValue::Scalar(s) => Some(s.clone()),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    if let Some(row) = scalars {
        return Ok(ColumnarValue::Scalar(call(&row)?));
    }
    let mut known: HashMap<Vec<ScalarValue>, ScalarValue> = HashMap::new();
    let mut out = Vec::with_capacity(args.number_rows);
    for i in 0..args.number_rows {
        let row = args.args.iter().map(|a| match a {
            ColumnarValue::Scalar(s) => Ok(s.clone()),
            ColumnarValue::Array(array) => ScalarValue::try_from_array(array, i),
        });
        let row = row.collect::<Result<Vec<_>>>()?;
        let value = match known.get(&row) {
            Some(value) => value.clone(),
            None => {
                let value = call(&row)?;
                known.insert(row, value.clone());
                value
            }
        };
        out.push(value);
    }
    if out.is_empty() {
        return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(ty)));
    }
    Ok(ColumnarValue::Array(ScalarValue::iter_to_array(out)?))
}

fn no_such_function(name: &str, args: usize) -> DataFusionError {
    let message = format!("function {name} with {args} arguments does not exist");
    Error::new(SqlState::UNDEFINED_FUNCTION, message).into()
}

impl Call1<'_> {
    /// An argument as text, whatever form it has.
    pub fn text(&self, i: usize) -> Option<String> {
        text_of(self.args.get(i)?)
    }
    /// An argument as a number; text is read.
    pub fn int(&self, i: usize) -> Option<i64> {
        int_of(self.args.get(i)?)
    }
    pub fn oid(&self, i: usize) -> Option<u32> {
        self.int(i).and_then(|v| u32::try_from(v).ok())
    }
    pub fn bool(&self, i: usize) -> Option<bool> {
        match self.args.get(i)? {
            ScalarValue::Boolean(v) => *v,
            other => match text_of(other)?.as_str() {
                "t" | "true" | "on" | "1" => Some(true),
                _ => Some(false),
            },
        }
    }
}

fn text_of(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(s) | ScalarValue::Utf8View(s) | ScalarValue::LargeUtf8(s) => s.clone(),
        v if v.is_null() => None,
        v => Some(v.to_string()),
    }
}

fn int_of(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int64(v) => *v,
        ScalarValue::UInt32(v) => v.map(i64::from),
        ScalarValue::Int32(v) => v.map(i64::from),
        ScalarValue::Int16(v) => v.map(i64::from),
        v => text_of(v)?.trim().parse().ok(),
    }
}

fn utf8(value: impl Into<String>) -> Result<ScalarValue> {
    Ok(ScalarValue::Utf8(Some(value.into())))
}

fn maybe_utf8(value: Option<String>) -> Result<ScalarValue> {
    Ok(ScalarValue::Utf8(value))
}

fn boolean(value: bool) -> Result<ScalarValue> {
    Ok(ScalarValue::Boolean(Some(value)))
}
