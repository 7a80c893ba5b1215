//! Predicates that a scan evaluates itself: which columns they read, which of them they need to be present, which rows pass.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, MAX_INLINE_VIEW_LEN, RecordBatch, RecordBatchOptions,
    StringViewArray, make_view,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{and, prep_null_mask_filter};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, LikeExpr,
    Literal, NegativeExpr, NotExpr,
};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::PhysicalExpr;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A dynamic filter that passes more than this share of rows is not worth its evaluation.
const USELESS_SHARE: f64 = 0.8;
/// Rows that a dynamic filter is tried on before it is judged.
const TRIAL_ROWS: u64 = 100_000;

/// One conjunct over the columns of a full table schema.
#[derive(Debug)]
pub struct Filter {
    /// Over the full schema, for bounds and EXPLAIN.
    pub expr: Arc<dyn PhysicalExpr>,
    /// Indices into the full schema, ascending.
    pub columns: Vec<usize>,
    /// Columns without which no row passes.
    pub required: BTreeSet<usize>,
    /// Over `schema`, which holds `columns` alone.
    compact: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    /// Where it asks a column for one short text, what the column's views must be.
    short: Option<Short>,
    /// Set by a join or a top-k above, which does not depend on it.
    dynamic: bool,
    seen: AtomicU64,
    passed: AtomicU64,
}

impl Filter {
    /// `expr` over `full`, whose column names are unique.
    pub fn new(expr: Arc<dyn PhysicalExpr>, full: &SchemaRef) -> Result<Arc<Filter>> {
        let columns: BTreeSet<usize> = collect_columns(&expr).iter().map(Column::index).collect();
        let columns: Vec<usize> = columns.into_iter().collect();
        let schema: SchemaRef = Arc::new(full.project(&columns)?);
        Ok(Arc::new(Filter {
            required: rejecting(&expr),
            compact: reassign_expr_columns(Arc::clone(&expr), &schema)?,
            short: Short::of(&expr),
            dynamic: expr.downcast_ref::<DynamicFilterPhysicalExpr>().is_some(),
            expr,
            columns,
            schema,
            seen: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        }))
    }

    /// The column that must be present, where it asks nothing else.
    pub fn presence(&self) -> Option<usize> {
        let arg = self.expr.downcast_ref::<IsNotNullExpr>()?.arg();
        arg.downcast_ref::<Column>().map(Column::index)
    }

    /// Which rows pass; None: all of them. `column` gives a column of the full schema, of `rows` rows.
    pub fn mask(
        &self,
        rows: usize,
        column: &dyn Fn(usize) -> Result<ArrayRef>,
    ) -> Result<Option<BooleanArray>> {
        if self.dynamic && self.is_useless() {
            return Ok(None);
        }
        let arrays = self.columns.iter().map(|c| column(*c)).collect::<Result<Vec<_>>>()?;
        if let (Some(short), [texts]) = (&self.short, arrays.as_slice())
            && let Some(texts) = texts.as_string_view_opt()
        {
            let mask = short.mask(texts);
            return Ok((mask.true_count() < rows).then_some(mask));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        let result = self.compact.evaluate(&batch)?.into_array(rows)?;
        let mask = match result.as_boolean_opt() {
            Some(mask) if mask.null_count() > 0 => prep_null_mask_filter(mask),
            Some(mask) => mask.clone(),
            None => {
                return Err(datafusion::error::DataFusionError::Internal(format!(
                    "the filter {} is not boolean",
                    self.expr
                )));
            }
        };
        let passed = mask.true_count();
        if self.dynamic {
            self.seen.fetch_add(rows as u64, Relaxed);
            self.passed.fetch_add(passed as u64, Relaxed);
        }
        Ok((passed < rows).then_some(mask))
    }

    /// What a join has not filled yet is `true`; what it has filled may let nearly all pass.
    fn is_useless(&self) -> bool {
        let seen = self.seen.load(Relaxed);
        if seen > TRIAL_ROWS && self.passed.load(Relaxed) as f64 > USELESS_SHARE * seen as f64 {
            return true;
        }
        let current =
            self.expr.downcast_ref::<DynamicFilterPhysicalExpr>().and_then(|d| d.current().ok());
        current.is_some_and(|c| {
            c.downcast_ref::<Literal>()
                .is_some_and(|l| *l.value() == ScalarValue::Boolean(Some(true)))
        })
    }
}

/// `column = 'text'` or `column <> 'text'` with a text that lies within its view: views of such texts are equal only if the texts
/// are, and comparing them is several times as fast as comparing texts of any length.
#[derive(Debug)]
struct Short {
    view: u128,
    equal: bool,
}

impl Short {
    fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<Short> {
        let comparison = expr.downcast_ref::<BinaryExpr>()?;
        let equal = match comparison.op() {
            Operator::Eq => true,
            Operator::NotEq => false,
            _ => return None,
        };
        let (left, right) = (comparison.left(), comparison.right());
        let literal = match (left.downcast_ref::<Column>(), right.downcast_ref::<Column>()) {
            (Some(_), None) => right.downcast_ref::<Literal>()?,
            (None, Some(_)) => left.downcast_ref::<Literal>()?,
            _ => return None,
        };
        let ScalarValue::Utf8View(Some(text)) = literal.value() else { return None };
        (text.len() <= MAX_INLINE_VIEW_LEN as usize)
            .then(|| Short { view: make_view(text.as_bytes(), 0, 0), equal })
    }

