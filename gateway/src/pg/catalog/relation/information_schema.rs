//! `information_schema`: the standard's view of the same objects. Relations that could only be empty are.

use super::super::builtin::{self, SystemType};
use super::super::objects::{Column, INFORMATION_SCHEMA, Kind, Objects, PG_CATALOG, Relation};
use super::super::rows::{Cell, Rows};
use super::pg_attribute::number;
use super::pg_authid;

pub fn fill(name: &str, objects: &Objects, rows: &mut Rows) {
    let of = Filler { objects, catalog: objects.database.as_str() };
    match name {
        "information_schema_catalog_name" => {
            rows.push([("catalog_name", of.catalog.into())]);
        }
        "schemata" => of.schemata(rows),
        "tables" => of.tables(rows),
        "columns" => of.columns(rows),
        "element_types" => of.element_types(rows),
        "views" => of.views(rows),
        "table_constraints" => of.table_constraints(rows),
        "key_column_usage" => of.key_columns(rows, true),
        "constraint_column_usage" => of.key_columns(rows, false),
        "table_privileges" | "role_table_grants" => of.privileges(rows),
        "enabled_roles" => {
            for (_, role, _) in pg_authid::all(objects) {
                rows.push([("role_name", role.into())]);
            }
        }
        "character_sets" => rows.push([
            ("character_set_name", "UTF8".into()),
            ("character_repertoire", "UCS".into()),
            ("form_of_use", "UTF8".into()),
            ("default_collate_catalog", of.catalog.into()),
            ("default_collate_schema", "pg_catalog".into()),
            ("default_collate_name", "C".into()),
        ]),
        _ => {}
    }
}

struct Filler<'a> {
    objects: &'a Objects,
    catalog: &'a str,
}

