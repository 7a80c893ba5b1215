//! `sum` of integers as a decimal, as in Postgres: DataFusion's own adds up in 64 bits and wraps around.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::Sum as Inner;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature, Volatility,
};

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
        self.inner.accumulator(args)
    }
    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }
    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }
    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
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