    /// Of a text that is null: false.
    fn mask(&self, texts: &StringViewArray) -> BooleanArray {
        let wanted = self.view;
        let same = bits_of(texts.views(), move |view| *view == wanted);
        let passing = if self.equal { same } else { !&same };
        BooleanArray::new(
            match texts.nulls() {
                Some(valid) => &passing & valid.inner(),
                None => passing,
            },
            None,
        )
    }
}

/// A bit for each row. Bytes are made first, since processors make many of them at once, and not bits.
fn bits_of<T>(rows: &[T], is: impl Fn(&T) -> bool) -> BooleanBuffer {
    /// The lowest bits of eight bytes, gathered in the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut words: Vec<u64> = Vec::with_capacity(rows.len().div_ceil(64));
    let mut chunks = rows.chunks_exact(64);
    for chunk in &mut chunks {
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(chunk).for_each(|(byte, row)| *byte = u8::from(is(row)));
        let (eights, _) = bytes.as_chunks();
        let gathered = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        let word = eights.iter().rev().fold(0, |word, eight| word << 8 | gathered(eight));
        words.push(word.to_le());
    }
    let rest = chunks.remainder().iter().enumerate();
    words.push(rest.fold(0, |word, (i, row)| word | u64::from(is(row)) << i).to_le());
    BooleanBuffer::new(words.into(), 0, rows.len())
}

/// Which rows pass all of them; None: all rows do.
pub fn mask_all<'a>(
    filters: impl IntoIterator<Item = &'a Arc<Filter>>,
    rows: usize,
    column: &dyn Fn(usize) -> Result<ArrayRef>,
) -> Result<Option<BooleanArray>> {
    let mut all: Option<BooleanArray> = None;
    for filter in filters {
        let Some(mask) = filter.mask(rows, column)? else { continue };
        let joined = match all {
            Some(before) => and(&before, &mask)?,
            None => mask,
        };
        if joined.true_count() == 0 {
            return Ok(Some(joined));
        }
        all = Some(joined);
    }
    Ok(all)
}

/// We evaluate whatever depends on the row alone.
pub fn pushdown(filters: &[&Expr]) -> Vec<TableProviderFilterPushDown> {
    filters
        .iter()
        .map(|f| match f.is_volatile() || asks_elsewhere(f) {
            true => TableProviderFilterPushDown::Unsupported,
            false => TableProviderFilterPushDown::Exact,
        })
        .collect()
}

fn asks_elsewhere(expr: &Expr) -> bool {
    let subquery = |e: &Expr| {
        matches!(
            e,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(_, _)
        )
    };
    // An expression that cannot be walked stays with DataFusion.
    expr.exists(|e| Ok(subquery(e))).unwrap_or(true)
}

