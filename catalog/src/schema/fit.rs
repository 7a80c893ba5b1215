//! Whether the data that is there fits what is declared of it now.
//!
//! An attribute is read range by range, so memory stays bounded however large it is.

use super::{Attribute, Cardinality};
use crate::error::{Error, Result, SqlState};
use daodb_storage::{Attr, Fact, FactColumns, Slice, Snapshot, ValueType};
use datafusion::arrow::array::{Array, AsArray, Int64Array};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use std::collections::HashSet;
use std::ops::Range;

const ROWS_A_RANGE: usize = 131_072;
/// Hashes held at a time while duplicates are sought: 32 MiB.
const HASHES_A_PASS: u64 = 4 << 20;
/// Entities with equal hashes that are looked at; two real duplicates are among so many.
const SUSPECTS: usize = 256;

/// What a change of a declaration asks of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checks {
    one_type: bool,
    one_value: bool,
    distinct: bool,
}

impl Checks {
    /// `before` is what was known of the attribute up to now, with the types that were observed.
    pub fn between(before: &Attribute, after: &Attribute) -> Checks {
        let data = !before.observed.is_empty();
        let other_type = |ty: ValueType| before.observed.iter().any(|seen| *seen != ty);
        Checks {
            one_type: after.value_type != before.value_type
                && after.value_type.is_some_and(other_type),
            one_value: data
                && before.cardinality == Cardinality::Many
                && after.cardinality == Cardinality::One,
            distinct: data && before.unique.is_none() && after.unique.is_some(),
        }
    }

    pub fn any(self) -> bool {
        self != Checks::default()
    }

    /// Reads the data of the attribute and refuses the change where it does not fit.
    pub async fn run(self, snapshot: &Snapshot, after: &Attribute) -> Result<()> {
        if let Some(ty) = after.value_type.filter(|_| self.one_type) {
            check_type(snapshot, &after.ident, ty).await?;
        }
        if self.one_value {
            check_one(snapshot, &after.ident).await?;
        }
        if self.distinct {
            check_distinct(snapshot, after).await?;
        }
        Ok(())
    }
}

async fn ranges(snapshot: &Snapshot, a: &Attr) -> Result<Vec<Range<i64>>> {
    Ok(snapshot.ranges(std::slice::from_ref(a), i64::MIN..i64::MAX, ROWS_A_RANGE).await?)
}

async fn read(
    snapshot: &Snapshot,
    a: &Attr,
    e: &Range<i64>,
    values: bool,
) -> Result<Vec<FactColumns>> {
    let slice = Slice { a: a.clone(), e: e.clone(), values, times: false, touched: None };
    Ok(snapshot.slice(&slice).await?)
}

fn entities(columns: &FactColumns) -> &Int64Array {
    columns.e.as_primitive::<Int64Type>()
}

fn refused(state: SqlState, a: &Attr, what: String, hint: &str) -> Error {
    Error::new(state, format!("the data of {a} does not fit its declaration: {what}")).hint(hint)
}

async fn check_type(snapshot: &Snapshot, a: &Attr, ty: ValueType) -> Result<()> {
    for range in ranges(snapshot, a).await? {
        for columns in read(snapshot, a, &range, false).await? {
            if columns.value_type == ty || columns.e.is_empty() {
                continue;
            }
            let e = entities(&columns).value(0);
            let facts = snapshot.facts(a, &[e]).await?;
            let wrong = facts.iter().find(|f| f.v.value_type() != ty);
            let shown = wrong.map(|f| format!(" {}", f.v)).unwrap_or_default();
            let seen = columns.value_type.name();
            let what = format!("entity {e} has the {seen}{shown}, declared is {}", ty.name());
            let hint = "retract or replace values of another type first, or declare that type";
            return Err(refused(SqlState::DATATYPE_MISMATCH, a, what, hint));
        }
    }
    Ok(())
}

