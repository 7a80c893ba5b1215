//! Which names a query's own relations have, so that the others are known as outer ones.

use super::super::builtin;
use super::build::{fold, system_name};
use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
};
use std::collections::HashSet;

/// The relations of one SELECT's FROM.
#[derive(Debug, Default)]
pub struct Scope {
    aliases: HashSet<String>,
    columns: HashSet<String>,
    /// A relation whose columns are not known here: any unqualified name may be its.
    open: bool,
}

impl Scope {
    pub fn of_select(select: &Select) -> Scope {
        let mut scope = Scope::default();
        select.from.iter().for_each(|t| scope.add_joined(t));
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                scope.columns.insert(fold(alias));
            }
        }
        scope
    }

    /// For ORDER BY: what the first SELECT of a query sees.
    pub fn of_query(query: &Query) -> Scope {
        fn first(body: &SetExpr) -> Option<&Select> {
            match body {
                SetExpr::Select(select) => Some(select),
                SetExpr::Query(query) => first(&query.body),
                SetExpr::SetOperation { left, .. } => first(left),
                _ => None,
            }
        }
        first(&query.body).map(Scope::of_select).unwrap_or_default()
    }

    /// Whether a column reference is to one of these relations.
    pub fn has(&self, reference: &Expr) -> bool {
        match reference {
            Expr::Identifier(name) => self.open || self.columns.contains(&fold(name)),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., relation, _] => self.aliases.contains(&fold(relation)),
                _ => false,
            },
            _ => false,
        }
    }

    fn add_joined(&mut self, table: &TableWithJoins) {
        self.add(&table.relation);
        table.joins.iter().for_each(|j| self.add(&j.relation));
    }

    fn add(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                self.add_table(name, alias.as_ref())
            }
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => self.add_alias(alias.as_ref()),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.add_joined(table_with_joins);
                if let Some(alias) = alias {
                    self.aliases.insert(fold(&alias.name));
                }
            }
            _ => self.open = true,
        }
    }

    fn add_table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) {
        let own = name.0.last().and_then(|p| p.as_ident()).map(fold).unwrap_or_default();
        self.aliases.insert(alias.map_or(own, |a| fold(&a.name)));
        match (alias.filter(|a| !a.columns.is_empty()), relation(name)) {
            (Some(alias), _) => self.columns.extend(alias.columns.iter().map(|c| fold(&c.name))),
            (None, Some(relation)) => {
                self.columns.extend(relation.columns.iter().map(|c| c.name.to_owned()));
            }
            (None, None) => self.open = true,
        }
    }

    fn add_alias(&mut self, alias: Option<&TableAlias>) {
        if let Some(alias) = alias {
            self.aliases.insert(fold(&alias.name));
            self.columns.extend(alias.columns.iter().map(|c| fold(&c.name)));
        }
        self.open |= alias.is_none_or(|a| a.columns.is_empty());
    }
}

/// The system relation of this name.
pub fn relation(name: &ObjectName) -> Option<&'static builtin::SystemRelation> {
    let bare = system_name(name)?;
    let schema = match name.0.as_slice() {
        [schema, _] => schema.as_ident().map(fold)?,
        _ => "pg_catalog".to_owned(),
    };
    builtin::relation(&schema, &bare)
}
