//! Which attribute a column is, and of which type: as declared, else as its values have been, else as the file looks.

use super::survey::{Seen, Survey};
use super::types::{convert, elements, parse};
use super::{Cell, Fault};
use daodb_catalog::schema::{Attribute, Cardinality, Unique};
use daodb_catalog::{EntityRef, Op, Schema, TxValue};
use daodb_datalog::edn::Form;
use daodb_storage::{Attr, Value, ValueType};
use std::collections::BTreeMap;

/// What tables show as the id of an entity; an export has it.
pub const ID: &str = "_id";

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub attribute: Attr,
    /// None: values stay as they are.
    pub ty: Option<ValueType>,
    pub many: bool,
    /// Entities may have values of it already.
    pub used: bool,
}

#[derive(Debug, PartialEq)]
pub struct Columns {
    /// None: passed over.
    pub all: Vec<Option<Column>>,
    /// The one whose value names the entity.
    pub key: usize,
    /// What must be declared before the first row.
    pub declarations: Vec<Op>,
}

/// What an import is told of its columns.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub table: String,
    pub key: String,
    /// Types that columns are to have.
    pub types: BTreeMap<String, ValueType>,
}

impl Columns {
    pub fn of(survey: &Survey, wanted: &Wanted, schema: &Schema) -> Result<Columns, Fault> {
        let namespace = namespace(&wanted.table, schema)?;
        let key = survey.column(&wanted.key)?;
        wanted.types.keys().try_for_each(|name| survey.column(name).map(drop))?;
        let (mut all, mut declarations) = (Vec::new(), Vec::new());
        for (i, seen) in survey.columns.iter().enumerate() {
            if seen.name == ID && i != key {
                all.push(None);
                continue;
            }
            let attribute = attribute(&namespace, &seen.name, schema)?;
            let known = schema.get(&attribute);
            let column = column(seen, attribute, known, wanted)?;
            let same = |other: &&Column| other.attribute == column.attribute;
            if let Some(other) = all.iter().flatten().find(same) {
                let (one, two, a) = (&other.name, &column.name, &column.attribute);
                return Err(Fault::new(format!("columns {one} and {two} are both {a}"))
                    .hint("name one of them otherwise"));
            }
            declarations.extend(declaration(&column, known, i == key)?);
            all.push(Some(column));
        }
        Ok(Columns { all, key, declarations })
    }
}

/// The namespace whose table has this name, or one of that name.
fn namespace(table: &str, schema: &Schema) -> Result<String, Fault> {
    let odd = |c: char| !(c.is_alphanumeric() || "_-.".contains(c));
    if table.is_empty() || table.contains(odd) || table.starts_with(['.', '-']) {
        return Err(Fault::new(format!("--table {table}: this names no table"))
            .hint("a name has letters, digits and _, as person"));
    }
    let known = || schema.attributes.keys().filter_map(Attr::namespace);
    let same = known().find(|ns| *ns == table).or_else(|| known().find(|ns| sql(ns) == table));
    Ok(same.unwrap_or(table).to_owned())
}

/// The spelling of a keyword's part in SQL.
fn sql(name: &str) -> String {
    name.replace(['-', '.'], "_")
}

/// The attribute that a table shows under this name, or a new one. A name that begins with _ would be a reference said
/// backwards.
fn attribute(namespace: &str, column: &str, schema: &Schema) -> Result<Attr, Fault> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'()[]{},;@`\\^~/:".contains(c);
    let name: String = column.trim().chars().map(|c| if odd(c) { '_' } else { c }).collect();
    let name = match column {
        ID => name.as_str(),
        _ => name.trim_start_matches('_'),
    };
    if name.is_empty() {
        return Err(Fault::new("its name names no attribute").column(column));
    }
    let exact = Attr::new(format!("{namespace}/{name}"));
    if schema.get(&exact).is_some() {
        return Ok(exact);
    }
    let mut known = schema.attributes.keys().filter(|a| a.namespace() == Some(namespace));
    Ok(known.find(|a| sql(a.name()) == name).cloned().unwrap_or(exact))
}

