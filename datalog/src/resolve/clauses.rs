//! One clause as a goal.

use super::{Apply, Argument, AttrSlot, Env, Goal, Out, Pattern, Resolver, Slot, log};
use crate::edn::Span;
use crate::functions::find;
use crate::query::check::NESTED;
use crate::query::{Binding, Call, Clause, Fault, Name, Result, Term, TermKind, Var};
use crate::source::{DbSource, Source};
use crate::sql::source::SqlTable;
use crate::value::{Cell, of_form};
use daodb_catalog::SqlState;
use daodb_catalog::nearest::nearest;
use daodb_catalog::schema::builtin;
use daodb_storage::{Attr, Value, ValueType};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl Resolver<'_> {
    pub(super) fn clauses(&mut self, clauses: &[Clause], env: &mut Env) -> Result<Vec<Goal>> {
        clauses.iter().map(|c| self.clause(c, env)).collect()
    }

    fn clause(&mut self, clause: &Clause, env: &mut Env) -> Result<Goal> {
        self.count(clause.span())?;
        match clause {
            Clause::Pattern { source, terms, span } => {
                self.pattern(source.as_ref(), terms, *span, env)
            }
            Clause::Predicate(call) if call.name.as_ref() == "missing?" => self.missing(call, env),
            Clause::Predicate(call) => Ok(Goal::Test(self.apply(call, env)?)),
            Clause::Function(call, binding) => self.function(call, binding, env),
            Clause::Not { source, vars: None, clauses, span } => {
                let goals = self
                    .within(source.as_ref(), *span, env, |this, env| this.clauses(clauses, env))?;
                Ok(Goal::Not { vars: None, goals })
            }
            Clause::Not { source, vars: Some(vars), clauses, span } => {
                let (mut inner, vars) = self.joined(vars.iter(), env);
                inner.source = self.source(source.as_ref(), *span, env)?;
                Ok(Goal::Not { vars: Some(vars), goals: self.clauses(clauses, &mut inner)? })
            }
            Clause::Or { source, vars: None, branches, span } => {
                let branches = self.within(source.as_ref(), *span, env, |this, env| {
                    branches.iter().map(|b| this.clauses(b, env)).collect::<Result<Vec<_>>>()
                })?;
                let mentions = branches.iter().flatten().flat_map(Goal::mentions);
                let vars = mentions.cloned().collect();
                Ok(Goal::Or { vars, required: BTreeSet::new(), branches })
            }
            Clause::Or { source, vars: Some(heads), branches, span } => {
                let source = self.source(source.as_ref(), *span, env)?;
                let (_, required) = self.joined(heads.required.iter(), env);
                let mut all = BTreeSet::new();
                let mut resolved = Vec::with_capacity(branches.len());
                for branch in branches {
                    let (mut inner, vars) = self.joined(heads.all(), env);
                    inner.source = source;
                    all = vars;
                    resolved.push(self.clauses(branch, &mut inner)?);
                }
                Ok(Goal::Or { vars: all, required, branches: resolved })
            }
            Clause::Rule { source, call } => {
                let source = self.source(source.as_ref(), call.span, env)?;
                self.call(call, source, env)
            }
        }
    }

    /// The scope of a join form: these variables are those around it, all others its own.
    fn joined<'v>(
        &mut self,
        vars: impl Iterator<Item = &'v Var>,
        env: &mut Env,
    ) -> (Env, BTreeSet<Var>) {
        let mut slots = HashMap::new();
        for v in vars {
            slots.insert(v.clone(), self.slot(v, env));
        }
        let outer = slots.values().filter_map(Slot::var).cloned().collect();
        let names = Arc::clone(&env.names);
        (Env { slots, closed: true, source: env.source, names }, outer)
    }

    /// The same scope with another default source.
    fn within<T>(
        &mut self,
        source: Option<&Name>,
        span: Span,
        env: &mut Env,
        f: impl FnOnce(&mut Self, &mut Env) -> Result<T>,
    ) -> Result<T> {
        let inner = self.source(source, span, env)?;
        let outer = std::mem::replace(&mut env.source, inner);
        let out = f(self, env);
        env.source = outer;
        out
    }

    pub(super) fn source(
        &self,
        name: Option<&Name>,
        span: Span,
        env: &Env,
    ) -> Result<Option<usize>> {
        let Some(name) = name else { return Ok(env.source) };
        // `$` within a rule or a form with a source is that source.
        if name.as_ref() == "$" && env.source.is_some() {
            return Ok(env.source);
        }
        match env.names.get(name) {
            Some(i) => Ok(Some(*i)),
            None => Err(Fault::new(span, format!("the source {name} is no input"))),
        }
    }

    fn needed(&self, name: Option<&Name>, span: Span, env: &Env) -> Result<(usize, Source)> {
        let i = self.source(name, span, env)?;
        match i.and_then(|i| Some((i, self.inputs.sources.get(i)?.clone()))) {
            Some(found) => Ok(found),
            None => Err(Fault::new(span, "there is no source to read").hint("name $ in :in")),
        }
    }

    pub(super) fn database(&self, call: &Call, env: &Env) -> Result<(usize, Arc<DbSource>)> {
        let name = match call.args.first().map(|a| &a.kind) {
            Some(TermKind::Source(name)) => Some(name),
            _ => None,
        };
        match self.needed(name, call.span, env)? {
            (i, Source::Database(db)) => Ok((i, db)),
            _ => Err(Fault::new(call.span, format!("{} asks a database", call.name))),
        }
    }

    /// An argument or a place where nothing is named by an ident.
    pub(super) fn argument(&mut self, term: &Term, env: &mut Env) -> Result<Slot> {
        Ok(match &term.kind {
            TermKind::Var(v) => self.slot(v, env),
            TermKind::Blank => Slot::Blank,
            TermKind::Symbol(s) => Slot::Const(Some(Value::Symbol(s.clone()))),
            TermKind::Const(node) => {
                Slot::Const(of_form(node).map_err(|e| Fault::new(term.span, e))?)
            }
            TermKind::Source(s) => {
                return Err(Fault::new(term.span, format!("the source {s} is no value")));
            }
            TermKind::Call(call) => {
                return Err(Fault::new(term.span, format!("{call} cannot stand here"))
                    .hint(format!("bind what it gives before: [{call} ?x]")));
            }
        })
    }

    fn pattern(
        &mut self,
        source: Option<&Name>,
        terms: &[Term],
        span: Span,
        env: &mut Env,
    ) -> Result<Goal> {
        let (i, source) = self.needed(source, span, env)?;
        let mut slots = Vec::with_capacity(terms.len());
        for term in terms {
            slots.push(self.argument(term, env)?);
        }
        let db = match source {
            Source::Rows(rows) if slots.len() > rows.kinds.len() && !rows.rows.is_empty() => {
                return Err(Fault::new(
                    span,
                    format!("the tuples of the source have {} places", rows.kinds.len()),
                ));
            }
            Source::Rows(_) => return Ok(Goal::Row { source: i, slots }),
            Source::Table(table) => {
                columns(&table, terms, span)?;
                return Ok(Goal::Row { source: i, slots });
            }
            Source::Database(db) => db,
        };
        if slots.len() > 6 {
            return Err(
                Fault::new(span, "a pattern has at most six places").hint("[e a v t m added]")
            );
        }
        op_place(terms, &mut slots);
        slots.resize(6, Slot::Blank);
        match self.datom(i, &db, &slots) {
            Ok(pattern) if terms[0].var().is_some_and(|e| self.of_schema.contains(e)) => {
                Ok(with_built_in(pattern))
            }
            Ok(pattern) => Ok(Goal::Pattern(pattern)),
            Err(why) => {
                self.warnings.insert(why.clone());
                let vars = slots.iter().filter_map(Slot::var).cloned().collect();
                Ok(Goal::Never { vars, why })
            }
        }
    }

    /// An error says why no datom is of that form.
    pub(super) fn datom(
        &self,
        source: usize,
        db: &DbSource,
        slots: &[Slot],
    ) -> Result<Pattern, String> {
        let [e, a, v, t, m, added] = slots else { return Err("a pattern has six places".into()) };
        let a = match a {
            Slot::Const(cell) => AttrSlot::Attr(attribute(db, cell)?),
            slot => AttrSlot::Any(slot.clone()),
        };
        let v = match (&a, v) {
            (AttrSlot::Attr(a), Slot::Const(cell)) => self.value(source, db, a, cell)?,
            (_, v) => v.clone(),
        };
        Ok(Pattern {
            source,
            e: self.entity(source, e)?,
            a,
            v,
            t: t.clone(),
            m: self.entity(source, m)?,
            added: added.clone(),
        })
    }

    pub(super) fn entity(&self, source: usize, slot: &Slot) -> Result<Slot, String> {
        let Slot::Const(cell) = slot else { return Ok(slot.clone()) };
        match self.found.entity(self.inputs, source, cell) {
            Some(e) => Ok(Slot::Const(Some(Value::Long(e)))),
            None => Err(format!("{slot} names no entity")),
        }
    }

    /// A constant in the place of the value; a name stands for the entity where the attribute refers to entities.
    fn value(&self, source: usize, db: &DbSource, a: &Attr, cell: &Cell) -> Result<Slot, String> {
        let types = db.types(a);
        let name_type = match cell {
            Some(Value::Keyword(_)) => ValueType::Keyword,
            Some(Value::Tuple(_)) => ValueType::Tuple,
            other => return Ok(Slot::Const(other.as_ref().map(|v| db.held(a, v)))),
        };
        match types.contains(&ValueType::Ref) && !types.contains(&name_type) {
            true => self.entity(source, &Slot::Const(cell.clone())),
            false => Ok(Slot::Const(cell.clone())),
        }
    }

    fn apply(&mut self, call: &Call, env: &mut Env) -> Result<Apply> {
        let Some(function) = find(&call.name) else {
            return Err(Fault::new(
                call.span,
                format!("the function {} is not known here", call.name),
            ));
        };
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(match &arg.kind {
                TermKind::Call(inner) => {
                    let inner_apply = self.apply(inner, env)?;
                    match inner_apply.constant() {
                        Ok(Some(cell)) => Slot::Const(cell).into(),
                        Ok(None) => Argument::Call(inner_apply),
                        Err(why) => {
                            return Err(Fault::new(inner.span, why)
                                .state(SqlState::INVALID_PARAMETER_VALUE));
                        }
                    }
                }
                TermKind::Blank => {
                    return Err(Fault::new(arg.span, "_ is no argument of a function"));
                }
                _ => self.argument(arg, env)?.into(),
            });
        }
        Ok(Apply { function, args })
    }

    fn function(&mut self, call: &Call, binding: &Binding, env: &mut Env) -> Result<Goal> {
        match call.name.as_ref() {
            "get-else" => self.get_else(call, binding, env),
            "get-some" => self.get_some(call, binding, env),
            "tx-ids" => self.tx_ids(call, binding, env),
            "tx-data" => self.tx_data(call, binding, env),
            "fulltext" => self.fulltext(call, binding, env),
            NESTED => self.nested(call, binding, env),
            "missing?" => {
                let missing = self.missing(call, env)?;
                let Goal::Not { goals: has, .. } = &missing else { return Ok(missing) };
                let identity =
                    |b| log::apply("identity", vec![Slot::Const(Some(Value::Boolean(b)))]);
                let out = self.out(binding, env);
                let mut has = has.clone();
                has.push(Goal::Bind(identity(false)?, out.clone()));
                let branches = vec![vec![missing, Goal::Bind(identity(true)?, out)], has];
                let vars = branches.iter().flatten().flat_map(Goal::mentions).cloned().collect();
                let e = self.argument(&call.args[1], env)?;
                let required = e.var().cloned().into_iter().collect();
                Ok(Goal::Or { vars, required, branches })
            }
            _ => {
                let apply = self.apply(call, env)?;
                let out = self.out(binding, env);
                Ok(Goal::Bind(apply, out))
            }
        }
    }

    pub(super) fn out(&mut self, binding: &Binding, env: &mut Env) -> Out {
        match binding {
            Binding::Var(v) => Out::Slot(self.slot(v, env)),
            Binding::Blank => Out::Slot(Slot::Blank),
            Binding::Tuple(parts) => Out::Tuple(parts.iter().map(|p| self.out(p, env)).collect()),
            Binding::Each(item) => Out::Each(Box::new(self.out(item, env))),
        }
    }

    pub(super) fn attribute_argument(&mut self, term: &Term, env: &mut Env) -> Result<Attr> {
        match self.argument(term, env)? {
            Slot::Const(Some(Value::Keyword(k))) => Ok(Attr::new(k)),
            other => Err(Fault::new(term.span, format!("{other} is no attribute"))),
        }
    }

    fn missing(&mut self, call: &Call, env: &mut Env) -> Result<Goal> {
        let (source, db) = self.database(call, env)?;
        let a = self.attribute_argument(&call.args[2], env)?;
        let e = self.argument(&call.args[1], env)?;
        let vars = Some(e.var().cloned().into_iter().collect());
        let slots = [
            e,
            Slot::Const(Some(Value::keyword(a.as_str()))),
            Slot::Blank,
            Slot::Blank,
            Slot::Blank,
            Slot::Blank,
        ];
        let goals = match self.datom(source, &db, &slots) {
            Ok(pattern) => vec![Goal::Pattern(pattern)],
            Err(why) => {
                vec![Goal::Never { vars: slots[0].var().cloned().into_iter().collect(), why }]
            }
        };
        Ok(Goal::Not { vars, goals })
    }

    fn get_else(&mut self, call: &Call, binding: &Binding, env: &mut Env) -> Result<Goal> {
        let (source, db) = self.database(call, env)?;
        let a = self.attribute_argument(&call.args[2], env)?;
        let a = db.schema.stored(&a).clone();
        if db.is_many(&a) {
            return Err(Fault::new(call.span, format!("{a} has many values: get-else takes one"))
                .hint("ask for each in a pattern"));
        }
        let e = self.argument(&call.args[1], env)?;
        let e = self.entity(source, &e).map_err(|why| Fault::new(call.span, why))?;
        let default = match self.argument(&call.args[3], env)? {
            Slot::Const(Some(v)) => Some(v),
            Slot::Const(None) => {
                return Err(Fault::new(call.span, "nil is no default").hint("give a value"));
            }
            _ => return Err(Fault::new(call.span, "the default of get-else is a constant")),
        };
        let out = self.out(binding, env);
        let which = Out::Slot(Slot::Blank);
        Ok(Goal::First { source, e, attributes: vec![a], default: Some(default), which, out })
    }

    fn get_some(&mut self, call: &Call, binding: &Binding, env: &mut Env) -> Result<Goal> {
        let (source, db) = self.database(call, env)?;
        let e = self.argument(&call.args[1], env)?;
        let e = self.entity(source, &e).map_err(|why| Fault::new(call.span, why))?;
        let mut attributes = Vec::new();
        for term in &call.args[2..] {
            let a = self.attribute_argument(term, env)?;
            let a = db.schema.stored(&a).clone();
            if db.is_many(&a) {
                return Err(Fault::new(
                    term.span,
                    format!("{a} has many values: get-some takes one"),
                ));
            }
            attributes.push(a);
        }
        let first = |which, out| Goal::First { source, e, attributes, default: None, which, out };
        let Binding::Tuple(parts) = binding else {
            // The attribute and its value as one.
            let [a, v] = ["?a", "?v"].map(|name| Slot::Var(self.fresh(&Var(name.into()))));
            let whole = log::apply("tuple", vec![a.clone(), v.clone()])?;
            let out = self.out(binding, env);
            let first = first(Out::Slot(a.clone()), Out::Slot(v.clone()));
            return Ok(log::all(vec![first, Goal::Bind(whole, out)], &[&a, &v]));
        };
        let mut outs = parts.iter().map(|p| self.out(p, env));
        let which = outs.next().unwrap_or(Out::Slot(Slot::Blank));
        let out = outs.next().unwrap_or(Out::Slot(Slot::Blank));
        Ok(first(which, out))
    }
}