/// The conjuncts of a scan's filters, over the full schema. The engine has simplified them, and given them their types.
pub fn compile(
    state: &dyn Session,
    filters: &[Expr],
    full: &SchemaRef,
) -> Result<Vec<Arc<Filter>>> {
    let df_schema = DFSchema::try_from(Schema::clone(full))?;
    let (props, none) = (state.execution_props(), PhysicalPlanningContext::default());
    filters
        .iter()
        .flat_map(|f| datafusion::logical_expr::utils::split_conjunction(f))
        .map(|f| Filter::new(create_physical_expr(f, &df_schema, props, &none)?, full))
        .collect()
}

/// Columns for which null makes the predicate false or null.
fn rejecting(expr: &Arc<dyn PhysicalExpr>) -> BTreeSet<usize> {
    if let Some(b) = expr.downcast_ref::<BinaryExpr>() {
        let (left, right) = (b.left(), b.right());
        return match b.op() {
            Operator::And => &rejecting(left) | &rejecting(right),
            Operator::Or => &rejecting(left) & &rejecting(right),
            _ => strict(expr),
        };
    }
    match expr.downcast_ref::<IsNotNullExpr>() {
        Some(e) => strict(e.arg()),
        None => strict(expr),
    }
}

/// Columns for which null makes the expression null.
fn strict(expr: &Arc<dyn PhysicalExpr>) -> BTreeSet<usize> {
    if let Some(c) = expr.downcast_ref::<Column>() {
        return [c.index()].into();
    }
    if let Some(b) = expr.downcast_ref::<BinaryExpr>() {
        return match b.op() {
            Operator::And
            | Operator::Or
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => [].into(),
            _ => &strict(b.left()) | &strict(b.right()),
        };
    }
    if let Some(e) = expr.downcast_ref::<CastExpr>() {
        return strict(e.expr());
    }
    if let Some(e) = expr.downcast_ref::<NotExpr>() {
        return strict(e.arg());
    }
    if let Some(e) = expr.downcast_ref::<NegativeExpr>() {
        return strict(e.arg());
    }
    if let Some(e) = expr.downcast_ref::<LikeExpr>() {
        return &strict(e.expr()) | &strict(e.pattern());
    }
    if let Some(e) = expr.downcast_ref::<InListExpr>() {
        return strict(e.expr());
    }
    [].into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field};
    use datafusion::physical_expr::expressions::lit;

    #[test]
    fn short_texts_are_compared_as_the_engine_does() {
        let full: SchemaRef =
            Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8View, true)]));
        let texts =
            ["", "a", "Ivan", "Ivan\0", "Iva", "twelve bytes", "thirteen byte", "žluťoučký"];
        let all = texts.iter().copied().map(Some).chain([None]);
        let rows: Vec<Option<&str>> = all.cycle().take(200).collect();
        let rows: ArrayRef = Arc::new(StringViewArray::from(rows));
        // Of a slice, too: its nulls do not begin with a byte.
        for rows in [Arc::clone(&rows), rows.slice(3, 6), rows.slice(3, 64), rows.slice(5, 150)] {
            for text in texts {
                for op in [Operator::Eq, Operator::NotEq] {
                    let text = lit(ScalarValue::Utf8View(Some(text.to_owned())));
                    let column = Arc::new(Column::new("a", 0)) as Arc<dyn PhysicalExpr>;
                    for (l, r) in [(&column, &text), (&text, &column)] {
                        let expr = Arc::new(BinaryExpr::new(Arc::clone(l), op, Arc::clone(r)));
                        let mut filter =
                            Arc::into_inner(Filter::new(expr, &full).unwrap()).unwrap();
                        let get = |_| Ok(Arc::clone(&rows));
                        let ours = filter.mask(rows.len(), &get).unwrap();
                        filter.short = None;
                        assert_eq!(ours, filter.mask(rows.len(), &get).unwrap(), "{}", filter.expr);
                    }
                }
            }
        }
    }
}
