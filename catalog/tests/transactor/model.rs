//! What transactions mean, said naively: sets of facts, and every rule applied to whole sets.

use daodb_catalog::{EntityRef, Op, TxValue};
use daodb_storage::{FIRST_ENTITY, FIRST_T, Value};
use std::collections::{BTreeMap, BTreeSet};

pub type Fact = (i64, String, Value);

#[derive(Clone, Copy, Default)]
pub struct Rule {
    pub many: bool,
    pub unique: bool,
    /// Unique, and tempids are found by it.
    pub identity: bool,
    pub component: bool,
    pub is_ref: bool,
    pub is_long: bool,
    pub is_string: bool,
}

#[derive(Clone)]
pub struct Model {
    pub rules: BTreeMap<String, Rule>,
    pub facts: BTreeSet<Fact>,
    pub next_entity: i64,
    pub t: i64,
}

/// What a transaction adds and takes away, and what became of its tempids.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub added: BTreeSet<Fact>,
    pub retracted: BTreeSet<Fact>,
    pub tempids: BTreeMap<String, i64>,
}

/// An entity as an op names it: known, or the name of a tempid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Id(i64),
    Temp(String),
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Value(Value),
    Who(Who),
}

/// One claim: its entity, attribute and value (None: all values).
type Claim = (Who, String, Option<What>);

#[derive(Default)]
struct Claims {
    adds: Vec<Claim>,
    retracts: Vec<Claim>,
    gone: Vec<Who>,
    /// What must hold: entity, attribute, value (None: none).
    swaps: Vec<Claim>,
    /// Tempids as subjects of ops, in order.
    subjects: Vec<String>,
}

type Refused = &'static str;
const NOT_GIVEN: Refused = "id not given";
const NOBODY: Refused = "nobody";

impl Model {
    pub fn rule(&self, a: &str) -> Rule {
        self.rules.get(a).copied().unwrap_or_default()
    }

    fn with(&self, a: &str, v: &Value) -> Option<i64> {
        self.facts.iter().find(|f| f.1 == a && f.2 == *v).map(|f| f.0)
    }

    /// Applies the ops, or says why not and changes nothing.
    pub fn transact(&mut self, ops: &[Op]) -> Result<Outcome, Refused> {
        let claims = self.claims(ops)?;
        let classes = self.classes(&claims)?;
        let (ids, next_entity) = self.ids(&claims, &classes)?;
        let id = |who: &Who| match who {
            Who::Id(id) => *id,
            Who::Temp(name) => ids[&classes[name]],
        };
        let value = |what: &What| match what {
            What::Value(v) => v.clone(),
            What::Who(who) => Value::Ref(id(who)),
        };
        let mut adds: BTreeSet<Fact> = BTreeSet::new();
        for (who, a, v) in &claims.adds {
            let v = v.as_ref().map(value).unwrap();
            self.check_type(a, &v)?;
            adds.insert((id(who), a.clone(), v));
        }
        let mut retracts: BTreeSet<Fact> = BTreeSet::new();
        for (who, a, v) in &claims.retracts {
            let e = id(who);
            match v {
                Some(v) => {
                    let v = value(v);
                    self.check_type(a, &v)?;
                    retracts.insert((e, a.clone(), v));
                }
                None => {
                    let all = self.facts.iter().filter(|f| f.0 == e && f.1 == *a);
                    retracts.extend(all.cloned());
                }
            }
        }
        for who in &claims.gone {
            if id(who) < FIRST_ENTITY {
                return Err("a transaction goes");
            }
            self.delete(id(who), &mut BTreeSet::new(), &mut retracts);
        }
        for (who, a, old) in &claims.swaps {
            let e = id(who);
            let old = old.as_ref().map(value);
            if let Some(old) = &old {
                self.check_type(a, old)?;
            }
            let held = self.facts.iter().find(|f| f.0 == e && f.1 == *a).map(|f| f.2.clone());
            if held != old {
                return Err("another value");
            }
        }
        let outcome = self.compare(adds, retracts)?;
        let tempids =
            classes.iter().filter_map(|(name, class)| Some((name.clone(), *ids.get(class)?)));
        let named = tempids.filter(|(name, _)| !name.starts_with('#')).collect();
        self.facts.retain(|f| !outcome.retracted.contains(f));
        self.facts.extend(outcome.added.iter().cloned());
        self.next_entity = next_entity;
        self.t += 1;
        Ok(Outcome { tempids: named, ..outcome })
    }

    fn check_type(&self, a: &str, v: &Value) -> Result<(), Refused> {
        let rule = self.rule(a);
        let fits = match v {
            Value::Ref(_) => !rule.is_long && !rule.is_string,
            Value::Long(_) => !rule.is_ref && !rule.is_string,
            _ => !rule.is_ref && !rule.is_long,
        };
        if fits { Ok(()) } else { Err("type") }
    }