/// The variables that stand for what attributes refer to: types, cardinalities, kinds of uniqueness.
pub fn of_schema(clauses: &[Clause], out: &mut BTreeSet<Var>) {
    const REFERRING: [&str; 3] = [":db/valueType", ":db/cardinality", ":db/unique"];
    for clause in clauses {
        match clause {
            Clause::Pattern { terms, .. } => {
                if let [_, Term { kind: TermKind::Const(a), .. }, v, ..] = terms.as_slice()
                    && a.keyword().is_some_and(|k| REFERRING.contains(&k))
                {
                    out.extend(v.var().cloned());
                }
            }
            Clause::Function(call, _) if call.name.as_ref() == NESTED => {
                if let Ok(query) = crate::query::check::nested(call) {
                    of_schema(&query.clauses, out);
                }
            }
            Clause::Not { clauses, .. } => of_schema(clauses, out),
            Clause::Or { branches, .. } => branches.iter().for_each(|b| of_schema(b, out)),
            _ => {}
        }
    }
}

/// Built-in idents are part of every schema, and no datoms. What an attribute refers to has its name, as in Datomic.
fn with_built_in(pattern: Pattern) -> Goal {
    let of_ident = matches!(&pattern.a, AttrSlot::Attr(a) if a.as_str() == builtin::IDENT);
    let plain = [&pattern.t, &pattern.m, &pattern.added].iter().all(|s| s.is_blank());
    let (Slot::Var(e), v) = (&pattern.e, &pattern.v) else { return Goal::Pattern(pattern) };
    if !of_ident || !plain || v.var() == Some(e) {
        return Goal::Pattern(pattern);
    }
    let vars: Vec<Var> = [e].into_iter().chain(v.var()).cloned().collect();
    let named = [":db.type/", ":db.cardinality/", ":db.unique/"];
    let idents =
        builtin::idents().filter(|(name, _)| named.iter().any(|n| name.as_str().starts_with(n)));
    let row = |(name, entity): (Attr, i64)| {
        let (entity, name) = (Some(Value::Long(entity)), Some(Value::keyword(name.as_str())));
        match v {
            Slot::Var(_) => Some(vec![entity, name]),
            Slot::Const(cell) if *cell != name => None,
            _ => Some(vec![entity]),
        }
    };
    let rows = Arc::new(idents.filter_map(row).collect());
    let built_in = Goal::Values { vars: vars.clone(), rows };
    let branches = vec![vec![Goal::Pattern(pattern)], vec![built_in]];
    Goal::Or { vars: vars.into_iter().collect(), required: BTreeSet::new(), branches }
}

