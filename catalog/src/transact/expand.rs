//! Ops spread out: a map within a map becomes one of its own, a reference said backwards is turned round, a vector becomes
//! what the schema says that it is. What needs none of it, nearly everything, is borrowed.

use super::op::refused;
use super::{EntityRef, Op, TxValue};
use crate::error::{Error, Result, SqlState};
use crate::schema::{Attribute, Cardinality, Schema, Unique, builtin};
use daodb_storage::{Attr, Value, ValueType};
use std::borrow::Cow;

/// Maps within maps, at most; readers refuse deeper text anyway.
const MAX_DEPTH: usize = 64;

/// A transaction's ops, each with the number of the caller's op that it stems from.
pub struct Expanded<'a> {
    pub ops: Vec<(u32, Cow<'a, Op>)>,
    /// The metadata entity of an op; sorted by op.
    pub metas: Vec<(u32, EntityRef)>,
    /// That of all other ops.
    pub whole: Option<(u32, EntityRef)>,
    pub nested: Vec<Nested>,
    pub ensured: Vec<Ensured>,
}

/// `:db/ensure`: what an entity must be after the transaction.
pub struct Ensured {
    pub op: u32,
    pub e: EntityRef,
    pub spec: EntityRef,
}

/// A map that stood within another one, without an id.
pub struct Nested {
    pub op: u32,
    /// Where it stood.
    under: Attr,
    /// What it says.
    attrs: Vec<Attr>,
}

impl Nested {
    /// As in Datomic: it is a part of the other, or is found by an identity. Else nothing could ever name it.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let known = |a: &Attr| schema.get(a);
        let part = known(&self.under).is_some_and(|a| a.is_component);
        let identity = |a: &Attribute| a.unique == Some(Unique::Identity);
        let named = self.attrs.iter().any(|a| known(a).is_some_and(identity));
        if part || named {
            return Ok(());
        }
        let under = &self.under;
        let text = format!("the map under {under} has no :db/id, no identity, and is no component");
        Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint(format!(
            "give it a tempid as :db/id, or declare {under} :db/isComponent true first"
        )))
    }
}

/// `more` stands after the caller's ops and is no op of theirs.
pub fn expand<'a>(ops: &'a [Op], more: Option<&'a Op>, schema: &Schema) -> Result<Expanded<'a>> {
    let all = Vec::with_capacity(ops.len());
    let (nested, ensured) = (Vec::new(), Vec::new());
    let out = Expanded { ops: all, metas: Vec::new(), whole: None, nested, ensured };
    let mut way = Way { schema, out, op: 0, inner: 0 };
    for (at, op) in (0u32..).zip(ops.iter().chain(more)) {
        way.op = at;
        way.op(op, 0).map_err(|e| refused(ops, at, e))?;
    }
    Ok(way.out)
}

struct Way<'a, 'b> {
    schema: &'b Schema,
    out: Expanded<'a>,
    op: u32,
    /// How many entities were numbered.
    inner: u32,
}