async fn check_one(snapshot: &Snapshot, a: &Attr) -> Result<()> {
    for range in ranges(snapshot, a).await? {
        let columns = read(snapshot, a, &range, false).await?;
        let mut all: Vec<i64> =
            columns.iter().flat_map(|c| entities(c).values().to_vec()).collect();
        all.sort_unstable();
        if let Some(pair) = all.windows(2).find(|pair| pair[0] == pair[1]) {
            let what = format!("entity {} has several values", pair[0]);
            let hint = "retract all values but one of each entity first, or keep cardinality many";
            return Err(refused(SqlState::CARDINALITY_VIOLATION, a, what, hint));
        }
    }
    Ok(())
}

/// Equal values have equal hashes; each pass holds those of one residue class.
async fn check_distinct(snapshot: &Snapshot, attribute: &Attribute) -> Result<()> {
    let a = &attribute.ident;
    let facts: u64 = snapshot.attributes().filter(|s| s.a == *a).map(|s| s.facts).sum();
    let passes = facts / HASHES_A_PASS + 1;
    for pass in 0..passes {
        let mut seen: HashSet<u64> = HashSet::new();
        let mut twice: HashSet<u64> = HashSet::new();
        each_hash(snapshot, a, |hash, _| {
            if hash % passes == pass && !seen.insert(hash) {
                twice.insert(hash);
            }
        })
        .await?;
        drop(seen);
        if twice.is_empty() {
            continue;
        }
        let mut suspects: Vec<i64> = Vec::new();
        each_hash(snapshot, a, |hash, e| {
            if suspects.len() < SUSPECTS && twice.contains(&hash) {
                suspects.push(e);
            }
        })
        .await?;
        name_duplicate(a, snapshot.facts(a, &suspects).await?)?;
    }
    Ok(())
}

async fn each_hash(snapshot: &Snapshot, a: &Attr, mut visit: impl FnMut(u64, i64)) -> Result<()> {
    let state = RandomState::with_seed(0);
    let mut hashes = Vec::new();
    for range in ranges(snapshot, a).await? {
        for columns in read(snapshot, a, &range, true).await? {
            let Some(values) = &columns.v else { continue };
            hashes.clear();
            hashes.resize(values.len(), 0);
            create_hashes([values], &state, &mut hashes)
                .map_err(|e| Error::new(SqlState::INTERNAL, e.to_string()))?;
            // Equal texts of two types are two values.
            let salt = u64::from(columns.value_type as u8) << 56;
            let rows = hashes.iter().zip(entities(&columns).values());
            rows.for_each(|(hash, e)| visit(hash ^ salt, *e));
        }
    }
    Ok(())
}

fn name_duplicate(a: &Attr, mut facts: Vec<Fact>) -> Result<()> {
    facts.sort_by(|x, y| x.v.cmp(&y.v).then(x.e.cmp(&y.e)));
    let Some(pair) = facts.windows(2).find(|p| p[0].v == p[1].v && p[0].e != p[1].e) else {
        return Ok(());
    };
    let what = format!("entities {} and {} both have {}", pair[0].e, pair[1].e, pair[0].v);
    let hint = "retract or change one of them first";
    Err(refused(SqlState::UNIQUE_VIOLATION, a, what, hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Unique;

    #[test]
    fn what_a_change_asks() {
        let seen = |types: &[ValueType]| Attribute {
            observed: types.to_vec(),
            ..Attribute::undeclared(":p/n".into())
        };
        let typed = |ty| Attribute { value_type: Some(ty), ..seen(&[]) };
        let check = |before: &Attribute, after: &Attribute, expect: bool| {
            assert_eq!(Checks::between(before, after).any(), expect, "{before:?} {after:?}");
        };
        check(&seen(&[]), &typed(ValueType::Long), false);
        check(&seen(&[ValueType::Long]), &typed(ValueType::Long), false);
        check(&seen(&[ValueType::Long, ValueType::String]), &typed(ValueType::Long), true);
        let unique = Attribute { unique: Some(Unique::Value), ..seen(&[]) };
        check(&seen(&[]), &unique, false);
        check(&seen(&[ValueType::Long]), &unique, true);
        let many = Attribute { cardinality: Cardinality::Many, ..seen(&[ValueType::Long]) };
        check(&many, &seen(&[]), true);
        check(&seen(&[ValueType::Long]), &many, false);
    }
}
