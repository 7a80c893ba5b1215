//! SQL as a source: the rows of a query, of which patterns take the columns by their places.
//!
//! A null is absence, as in tables: a pattern that names its place does not match.

use crate::edn::Node;
use crate::run::{Arg, At};
use crate::value::{Cell, Kind, of_form};
use daodb_catalog::session::{Extension, RESULT_NAME};
use daodb_catalog::table::types::value_text;
use daodb_catalog::{Catalog, Error, Result, Session, SqlState};
use daodb_storage::{Value, ValueType};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use futures::future::BoxFuture;
use std::sync::Arc;

/// The rows of a query.
#[derive(Debug)]
pub struct SqlTable {
    pub provider: Arc<dyn TableProvider>,
    pub columns: Vec<SqlColumn>,
    /// About how many.
    pub rows: f64,
}

#[derive(Debug)]
pub struct SqlColumn {
    /// As the result of the query calls it.
    pub name: String,
    /// As it comes.
    pub data_type: DataType,
    /// None: Datalog has no values of that type.
    pub kind: Option<Kind>,
    /// What the texts of a list are; None: strings.
    pub items: Option<ValueType>,
}

/// Rows of a query of which nothing is known.
const UNKNOWN_ROWS: f64 = 1000.0;

impl SqlTable {
    /// Of what [`Session::table`] gives.
    pub fn new(provider: Arc<dyn TableProvider>) -> SqlTable {
        let columns = provider.schema().fields().iter().map(|f| SqlColumn::of(f)).collect();
        let rows = provider.statistics().and_then(|s| s.num_rows.get_value().copied());
        SqlTable { provider, columns, rows: rows.map_or(UNKNOWN_ROWS, |n| n as f64) }
    }
}

impl SqlColumn {
    fn of(field: &Field) -> SqlColumn {
        SqlColumn {
            name: field.metadata().get(RESULT_NAME).unwrap_or(field.name()).clone(),
            data_type: field.data_type().clone(),
            kind: kind(field),
            items: tag(field).filter(|ty| NAMES.contains(ty)),
        }
    }
}

/// Types whose values are texts to SQL.
const NAMES: [ValueType; 4] =
    [ValueType::Keyword, ValueType::Symbol, ValueType::Uri, ValueType::Uuid];

/// Columns of tables say which value type they, or their items, show.
fn tag(field: &Field) -> Option<ValueType> {
    field.metadata().get("daodb:type").and_then(|name| ValueType::parse(name))
}

fn kind(field: &Field) -> Option<Kind> {
    use DataType as T;
    let tagged =
        |known: &[ValueType], plain| tag(field).filter(|t| known.contains(t)).unwrap_or(plain);
    use ValueType::{Bigdec, Bigint, Bytes, Double, Instant, String, Tuple};
    let ty = match field.data_type() {
        T::Boolean => return Some(Kind::BOOLEAN),
        ty if ty.is_integer() => return Some(Kind::LONG),
        ty if ty.is_floating() => Double,
        T::Decimal128(..) => tagged(&[Bigint], Bigdec),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => tagged(&NAMES, String),
        T::Timestamp(..) => Instant,
        T::Binary | T::LargeBinary | T::BinaryView => tagged(&[Tuple], Bytes),
        T::List(item) => kind(item).map(|_| Tuple)?,
        _ => return None,
    };
    Some(Kind::Typed(ty))
}

/// Whether an argument is `{:sql ...}` or `{:table ...}`.
pub fn is_sql(node: &Node) -> bool {
    node.field("sql").is_some() || node.field("table").is_some()
}

/// A session that sees a database as a source does.
pub async fn session(
    catalog: Arc<Catalog>,
    at: &At,
    user: &str,
    extension: Arc<dyn Extension>,
) -> Result<Session> {
    let view = at.snapshot.view();
    let mut settings = vec![("daodb.as_of".to_owned(), at.snapshot.t().to_string())];
    settings.extend(view.since.map(|t| ("daodb.since".to_owned(), t.to_string())));
    if view.history {
        settings.push(("daodb.history".to_owned(), "on".to_owned()));
    }
    Session::open_on(catalog, Arc::clone(&at.database), user, settings, extension).await
}