/// Whether a pattern can take the columns of a table, by their places.
fn columns(table: &SqlTable, terms: &[Term], span: Span) -> Result<()> {
    if terms.len() > table.columns.len() {
        let message = format!("the rows of the SQL have {} columns", table.columns.len());
        return Err(Fault::new(span, message).hint("places at the end may be left out"));
    }
    for (term, column) in terms.iter().zip(&table.columns) {
        if column.kind.is_none() && !matches!(term.kind, TermKind::Blank) {
            let message = format!(
                "column {} is of type {}, which has no counterpart in Datalog",
                column.name, column.data_type
            );
            return Err(Fault::new(term.span, message)
                .hint("cast it in the SQL: to timestamptz, to text; or write _")
                .state(SqlState::FEATURE_NOT_SUPPORTED));
        }
    }
    Ok(())
}

/// The fifth place is m; Datomic's fifth is the op. A boolean there, or a variable that its documents call it by (`?op`,
/// `?added`), means the op.
fn op_place(terms: &[Term], slots: &mut Vec<Slot>) {
    let means_op = slots.len() == 5
        && match &slots[4] {
            Slot::Const(Some(Value::Boolean(_))) => true,
            _ => terms[4].var().is_some_and(|v| matches!(v.0.as_ref(), "?op" | "?added")),
        };
    if means_op {
        slots.insert(4, Slot::Blank);
    }
}

/// The attribute that a constant names; the error says that no datom has it.
fn attribute(db: &DbSource, cell: &Cell) -> Result<Attr, String> {
    let Some(a) = db.attribute_of(cell) else {
        return Err(format!("{} names no attribute", crate::value::to_form(cell)));
    };
    if db.stats().contains_key(&a) {
        return Ok(a);
    }
    let known = db.stats().keys().map(|a| a.as_str());
    Err(match nearest(a.as_str(), known) {
        Some(near) if db.attribute(&a).is_none() => {
            format!("no datom has the attribute {a}; perhaps {near} is meant")
        }
        _ => format!("no datom has the attribute {a}"),
    })
}
