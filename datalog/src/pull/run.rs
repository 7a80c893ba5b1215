//! Following a pattern: first all facts that it can ask for, level by level and attribute by attribute; then the maps, from
//! memory.

use super::parse::plain;
use super::{Asked, Nested, Pattern};
use crate::edn::{Form, Node};
use crate::source::DbSource;
use crate::value::{node, of_form, to_form};
use daodb_catalog::schema::builtin;
use daodb_catalog::{Error, Result, SqlState};
use daodb_storage::{Attr, Value};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Values that one pull may read.
const MAX_VALUES: usize = 10_000_000;
const IDENT: &str = ":db/ident";

/// Values by attribute (and direction) and entity.
type Facts = HashMap<(Attr, bool), HashMap<i64, Vec<Value>>>;

/// How often an attribute may still be followed recursively; one that is not there: as often as it says.
type Left = BTreeMap<(Attr, bool), usize>;

struct Pull<'a> {
    db: &'a DbSource,
    facts: Facts,
    /// Entities whose facts of an attribute were asked for.
    asked: HashMap<(Attr, bool), HashSet<i64>>,
    visited: HashSet<(usize, Left, i64)>,
    whole: &'a Pattern,
    values: usize,
}

/// What a pattern says of each of these entities: a map, or nil where it has nothing of it.
pub fn pull<'a>(
    db: &'a DbSource,
    pattern: &'a Pattern,
    es: &'a [i64],
) -> BoxFuture<'a, Result<Vec<Form>>> {
    Box::pin(async move {
        if db.snapshot.view().history {
            let text = "a history has no entities to pull";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
                .hint("pull from the database as of a time"));
        }
        let whole = Pattern::whole();
        let mut pull = Pull {
            db,
            facts: Facts::new(),
            asked: HashMap::new(),
            visited: HashSet::new(),
            whole: &whole,
            values: 0,
        };
        let distinct: BTreeSet<i64> = es.iter().copied().collect();
        pull.read(pattern, distinct.into_iter().collect(), Left::new()).await?;
        Ok(es.iter().map(|e| pull.map(pattern, *e, Some(&Left::new()), &mut vec![])).collect())
    })
}

/// Which pattern it is: clones of an [`Asked`] share it, so that it lies where it lay as long as the pull runs.
fn id(pattern: &Pattern) -> usize {
    std::ptr::from_ref(pattern) as usize
}

