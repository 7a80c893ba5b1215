//! Ops laid out as columns: for each attribute, what is said of whom.

use super::resolve::Names;
use super::{EntityRef, Op, TxValue, validate};
use crate::error::{Error, Result, SqlState};
use crate::schema::{Attribute, Cardinality, Schema};
use daodb_storage::{Attr, Value};
use std::collections::HashMap;
use std::fmt;

/// One claim. A negative `e`, or a negative reference as `v`, is a tempid (see [`Names`]).
#[derive(Debug, Clone)]
pub struct Row {
    /// Which op says it, from 0.
    pub op: u32,
    pub e: i64,
    pub v: Value,
}

/// A value that replaces another one only where that one holds (None: where there is none).
#[derive(Debug, Clone)]
pub struct Swap {
    pub op: u32,
    pub e: i64,
    pub old: Option<Value>,
}

/// Everything said of one attribute.
#[derive(Debug)]
pub struct Column {
    pub attribute: Attribute,
    pub adds: Vec<Row>,
    pub retracts: Vec<Row>,
    /// All values of these entities are retracted: (op, e).
    pub clears: Vec<(u32, i64)>,
    /// What must hold for what is added.
    pub swaps: Vec<Swap>,
    /// Values that were looked up and found nowhere; sorted.
    pub free: Vec<Value>,
}

impl Column {
    pub fn a(&self) -> &Attr {
        &self.attribute.ident
    }
}

/// The columns of one transaction.
#[derive(Default)]
pub struct Columns {
    pub all: Vec<Column>,
    by_name: HashMap<Attr, usize>,
}

impl Columns {
    /// The column of `a`. `guess` is where it stood in the op before: maps mostly look alike.
    fn index(&mut self, a: &Attr, schema: &Schema, guess: usize) -> Result<usize> {
        if self.all.get(guess).is_some_and(|c| c.a() == a) {
            return Ok(guess);
        }
        if let Some(at) = self.by_name.get(a) {
            return Ok(*at);
        }
        let attribute = match schema.get(a) {
            Some(known) => known.clone(),
            None => {
                validate::new_attribute(a)?;
                Attribute::undeclared(a.clone())
            }
        };
        // One attribute under two of its names is one column.
        if let Some(at) = self.by_name.get(&attribute.ident).copied() {
            self.by_name.insert(a.clone(), at);
            return Ok(at);
        }
        self.by_name.insert(attribute.ident.clone(), self.all.len());
        self.all.push(Column {
            attribute,
            adds: Vec::new(),
            retracts: Vec::new(),
            clears: Vec::new(),
            swaps: Vec::new(),
            free: Vec::new(),
        });
        let at = self.all.len() - 1;
        self.by_name.insert(a.clone(), at);
        Ok(at)
    }

    /// Adds retractions of facts that were read.
    pub fn retract(&mut self, rows: Vec<(Attr, Row)>, schema: &Schema) -> Result<()> {
        let mut guess = 0;
        for (a, row) in rows {
            guess = self.index(&a, schema, guess)?;
            self.all[guess].retracts.push(row);
        }
        Ok(())
    }

