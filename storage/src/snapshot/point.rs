//! Facts of a few entities or values.

use super::read::{Reading, Sight};
use super::span::Span;
use super::{Snapshot, State};
use crate::datom::{Attr, FIRST_T};
use crate::error::Result;
use crate::fact::Fact;
use crate::index::rows::Rows;
use crate::value::{Value, ValueType};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const TX_INSTANT: &str = ":db/txInstant";

impl State {
    async fn facts(&self, a: &Attr, span: Span<'_>, sight: Sight) -> Result<Vec<Fact>> {
        let groups = self.groups(a);
        let types = groups.len();
        let mut facts = Vec::new();
        for (ty, groups) in groups {
            let (span, cache) = (span.clone(), &self.files.cache);
            let reading = Reading { ty, span, values: true, times: true, sight, cache };
            facts.append(&mut reading.read(&groups).await?.facts(ty)?);
        }
        if types > 1 {
            // Stable: types stay in their order, which is the order of values.
            facts.sort_by_key(|f| f.e);
        }
        Ok(facts)
    }

    /// The facts of one type that hold now about these entities (ascending, distinct), sorted by (e, v).
    pub async fn held(&self, a: &Attr, ty: ValueType, es: &[i64]) -> Result<Vec<Fact>> {
        let Some(groups) = self.groups(a).remove(&ty) else { return Ok(Vec::new()) };
        let (sight, span, cache) = (Sight::default(), Span::Points(es), &self.files.cache);
        let reading = Reading { ty, span, values: true, times: true, sight, cache };
        reading.read(&groups).await?.facts(ty)
    }

    /// What holds now of all that a group of transactions speaks of.
    pub async fn all_held(
        &self,
        doubtful: Vec<(Attr, ValueType, Vec<i64>)>,
    ) -> Result<HashMap<(Attr, ValueType), Vec<Fact>>> {
        let mut held = HashMap::new();
        for (a, ty, es) in doubtful {
            let facts = self.held(&a, ty, &es).await?;
            if !facts.is_empty() {
                held.insert((a, ty), facts);
            }
        }
        Ok(held)
    }
}

