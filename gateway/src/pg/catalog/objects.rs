//! The objects of a database as Postgres counts them (databases, schemas, relations, indexes, columns), made from our own
//! catalog at one snapshot.

use super::builtin;
use super::field_type::type_oid;
use super::oids::Oids;
use daodb_catalog::Result;
use daodb_catalog::session::{CursorInfo, SessionInfo};
use daodb_catalog::table::{
    DAO_RELATIONS, HISTORY_SUFFIX, TableDef, VersionRange, dao_table, history_table,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub const PG_CATALOG: u32 = 11;
pub const PUBLIC: u32 = 2200;
pub const INFORMATION_SCHEMA: u32 = 13207;
/// The role that owns all; it is named as the session's user is, for there is no other yet.
pub const OWNER: u32 = 10;
/// `pg_database_owner`, who owns schema public.
pub const DATABASE_OWNER: u32 = 6171;
/// The collation `default`, which is C here.
pub const DEFAULT_COLLATION: u32 = 100;
/// `heap` and `btree` of `pg_am`.
pub const HEAP: u32 = 2;
pub const BTREE: u32 = 403;

/// What a session sees of the objects.
#[derive(Debug)]
pub struct Objects {
    pub user: String,
    pub database: String,
    pub databases: Vec<(u32, String)>,
    pub namespaces: Vec<Namespace>,
    /// By schema and name.
    pub relations: Vec<Relation>,
    pub settings: Arc<BTreeMap<String, String>>,
    pub cursors: Arc<Vec<CursorInfo>>,
    by_oid: HashMap<u32, usize>,
    by_name: HashMap<(u32, String), usize>,
}

#[derive(Debug)]
pub struct Namespace {
    pub oid: u32,
    pub name: &'static str,
    pub owner: u32,
    pub description: &'static str,
}

#[derive(Debug)]
pub struct Relation {
    pub oid: u32,
    pub namespace: u32,
    pub name: String,
    pub kind: Kind,
    pub columns: Vec<Column>,
    /// An estimate; -1 where there is none.
    pub rows: f32,
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Table,
    /// With its SQL.
    View(String),
    /// A system relation that PostgreSQL has as a view.
    SystemView,
    Index(Index),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    pub table: u32,
    /// The number of the column that it covers, from 1.
    pub column: i16,
    pub primary: bool,
    pub unique: bool,
    /// The constraint that it stands for.
    pub constraint: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub type_oid: u32,
    pub not_null: bool,
    pub description: Option<String>,
}

impl Relation {
    /// `pg_class.relkind`.
    pub fn kind_char(&self) -> &'static str {
        match self.kind {
            Kind::Table => "r",
            Kind::View(_) | Kind::SystemView => "v",
            Kind::Index(_) => "i",
        }
    }
    pub fn is_system(&self) -> bool {
        self.namespace == PG_CATALOG || self.namespace == INFORMATION_SCHEMA
    }
    pub fn index(&self) -> Option<&Index> {
        match &self.kind {
            Kind::Index(index) => Some(index),
            _ => None,
        }
    }
}

impl Objects {
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.by_oid.get(&oid).and_then(|i| self.relations.get(*i))
    }
    pub fn named(&self, namespace: u32, name: &str) -> Option<&Relation> {
        let i = self.by_name.get(&(namespace, name.to_owned()))?;
        self.relations.get(*i)
    }
    pub fn namespace(&self, oid: u32) -> Option<&Namespace> {
        self.namespaces.iter().find(|n| n.oid == oid)
    }
    pub fn namespace_named(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|n| n.name == name)
    }
    /// Indexes of a table, the primary key first, then by name.
    pub fn indexes(&self, table: u32) -> Vec<(&Relation, &Index)> {
        let mut all: Vec<_> = self
            .relations
            .iter()
            .filter_map(|r| Some((r, r.index()?)))
            .filter(|(_, index)| index.table == table)
            .collect();
        all.sort_by_key(|(relation, index)| (!index.primary, &relation.name));
        all
    }
    /// Whether its name alone finds it: in pg_catalog, or in public and not hidden by the system's.
    pub fn is_visible(&self, relation: &Relation) -> bool {
        match relation.namespace {
            PG_CATALOG => true,
            PUBLIC => self.named(PG_CATALOG, &relation.name).is_none(),
            _ => false,
        }
    }
    /// Finds a relation as the search path does; the name parts are already folded.
    pub fn find(&self, schema: Option<&str>, name: &str) -> Option<&Relation> {
        match schema {
            Some(schema) => self.named(self.namespace_named(schema)?.oid, name),
            None => self.named(PG_CATALOG, name).or_else(|| self.named(PUBLIC, name)),
        }
    }

    /// The objects at the statement's snapshot, less the columns of views, which only a planner knows.
    pub fn read(info: &SessionInfo) -> Result<Objects> {
        let mut build = Builder::default();
        let databases = build.databases(info);
        let dao = build.oids.give("schema", "dao");
        build.tables(info);
        build.dao(info, dao)?;
        build.views(info);
        build.system();
        Ok(build.finish(info, databases, dao))
    }
}

