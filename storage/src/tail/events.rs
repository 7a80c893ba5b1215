//! From datoms to facts: the events of a group of transactions become blocks.

use super::Batch;
use crate::datom::{Attr, Datom, FIRST_ENTITY, FIRST_T};
use crate::error::{Error, Result};
use crate::fact::Fact;
use crate::index::block::Block;
use crate::index::rows::Rows;
use crate::value::{Value, ValueType};
use datafusion::arrow::array::Int64Array;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Entity ids from here on belong to other streams.
const FIRST_FOREIGN: i64 = 1 << 40;

/// Above which ids nothing was ever said: facts about those need no look at older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// The lowest ordinary entity never used.
    pub entity: i64,
    /// The lowest transaction entity that nothing is said of.
    pub transaction: i64,
}

impl Default for Fresh {
    fn default() -> Self {
        Fresh { entity: FIRST_ENTITY, transaction: FIRST_T }
    }
}

impl Fresh {
    pub fn is_fresh(&self, e: i64) -> bool {
        match e {
            FIRST_ENTITY..FIRST_FOREIGN => e >= self.entity,
            FIRST_T..FIRST_ENTITY => e >= self.transaction,
            _ => false,
        }
    }

    fn use_entity(&mut self, e: i64) {
        if (FIRST_ENTITY..FIRST_FOREIGN).contains(&e) {
            self.entity = self.entity.max(e + 1);
        }
    }

    fn used(&mut self, datom: &Datom) {
        self.use_entity(datom.e);
        if (FIRST_T..FIRST_ENTITY).contains(&datom.e) {
            self.transaction = self.transaction.max(datom.e + 1);
        }
        if let Value::Ref(e) = datom.v {
            self.use_entity(e);
        }
    }

    pub fn after<'a>(mut self, datoms: impl Iterator<Item = &'a Datom>) -> Fresh {
        datoms.for_each(|d| self.used(d));
        self
    }
}

struct Event<'a> {
    e: i64,
    v: &'a Value,
    t: i64,
    m: i64,
    added: bool,
}

/// The events of adjoining transactions, apart by attribute and type, sorted by (e, v, t).
pub struct Events<'a> {
    first_t: i64,
    last_t: i64,
    groups: BTreeMap<(Attr, ValueType), Vec<Event<'a>>>,
}

impl<'a> Events<'a> {
    /// The same [e a v] asserted and retracted in one transaction is refused.
    pub fn new(datoms: impl Iterator<Item = &'a Datom>, first_t: i64, last_t: i64) -> Result<Self> {
        let mut places: HashMap<(&'a str, ValueType), usize> = HashMap::new();
        let mut lists: Vec<(&'a Attr, ValueType, Vec<Event<'a>>)> = Vec::new();
        for d in datoms {
            let ty = d.v.value_type();
            let place = *places.entry((d.a.as_str(), ty)).or_insert_with(|| {
                lists.push((&d.a, ty, Vec::new()));
                lists.len() - 1
            });
            lists[place].2.push(Event { e: d.e, v: &d.v, t: d.t, m: d.m, added: d.added });
        }
        let mut groups = BTreeMap::new();
        for (a, ty, mut events) in lists {
            events.sort_by(|x, y| {
                x.e.cmp(&y.e).then_with(|| x.v.cmp(y.v)).then_with(|| x.t.cmp(&y.t))
            });
            check(a, &events)?;
            groups.insert((a.clone(), ty), events);
        }
        Ok(Events { first_t, last_t, groups })
    }

    /// Facts that older sources may hold: the entities of an attribute, ascending.
    pub fn doubtful(&self, fresh: Fresh) -> Vec<(Attr, ValueType, Vec<i64>)> {
        let mut out = Vec::new();
        for ((a, ty), events) in &self.groups {
            let mut es: Vec<i64> =
                events.iter().map(|ev| ev.e).filter(|e| !fresh.is_fresh(*e)).collect();
            es.dedup();
            if !es.is_empty() {
                out.push((a.clone(), *ty, es));
            }
        }
        out
    }

    /// `held`: the open facts of older sources about the doubtful entities, sorted by (e, v).
    pub fn batch(self, held: &HashMap<(Attr, ValueType), Vec<Fact>>) -> Result<Batch> {
        let mut blocks = BTreeMap::new();
        let mut rows = 0;
        for (key, events) in self.groups {
            let held = held.get(&key).map_or(&[][..], Vec::as_slice);
            let mut builder = Builder::default();
            builder.events(&events, held);
            let block = builder.block(key.1)?;
            if block.len() > 0 {
                rows += block.len();
                blocks.insert(key, Arc::new(block));
            }
        }
        Ok(Batch { first_t: self.first_t, last_t: self.last_t, rows, blocks })
    }
}

fn check(a: &Attr, events: &[Event<'_>]) -> Result<()> {
    let both = |w: &&[Event<'_>]| {
        w[0].added != w[1].added && w[0].t == w[1].t && w[0].e == w[1].e && w[0].v == w[1].v
    };
    match events.windows(2).find(both) {
        Some(w) => Err(Error::user(format!(
            "[{} {a} {}] is asserted and retracted in the same transaction {}",
            w[0].e, w[0].v, w[0].t
        ))
        .hint("say one of the two")),
        None => Ok(()),
    }
}

/// A fact that is being made.
#[derive(Clone, Copy)]
struct Made<'a> {
    e: i64,
    v: &'a Value,
    t_from: i64,
    m_from: i64,
    t_to: i64,
    m_to: i64,
}

#[derive(Default)]
struct Builder<'a> {
    open: Vec<Made<'a>>,
    closed: Vec<Made<'a>>,
    closings: Vec<Made<'a>>,
}