impl<'a> Way<'a, '_> {
    fn op(&mut self, op: &'a Op, depth: usize) -> Result<()> {
        match op {
            Op::About { m, op } => self.about(m, op),
            Op::Add { e, a, v } if a.as_str() == builtin::META => {
                self.whole(e, entity(v).ok_or_else(|| no_entity(v))?)
            }
            Op::Add { e, a, v } if a.as_str() == builtin::ENSURE => self.ensure(e, v),
            op if is_plain(op) => {
                self.out.ops.push((self.op, Cow::Borrowed(op)));
                Ok(())
            }
            Op::Map { id, attrs } => self.map(id.clone(), attrs, depth),
            op => {
                let op = self.settled(op)?;
                self.out.ops.push((self.op, Cow::Owned(op)));
                Ok(())
            }
        }
    }

    fn about(&mut self, m: &EntityRef, op: &'a Op) -> Result<()> {
        match op {
            Op::About { .. } => {
                let text = "an op has one metadata entity";
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint("name one"));
            }
            Op::Map { id: Some(id), .. } if is_tx(id) => self.whole(id, m.clone())?,
            _ => self.out.metas.push((self.op, m.clone())),
        }
        match op {
            Op::Map { id: Some(id), attrs } if is_tx(id) && attrs.is_empty() => Ok(()),
            op => self.op(op, 0),
        }
    }

    /// Said of the transaction it holds for all its ops.
    fn whole(&mut self, e: &EntityRef, m: EntityRef) -> Result<()> {
        let text = match &self.out.whole {
            _ if !is_tx(e) => {
                format!("{} is said of an op or of the transaction, not of {e}", builtin::META)
            }
            Some((_, other)) if *other != m => {
                format!("the transaction has two metadata entities, {other} and {m}")
            }
            _ => {
                self.out.whole = Some((self.op, m));
                return Ok(());
            }
        };
        Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint(
            "as {:db/id \"datomic.tx\", :dao/m \"why\"}, or [:db/add e a v {:dao/m \"why\"}]",
        ))
    }

    fn ensure(&mut self, e: &EntityRef, v: &TxValue) -> Result<()> {
        let specs = match v {
            TxValue::Many(all) => all.as_slice(),
            v => std::slice::from_ref(v),
        };
        for spec in specs {
            let spec = entity(spec).ok_or_else(|| no_entity(spec))?;
            self.out.ensured.push(Ensured { op: self.op, e: e.clone(), spec });
        }
        Ok(())
    }

    /// A list form whose values only the schema can tell.
    fn settled(&self, op: &Op) -> Result<Op> {
        Ok(match op {
            Op::Add { e, a, v } => {
                let (e, v) = (e.clone(), self.value(a, v)?);
                Op::Add { e, a: self.forward(a)?, v }
            }
            Op::Retract { e, a, v } => {
                let v = v.as_ref().map(|v| self.value(a, v)).transpose()?;
                Op::Retract { e: e.clone(), a: self.forward(a)?, v }
            }
            Op::Cas { e, a, old, new } => {
                let old = old.as_ref().map(|v| self.value(a, v)).transpose()?;
                Op::Cas { e: e.clone(), a: self.forward(a)?, old, new: self.value(a, new)? }
            }
            op => op.clone(),
        })
    }

    /// List forms say references forwards.
    fn forward(&self, a: &Attr) -> Result<Attr> {
        match backwards(a) {
            None => Ok(a.clone()),
            Some(forward) => {
                let text = format!("{a} is {forward} read backwards, and only maps say it so");
                Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
                    .hint(format!("write [:db/add other {forward} this]")))
            }
        }
    }

    fn map(
        &mut self,
        id: Option<EntityRef>,
        attrs: &[(Attr, TxValue)],
        depth: usize,
    ) -> Result<()> {
        if depth > MAX_DEPTH {
            let text = format!("maps are nested deeper than {MAX_DEPTH}");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
                .hint("give the inner ones tempids and forms of their own"));
        }
        let id = id.unwrap_or_else(|| self.number());
        let mut said = Vec::with_capacity(attrs.len());
        // It stands before those within it, and gets its id before them.
        let at = self.out.ops.len();
        for (a, v) in attrs {
            match backwards(a) {
                Some(forward) => self.backwards(&id, a, &forward, v, depth)?,
                None if a.as_str() == builtin::ENSURE => self.ensure(&id, v)?,
                None => said.push((a.clone(), self.values(a, v, depth)?)),
            }
        }
        if !said.is_empty() {
            self.out.ops.insert(at, (self.op, Cow::Owned(Op::Map { id: Some(id), attrs: said })));
        }
        Ok(())
    }

    fn number(&mut self) -> EntityRef {
        self.inner += 1;
        EntityRef::Inner(self.inner)
    }

    /// `{:db/id me, :a/_b other}` is `[:db/add other :a/b me]`.
    fn backwards(
        &mut self,
        me: &EntityRef,
        a: &Attr,
        forward: &Attr,
        v: &TxValue,
        depth: usize,
    ) -> Result<()> {
        if let Some(attribute) = self.schema.get(forward)
            && let Some(ty) = attribute.value_type.filter(|ty| *ty != ValueType::Ref)
        {
            let text = format!("{a} reads a reference backwards, and {forward} is a {}", ty.name());
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, text)
                .hint(format!("say {forward} of the other entity")));
        }
        let others = match v {
            TxValue::Many(all) => all.as_slice(),
            TxValue::Vector(all) if lookup(all).is_none() => all.as_slice(),
            v => std::slice::from_ref(v),
        };
        for other in others {
            let e = match other {
                TxValue::Map { id, attrs } => self.inner_map(forward, id, attrs, depth, true)?,
                other => entity(other).ok_or_else(|| no_entity(other))?,
            };
            let op = Op::Add { e, a: forward.clone(), v: TxValue::Entity(me.clone()) };
            self.out.ops.push((self.op, Cow::Owned(op)));
        }
        Ok(())
    }

    /// A map in another one's value becomes an op; returns its entity.
    fn inner_map(
        &mut self,
        under: &Attr,
        id: &Option<EntityRef>,
        attrs: &[(Attr, TxValue)],
        depth: usize,
        backwards: bool,
    ) -> Result<EntityRef> {
        if id.is_none() && !backwards {
            let attrs = attrs.iter().map(|(a, _)| a.clone()).collect();
            self.out.nested.push(Nested { op: self.op, under: under.clone(), attrs });
        }
        let e = id.clone().unwrap_or_else(|| self.number());
        self.map(Some(e.clone()), attrs, depth + 1)?;
        Ok(e)
    }

    /// What a map says of `a`: one value, or several.
    fn values(&mut self, a: &Attr, v: &TxValue, depth: usize) -> Result<TxValue> {
        let shape = Shape::of(self.schema.get(a));
        let several = match v {
            TxValue::Many(all) => all,
            TxValue::Vector(all) if shape.many => all,
            // Undeclared: a look-up ref where it is one, else several values.
            TxValue::Vector(all) if shape.ty.is_none() && !self.is_lookup(all) => all,
            v => return self.map_value(a, v, depth),
        };
        let all = several.iter().map(|v| self.map_value(a, v, depth));
        Ok(TxValue::Many(all.collect::<Result<_>>()?))
    }

    fn map_value(&mut self, a: &Attr, v: &TxValue, depth: usize) -> Result<TxValue> {
        match v {
            TxValue::Map { id, attrs } => {
                let e = self.inner_map(a, id, attrs, depth, false)?;
                Ok(TxValue::Entity(e))
            }
            v => self.value(a, v),
        }
    }

    /// Whether it is a look-up ref of an attribute that is unique.
    fn is_lookup(&self, parts: &[TxValue]) -> bool {
        let unique = |a: &Attr| self.schema.get(a).is_some_and(|a| a.unique.is_some());
        matches!(lookup(parts), Some(EntityRef::Lookup(a, _)) if unique(&a))
    }

    /// One value.
    fn value(&self, a: &Attr, v: &TxValue) -> Result<TxValue> {
        let invalid = |text: String, hint: &str| {
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).hint(hint))
        };
        let parts = match v {
            TxValue::Vector(parts) => parts,
            TxValue::Nil => {
                let hint = "what is not there is not said; :db/retract takes a value away";
                return invalid("nil is no value".to_owned(), hint);
            }
            TxValue::Map { .. } => {
                let hint = "give it a tempid and a form of its own, and the tempid here";
                return invalid("a map is a value only within a map".to_owned(), hint);
            }
            v => return Ok(v.clone()),
        };
        let shape = Shape::of(self.schema.get(a));
        match shape.ty {
            Some(ValueType::Ref) => match lookup(parts) {
                Some(e) => Ok(TxValue::Entity(e)),
                None => Err(no_entity(v)),
            },
            None if self.is_lookup(parts) => {
                Ok(lookup(parts).map_or_else(|| v.clone(), TxValue::Entity))
            }
            Some(ValueType::Tuple) | None => match tuple(parts) {
                Some(tuple) => Ok(TxValue::Value(tuple)),
                None => invalid(format!("{v} is no tuple"), "parts are values and nil"),
            },
            Some(ty) => {
                let text = format!("{a} is declared {}, this is the vector {v}", ty.name());
                Err(Error::new(SqlState::DATATYPE_MISMATCH, text)
                    .hint("several values stand in a map, under an attribute of cardinality many"))
            }
        }
    }
}