#[derive(Default)]
struct Builder {
    oids: Oids,
    relations: Vec<Relation>,
    /// Names taken in schema public.
    taken: BTreeSet<String>,
}

impl Builder {
    fn databases(&mut self, info: &SessionInfo) -> Vec<(u32, String)> {
        let mut names = info.catalog.names();
        if !names.iter().any(|n| n == info.database.name()) {
            names.push(info.database.name().to_owned());
            names.sort();
        }
        names.into_iter().map(|n| (self.oids.give("database", &n), n)).collect()
    }

    fn tables(&mut self, info: &SessionInfo) {
        for def in info.tables.iter() {
            self.taken.insert(def.name.clone());
            self.taken.insert(format!("{}{HISTORY_SUFFIX}", def.name));
        }
        self.taken.extend(info.views.iter().map(|(name, _)| name.clone()));
        for def in info.tables.iter() {
            let oid = self.table(def);
            self.table_indexes(def, oid);
            let name = format!("{}{HISTORY_SUFFIX}", def.name);
            let provider = history_table(Arc::clone(def), &info.snapshot, VersionRange::ALL, false);
            let columns = history_columns(def, &provider.schema());
            let description = Some(format!("The versions of {}", def.name));
            // Its rows are not counted before someone asks.
            self.add(PUBLIC, "public", name, Kind::Table, columns, -1.0, description);
        }
    }

    fn table(&mut self, def: &TableDef) -> u32 {
        let rows = def.rows as f32;
        let columns = entity_columns(def, &def.schema());
        self.add(PUBLIC, "public", def.name.clone(), Kind::Table, columns, rows, None)
    }

    /// The primary key, one constraint for each unique attribute, and the indexes of other indexed ones.
    fn table_indexes(&mut self, def: &TableDef, table: u32) {
        let id = Column { name: "_id".to_owned(), type_oid: 20, not_null: true, description: None };
        let key = Index { table, column: 1, primary: true, unique: true, constraint: None };
        self.add_index(def, format!("{}_pkey", def.name), id, key);
        for (i, (c, field)) in
            def.columns.iter().zip(def.schema().fields().iter().skip(1)).enumerate()
        {
            let unique = c.unique && !c.many;
            if !unique && !c.indexed {
                continue;
            }
            let suffix = if unique { "key" } else { "idx" };
            let name = format!("{}_{}_{suffix}", def.name, c.name);
            let column = entity_column(&c.name, field, None);
            let number = i16::try_from(i + 2).unwrap_or(i16::MAX);
            let index = Index { table, column: number, primary: false, unique, constraint: None };
            self.add_index(def, name, column, index);
        }
    }

    fn add_index(&mut self, def: &TableDef, wanted: String, column: Column, mut index: Index) {
        let name = self.free(wanted);
        if index.unique {
            index.constraint = Some(self.oids.give("constraint", &format!("public.{name}")));
        }
        let rows = def.rows as f32;
        let column = Column { not_null: false, ..column };
        self.add(PUBLIC, "public", name, Kind::Index(index), vec![column], rows, None);
    }

    /// As Postgres does: the wanted name, or that with the first free number after it.
    fn free(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        let mut n = 0;
        while !self.taken.insert(name.clone()) {
            n += 1;
            name = format!("{wanted}{n}");
        }
        name
    }

    fn dao(&mut self, info: &SessionInfo, namespace: u32) -> Result<()> {
        for name in DAO_RELATIONS {
            let Some(provider) = dao_table(name, &info.database, &info.snapshot)? else { continue };
            let columns = plain_columns(&provider.schema());
            self.add(namespace, "dao", name.to_owned(), Kind::Table, columns, -1.0, None);
        }
        Ok(())
    }

