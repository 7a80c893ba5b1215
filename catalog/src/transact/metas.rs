//! The fifth part of datoms: whether it says just the op, or names an entity that tells more of it.
//!
//! What an op is, added or retracted, stands in the log beside m, so nothing that is said of the entity later changes it.

use super::Op;
use super::expand::Expanded;
use super::op::refused;
use super::resolve::Names;
use crate::error::{Error, Result, SqlState};
use crate::schema::Schema;
use daodb_storage::{FIRST_T, META_ASSERTED, META_RETRACTED};

/// The metadata entities of a transaction.
#[derive(Default)]
pub struct Metas {
    /// By the number of the caller's op; sorted.
    of: Vec<(u32, i64)>,
    /// Of all other ops.
    whole: Option<i64>,
}

impl Metas {
    /// Finds out whom they are; tempids among them are known after [`Metas::settle`].
    pub fn read(
        names: &mut Names,
        expanded: &Expanded<'_>,
        ops: &[Op],
        schema: &Schema,
    ) -> Result<Metas> {
        let mut entity = |(at, m): &(u32, _)| {
            names.op = *at;
            let e = names.entity(m, schema).and_then(|e| match e {
                0..FIRST_T => Err(Error::new(
                    SqlState::RESERVED_NAME,
                    format!("entity {e} is built in and is no metadata"),
                )
                .hint("name an entity of your own")),
                e => Ok(e),
            });
            e.map(|e| (*at, e)).map_err(|e| refused(ops, *at, e))
        };
        let of = expanded.metas.iter().map(&mut entity).collect::<Result<_>>()?;
        let whole = expanded.whole.as_ref().map(&mut entity).transpose()?.map(|(_, e)| e);
        Ok(Metas { of, whole })
    }

    /// After all tempids are resolved.
    pub fn settle(&mut self, names: &mut Names) {
        for e in self.of.iter_mut().map(|(_, e)| e).chain(&mut self.whole) {
            *e = names.settled(*e).unwrap_or(*e);
        }
    }

    /// The m of a datom about `e` that the op `op` of transaction `t` makes. What is said of the metadata itself, and of the
    /// transaction, needs none.
    pub fn m(&self, op: u32, e: i64, t: i64, added: bool) -> i64 {
        let plain = if added { META_ASSERTED } else { META_RETRACTED };
        let of = self.of.binary_search_by_key(&op, |(op, _)| *op).ok();
        match of.map(|i| self.of[i].1).or(self.whole) {
            Some(m) if m != e && e != t => m,
            _ => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_has_its_own_or_that_of_the_transaction() {
        let (t, meta, other) = (1000, 5000, 6000);
        let plain = Metas::default();
        assert_eq!((plain.m(0, 1, t, true), plain.m(0, 1, t, false)), (1, 0));
        let metas = Metas { of: vec![(1, meta)], whole: Some(other) };
        assert_eq!((metas.m(0, 1, t, true), metas.m(1, 1, t, false)), (other, meta));
        assert_eq!((metas.m(1, meta, t, true), metas.m(0, t, t, true)), (1, 1));
    }
}