    fn claims(&self, ops: &[Op]) -> Result<Claims, Refused> {
        let mut claims = Claims::default();
        for (i, op) in ops.iter().enumerate() {
            let mut subject = |e: &EntityRef| -> Result<Who, Refused> {
                let who = self.who(e)?;
                if let Who::Temp(name) = &who {
                    claims.subjects.push(name.clone());
                }
                Ok(who)
            };
            match op {
                Op::Add { e, a, v } => {
                    let who = subject(e)?;
                    claims.adds.push((who, a.to_string(), Some(self.what(v)?)));
                }
                Op::Retract { e, a, v } => {
                    let who = subject(e)?;
                    let v = v.as_ref().map(|v| self.what(v)).transpose()?;
                    claims.retracts.push((who, a.to_string(), v));
                }
                Op::RetractEntity { e } => match subject(e) {
                    Ok(who) => claims.gone.push(who),
                    // Who is not there is gone already.
                    Err(NOT_GIVEN | NOBODY) => {}
                    Err(e) => return Err(e),
                },
                Op::Cas { e, a, old, new } => {
                    let who = subject(e)?;
                    if self.rule(a.as_str()).many {
                        return Err("swap of many");
                    }
                    let old = old.as_ref().map(|v| self.what(v)).transpose()?;
                    claims.swaps.push((who.clone(), a.to_string(), old));
                    claims.adds.push((who, a.to_string(), Some(self.what(new)?)));
                }
                Op::About { .. } => return Err("not in the model"),
                Op::Map { id, attrs } => {
                    let anonymous = EntityRef::Temp(format!("#{i}").into());
                    let who = subject(id.as_ref().unwrap_or(&anonymous))?;
                    for (a, v) in attrs {
                        let all = match v {
                            TxValue::Many(all) => all.clone(),
                            v => vec![v.clone()],
                        };
                        for v in &all {
                            claims.adds.push((who.clone(), a.to_string(), Some(self.what(v)?)));
                        }
                    }
                }
            }
        }
        Ok(claims)
    }

    fn who(&self, e: &EntityRef) -> Result<Who, Refused> {
        Ok(match e {
            EntityRef::Id(id) if *id >= FIRST_ENTITY && *id >= self.next_entity => {
                return Err(NOT_GIVEN);
            }
            EntityRef::Id(id) => Who::Id(*id),
            EntityRef::Temp(name) => Who::Temp(name.to_string()),
            EntityRef::Tx => Who::Id(self.t + 1),
            EntityRef::Ident(_) | EntityRef::Inner(_) => return Err("ident"),
            EntityRef::Lookup(a, _) if !self.rule(a.as_str()).unique => return Err("not unique"),
            EntityRef::Lookup(a, v) => Who::Id(self.with(a.as_str(), v).ok_or(NOBODY)?),
        })
    }

    fn what(&self, v: &TxValue) -> Result<What, Refused> {
        Ok(match v {
            TxValue::Value(v) => What::Value(v.clone()),
            TxValue::Entity(e) => What::Who(self.who(e)?),
            _ => return Err("nested"),
        })
    }

    /// Tempids that are one entity have one class: said identical by an identity. Repeated until nothing changes.
    fn classes(&self, claims: &Claims) -> Result<BTreeMap<String, usize>, Refused> {
        let mut classes: BTreeMap<String, usize> = BTreeMap::new();
        for name in &claims.subjects {
            let n = classes.len();
            classes.entry(name.clone()).or_insert(n);
        }
        let claims: Vec<&Claim> =
            claims.adds.iter().filter(|(_, a, _)| self.rule(a).identity).collect();
        loop {
            let before = classes.clone();
            let known = self.known(&claims, &classes)?;
            let settle = |what: &Option<What>| match what {
                Some(What::Who(Who::Temp(name))) => match classes.get(name) {
                    Some(class) => match known.get(class) {
                        Some(id) => (None, Some(Value::Ref(*id))),
                        None => (Some(*class), None),
                    },
                    None => (Some(usize::MAX), None),
                },
                Some(What::Who(Who::Id(id))) => (None, Some(Value::Ref(*id))),
                Some(What::Value(v)) => (None, Some(v.clone())),
                None => (None, None),
            };
            let mut merge = None;
            for (x, a, v) in &claims {
                for (y, b, w) in &claims {
                    let (Who::Temp(x), Who::Temp(y)) = (x, y) else { continue };
                    if a == b && classes[x] != classes[y] && settle(v) == settle(w) {
                        merge = Some((classes[x], classes[y]));
                    }
                }
            }
            if let Some((x, y)) = merge {
                classes.values_mut().filter(|c| **c == x.max(y)).for_each(|c| *c = x.min(y));
            }
            if classes == before {
                return Ok(classes);
            }
        }
    }

