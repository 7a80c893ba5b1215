//! Parameters that say which versions of tables are read: what they are decides what columns the tables have.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use std::collections::BTreeMap;

/// `$1` of `VERSION AS OF $1`: such parameters, from 0, and their types.
#[derive(Debug, Clone, Default)]
pub struct Moments(pub(super) BTreeMap<usize, DataType>);

impl Moments {
    /// The values that `read` makes of those of the arguments that are for these; None for the others.
    pub fn values<A, E>(
        &self,
        arguments: &[A],
        read: impl Fn(usize, &A, &DataType) -> Result<ScalarValue, E>,
    ) -> Result<Vec<Option<ScalarValue>>, E> {
        let value = |(n, argument)| self.0.get(&n).map(|ty| read(n, argument, ty)).transpose();
        arguments.iter().enumerate().map(value).collect()
    }
}