fn column(
    seen: &Seen,
    attribute: Attr,
    known: Option<&Attribute>,
    wanted: &Wanted,
) -> Result<Column, Fault> {
    let given = wanted.types.get(&seen.name).copied();
    let declared = known.and_then(|a| a.value_type);
    if let (Some(given), Some(declared)) = (given, declared)
        && given != declared
    {
        let text = format!("{attribute} is declared as {}", declared.name());
        let text = format!("{text}, and --type says {}", given.name());
        return Err(Fault::new(text).column(&seen.name));
    }
    let observed = match known.map(|a| a.observed.as_slice()) {
        Some([one]) => Some(*one),
        _ => None,
    };
    let looks = if seen.texts { seen.guess.of_texts() } else { seen.guess.of_values() };
    let many = known.is_some_and(|a| a.cardinality == Cardinality::Many);
    if seen.many && !many && known.is_some_and(|a| !a.observed.is_empty()) {
        return Err(Fault::new(format!("it has lists, and {attribute} has one value an entity"))
            .column(&seen.name)
            .hint(format!(
                "declare it first: {{:db/ident {attribute} :db/cardinality :db.cardinality/many}}"
            )));
    }
    Ok(Column {
        name: seen.name.clone(),
        ty: match seen.name == ID {
            true => Some(ValueType::Ref),
            false => given.or(declared).or(observed).or(looks),
        },
        many: many || seen.many,
        used: known.is_some_and(|a| !a.observed.is_empty()),
        attribute,
    })
}

/// The key must name one entity, and a column of lists several values.
fn declaration(
    column: &Column,
    known: Option<&Attribute>,
    is_key: bool,
) -> Result<Option<Op>, Fault> {
    let mut attrs: Vec<(&str, Value)> = Vec::new();
    if is_key && column.name != ID {
        let what = || format!("--key {}: {}", column.name, column.attribute);
        if column.many {
            return Err(Fault::new(format!("{} has several values an entity", what())));
        }
        match known.and_then(|a| a.unique) {
            Some(Unique::Identity) => {}
            Some(Unique::Value) => {
                let hint = "declare it as :db.unique/identity, or choose another key";
                return Err(Fault::new(format!("{} is :db.unique/value", what())).hint(hint));
            }
            None => {
                attrs.push((":db/unique", Value::keyword(":db.unique/identity")));
                if let Some(ty) = column.ty.filter(|_| known.is_none_or(|a| a.value_type.is_none()))
                {
                    let ty = Value::keyword(format!(":db.type/{}", ty.name()));
                    attrs.push((":db/valueType", ty));
                }
            }
        }
    }
    let many = known.is_some_and(|a| a.cardinality == Cardinality::Many);
    if column.many && !many {
        attrs.push((":db/cardinality", Value::keyword(":db.cardinality/many")));
    }
    if attrs.is_empty() {
        return Ok(None);
    }
    let id = match known.and_then(|a| a.entity) {
        Some(entity) => Some(EntityRef::Id(entity)),
        None => {
            attrs.push((":db/ident", Value::keyword(column.attribute.as_str())));
            None
        }
    };
    let value = |(a, v): (&str, Value)| (Attr::new(a), TxValue::Value(v));
    Ok(Some(Op::Map { id, attrs: attrs.into_iter().map(value).collect() }))
}

impl Column {
    /// What a cell says; None: nothing.
    pub fn value(&self, cell: Cell) -> Result<Option<TxValue>, Fault> {
        let value = match cell {
            Cell::Absent => None,
            Cell::Text(text) if self.many => {
                let all = elements(&text).ok_or_else(|| self.wrong(&text))?;
                Some(self.several(all.into_iter().map(|node| node.form))?)
            }
            Cell::Text(text) => {
                let ty = self.ty.unwrap_or(ValueType::String);
                Some(tx_value(parse(&text, ty).ok_or_else(|| self.wrong(&text))?))
            }
            Cell::Form(Form::Vector(all)) => {
                Some(self.several(all.into_iter().map(|node| node.form))?)
            }
            Cell::Form(form) => Some(tx_value(self.form(form)?)),
        };
        Ok(value.filter(|v| *v != TxValue::Many(Vec::new())))
    }

    fn several(&self, forms: impl Iterator<Item = Form>) -> Result<TxValue, Fault> {
        let values = forms.filter(|form| *form != Form::Nil);
        let values = values.map(|form| self.form(form).map(tx_value));
        values.collect::<Result<_, _>>().map(TxValue::Many)
    }

    fn form(&self, form: Form) -> Result<Value, Fault> {
        let shown = form.to_string();
        let value = match form {
            Form::Value(value) => match self.ty {
                Some(ty) => convert(value, ty),
                None => Some(value),
            },
            _ => None,
        };
        value.ok_or_else(|| self.wrong(&shown))
    }

    fn wrong(&self, shown: &str) -> Fault {
        let ty = self.ty.map_or("value", ValueType::name);
        let short: String = shown.chars().take(60).collect();
        let dots = if short.len() < shown.len() { "..." } else { "" };
        Fault::new(format!("\"{short}{dots}\" is no {ty}"))
            .column(&self.name)
            .hint("mend it, or give the column a type that takes it by --type COLUMN=string")
    }
}