impl Snapshot {
    /// The visible facts of `a` about these entities (any order, duplicates allowed), sorted by (e, v, t_from).
    pub fn facts<'a>(&'a self, a: &'a Attr, es: &'a [i64]) -> BoxFuture<'a, Result<Vec<Fact>>> {
        Box::pin(async move {
            let mut es = es.to_vec();
            es.sort_unstable();
            es.dedup();
            self.state.facts(a, Span::Points(&es), self.sight()).await
        })
    }

    /// All visible facts of `a`, sorted by (e, v, t_from): for small attributes such as the schema's.
    pub fn all<'a>(&'a self, a: &'a Attr) -> BoxFuture<'a, Result<Vec<Fact>>> {
        Box::pin(
            async move { self.state.facts(a, Span::Range(i64::MIN..i64::MAX), self.sight()).await },
        )
    }

    /// The visible facts of `a` with one of these values, sorted by (v, e, t_from).
    pub fn lookup<'a>(&'a self, a: &'a Attr, vs: &'a [Value]) -> BoxFuture<'a, Result<Vec<Fact>>> {
        Box::pin(async move {
            let mut facts = Vec::new();
            for (ty, rows) in self.with_values(a, vs, true).await? {
                facts.append(&mut rows.facts(ty)?);
            }
            facts.sort_by(|x, y| (&x.v, x.e, x.t_from).cmp(&(&y.v, y.e, y.t_from)));
            Ok(facts)
        })
    }

    /// The entities that such facts are about, ascending and distinct.
    pub fn entities_with<'a>(
        &'a self,
        a: &'a Attr,
        vs: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<i64>>> {
        Box::pin(async move {
            let rows = self.with_values(a, vs, false).await?;
            let all = rows.iter().flat_map(|(_, rows)| rows.e.values().iter().copied());
            let mut es: Vec<i64> = all.collect();
            es.sort_unstable();
            es.dedup();
            Ok(es)
        })
    }

    /// `whole`: with all columns of facts; else with their entities alone.
    async fn with_values(
        &self,
        a: &Attr,
        vs: &[Value],
        whole: bool,
    ) -> Result<Vec<(ValueType, Rows)>> {
        let mut wanted: BTreeMap<ValueType, BTreeSet<&Value>> = BTreeMap::new();
        for v in vs {
            wanted.entry(v.value_type()).or_default().insert(v);
        }
        let files = &self.state.files;
        if !files.is_wanted_by_value(a) && !wanted.keys().all(|ty| *ty == ValueType::Ref) {
            files.want_by_value([a.as_str().to_owned()]);
        }
        let mut groups = self.state.groups(a);
        let mut out = Vec::new();
        for (ty, values) in wanted {
            let Some(groups) = groups.remove(&ty) else { continue };
            let values = ty.array(values.into_iter().map(Some));
            let (span, sight, cache) = (Span::Values(&values), self.sight(), &files.cache);
            let reading = Reading { ty, span, values: whole, times: whole, sight, cache };
            out.push((ty, reading.read(&groups).await?));
        }
        Ok(out)
    }

    /// The attributes whose values have this type; without it, all. Ordered.
    fn attributes_of(&self, ty: Option<ValueType>) -> BTreeSet<Attr> {
        let stats = self.state.attributes().iter();
        stats.filter(|s| ty.is_none_or(|ty| s.value_type == ty)).map(|s| s.a.clone()).collect()
    }

    /// The visible facts about one entity, sorted by attribute.
    pub fn entity<'a>(&'a self, e: i64) -> BoxFuture<'a, Result<Vec<(Attr, Fact)>>> {
        Box::pin(async move {
            let mut out = Vec::new();
            for a in self.attributes_of(None) {
                let facts = self.state.facts(&a, Span::Points(&[e]), self.sight()).await?;
                out.extend(facts.into_iter().map(|f| (a.clone(), f)));
            }
            Ok(out)
        })
    }

    /// The visible facts whose value is a ref to `e`, sorted by attribute.
    pub fn referrers<'a>(&'a self, e: i64) -> BoxFuture<'a, Result<Vec<(Attr, Fact)>>> {
        Box::pin(async move {
            let mut out = Vec::new();
            for a in self.attributes_of(Some(ValueType::Ref)) {
                let facts = self.lookup(&a, &[Value::Ref(e)]).await?;
                out.extend(facts.into_iter().map(|f| (a.clone(), f)));
            }
            Ok(out)
        })
    }

    /// The last transaction at or before this instant (µs), whatever the view; None: none is that old.
    pub fn t_at<'a>(&'a self, instant: i64) -> BoxFuture<'a, Result<Option<i64>>> {
        Box::pin(async move {
            let newest = &self.state.basis;
            if newest.t < FIRST_T || newest.instant <= instant {
                return Ok((newest.t >= FIRST_T).then_some(newest.t));
            }
            // Instants never decrease.
            let (mut low, mut high) = (FIRST_T - 1, newest.t);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                match self.instant_of(middle).await? {
                    Some(at) if at > instant => high = middle,
                    _ => low = middle,
                }
            }
            Ok((low >= FIRST_T).then_some(low))
        })
    }

    /// The instant (µs) of transaction t, whatever the view; None: no such transaction.
    pub fn instant_of<'a>(&'a self, t: i64) -> BoxFuture<'a, Result<Option<i64>>> {
        Box::pin(async move {
            let newest = &self.state.basis;
            if t < FIRST_T || t > newest.t {
                return Ok(None);
            }
            if t == newest.t {
                return Ok(Some(newest.instant));
            }
            let held = self.state.held(&Attr::new(TX_INSTANT), ValueType::Instant, &[t]).await?;
            Ok(held.first().and_then(|f| f.v.as_i64()))
        })
    }
}
