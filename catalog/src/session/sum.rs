//! `sum` of integers as a decimal, as in Postgres: DataFusion's own adds up in 64 bits and wraps around. It wraps decimals around,
//! too: those are added up with twice as many digits, and what does not fit in the end is an error.

use crate::error::{Error, SqlState};
use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::Sum as Inner;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, Volatility,
};
use std::sync::Arc;

/// DataFusion's, asked to add up decimals where integers come in.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sum {
    inner: Inner,
    signature: Signature,
}

impl Sum {
    pub fn new() -> Self {
        Sum { inner: Inner::new(), signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        use DataType::*;
        let [ty] = types else { return plan_err!("sum takes one argument, not {}", types.len()) };
        Ok(vec![match ty {
            // As many digits as the type can have.
            UInt64 => Decimal128(20, 0),
            ty if ty.is_integer() || ty.is_null() => Decimal128(19, 0),
            Float16 | Float32 | Float64 => Float64,
            Interval(_) | Duration(_) => ty.clone(),
            ty if ty.is_decimal() => ty.clone(),
            ty => return plan_err!("function sum({ty}) does not exist"),
        }])
    }
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // Of sums of integers, into which the engine parts a sum beside what it counts distinct: the same type.
        match types {
            [DataType::Decimal128(29, 0)] => Ok(DataType::Decimal128(29, 0)),
            types => self.inner.return_type(types),
        }
    }
    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        summing(args, |args| self.inner.accumulator(args), |wide| Box::new(wide))
    }
    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match Wide::of(&args.return_field) {
            None => self.inner.state_fields(args),
            Some(wide) => {
                self.inner.state_fields(StateFieldsArgs { return_field: wide.field, ..args })
            }
        }
    }
    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }
    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        summing(args, |args| self.inner.create_groups_accumulator(args), |wide| Box::new(wide))
    }
    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        summing(args, |args| self.inner.create_sliding_accumulator(args), |wide| Box::new(wide))
    }
    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
    fn set_monotonicity(&self, ty: &DataType) -> SetMonotonicity {
        self.inner.set_monotonicity(ty)
    }
    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// What `make` makes of these arguments; of decimals of all digits, `boxed` over what it makes of decimals with twice as many.
fn summing<A>(
    args: AccumulatorArgs<'_>,
    make: impl FnOnce(AccumulatorArgs<'_>) -> Result<A>,
    boxed: impl FnOnce(Wide<A>) -> A,
) -> Result<A> {
    let Some(wide) = Wide::of(&args.return_field) else { return make(args) };
    let fields = [Arc::clone(&wide.field)];
    let return_field = Arc::clone(&wide.field);
    let inner = make(AccumulatorArgs { return_field, expr_fields: &fields, ..args })?;
    Ok(boxed(Wide { field: wide.field, narrow: wide.narrow, inner }))
}

/// Adds up decimals of all digits with twice as many.
#[derive(Debug)]
struct Wide<A> {
    /// Of what is added up.
    field: FieldRef,
    /// Of the sum.
    narrow: DataType,
    inner: A,
}

impl Wide<()> {
    /// None: what is added up has digits to spare.
    fn of(sum: &FieldRef) -> Option<Wide<()>> {
        let DataType::Decimal128(38, scale) = sum.data_type() else { return None };
        let wide = Field::clone(sum).with_data_type(DataType::Decimal256(76, *scale));
        Some(Wide { field: Arc::new(wide), narrow: sum.data_type().clone(), inner: () })
    }
}

impl<A> Wide<A> {
    fn widen(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        values.iter().map(|v| Ok(cast(v, self.field.data_type())?)).collect()
    }
    fn narrow(&self, sums: &ArrayRef) -> Result<ArrayRef> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(sums, &self.narrow, &strict).map_err(|_| {
            Error::new(SqlState::Code("22003"), "the sum overflows numeric format").into()
        })
    }
}

impl Accumulator for Wide<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.widen(values)?;
        self.inner.update_batch(&values)
    }
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.widen(values)?;
        self.inner.retract_batch(&values)
    }
    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.narrow(&sum)?, 0)
    }
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }
    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
    fn size(&self) -> usize {
        self.inner.size()
    }
}

impl GroupsAccumulator for Wide<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let values = self.widen(values)?;
        self.inner.update_batch(&values, groups, filter, total)
    }
    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(states, groups, total)
    }
    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.inner.evaluate(emit_to)?;
        self.narrow(&sums)
    }
    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }
    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.widen(values)?, filter)
    }
    fn size(&self) -> usize {
        self.inner.size()
    }
}