    fn views(&mut self, info: &SessionInfo) {
        for (name, sql) in info.views.iter() {
            let kind = Kind::View(sql.clone());
            self.add(PUBLIC, "public", name.clone(), kind, Vec::new(), -1.0, None);
        }
    }

    fn system(&mut self) {
        for relation in builtin::relations() {
            let columns = relation.columns.iter().map(|c| Column {
                name: c.name.to_owned(),
                type_oid: builtin::type_by_name(c.type_name).map_or(25, |t| t.oid),
                not_null: c.not_null,
                description: None,
            });
            let namespace =
                if relation.schema == "pg_catalog" { PG_CATALOG } else { INFORMATION_SCHEMA };
            self.relations.push(Relation {
                oid: relation.oid,
                namespace,
                name: relation.name.to_owned(),
                kind: if relation.kind == "v" { Kind::SystemView } else { Kind::Table },
                columns: columns.collect(),
                rows: -1.0,
                description: None,
            });
        }
    }

    #[expect(clippy::too_many_arguments)]
    fn add(
        &mut self,
        namespace: u32,
        schema: &str,
        name: String,
        kind: Kind,
        columns: Vec<Column>,
        rows: f32,
        description: Option<String>,
    ) -> u32 {
        let oid = self.oids.give("relation", &format!("{schema}.{name}"));
        self.relations.push(Relation { oid, namespace, name, kind, columns, rows, description });
        oid
    }

    fn finish(mut self, info: &SessionInfo, databases: Vec<(u32, String)>, dao: u32) -> Objects {
        self.relations.sort_by(|a, b| (a.namespace, &a.name).cmp(&(b.namespace, &b.name)));
        let by_oid = self.relations.iter().enumerate().map(|(i, r)| (r.oid, i)).collect();
        let by_name = self.relations.iter().enumerate();
        let by_name = by_name.map(|(i, r)| ((r.namespace, r.name.clone()), i)).collect();
        let namespace = |oid, name, owner, description| Namespace { oid, name, owner, description };
        Objects {
            user: info.user.clone(),
            database: info.database.name().to_owned(),
            databases,
            namespaces: vec![
                namespace(dao, "dao", OWNER, "what the database says of itself"),
                namespace(INFORMATION_SCHEMA, "information_schema", OWNER, ""),
                namespace(PG_CATALOG, "pg_catalog", OWNER, "system catalog schema"),
                namespace(PUBLIC, "public", DATABASE_OWNER, "standard public schema"),
            ],
            relations: self.relations,
            settings: Arc::clone(&info.settings),
            cursors: Arc::clone(&info.cursors),
            by_oid,
            by_name,
        }
    }
}

fn plain_columns(schema: &Schema) -> Vec<Column> {
    schema.fields().iter().map(|f| entity_column(f.name(), f, None)).collect()
}

/// A column that shows an attribute says so in its comment, with the attribute's own.
fn entity_columns(def: &TableDef, schema: &Schema) -> Vec<Column> {
    let describe = |name: &str| {
        let c = def.columns.iter().find(|c| c.name == name)?;
        Some(match &c.doc {
            Some(doc) => format!("{}: {doc}", c.a),
            None => c.a.to_string(),
        })
    };
    schema.fields().iter().map(|f| entity_column(f.name(), f, describe(f.name()))).collect()
}

fn history_columns(def: &TableDef, schema: &Schema) -> Vec<Column> {
    let mut columns = entity_columns(def, schema);
    for column in &mut columns {
        column.description = match column.name.as_str() {
            "_t_from" => Some("The transaction that made this version".to_owned()),
            "_t_to" => Some("The transaction that ended it; null while it holds".to_owned()),
            "_valid_from" => Some("The instant of _t_from".to_owned()),
            "_valid_to" => Some("The instant of _t_to; null while it holds".to_owned()),
            _ => column.description.take(),
        };
    }
    columns
}

fn entity_column(name: &str, field: &Field, description: Option<String>) -> Column {
    Column {
        name: name.to_owned(),
        type_oid: type_oid(field),
        not_null: !field.is_nullable() && field.data_type() != &DataType::Null,
        description,
    }
}

/// The columns of a view, once it is planned.
pub fn view_columns(schema: &Schema) -> Vec<Column> {
    let columns = plain_columns(schema).into_iter();
    columns.map(|c| Column { not_null: false, ..c }).collect()
}
