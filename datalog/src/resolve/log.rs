//! `tx-ids`, `tx-data` and `fulltext`, as patterns and predicates.

use super::{Apply, AttrSlot, Env, Goal, Out, Pattern, Resolver, Slot};
use crate::functions::internal;
use crate::query::{Binding, Call, Fault, Result, Var};
use crate::source::{DbSource, Source};
use daodb_catalog::SqlState;
use daodb_storage::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

const TX_INSTANT: &str = ":db/txInstant";

pub fn apply(name: &str, args: Vec<Slot>) -> Result<Apply> {
    internal(name).map(|function| Apply::new(function, args)).ok_or_else(|| {
        Fault::new(Default::default(), format!("there is no function {name}"))
            .state(SqlState::INTERNAL)
    })
}

/// All of these hold. `own` are variables that nobody else knows.
pub fn all(goals: Vec<Goal>, own: &[&Slot]) -> Goal {
    let mut vars: BTreeSet<Var> = goals.iter().flat_map(Goal::mentions).cloned().collect();
    own.iter().filter_map(|slot| slot.var()).for_each(|own| {
        vars.remove(own);
    });
    Goal::Or { vars, required: BTreeSet::new(), branches: vec![goals] }
}

impl Resolver<'_> {
    /// `[(tx-ids $ start end) [?tx ...]]`: the transactions from `start` on and before `end`, each a t or an instant; nil: no
    /// bound.
    pub(super) fn tx_ids(&mut self, call: &Call, binding: &Binding, env: &mut Env) -> Result<Goal> {
        let (source, db) = self.database(call, env)?;
        let Binding::Each(item) = binding else {
            return Err(Fault::new(call.span, "tx-ids gives a collection").hint("bind [?tx ...]"));
        };
        let bounds = [self.argument(&call.args[1], env)?, self.argument(&call.args[2], env)?];
        let (tx, at) =
            (Slot::Var(self.fresh(&Var("?tx".into()))), Slot::Var(self.fresh(&Var("?at".into()))));
        let name = Slot::Const(Some(Value::keyword(TX_INSTANT)));
        let slots = [tx.clone(), name, at.clone(), Slot::Blank, Slot::Blank, Slot::Blank];
        let mut goals = match self.datom(source, &db, &slots) {
            Ok(pattern) => vec![Goal::Pattern(pattern)],
            Err(why) => {
                let vars = slots.iter().filter_map(Slot::var).cloned().collect();
                vec![Goal::Never { vars, why }]
            }
        };
        for (bound, operator) in bounds.into_iter().zip([">=", "<"]) {
            let of = match bound {
                Slot::Const(None) => continue,
                Slot::Const(Some(Value::Instant(_))) => at.clone(),
                _ => tx.clone(),
            };
            goals.push(Goal::Test(apply(operator, vec![of, bound])?));
        }
        let out = self.out(item, env);
        goals.push(Goal::Bind(apply("identity", vec![tx.clone()])?, out));
        Ok(all(goals, &[&tx, &at]))
    }

    /// `[(tx-data $ ?tx) [[?e ?a ?v ?tx ?added]]]`: all datoms of a transaction.
    pub(super) fn tx_data(
        &mut self,
        call: &Call,
        binding: &Binding,
        env: &mut Env,
    ) -> Result<Goal> {
        let (source, db) = self.database(call, env)?;
        let t = self.argument(&call.args[1], env)?;
        let [e, a, v, tx, added] = self.row(call, binding, env)?;
        let a = match a {
            Slot::Const(cell) => match db.attribute_of(&cell) {
                Some(a) => Slot::Const(db.attribute_cell(&a)),
                None => Slot::Const(cell),
            },
            a => a,
        };
        let e = self.entity(source, &e).map_err(|why| Fault::new(call.span, why))?;
        let history = self.history(source, &db);
        let a = AttrSlot::Any(a);
        let pattern = Pattern { source: history, e, a, v, t: t.clone(), m: Slot::Blank, added };
        let mut goals = vec![Goal::Pattern(pattern)];
        if !tx.is_blank() {
            goals.push(Goal::Bind(apply("identity", vec![t])?, Out::Slot(tx)));
        }
        Ok(all(goals, &[]))
    }

    /// `[(fulltext $ :a "words") [[?e ?v ?tx ?score]]]`: values with any of the words; the score is the share of those found.
    pub(super) fn fulltext(
        &mut self,
        call: &Call,
        binding: &Binding,
        env: &mut Env,
    ) -> Result<Goal> {
        let (source, db) = self.database(call, env)?;
        let a = self.attribute_argument(&call.args[1], env)?;
        let words = self.argument(&call.args[2], env)?;
        let [e, v, t, score, rest] = self.row(call, binding, env)?;
        if !rest.is_blank() {
            return Err(
                Fault::new(call.span, "fulltext gives four places").hint("[[?e ?v ?tx ?score]]")
            );
        }
        let text = Slot::Var(self.fresh(&Var("?text".into())));
        let found = Slot::Var(self.fresh(&Var("?score".into())));
        let name = Slot::Const(Some(Value::keyword(a.as_str())));
        let slots = [e, name, text.clone(), t, Slot::Blank, Slot::Blank];
        let pattern = match self.datom(source, &db, &slots) {
            Ok(pattern) => Goal::Pattern(pattern),
            Err(why) => {
                let vars = slots.iter().filter_map(Slot::var).cloned().collect();
                Goal::Never { vars, why }
            }
        };
        let zero = Slot::Const(Some(Value::Double(0.0)));
        let mut goals = vec![
            pattern,
            Goal::Bind(apply("text-score", vec![text.clone(), words])?, Out::Slot(found.clone())),
            Goal::Test(apply(">", vec![found.clone(), zero])?),
        ];
        for (from, to) in [(&text, v), (&found, score)] {
            if !to.is_blank() {
                goals.push(Goal::Bind(apply("identity", vec![from.clone()])?, Out::Slot(to)));
            }
        }
        Ok(all(goals, &[&text, &found]))
    }

    /// The places of `[[?x ?y ...]]`, up to five.
    fn row(&mut self, call: &Call, binding: &Binding, env: &mut Env) -> Result<[Slot; 5]> {
        let wrong = || {
            Fault::new(call.span, format!("{} gives rows of up to five places", call.name))
                .hint("bind them as [[?x ?y]]")
        };
        let Binding::Each(item) = binding else { return Err(wrong()) };
        let Binding::Tuple(parts) = item.as_ref() else { return Err(wrong()) };
        let mut out = [const { Slot::Blank }; 5];
        for (i, part) in parts.iter().enumerate() {
            let slot = match part {
                Binding::Var(v) => self.slot(v, env),
                Binding::Blank => Slot::Blank,
                _ => return Err(wrong()),
            };
            *out.get_mut(i).ok_or_else(wrong)? = slot;
        }
        Ok(out)
    }

    /// The same source with all that was ever said, as of its basis.
    fn history(&mut self, source: usize, db: &DbSource) -> usize {
        let first = self.inputs.sources.len();
        if let Some(known) = self.histories.iter().position(|of| *of == source) {
            return first + known;
        }
        self.more.push(Source::Database(Arc::new(db.history())));
        self.histories.push(source);
        first + self.more.len() - 1
    }
}