    /// Adds the claims of an op whose attributes are `wanted`. `e` is the op's entity.
    pub fn take(
        &mut self,
        at: u32,
        op: &Op,
        e: i64,
        schema: &Schema,
        names: &mut Names,
        wanted: impl Fn(&Attr) -> bool,
    ) -> Result<()> {
        match op {
            // What it is about is put on the datoms; the op in it stands here by itself.
            Op::RetractEntity { .. } | Op::About { .. } => Ok(()),
            Op::Add { a, v, .. } if wanted(a) => {
                let column = self.index(a, schema, 0)?;
                self.add(at, e, column, v, schema, names)
            }
            Op::Retract { a, v, .. } if wanted(a) => {
                let column = self.index(a, schema, 0)?;
                let column = &mut self.all[column];
                names.is_said(e);
                match v {
                    None => column.clears.push((at, e)),
                    Some(v) => {
                        let v = validate::value(v, &column.attribute, schema, names)?;
                        column.retracts.push(Row { op: at, e, v });
                    }
                }
                Ok(())
            }
            Op::Cas { a, old, new, .. } if wanted(a) => {
                let column = self.index(a, schema, 0)?;
                self.swap(at, e, column, old.as_ref(), schema, names)?;
                self.add(at, e, column, new, schema, names)
            }
            Op::Map { attrs, .. } => {
                for (guess, (a, v)) in attrs.iter().enumerate().filter(|(_, (a, _))| wanted(a)) {
                    let column = self.index(a, schema, guess)?;
                    match v {
                        TxValue::Many(vs) => {
                            vs.iter().try_for_each(|v| self.add(at, e, column, v, schema, names))?
                        }
                        v => self.add(at, e, column, v, schema, names)?,
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn swap(
        &mut self,
        op: u32,
        e: i64,
        column: usize,
        old: Option<&TxValue>,
        schema: &Schema,
        names: &mut Names,
    ) -> Result<()> {
        let column = &mut self.all[column];
        if column.attribute.cardinality == Cardinality::Many {
            let text = format!("{} has many values, :db/cas compares one", column.a());
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
                .hint("use :db/add and :db/retract"));
        }
        let old = old.map(|v| validate::value(v, &column.attribute, schema, names)).transpose()?;
        column.swaps.push(Swap { op, e, old });
        Ok(())
    }

    fn add(
        &mut self,
        op: u32,
        e: i64,
        column: usize,
        v: &TxValue,
        schema: &Schema,
        names: &mut Names,
    ) -> Result<()> {
        names.is_said(e);
        let column = &mut self.all[column];
        let v = validate::value(v, &column.attribute, schema, names)?;
        validate::predicates(&v, &column.attribute)?;
        column.adds.push(Row { op, e, v });
        Ok(())
    }

    /// Values of composite tuples are made by the database: what is said of them only names entities.
    pub fn drop_composites(&mut self) {
        for column in self.all.iter_mut().filter(|c| c.attribute.is_composite()) {
            column.adds.clear();
            column.retracts.clear();
            column.clears.clear();
            column.swaps.clear();
        }
    }
}

/// The error of a transaction, with the op that is at fault.
pub fn refused(ops: &[Op], at: u32, e: Error) -> Error {
    const SHOWN: usize = 200;
    let Some(op) = ops.get(at as usize) else { return e };
    let mut text: String = op.to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    let (number, all) = (at + 1, ops.len());
    let message = format!("transaction refused: op {number} of {all}, {text}: {}", e.message);
    Error { message, op: Some(at), ..e }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntityRef::Id(id) => write!(f, "{id}"),
            EntityRef::Temp(name) => write!(f, "{}", Value::String(name.clone())),
            EntityRef::Lookup(a, v) => write!(f, "[{a} {v}]"),
            EntityRef::Ident(ident) => write!(f, "{ident}"),
            EntityRef::Tx => f.write_str("\"datomic.tx\""),
            EntityRef::Inner(n) => write!(f, "(map {n})"),
        }
    }
}

impl fmt::Display for TxValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxValue::Value(v) => write!(f, "{v}"),
            TxValue::Entity(e) => write!(f, "{e}"),
            TxValue::Many(all) | TxValue::Vector(all) => {
                f.write_str("[")?;
                for (i, v) in all.iter().enumerate() {
                    write!(f, "{}{v}", if i == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            TxValue::Map { id, attrs } => {
                f.write_str("{")?;
                pairs(f, id.as_ref(), attrs)?;
                f.write_str("}")
            }
            TxValue::Nil => f.write_str("nil"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Add { e, a, v } => write!(f, "[:db/add {e} {a} {v}]"),
            Op::Retract { e, a, v: Some(v) } => write!(f, "[:db/retract {e} {a} {v}]"),
            Op::Retract { e, a, v: None } => write!(f, "[:db/retract {e} {a}]"),
            Op::RetractEntity { e } => write!(f, "[:db/retractEntity {e}]"),
            Op::Cas { e, a, old: Some(old), new } => write!(f, "[:db/cas {e} {a} {old} {new}]"),
            Op::Cas { e, a, old: None, new } => write!(f, "[:db/cas {e} {a} nil {new}]"),
            Op::Map { id, attrs } => {
                f.write_str("{")?;
                pairs(f, id.as_ref(), attrs)?;
                f.write_str("}")
            }
            Op::About { m, op } => {
                // As it is written: within the form that it is about.
                let form = op.to_string();
                let (inner, end) = form.split_at(form.len() - 1);
                match (end, inner) {
                    ("}", "{") => write!(f, "{{:dao/m {m}}}"),
                    ("}", inner) => write!(f, "{inner}, :dao/m {m}}}"),
                    (end, inner) => write!(f, "{inner} {{:dao/m {m}}}{end}"),
                }
            }
        }
    }
}

/// What stands within the braces of a map.
fn pairs(
    f: &mut fmt::Formatter<'_>,
    id: Option<&EntityRef>,
    attrs: &[(Attr, TxValue)],
) -> fmt::Result {
    if let Some(id) = id {
        write!(f, ":db/id {id}")?;
    }
    for (i, (a, v)) in attrs.iter().enumerate() {
        let comma = if i > 0 || id.is_some() { ", " } else { "" };
        write!(f, "{comma}{a} {v}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_print_as_edn() {
        let check = |op: Op, expect: &str| assert_eq!(op.to_string(), expect);
        let name = || Attr::new(":p/name");
        check(
            Op::Add { e: EntityRef::Id(7), a: name(), v: TxValue::Value(Value::string("a\"b")) },
            r#"[:db/add 7 :p/name "a\"b"]"#,
        );
        let e = EntityRef::Lookup(name(), Value::string("x"));
        check(Op::Retract { e, a: name(), v: None }, r#"[:db/retract [:p/name "x"] :p/name]"#);
        check(Op::RetractEntity { e: EntityRef::Tx }, r#"[:db/retractEntity "datomic.tx"]"#);
        let two = TxValue::Many(vec![
            TxValue::Value(Value::Long(1)),
            TxValue::Entity(EntityRef::Temp("t".into())),
        ]);
        let attrs = vec![(name(), two), (name(), TxValue::Value(Value::keyword("k")))];
        let two = Op::Map { id: None, attrs };
        check(two.clone(), r#"{:p/name [1 "t"], :p/name :k}"#);
        let about = |op| Op::About { m: EntityRef::Temp("why".into()), op: Box::new(op) };
        check(about(two), r#"{:p/name [1 "t"], :p/name :k, :dao/m "why"}"#);
        let e = EntityRef::Id(7);
        let new = TxValue::Value(Value::Long(2));
        let swap = Op::Cas { e, a: name(), old: None, new };
        check(swap.clone(), "[:db/cas 7 :p/name nil 2]");
        check(about(swap), r#"[:db/cas 7 :p/name nil 2 {:dao/m "why"}]"#);
        let inner = TxValue::Map { id: None, attrs: vec![(name(), TxValue::Nil)] };
        let attrs = vec![(name(), TxValue::Vector(vec![inner]))];
        check(Op::Map { id: None, attrs }, "{:p/name [{:p/name nil}]}");
    }

    #[test]
    fn a_refusal_names_its_op() {
        let ops = [Op::RetractEntity { e: EntityRef::Temp("x".repeat(500).into()) }];
        let e = refused(&ops, 0, Error::new(SqlState::INTERNAL, "why"));
        assert!(e.message.starts_with("transaction refused: op 1 of 1, [:db/retractEntity"));
        assert!(e.message.ends_with("...: why") && e.message.len() < 300, "{}", e.message);
    }
}