/// The argument that `{:sql "SELECT ..." :args [...]}` or `{:table "name" :columns ["a" "b"]}` is, read by a session.
pub fn argument<'a>(session: &'a Session, node: &'a Node) -> BoxFuture<'a, Result<Arg>> {
    Box::pin(async move {
        let sql = match (node.field("sql"), node.field("table")) {
            (Some(_), Some(_)) => {
                return Err(wrong(":sql and :table are both there", "leave one of them out"));
            }
            (Some(sql), None) => text(sql, "sql")?.to_owned(),
            (None, Some(table)) => select(table, node.field("columns"))?,
            (None, None) => return Err(wrong("neither :sql nor :table is there", "give one")),
        };
        let mut statements = session.parse(&sql).map_err(unplaced)?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            return Err(wrong(":sql is not one statement", "give one SELECT"));
        };
        let given: &[Node] = match node.field("args") {
            None => &[],
            Some(args) => args.sequence().ok_or_else(|| {
                wrong(":args is no vector", "give :args [...], one for each of $1, $2, ...")
            })?,
        };
        let value = |node: &Node, ty: &DataType| {
            let cell = of_form(node).map_err(|what| wrong(&what, "give a value"))?;
            scalar(&cell, ty)
        };
        let moments = session.moments(&statement, &[]);
        let moments = moments.values(given, |_, node, ty| value(node, ty))?;
        let described = session.describe(&statement, &[], &moments).await.map_err(unplaced)?;
        let types = described.parameters;
        if types.len() != given.len() {
            let message =
                format!("the SQL takes {} arguments, here are {}", types.len(), given.len());
            return Err(wrong(&message, "give :args [...], one for each of $1, $2, ..."));
        }
        let values = given.iter().zip(&types).map(|(node, ty)| value(node, ty));
        let values = values.collect::<Result<Vec<_>>>()?;
        let provider = session.table(&statement, &values).await.map_err(unplaced)?;
        Ok(Arg::Table(provider))
    })
}

fn wrong(message: &str, hint: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message).hint(hint)
}

/// Positions count in the SQL, which is a part of what was sent.
fn unplaced(e: Error) -> Error {
    match e.position {
        Some(position) => {
            let message = format!("{} (at character {position} of the SQL)", e.message);
            Error { message, position: None, ..e }
        }
        None => e,
    }
}

fn text<'a>(node: &'a Node, name: &str) -> Result<&'a str> {
    node.string().ok_or_else(|| wrong(&format!(":{name} is {}", node.kind()), "give a text"))
}

/// All of a table, or some of its columns.
fn select(table: &Node, columns: Option<&Node>) -> Result<String> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let table = text(table, "table")?;
    let table = table.splitn(2, '.').map(quoted).collect::<Vec<_>>().join(".");
    let columns = match columns {
        None => "*".to_owned(),
        Some(node) => {
            let names = node.sequence().filter(|names| !names.is_empty());
            let names =
                names.ok_or_else(|| wrong(":columns names no column", "give [\"name\"]"))?;
            let names = names.iter().map(|n| text(n, "columns").map(quoted));
            names.collect::<Result<Vec<_>>>()?.join(", ")
        }
    };
    Ok(format!("SELECT {columns} FROM {table}"))
}

/// A value as a parameter of that type.
fn scalar(cell: &Cell, ty: &DataType) -> Result<ScalarValue> {
    use ScalarValue as S;
    let Some(value) = cell else { return Ok(S::try_from(ty)?) };
    let natural = match value {
        Value::Boolean(b) => S::Boolean(Some(*b)),
        Value::Long(n) | Value::Ref(n) => S::Int64(Some(*n)),
        Value::Double(d) => S::Float64(Some(*d)),
        Value::Instant(us) => S::TimestampMicrosecond(Some(*us), Some("UTC".into())),
        Value::Bytes(bytes) => S::Binary(Some(bytes.to_vec())),
        Value::Tuple(items) => {
            let DataType::List(item) = ty else {
                return Err(wrong(
                    "a collection is given where the SQL takes a value",
                    "cast the parameter: $1::bigint[]",
                ));
            };
            let items =
                items.iter().map(|i| scalar(i, item.data_type())).collect::<Result<Vec<_>>>()?;
            return Ok(S::List(S::new_list_nullable(&items, item.data_type())));
        }
        other => S::Utf8(Some(value_text(other))),
    };
    Ok(natural.cast_to(ty)?)
}
