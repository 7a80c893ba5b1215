//! `[(q [:find ...] $ ?x) [[?y]]]`: a query within a query.

use super::inputs::Inputs;
use super::{Apply, Env, Goal, Nested, NestedElement, Out, Resolver, Slot};
use crate::edn::Span;
use crate::functions::internal;
use crate::query::check::nested;
use crate::query::{
    Binding, Call, Element, Fault, Input, Query, Result, Shape, Term, TermKind, Var,
};
use crate::value::Cell;
use daodb_catalog::SqlState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

impl Resolver<'_> {
    pub(super) fn nested(&mut self, call: &Call, binding: &Binding, env: &mut Env) -> Result<Goal> {
        let query = nested(call)?;
        if query.limit.is_some() || query.offset > 0 || !query.order.is_empty() {
            return Err(Fault::new(call.span, "a nested query has no order and no limit")
                .hint("order and limit the query around it"));
        }
        let (mut inner, mut goals, mut names) = (HashMap::new(), Vec::new(), BTreeMap::new());
        let mut params = BTreeSet::new();
        for (input, arg) in query.inputs.iter().zip(&call.args[1..]) {
            match (input, &arg.kind) {
                (Input::Source(name), TermKind::Source(outer)) => {
                    if let Some(source) = self.source(Some(outer), arg.span, env)? {
                        names.insert(name.clone(), source);
                    }
                }
                (Input::Rules, TermKind::Symbol(s)) if s.as_ref() == "%" => {}
                (Input::Binding(binding), _) => {
                    let slot = self.argument(arg, env)?;
                    params.extend(slot.var().cloned());
                    self.input(binding, slot, arg, &mut inner, &mut goals)?;
                }
                _ => {
                    return Err(Fault::new(arg.span, "an argument that the input does not take")
                        .hint("$ takes a source, % takes %, variables take values"));
                }
            }
        }
        let (source, names) = (names.get("$").copied(), Arc::new(names));
        let mut inner = Env { slots: inner, closed: true, source, names };
        goals.extend(self.clauses(&query.clauses, &mut inner)?);
        let find = query.find.iter().map(|e| self.element(e, &mut inner)).collect::<Result<_>>()?;
        let with = query.with.iter().map(|v| self.slot(v, &mut inner)).collect();
        let one = matches!(query.shape, Shape::Tuple | Shape::Scalar);
        let (outs, row) = self.outs(&query, binding, call.span, env)?;
        Ok(Goal::Query(Box::new(Nested { params, goals, find, with, one, outs, row })))
    }

    /// What an input of the inner query is.
    fn input(
        &mut self,
        binding: &Binding,
        slot: Slot,
        arg: &Term,
        slots: &mut HashMap<Var, Slot>,
        goals: &mut Vec<Goal>,
    ) -> Result<()> {
        match (binding, slot) {
            (Binding::Var(v), slot) => {
                slots.insert(v.clone(), slot);
            }
            (binding, Slot::Const(cell)) => self.rows(binding, &cell, arg.span, slots, goals)?,
            (binding, slot) => {
                let names = Arc::new(BTreeMap::new());
                let mut own = Env { slots: HashMap::new(), closed: true, source: None, names };
                let out = self.out(binding, &mut own);
                slots.extend(own.slots);
                let function = internal("identity").ok_or_else(|| {
                    Fault::new(arg.span, "there is no identity").state(SqlState::INTERNAL)
                })?;
                goals.push(Goal::Bind(Apply::new(function, vec![slot]), out));
            }
        }
        Ok(())
    }

    /// A constant that is taken apart.
    fn rows(
        &mut self,
        binding: &Binding,
        cell: &Cell,
        span: Span,
        slots: &mut HashMap<Var, Slot>,
        goals: &mut Vec<Goal>,
    ) -> Result<()> {
        let mut inputs = Inputs::default();
        inputs.bind(binding, cell, span)?;
        slots.extend(inputs.constants.into_iter().map(|(v, cell)| (v, Slot::Const(cell))));
        for (vars, rows) in inputs.rows {
            let mut fresh = Vec::with_capacity(vars.len());
            for v in vars {
                let own = self.fresh(&v);
                slots.insert(v, Slot::Var(own.clone()));
                fresh.push(own);
            }
            goals.push(Goal::Values { vars: fresh, rows });
        }
        Ok(())
    }

    fn element(&mut self, element: &Element, inner: &mut Env) -> Result<NestedElement> {
        Ok(match element {
            Element::Var(v, _) => NestedElement::Slot(self.slot(v, inner)),
            Element::Aggregate(call) => {
                let of = call.args.last().and_then(Term::var);
                let Some(v) = of else {
                    return Err(Fault::new(
                        call.span,
                        format!("{} aggregates no variable", call.name),
                    ));
                };
                let n = crate::find::count_of(call);
                NestedElement::Aggregate(call.name.clone(), n, self.slot(v, inner))
            }
            Element::Pull { span, .. } => {
                return Err(Fault::new(*span, "a nested query pulls nothing")
                    .hint("pull in the :find of the query around it"));
            }
        })
    }

    /// What each column binds, or what a whole row does.
    fn outs(
        &mut self,
        query: &Query,
        binding: &Binding,
        span: Span,
        env: &mut Env,
    ) -> Result<(Vec<Out>, Option<Out>)> {
        let n = query.find.len();
        let blanks = || vec![Out::Slot(Slot::Blank); n];
        let item = match (query.shape, binding) {
            (_, Binding::Blank) => return Ok((blanks(), None)),
            (Shape::Relation | Shape::Collection, Binding::Each(item)) => item.as_ref(),
            (Shape::Tuple | Shape::Scalar, binding) => binding,
            _ => {
                return Err(Fault::new(
                    span,
                    "the rows of a nested query are bound each by itself",
                )
                .hint("[[?x ?y]], or [?x ...] where it finds a collection"));
            }
        };
        match (query.shape, item) {
            (Shape::Scalar | Shape::Collection, item) => Ok((vec![self.out(item, env)], None)),
            (_, Binding::Tuple(parts)) if parts.len() <= n => {
                let mut outs: Vec<Out> = parts.iter().map(|p| self.out(p, env)).collect();
                outs.resize(n, Out::Slot(Slot::Blank));
                Ok((outs, None))
            }
            (_, Binding::Tuple(_)) => {
                Err(Fault::new(span, format!("the nested query finds {n} columns")))
            }
            (_, item) => Ok((blanks(), Some(self.out(item, env)))),
        }
    }
}