impl Filler<'_> {
    fn schema_of(&self, relation: &Relation) -> Cell {
        self.objects.namespace(relation.namespace).map(|n| n.name).into()
    }

    /// Tables and views, those of the system included.
    fn with_rows(&self) -> impl Iterator<Item = &Relation> {
        self.objects.relations.iter().filter(|r| r.index().is_none())
    }

    fn schemata(&self, rows: &mut Rows) {
        for namespace in &self.objects.namespaces {
            let owner = pg_authid::all(self.objects);
            let owner = owner.iter().find(|r| r.0 == namespace.owner).map(|r| r.1);
            rows.push([
                ("catalog_name", self.catalog.into()),
                ("schema_name", namespace.name.into()),
                ("schema_owner", owner.into()),
            ]);
        }
    }

    fn tables(&self, rows: &mut Rows) {
        for relation in self.with_rows() {
            let table = relation.kind == Kind::Table;
            rows.push([
                ("table_catalog", self.catalog.into()),
                ("table_schema", self.schema_of(relation)),
                ("table_name", relation.name.as_str().into()),
                ("table_type", if table { "BASE TABLE" } else { "VIEW" }.into()),
                ("is_insertable_into", "NO".into()),
                ("is_typed", "NO".into()),
            ]);
        }
    }

    fn columns(&self, rows: &mut Rows) {
        for relation in self.with_rows() {
            for (i, column) in relation.columns.iter().enumerate() {
                if let Some(ty) = builtin::type_by_oid(column.type_oid) {
                    self.column(relation, i, column, ty, rows);
                }
            }
        }
    }

    fn column(
        &self,
        relation: &Relation,
        i: usize,
        column: &Column,
        ty: &SystemType,
        rows: &mut Rows,
    ) {
        let number = number(i);
        let data_type = if ty.category == "A" && ty.len < 0 { "ARRAY" } else { ty.sql_name };
        let (precision, radix, scale) = numeric(ty.name);
        rows.push([
            ("table_catalog", self.catalog.into()),
            ("table_schema", self.schema_of(relation)),
            ("table_name", relation.name.as_str().into()),
            ("column_name", column.name.as_str().into()),
            ("ordinal_position", number.into()),
            ("is_nullable", if column.not_null { "NO" } else { "YES" }.into()),
            ("data_type", data_type.into()),
            ("character_octet_length", (ty.category == "S").then_some(1_073_741_824).into()),
            ("numeric_precision", precision.into()),
            ("numeric_precision_radix", radix.into()),
            ("numeric_scale", scale.into()),
            ("datetime_precision", datetime(ty.name).into()),
            ("udt_catalog", self.catalog.into()),
            ("udt_schema", "pg_catalog".into()),
            ("udt_name", ty.name.into()),
            ("dtd_identifier", number.to_string().into()),
            ("is_self_referencing", "NO".into()),
            ("is_identity", "NO".into()),
            ("identity_cycle", "NO".into()),
            ("is_generated", "NEVER".into()),
            ("is_updatable", "NO".into()),
        ]);
    }

    fn element_types(&self, rows: &mut Rows) {
        for relation in self.with_rows() {
            for (i, column) in relation.columns.iter().enumerate() {
                let array = builtin::type_by_oid(column.type_oid);
                let Some(ty) = array.and_then(|a| builtin::type_by_oid(a.element)) else {
                    continue;
                };
                let table = relation.kind == Kind::Table;
                rows.push([
                    ("object_catalog", self.catalog.into()),
                    ("object_schema", self.schema_of(relation)),
                    ("object_name", relation.name.as_str().into()),
                    ("object_type", if table { "TABLE" } else { "VIEW" }.into()),
                    ("collection_type_identifier", number(i).to_string().into()),
                    ("data_type", ty.sql_name.into()),
                    ("udt_catalog", self.catalog.into()),
                    ("udt_schema", "pg_catalog".into()),
                    ("udt_name", ty.name.into()),
                    ("dtd_identifier", format!("a{}", number(i)).into()),
                ]);
            }
        }
    }

    fn views(&self, rows: &mut Rows) {
        for relation in self.with_rows().filter(|r| r.kind != Kind::Table) {
            let definition = match &relation.kind {
                Kind::View(sql) => Some(sql.as_str()),
                _ => None,
            };
            rows.push([
                ("table_catalog", self.catalog.into()),
                ("table_schema", self.schema_of(relation)),
                ("table_name", relation.name.as_str().into()),
                ("view_definition", definition.into()),
                ("check_option", "NONE".into()),
                ("is_updatable", "NO".into()),
                ("is_insertable_into", "NO".into()),
                ("is_trigger_updatable", "NO".into()),
                ("is_trigger_deletable", "NO".into()),
                ("is_trigger_insertable_into", "NO".into()),
            ]);
        }
    }

    fn table_constraints(&self, rows: &mut Rows) {
        for relation in &self.objects.relations {
            let Some(index) = relation.index().filter(|i| i.constraint.is_some()) else { continue };
            rows.push([
                ("constraint_catalog", self.catalog.into()),
                ("constraint_schema", self.schema_of(relation)),
                ("constraint_name", relation.name.as_str().into()),
                ("table_catalog", self.catalog.into()),
                ("table_schema", self.schema_of(relation)),
                ("table_name", self.objects.relation(index.table).map(|t| t.name.as_str()).into()),
                ("constraint_type", if index.primary { "PRIMARY KEY" } else { "UNIQUE" }.into()),
                ("is_deferrable", "NO".into()),
                ("initially_deferred", "NO".into()),
                ("enforced", "YES".into()),
                ("nulls_distinct", (!index.primary).then_some("YES").into()),
            ]);
        }
    }

    /// The same columns; key_column_usage also counts the columns of a key.
    fn key_columns(&self, rows: &mut Rows, positions: bool) {
        for relation in &self.objects.relations {
            let Some(index) = relation.index().filter(|i| i.constraint.is_some()) else { continue };
            let cells = [
                ("constraint_catalog", self.catalog.into()),
                ("constraint_schema", self.schema_of(relation)),
                ("constraint_name", relation.name.as_str().into()),
                ("table_catalog", self.catalog.into()),
                ("table_schema", self.schema_of(relation)),
                ("table_name", self.objects.relation(index.table).map(|t| t.name.as_str()).into()),
                ("column_name", relation.columns.first().map(|c| c.name.as_str()).into()),
            ];
            let position = positions.then_some(("ordinal_position", Cell::Int(1)));
            rows.push_all(cells.into_iter().chain(position));
        }
    }

    /// All may be read; nothing is granted to others, for there are none.
    fn privileges(&self, rows: &mut Rows) {
        for relation in self.with_rows() {
            let system = [PG_CATALOG, INFORMATION_SCHEMA].contains(&relation.namespace);
            rows.push([
                ("grantor", self.objects.user.as_str().into()),
                ("grantee", if system { "PUBLIC" } else { &self.objects.user }.into()),
                ("table_catalog", self.catalog.into()),
                ("table_schema", self.schema_of(relation)),
                ("table_name", relation.name.as_str().into()),
                ("privilege_type", "SELECT".into()),
                ("is_grantable", if system { "NO" } else { "YES" }.into()),
                ("with_hierarchy", "YES".into()),
            ]);
        }
    }
}

/// Precision, its radix, and scale.
fn numeric(type_name: &str) -> (Option<i32>, Option<i32>, Option<i32>) {
    match type_name {
        "int2" => (Some(16), Some(2), Some(0)),
        "int4" => (Some(32), Some(2), Some(0)),
        "int8" => (Some(64), Some(2), Some(0)),
        "float4" => (Some(24), Some(2), None),
        "float8" => (Some(53), Some(2), None),
        "numeric" => (None, Some(10), None),
        _ => (None, None, None),
    }
}

fn datetime(type_name: &str) -> Option<i32> {
    match type_name {
        "date" => Some(0),
        "time" | "timetz" | "timestamp" | "timestamptz" | "interval" => Some(6),
        _ => None,
    }
}