    /// The classes that are entities already.
    fn known(
        &self,
        claims: &[&Claim],
        classes: &BTreeMap<String, usize>,
    ) -> Result<BTreeMap<usize, i64>, Refused> {
        let mut known: BTreeMap<usize, i64> = BTreeMap::new();
        loop {
            let before = known.len();
            for (who, a, v) in claims {
                let Who::Temp(name) = who else { continue };
                let v = match v {
                    Some(What::Value(v)) => v.clone(),
                    Some(What::Who(Who::Id(id))) => Value::Ref(*id),
                    Some(What::Who(Who::Temp(name))) => {
                        match classes.get(name).and_then(|class| known.get(class)) {
                            Some(id) => Value::Ref(*id),
                            None => continue,
                        }
                    }
                    None => continue,
                };
                if let Some(id) = self.with(a, &v)
                    && known.insert(classes[name], id).is_some_and(|other| other != id)
                {
                    return Err("two identities");
                }
            }
            if known.len() == before {
                return Ok(known);
            }
        }
    }

    /// Ids of all classes: those known, and new ones in the order in which ops speak of them.
    fn ids(
        &self,
        claims: &Claims,
        classes: &BTreeMap<String, usize>,
    ) -> Result<(BTreeMap<usize, i64>, i64), Refused> {
        let identities: Vec<&Claim> =
            claims.adds.iter().filter(|(_, a, _)| self.rule(a).identity).collect();
        let mut ids = self.known(&identities, classes)?;
        let class = |who: &Who| match who {
            Who::Temp(name) => classes.get(name).copied(),
            Who::Id(_) => None,
        };
        let said = claims.adds.iter().chain(&claims.retracts).filter_map(|claim| class(&claim.0));
        let said: BTreeSet<usize> = said.collect();
        let values = claims.adds.iter().chain(&claims.retracts).chain(&claims.swaps);
        let referred = values.clone().filter_map(|claim| match &claim.2 {
            Some(What::Who(who)) => Some(who),
            _ => None,
        });
        let used: BTreeSet<usize> = referred.chain(&claims.gone).filter_map(class).collect();
        let mut next = self.next_entity;
        for name in &claims.subjects {
            let class = classes[name];
            if ids.contains_key(&class) {
                continue;
            }
            if !said.contains(&class) && used.contains(&class) {
                return Err("nothing said");
            }
            if !said.contains(&class) {
                continue;
            }
            ids.insert(class, next);
            next += 1;
        }
        for (_, _, v) in values {
            if let Some(What::Who(Who::Temp(name))) = v
                && !classes.contains_key(name)
            {
                return Err("nothing said");
            }
        }
        Ok((ids, next))
    }

    fn delete(&self, e: i64, seen: &mut BTreeSet<i64>, out: &mut BTreeSet<Fact>) {
        if e < FIRST_ENTITY || !seen.insert(e) {
            return;
        }
        for fact in &self.facts {
            if fact.0 == e {
                out.insert(fact.clone());
                if let (true, Value::Ref(part)) = (self.rule(&fact.1).component, &fact.2) {
                    self.delete(*part, seen, out);
                }
            }
            if fact.2 == Value::Ref(e) {
                out.insert(fact.clone());
            }
        }
    }

    fn compare(
        &self,
        adds: BTreeSet<Fact>,
        mut retracts: BTreeSet<Fact>,
    ) -> Result<Outcome, Refused> {
        if adds.intersection(&retracts).next().is_some() {
            return Err("added and retracted");
        }
        for (e, a, v) in adds.iter().filter(|(_, a, _)| !self.rule(a).many) {
            if adds.iter().any(|x| x.0 == *e && x.1 == *a && x.2 != *v) {
                return Err("two values");
            }
            let replaces = !self.facts.contains(&(*e, a.clone(), v.clone()));
            let old = self.facts.iter().filter(|f| replaces && f.0 == *e && f.1 == *a);
            retracts.extend(old.cloned());
        }
        let added: BTreeSet<Fact> = adds.difference(&self.facts).cloned().collect();
        let retracted: BTreeSet<Fact> = retracts.intersection(&self.facts).cloned().collect();
        let after: BTreeSet<&Fact> =
            self.facts.iter().filter(|f| !retracted.contains(f)).chain(&added).collect();
        let mut held: BTreeSet<(&str, &Value)> = BTreeSet::new();
        for (_, a, v) in after.into_iter().filter(|f| self.rule(&f.1).unique) {
            if !held.insert((a, v)) {
                return Err("not unique");
            }
        }
        Ok(Outcome { added, retracted, tempids: BTreeMap::new() })
    }

    pub fn empty(rules: BTreeMap<String, Rule>) -> Model {
        let facts = BTreeSet::new();
        Model { rules, facts, next_entity: FIRST_ENTITY, t: FIRST_T - 1 }
    }
}
