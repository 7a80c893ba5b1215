//! The relations of `pg_catalog` and `information_schema`: one file a relation or family. What PostgreSQL 15 has and we have
//! nothing to say of is there, and empty; what it does not have is not there.

mod information_schema;
mod pg_access;
mod pg_attribute;
mod pg_authid;
mod pg_class;
mod pg_collation;
mod pg_constraint;
mod pg_cursors;
mod pg_database;
mod pg_description;
mod pg_index;
mod pg_language;
mod pg_namespace;
mod pg_proc;
mod pg_settings;
mod pg_stat;
mod pg_tables;
mod pg_tablespace;
mod pg_type;
mod pg_views;

pub use pg_authid::PREDEFINED as PREDEFINED_ROLES;

use super::builtin::{self, SystemRelation};
use super::objects::Objects;
use super::rows::{Rows, schema_of};
use super::statement::Bound;
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::fmt;
use std::sync::Arc;

/// A system relation as the statement sees it.
pub struct SystemTable {
    relation: &'static SystemRelation,
    schema: SchemaRef,
    bound: Arc<Bound>,
}

impl SystemTable {
    pub fn find(schema: &str, name: &str, bound: &Arc<Bound>) -> Option<SystemTable> {
        let relation = builtin::relation(schema, name)?;
        Some(SystemTable { relation, schema: schema_of(relation), bound: Arc::clone(bound) })
    }
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.relation.schema, self.relation.name)
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::View
    }
    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let objects = self.bound.objects_with_views(session).await?;
        let batch = rows(self.relation, &objects).batch(projection)?;
        let schema = batch.schema();
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None)?)
    }
}

/// The rows of a relation.
pub fn rows(relation: &'static SystemRelation, objects: &Objects) -> Rows {
    let mut rows = Rows::of(relation);
    let fill: fn(&Objects, &mut Rows) = match (relation.schema, relation.name) {
        ("information_schema", name) => {
            information_schema::fill(name, objects, &mut rows);
            return rows;
        }
        (_, "pg_am") => pg_access::methods,
        (_, "pg_opclass") => pg_access::classes,
        (_, "pg_opfamily") => pg_access::families,
        (_, "pg_attribute") => pg_attribute::fill,
        (_, "pg_authid") => pg_authid::authid,
        (_, "pg_roles") => pg_authid::roles,
        (_, "pg_user") => pg_authid::users,
        (_, "pg_shadow") => pg_authid::shadow,
        (_, "pg_auth_members") => pg_authid::members,
        (_, "pg_class") => pg_class::fill,
        (_, "pg_collation") => pg_collation::fill,
        (_, "pg_constraint") => pg_constraint::fill,
        (_, "pg_cursors") => pg_cursors::fill,
        (_, "pg_database") => pg_database::fill,
        (_, "pg_description") => pg_description::fill,
        (_, "pg_index") => pg_index::fill,
        (_, "pg_indexes") => pg_index::indexes,
        (_, "pg_language") => pg_language::fill,
        (_, "pg_namespace") => pg_namespace::fill,
        (_, "pg_proc") => pg_proc::fill,
        (_, "pg_settings") => pg_settings::fill,
        (_, "pg_stat_user_tables" | "pg_stat_all_tables") => pg_stat::tables,
        (_, "pg_stat_database") => pg_stat::databases,
        (_, "pg_tables") => pg_tables::fill,
        (_, "pg_tablespace") => pg_tablespace::fill,
        (_, "pg_type") => pg_type::fill,
        (_, "pg_views") => pg_views::fill,
        _ => return rows,
    };
    fill(objects, &mut rows);
    rows
}