impl Pull<'_> {
    /// The facts that a pattern asks for.
    fn read<'b>(
        &'b mut self,
        pattern: &'b Pattern,
        es: Vec<i64>,
        left: Left,
    ) -> BoxFuture<'b, Result<()>> {
        Box::pin(async move {
            let new = |e: &i64| self.visited.insert((id(pattern), left.clone(), *e));
            let es: Vec<i64> = es.into_iter().filter(new).collect();
            if es.is_empty() {
                return Ok(());
            }
            for asked in self.all_asked(pattern) {
                let targets = self.values_of(&asked.a, asked.reverse, &es).await?;
                match &asked.of {
                    Nested::Pattern(inner) => self.read(inner, targets, Left::new()).await?,
                    Nested::Again(times) => {
                        if let Some(left) = left_after(&left, &asked, *times) {
                            self.read(pattern, targets, left).await?;
                        }
                    }
                    Nested::Nothing if self.expands(&asked) => {
                        self.read(self.whole, targets, Left::new()).await?;
                    }
                    Nested::Nothing => {
                        self.values_of(&Attr::new(IDENT), false, &targets).await?;
                    }
                }
            }
            Ok(())
        })
    }

    /// What a pattern names, and all attributes that there are where it has a wildcard.
    fn all_asked(&self, pattern: &Pattern) -> Vec<Asked> {
        let mut out: Vec<Asked> = Vec::new();
        if pattern.wildcard {
            let schema = &self.db.schema;
            let is = |x: &Asked, a: &Attr| !x.reverse && schema.stored(&x.a) == a;
            let named = |a: &Attr| pattern.attributes.iter().any(|x| is(x, a));
            let all = self.db.stats().keys().filter(|a| !named(a));
            out.extend(all.map(|a| plain(schema.name_of(a), false)));
        }
        out.extend(pattern.attributes.iter().cloned());
        out
    }

    /// Whether what an attribute refers to is part of the entity.
    fn expands(&self, asked: &Asked) -> bool {
        !asked.reverse && self.db.attribute(&asked.a).is_some_and(|a| a.is_component)
    }

    /// Reads the values of an attribute; gives the entities among them.
    async fn values_of(&mut self, a: &Attr, reverse: bool, es: &[i64]) -> Result<Vec<i64>> {
        let a = &self.db.schema.stored(a).clone();
        let key = (a.clone(), reverse);
        let known = self.asked.entry(key.clone()).or_default();
        let missing: Vec<i64> = es.iter().copied().filter(|e| known.insert(*e)).collect();
        let of = self.facts.entry(key).or_default();
        if !missing.is_empty() && self.db.stats().contains_key(a) {
            if reverse {
                let refs: Vec<Value> = missing.iter().map(|e| Value::Ref(*e)).collect();
                for fact in self.db.snapshot.lookup(a, &refs).await? {
                    self.values += 1;
                    if let Value::Ref(target) = fact.v {
                        of.entry(target).or_default().push(Value::Ref(fact.e));
                    }
                }
            } else {
                for fact in self.db.snapshot.facts(a, &missing).await? {
                    self.values += 1;
                    of.entry(fact.e).or_default().push(fact.v);
                }
            }
        }
        if self.values > MAX_VALUES {
            let text = format!("the pull reads more than {MAX_VALUES} values");
            return Err(Error::new(SqlState::Code("54000"), text)
                .hint("ask for less, or of fewer entities"));
        }
        let values = es.iter().filter_map(|e| of.get(e)).flatten();
        let targets: BTreeSet<i64> = values
            .filter_map(|v| match v {
                Value::Ref(e) => Some(*e),
                _ => None,
            })
            .collect();
        Ok(targets.into_iter().collect())
    }

    fn found(&self, a: &Attr, reverse: bool, e: i64) -> &[Value] {
        let key = (self.db.schema.stored(a).clone(), reverse);
        let of = self.facts.get(&key).and_then(|of| of.get(&e));
        of.map_or(&[], Vec::as_slice)
    }

    /// `path`: the patterns and entities that are being shown. `left`: None for an entity that recursion meets again, of
    /// which nothing is followed any more.
    fn map(
        &self,
        pattern: &Pattern,
        e: i64,
        left: Option<&Left>,
        path: &mut Vec<(usize, i64)>,
    ) -> Form {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        if pattern.id || pattern.wildcard {
            pairs.push((node(keyword(":db/id")), node(Form::Value(Value::Long(e)))));
        }
        path.push((id(pattern), e));
        for asked in self.all_asked(pattern) {
            let shown = self.attribute(pattern, &asked, e, left, path);
            let shown = shown.or_else(|| asked.default.clone());
            pairs.extend(shown.map(|v| (node(asked.key.clone()), node(v))));
        }
        path.pop();
        match pairs.is_empty() {
            true => Form::Nil,
            false => Form::Map(pairs),
        }
    }

    fn attribute(
        &self,
        pattern: &Pattern,
        asked: &Asked,
        e: i64,
        left: Option<&Left>,
        path: &mut Vec<(usize, i64)>,
    ) -> Option<Form> {
        let values = self.found(&asked.a, asked.reverse, e);
        let mut shown = Vec::with_capacity(values.len());
        for v in values.iter().take(asked.limit.unwrap_or(usize::MAX)) {
            shown.extend(match v {
                Value::Ref(target) => self.entity(pattern, asked, *target, left, path),
                v => Some(to_form(&Some(v.clone()))),
            });
        }
        if shown.is_empty() {
            // Built-in entities have names, and no datoms.
            let ident = asked.a.as_str() == IDENT && !asked.reverse;
            let name = builtin::idents().find(|(_, entity)| ident && *entity == e);
            return name.map(|(name, _)| keyword(name.as_str()));
        }
        // An entity is part of one other only.
        let part = asked.reverse && self.db.attribute(&asked.a).is_some_and(|a| a.is_component);
        let single = match asked.reverse {
            true => part,
            false => !self.db.is_many(&asked.a) && shown.len() == 1,
        };
        let form = match single {
            true => shown.swap_remove(0),
            false => Form::Vector(shown.into_iter().map(node).collect()),
        };
        Some(match asked.xform {
            Some(f) => changed(f, form),
            None => form,
        })
    }

    fn entity(
        &self,
        pattern: &Pattern,
        asked: &Asked,
        target: i64,
        left: Option<&Left>,
        path: &mut Vec<(usize, i64)>,
    ) -> Option<Form> {
        let fresh = Left::new();
        let shown = match &asked.of {
            Nested::Pattern(inner) => self.map(inner, target, Some(&fresh), path),
            Nested::Again(times) => {
                match left.and_then(|left| left_after(left, asked, *times)) {
                    Some(left) => {
                        let again = path.contains(&(id(pattern), target));
                        self.map(pattern, target, (!again).then_some(&left), path)
                    }
                    // Where it ends, the id of what would come next, if ids are asked for: as Datomic.
                    None if pattern.id || pattern.wildcard => self.named(target),
                    None => Form::Nil,
                }
            }
            Nested::Nothing if self.expands(asked) => {
                match path.contains(&(id(self.whole), target)) {
                    true => self.named(target),
                    false => self.map(self.whole, target, Some(&fresh), path),
                }
            }
            Nested::Nothing => self.named(target),
        };
        (shown != Form::Nil).then_some(shown)
    }

    /// `{:db/id 17}`, with its ident where it has one.
    fn named(&self, e: i64) -> Form {
        let mut pairs = vec![(node(keyword(":db/id")), node(Form::Value(Value::Long(e))))];
        if let Some(name) = self.db.schema.ident_of(e) {
            pairs.push((node(keyword(IDENT)), node(keyword(name.as_str()))));
        }
        Form::Map(pairs)
    }
}

/// None: it is not followed further.
fn left_after(left: &Left, asked: &Asked, times: Option<usize>) -> Option<Left> {
    let Some(times) = times else { return Some(left.clone()) };
    let key = (asked.a.clone(), asked.reverse);
    let after = left.get(&key).copied().unwrap_or(times).checked_sub(1)?;
    let mut left = left.clone();
    left.insert(key, after);
    Some(left)
}

fn keyword(name: &str) -> Form {
    Form::Value(Value::keyword(name))
}

/// nil where the function cannot take the value.
fn changed(f: &crate::functions::Function, form: Form) -> Form {
    let value = of_form(&node(form)).ok().map(|cell| f.call(&[cell]));
    match value {
        Some(Ok(cell)) => to_form(&cell),
        _ => Form::Nil,
    }
}