fn tx_value(value: Value) -> TxValue {
    match value {
        Value::Ref(id) => TxValue::Entity(EntityRef::Id(id)),
        value => TxValue::Value(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use daodb_datalog::edn;

    /// A column of texts.
    fn seen(name: &str, texts: &[&str]) -> Seen {
        let mut seen = Seen { name: name.to_owned(), texts: true, ..Seen::default() };
        texts.iter().for_each(|text| seen.guess.text(text));
        seen
    }

    fn columns(columns: Vec<Seen>, key: &str, known: Vec<Attribute>) -> Result<Columns, Fault> {
        let mut schema = Schema::default();
        schema.attributes.extend(known.into_iter().map(|a| (a.ident.clone(), a)));
        let wanted =
            Wanted { table: "my_t".to_owned(), key: key.to_owned(), types: BTreeMap::new() };
        Columns::of(&Survey { rows: 1, columns }, &wanted, &schema)
    }

    fn known(name: &str, observed: &[ValueType]) -> Attribute {
        Attribute { observed: observed.to_vec(), ..Attribute::undeclared(Attr::new(name)) }
    }

    #[test]
    fn columns_of_nothing_known() {
        let seen = vec![seen("email", &["a@b"]), seen("Last name", &["x"]), seen("_id", &["1"])];
        let found = columns(seen, "email", vec![]).unwrap();
        let shown: Vec<String> = found
            .all
            .iter()
            .map(|c| c.as_ref().map_or("-".to_owned(), |c| c.attribute.to_string()))
            .collect();
        assert_eq!(shown, [":my_t/email", ":my_t/Last_name", "-"]);
        let declared: Vec<String> = found.declarations.iter().map(ToString::to_string).collect();
        assert_eq!(
            declared,
            [
                "{:db/unique :db.unique/identity, :db/valueType :db.type/string, :db/ident :my_t/email}"
            ]
        );
    }

    #[test]
    fn what_is_known_goes_before_what_it_looks_like() {
        let texts = || vec![seen("zip_code", &["123"]), seen("n", &["1"])];
        let zip = known(":my-t/zip-code", &[ValueType::String]);
        let key = Attribute { unique: Some(Unique::Identity), ..known(":my-t/n", &[]) };
        let found = columns(texts(), "n", vec![zip.clone(), key]).unwrap();
        let column = found.all[0].as_ref().unwrap();
        assert_eq!(column.attribute.as_str(), ":my-t/zip-code");
        assert_eq!((column.ty, column.used), (Some(ValueType::String), true));
        let n = found.all[1].as_ref().unwrap();
        assert_eq!((n.ty, n.used), (Some(ValueType::Long), false));

        let value = Attribute { unique: Some(Unique::Value), ..known(":my-t/n", &[]) };
        let fault = columns(texts(), "n", vec![zip, value]).unwrap_err();
        assert!(fault.message.contains("is :db.unique/value"), "{fault:?}");
        let back = columns(vec![seen("n", &["1"]), seen("_t_from", &["1"])], "n", vec![]).unwrap();
        assert_eq!(back.all[1].as_ref().unwrap().attribute.as_str(), ":my_t/t_from");
        let fault = columns(vec![seen("n", &["1"]), seen("__", &["1"])], "n", vec![]).unwrap_err();
        assert!(fault.message.contains("names no attribute"), "{fault:?}");
        let twice = vec![seen("a b", &["1"]), seen("a_b", &["1"])];
        let fault = columns(twice, "a_b", vec![]).unwrap_err();
        assert!(fault.message.contains("are both :my_t/a_b"), "{fault:?}");
    }

    #[test]
    fn cells_are_values_of_their_column() {
        let found = columns(vec![seen("n", &["1"])], "n", vec![]).unwrap();
        let mut column = found.all[0].clone().unwrap();
        let text = |text: &str| Cell::Text(text.to_owned());
        let long = |n| Some(TxValue::Value(Value::Long(n)));
        assert_eq!(column.value(text("7")).unwrap(), long(7));
        assert_eq!(column.value(Cell::Absent).unwrap(), None);
        assert_eq!(column.value(Cell::Form(edn::read("7.0").unwrap().form)).unwrap(), long(7));
        let fault = column.value(text("seven")).unwrap_err();
        assert_eq!(
            (fault.message.as_str(), fault.column.as_deref()),
            ("\"seven\" is no long", Some("n"))
        );
        column.many = true;
        let list = TxValue::Many(vec![long(7).unwrap(), long(8).unwrap()]);
        assert_eq!(column.value(text("{7,8}")).unwrap(), Some(list.clone()));
        let form = edn::read("[7 nil 8]").unwrap().form;
        assert_eq!(column.value(Cell::Form(form)).unwrap(), Some(list));
        assert_eq!(column.value(text("{}")).unwrap(), None);
    }
}
