//! `tableoid`, the hidden column that says which relation a row is of: known from the relation's name.

use super::build::{call, fold};
use super::scope::relation;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Select, TableFactor, Value, VisitMut, VisitorMut,
};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Puts OIDs for the `tableoid` of this SELECT's system relations.
pub fn rewrite(select: &mut Select) {
    let mut of = TableOid { relations: HashMap::new(), queries: 0 };
    for table in &select.from {
        of.add(&table.relation);
        table.joins.iter().for_each(|j| of.add(&j.relation));
    }
    if !of.relations.is_empty() {
        let _ = VisitMut::visit(select, &mut of);
    }
}

struct TableOid {
    relations: HashMap<String, u32>,
    queries: usize,
}

impl TableOid {
    fn add(&mut self, factor: &TableFactor) {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return };
        let Some(found) = relation(name) else { return };
        let alias = alias.as_ref().map_or_else(|| found.name.to_owned(), |a| fold(&a.name));
        self.relations.insert(alias, found.oid);
    }
}

impl VisitorMut for TableOid {
    type Break = ();
    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }
    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let oid = match &*expr {
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., relation, column] if fold(column) == "tableoid" => {
                    self.relations.get(&fold(relation))
                }
                _ => None,
            },
            Expr::Identifier(column) if fold(column) == "tableoid" && self.queries == 0 => {
                match self.relations.len() {
                    1 => self.relations.values().next(),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(oid) = oid {
            *expr = call("oidin", vec![Expr::value(Value::Number(oid.to_string(), false))]);
        }
        ControlFlow::Continue(())
    }
}
