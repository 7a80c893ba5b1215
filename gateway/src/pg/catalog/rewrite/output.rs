//! What the outermost query shows: an OID alias shows the name of its object.

use super::cast::shown;
use datafusion::sql::sqlparser::ast::{SelectItem, SetExpr, Statement};

pub fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Query(query) => body(&mut query.body),
        Statement::Explain { statement, .. } => rewrite(statement),
        _ => {}
    }
}

fn body(set: &mut SetExpr) {
    match set {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                let (SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }) = item
                else {
                    continue;
                };
                if let Some(name) = shown(e) {
                    *e = name;
                }
            }
        }
        SetExpr::Query(query) => body(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            body(left);
            body(right);
        }
        _ => {}
    }
}
