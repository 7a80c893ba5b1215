//! What reads a database: stars by way of the tables of the catalog, datoms by our own scan.

use super::expressions::literal;
use super::leaves::Leaf;
use super::project;
use crate::algebra::{Column, Datoms, Star};
use crate::resolve::{AttrSlot, Slot};
use crate::scan::{COLUMNS, DatomRead};
use crate::source::{DbSource, Source};
use crate::value::Kind;
use daodb_catalog::table::{ColumnDef, TableDef};
use daodb_storage::{Value, ValueType};
use datafusion::common::Column as Name;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use std::sync::Arc;

fn database(sources: &[Source], i: usize) -> Result<&Arc<DbSource>> {
    match sources.get(i) {
        Some(Source::Database(db)) => Ok(db),
        _ => Err(DataFusionError::Internal("a scan of no database".to_owned())),
    }
}

fn of_scan(name: impl Into<String>) -> Expr {
    Expr::Column(Name::new(Some("s"), name))
}

/// `column = value`, or that nothing is.
fn is(name: &str, kind: Kind, slot: &Slot) -> Option<Expr> {
    match slot {
        Slot::Const(cell) => Some(match literal(kind, cell) {
            Some(value) => of_scan(name).eq(value),
            None => lit(false),
        }),
        _ => None,
    }
}

fn filtered(scan: LogicalPlanBuilder, filters: Vec<Expr>) -> Result<LogicalPlanBuilder> {
    match filters.into_iter().reduce(Expr::and) {
        Some(all) => scan.filter(all),
        None => Ok(scan),
    }
}

pub fn star(star: &Star, columns: &[Column], sources: &[Source]) -> Result<LogicalPlan> {
    let db = database(sources, star.source)?;
    let def = TableDef {
        name: "star".to_owned(),
        columns: star
            .places
            .iter()
            .enumerate()
            .map(|(i, p)| ColumnDef {
                name: format!("c{i}"),
                a: p.a.clone(),
                stored: vec![p.ty],
                data_type: p.ty.arrow(),
                many: false,
                unique: db.attribute(&p.a).is_some_and(|a| a.unique.is_some()),
                identity: false,
                indexed: db.finds_by_value(&p.a, p.ty),
                doc: None,
            })
            .collect(),
        rows: star.places.iter().map(|p| db.facts(&p.a) as u64).max().unwrap_or(0),
    };
    let (source, schema) = (star.source, def.schema());
    let leaf = Leaf::Star { source, def: Arc::new(def), schema };
    let scan = LogicalPlanBuilder::scan("s", leaf.source(), None)?;
    let mut filters: Vec<Expr> = is("_id", Kind::LONG, &star.e).into_iter().collect();
    let mut out = Vec::new();
    if let Slot::Var(e) = &star.e {
        out.push(of_scan("_id").alias(e.0.as_ref()));
    }
    for (i, place) in star.places.iter().enumerate() {
        let name = format!("c{i}");
        match is(&name, Kind::of(place.ty), &place.v) {
            Some(same) => filters.push(same),
            None if !place.optional => filters.push(of_scan(&name).is_not_null()),
            None => {}
        }
        if let Slot::Var(v) = &place.v {
            out.push(of_scan(name).alias(v.0.as_ref()));
        }
    }
    debug_assert!(columns.len() == out.len());
    project(filtered(scan, filters)?, out)
}

pub fn datoms(datoms: &Datoms, columns: &[Column], sources: &[Source]) -> Result<LogicalPlan> {
    let p = &datoms.pattern;
    let db = database(sources, p.source)?;
    let attributes = datoms.attributes.clone();
    let kinds = [Kind::LONG, datoms.a_kind, datoms.v_kind, Kind::LONG, Kind::LONG, Kind::BOOLEAN];
    let mut read = DatomRead::new(attributes, datoms.a_kind, datoms.v_kind);
    if let Slot::Const(Some(Value::Long(e))) = &p.e {
        read.entities = Some([*e].into());
    }
    let found_by_value = match (&p.a, datoms.attributes.as_slice()) {
        (AttrSlot::Attr(a), [(_, types)]) => {
            types.as_slice() == [ValueType::Ref] || db.is_indexed(a)
        }
        _ => false,
    };
    if let (true, Slot::Const(Some(v))) = (found_by_value && read.entities.is_none(), &p.v) {
        read.value = Some(v.clone());
    }
    let leaf = Leaf::Datoms { source: p.source, read };
    let scan = LogicalPlanBuilder::scan("s", leaf.source(), None)?;
    let (mut filters, mut out) = (Vec::new(), Vec::new());
    for ((slot, name), kind) in p.slots().into_iter().zip(COLUMNS).zip(kinds) {
        filters.extend(is(name, kind, slot));
        if let Slot::Var(v) = slot {
            out.push(of_scan(name).alias(v.0.as_ref()));
        }
    }
    debug_assert!(columns.len() == out.len());
    project(filtered(scan, filters)?, out)
}