impl<'a> Builder<'a> {
    fn events(&mut self, events: &[Event<'a>], held: &[Fact]) {
        let mut older = held.iter().peekable();
        let same = |x: &Event<'a>, y: &Event<'a>| x.e == y.e && x.v == y.v;
        for of_one in events.chunk_by(same) {
            let (e, v) = (of_one[0].e, of_one[0].v);
            let before = |f: &&Fact| f.e < e || (f.e == e && f.v < *v);
            while older.next_if(before).is_some() {}
            let held = older.next_if(|f| f.e == e && f.v == *v);
            self.one(of_one, held);
        }
    }

    /// The events of one [e a v], in order of t. To assert what holds, or to retract what does not, changes nothing.
    fn one(&mut self, events: &[Event<'a>], held: Option<&Fact>) {
        let (e, v) = (events[0].e, events[0].v);
        let made = |t_from, m_from| Made { e, v, t_from, m_from, t_to: 0, m_to: 0 };
        let mut now = held.map(|f| (made(f.t_from, f.m_from), true));
        for event in events {
            match (now.take(), event.added) {
                (None, true) => now = Some((made(event.t, event.m), false)),
                (Some((fact, is_older)), false) => {
                    let ended = Made { t_to: event.t, m_to: event.m, ..fact };
                    if is_older { &mut self.closings } else { &mut self.closed }.push(ended);
                }
                (unchanged, _) => now = unchanged,
            }
        }
        if let Some((fact, false)) = now {
            self.open.push(fact);
        }
    }

    fn block(&self, ty: ValueType) -> Result<Block> {
        let open = Rows { t_to: None, m_to: None, ..rows(ty, &self.open) };
        Block::new(ty, open, rows(ty, &self.closed), rows(ty, &self.closings))
    }
}

fn rows(ty: ValueType, made: &[Made<'_>]) -> Rows {
    let long = |part: fn(&Made<'_>) -> i64| Int64Array::from_iter_values(made.iter().map(part));
    Rows {
        e: long(|f| f.e),
        v: Some(ty.array(made.iter().map(|f| Some(f.v)))),
        t_from: Some(long(|f| f.t_from)),
        m_from: Some(long(|f| f.m_from)),
        t_to: Some(long(|f| f.t_to)),
        m_to: Some(long(|f| f.m_to)),
        ascends: None,
    }
}