/// What the schema says of an attribute's values.
struct Shape {
    ty: Option<ValueType>,
    many: bool,
}

impl Shape {
    fn of(attribute: Option<&Attribute>) -> Shape {
        Shape {
            ty: attribute.and_then(|a| a.value_type),
            many: attribute.is_some_and(|a| a.cardinality == Cardinality::Many),
        }
    }
}

/// Whether an op says just what it says.
fn is_plain(op: &Op) -> bool {
    let one = |v: &TxValue| matches!(v, TxValue::Value(_) | TxValue::Entity(_));
    let several = |v: &TxValue| match v {
        TxValue::Many(all) => all.iter().all(one),
        v => one(v),
    };
    let forwards = |a: &Attr| backwards(a).is_none();
    match op {
        Op::Add { a, v, .. } => forwards(a) && (one(v) || matches!(v, TxValue::Many(_))),
        Op::Retract { a, v, .. } => {
            let said = |v: &TxValue| one(v) || matches!(v, TxValue::Many(_));
            forwards(a) && v.as_ref().is_none_or(said)
        }
        Op::Cas { a, old, new, .. } => forwards(a) && old.as_ref().is_none_or(one) && one(new),
        Op::RetractEntity { .. } => true,
        Op::About { .. } => false,
        Op::Map { attrs, .. } => {
            let ensures = |a: &Attr| a.as_str() == builtin::ENSURE;
            attrs.iter().all(|(a, v)| forwards(a) && !ensures(a) && several(v))
        }
    }
}

