//! `dao.attributes`: a row an attribute at the basis, those of the database itself included: how it is shown, what was
//! declared of it, what was observed.

use super::super::types;
use super::schema_of;
use crate::database::Database;
use crate::schema::{Attribute, Cardinality, Unique};
use daodb_storage::{Attr, AttributeStat, Snapshot, Value, ValueType};
use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::collections::HashMap;
use std::sync::Arc;

pub fn schema() -> SchemaRef {
    use DataType::{Boolean, Int64, Utf8View};
    schema_of(&[
        ("attribute", Utf8View),
        ("table_name", Utf8View),
        ("column_name", Utf8View),
        ("declared_type", Utf8View),
        ("observed_types", Utf8View),
        ("cardinality", Utf8View),
        ("is_unique", Utf8View),
        ("is_indexed", Boolean),
        ("is_component", Boolean),
        ("doc", Utf8View),
        ("facts", Int64),
        ("open_facts", Int64),
        ("min", Utf8View),
        ("max", Utf8View),
        ("first_t", Int64),
    ])
}

pub async fn rows(database: &Arc<Database>, snapshot: &Snapshot) -> Result<RecordBatch> {
    let schema_then = database.schema(snapshot).await?;
    let tables = database.tables(snapshot).await?;
    let shown: HashMap<&Attr, (&str, &str)> = tables
        .iter()
        .flat_map(|t| t.columns.iter().map(|c| (&c.a, (t.name.as_str(), c.name.as_str()))))
        .collect();
    let mut stats: HashMap<&Attr, Vec<&AttributeStat>> = HashMap::new();
    for stat in snapshot.attributes() {
        stats.entry(&stat.a).or_default().push(stat);
    }
    let all: Vec<&Attribute> = schema_then.attributes.values().collect();
    let none = Vec::new();
    let of = |a: &Attribute| stats.get(&a.ident).unwrap_or(&none);
    let text = |f: &dyn Fn(&Attribute) -> Option<String>| -> ArrayRef {
        Arc::new(all.iter().map(|a| f(a)).collect::<StringViewArray>())
    };
    let long = |f: &dyn Fn(&Attribute) -> Option<i64>| -> ArrayRef {
        Arc::new(all.iter().map(|a| f(a)).collect::<Int64Array>())
    };
    let flag = |f: fn(&Attribute) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from(all.iter().map(|a| f(a)).collect::<Vec<_>>()))
    };
    let sum = |f: fn(&AttributeStat) -> u64| {
        long(&|a| i64::try_from(of(a).iter().map(|s| f(s)).sum::<u64>()).ok())
    };
    let value = |v: Option<&Value>| v.map(types::value_text);
    let columns = vec![
        text(&|a| Some(a.ident.to_string())),
        text(&|a| shown.get(&a.ident).map(|s| s.0.to_owned())),
        text(&|a| shown.get(&a.ident).map(|s| s.1.to_owned())),
        text(&|a| a.type_name().map(str::to_owned)),
        text(&|a| type_names(&a.observed)),
        text(&|a| Some(if a.cardinality == Cardinality::Many { "many" } else { "one" }.to_owned())),
        text(&|a| {
            a.unique.map(|u| if u == Unique::Identity { "identity" } else { "value" }.to_owned())
        }),
        flag(|a| a.index || a.unique.is_some()),
        flag(|a| a.is_component),
        text(&|a| a.doc.clone()),
        sum(|s| s.facts),
        sum(|s| s.open),
        text(&|a| value(of(a).iter().filter_map(|s| s.min.as_ref()).min())),
        text(&|a| value(of(a).iter().filter_map(|s| s.max.as_ref()).max())),
        long(&|a| of(a).iter().map(|s| s.first_t).min()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn type_names(observed: &[ValueType]) -> Option<String> {
    let names: Vec<&str> = observed.iter().map(|t| t.name()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