/// `:person/friend` of `:person/_friend`.
fn backwards(a: &Attr) -> Option<Attr> {
    let name = a.name().strip_prefix('_').filter(|name| !name.is_empty())?;
    Some(Attr::new(format!(":{}/{name}", a.namespace()?)))
}

fn is_tx(e: &EntityRef) -> bool {
    match e {
        EntityRef::Tx => true,
        EntityRef::Temp(name) => &**name == super::resolve::TX_TEMPID,
        EntityRef::Ident(ident) => ident.as_str() == builtin::CURRENT_TX,
        _ => false,
    }
}

/// A value that stands where an entity must.
fn entity(v: &TxValue) -> Option<EntityRef> {
    match v {
        TxValue::Entity(e) => Some(e.clone()),
        TxValue::Value(Value::String(name)) => Some(EntityRef::Temp(name.clone())),
        TxValue::Value(Value::Keyword(name)) => Some(EntityRef::Ident(Attr::new(name))),
        TxValue::Value(Value::Long(n)) if *n < 0 => Some(EntityRef::Temp(n.to_string().into())),
        TxValue::Value(Value::Long(id) | Value::Ref(id)) => Some(EntityRef::Id(*id)),
        TxValue::Vector(parts) => lookup(parts),
        _ => None,
    }
}

fn no_entity(v: &TxValue) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{v} names no entity")).hint(
        "an entity is an id, a tempid (a text, or a negative number), a look-up ref or an ident",
    )
}

/// `[:person/email "a@b"]`
fn lookup(parts: &[TxValue]) -> Option<EntityRef> {
    let [TxValue::Value(Value::Keyword(a)), v] = parts else { return None };
    let v = match v {
        TxValue::Value(v) => v.clone(),
        TxValue::Vector(parts) => tuple(parts)?,
        _ => return None,
    };
    Some(EntityRef::Lookup(Attr::new(a), v))
}

fn tuple(parts: &[TxValue]) -> Option<Value> {
    let part = |v: &TxValue| match v {
        TxValue::Value(v) => Some(Some(v.clone())),
        TxValue::Entity(EntityRef::Id(id)) => Some(Some(Value::Ref(*id))),
        TxValue::Vector(parts) => tuple(parts).map(Some),
        TxValue::Nil => Some(None),
        _ => None,
    };
    Some(Value::Tuple(parts.iter().map(part).collect::<Option<_>>()?))
}
