//! Clauses that stand by themselves: patterns, predicates, functions.

use super::world::{Attribute, IDENTS, Of, RandomWorld, Ty, value};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};

/// A query that is being made.
pub struct Maker<'a> {
    pub rng: &'a mut SmallRng,
    pub world: &'a RandomWorld,
    /// Variables that clauses so far bind, and of which type.
    pub vars: Vec<(String, Ty)>,
    pub fresh: usize,
    /// Whether `$b` is an input.
    pub other: bool,
    /// Whether `$p`, a plain collection of `[long string]`, is an input.
    pub plain: bool,
    /// Whether a source shows a history, where nothing has one value.
    pub history: bool,
    /// Whether a function's binding has a `_` already ([`Maker::blank`]).
    pub blank: bool,
    /// Variables of `:in`.
    pub given: Vec<String>,
    /// Those of them whose entities an argument may name by ident or lookup ref.
    pub named: Vec<String>,
    /// Whether a pattern may have a variable twice, where Datomic is asked: it then forgets what `false` stands in any other.
    pub twice: bool,
    /// Rules that may be called: name, types of the arguments, how many must be bound.
    pub rules: Vec<(&'static str, Vec<Ty>, usize)>,
}

impl Maker<'_> {
    pub fn chance(&mut self, p: f64) -> bool {
        self.rng.random_bool(p)
    }

    pub fn new_var(&mut self, ty: Ty) -> String {
        self.fresh += 1;
        let name = format!("?v{}", self.fresh);
        self.vars.push((name.clone(), ty));
        name
    }

    pub fn known(&mut self, ty: Ty) -> Option<String> {
        let of = self.vars.iter().filter(|(_, t)| *t == ty);
        of.choose(self.rng).map(|(v, _)| v.clone())
    }

    pub fn any_known(&mut self) -> Option<(String, Ty)> {
        self.vars.choose(self.rng).cloned()
    }

    /// An entity's variable, most often one that is known.
    pub fn entity(&mut self) -> String {
        match self.known(Ty::Entity) {
            Some(v) if self.chance(0.75) => v,
            _ => self.new_var(Ty::Entity),
        }
    }

    pub fn attribute(&mut self, only: impl Fn(&Attribute) -> bool) -> Option<Attribute> {
        self.world.attributes.iter().filter(|a| only(a)).choose(self.rng).cloned()
    }

    pub fn constant(&mut self, ty: Ty) -> String {
        value(self.rng, ty, &self.world.entities)
    }

    pub fn datomic(&self) -> bool {
        self.world.of == Of::Datomic
    }

    /// A database for a function: `$`, or now and then `$b`.
    pub fn database(&mut self) -> &'static str {
        if self.other && self.chance(0.2) { "$b" } else { "$" }
    }

    /// What is not wanted of a function. All `_` of a query's functions are one value in Datomic: it gets one.
    pub fn blank(&mut self, ty: Ty) -> String {
        match self.datomic() && std::mem::replace(&mut self.blank, true) {
            true => self.new_var(ty),
            false => "_".to_owned(),
        }
    }

    pub fn entity_constant(&mut self) -> String {
        if self.datomic() && self.chance(0.25) {
            return IDENTS.choose(self.rng).unwrap().to_string();
        }
        // Over a history Datomic finds whoever once had the value.
        let moves = self.datomic() && self.history;
        match self.attribute(|a| a.unique && !a.many) {
            Some(a) if !moves && self.chance(0.3) => {
                format!("[{} {}]", a.name, self.constant(a.ty))
            }
            _ => self.constant(Ty::Entity),
        }
    }

    /// A place of that type.
    pub fn place(&mut self, ty: Ty) -> String {
        match self.rng.random_range(0..24) {
            0 | 1 if ty == Ty::Entity && self.datomic() => self.entity_constant(),
            0 | 1 => self.constant(ty),
            2..6 => "_".to_owned(),
            // Now and then one of another type: nothing is both. No long: what counts with one would be an error, for rows
            // that other clauses take away.
            6 => match self.any_known() {
                Some((v, known)) if known != Ty::Long => v,
                _ => "_".to_owned(),
            },
            7..13 => self.known(ty).unwrap_or_else(|| self.new_var(ty)),
            _ => self.new_var(ty),
        }
    }

    fn source(&mut self) -> &'static str {
        if self.other && self.chance(0.35) { "$b " } else { "" }
    }

    pub fn pattern(&mut self) -> String {
        if self.plain && self.chance(0.2) {
            let (n, s) = (self.place(Ty::Long), self.place(Ty::String));
            return format!("[$p {n} {s}]");
        }
        let source = self.source();
        if self.datomic()
            && self.chance(0.08)
            && let Some(pattern) = self.any_attribute(source)
        {
            return pattern;
        }
        let e = match self.rng.random_range(0..12) {
            0 => "_".to_owned(),
            1 => self.entity_constant(),
            _ => self.entity(),
        };
        if self.chance(0.06) && !self.datomic() {
            let a = match self.known(Ty::Attribute) {
                Some(a) if self.chance(0.5) => a,
                _ => self.new_var(Ty::Attribute),
            };
            let v = self.place(Ty::Mixed);
            return format!("[{source}{e} {a} {v}]");
        }
        let Some(a) = self.attribute(|_| true) else { return format!("[{source}{e}]") };
        if self.chance(0.1) {
            return format!("[{source}{e} {}]", a.name);
        }
        let mut v = self.place(a.ty);
        let given = |v: &String| self.given.contains(v);
        // Datomic finds no entity by its name where the pattern has another variable of :in, too.
        let named = |e: &String, v: &String| self.named.contains(e) && given(v);
        // What stands behind is forgotten there, and so is `false` in any pattern of such a query.
        if self.datomic() && self.twice && v == "false" {
            v = "true".to_owned();
        }
        if self.datomic()
            && (v == "?op"
                || (v == e && (!self.twice || given(&e)))
                || named(&e, &v)
                || named(&v, &e))
        {
            v = "_".to_owned();
        }
        let times = if self.history { 0.5 } else { 0.12 };
        // Datomic forgets what stands behind a variable that the pattern has twice.
        if !self.chance(times) || (self.datomic() && e == v) {
            return format!("[{source}{e} {} {v}]", a.name);
        }
        let t = match self.rng.random_range(0..4) {
            0 if self.chance(0.3) => self.rng.random_range(1001..1005).to_string(),
            0 | 1 => "_".to_owned(),
            _ => self.place_of_t(),
        };
        match self.rng.random_range(0..4) {
            0 => format!("[{source}{e} {} {v} {t}]", a.name),
            2 | 3 if self.datomic() => {
                // By this name the fifth place is Datomic's.
                if self.vars.iter().all(|(v, _)| v != "?op") {
                    self.vars.push(("?op".to_owned(), Ty::Boolean));
                }
                format!("[{source}{e} {} {v} {t} ?op]", a.name)
            }
            1 => {
                let added = self.chance(0.5) || (self.datomic() && self.twice);
                format!("[{source}{e} {} {v} {t} {added}]", a.name)
            }
            2 => {
                let op = self.known(Ty::Boolean).unwrap_or_else(|| self.new_var(Ty::Boolean));
                format!("[{source}{e} {} {v} {t} _ {op}]", a.name)
            }
            _ => {
                let m = self.new_var(Ty::Long);
                format!("[{source}{e} {} {v} {t} {m} true]", a.name)
            }
        }
    }

    /// A transaction's variable: no other pattern has it as a value.
    fn place_of_t(&mut self) -> String {
        match self.vars.iter().find(|(v, _)| v.starts_with("?t")).cloned() {
            Some((v, _)) if self.chance(0.5) => v,
            _ => {
                self.fresh += 1;
                let name = format!("?t{}", self.fresh);
                self.vars.push((name.clone(), Ty::Instant));
                name
            }
        }
    }

    /// Something that is known to be bound, or a constant.
    pub fn argument(&mut self, ty: Ty) -> String {
        match self.known(ty) {
            Some(v) if self.chance(0.8) => v,
            _ => self.constant(ty),
        }
    }

    pub fn test(&mut self) -> Option<String> {
        let (v, ty) = self.any_known()?;
        let datomic = self.datomic();
        if datomic && self.chance(0.3) {
            return self.wide_test();
        }
        // Values of two types are less and more than each other there.
        if datomic && (ty == Ty::Mixed || v.starts_with("?t")) {
            return None;
        }
        if ty == Ty::Entity && !self.history && self.chance(0.4) {
            let a = self.attribute(|_| true)?;
            let database = if datomic { self.database() } else { "$" };
            return Some(format!("[(missing? {database} {v} {})]", a.name));
        }
        if ty == Ty::Mixed && self.chance(0.5) {
            let name = ["string?", "int?", "keyword?"].choose(self.rng)?;
            return Some(format!("[({name} {v})]"));
        }
        let name = ["=", "!=", "<", "<=", ">", ">="].choose(self.rng)?;
        let other = match ty {
            Ty::Attribute => return None,
            ty if self.chance(0.15) && !datomic => match self.any_known() {
                Some((other, _)) => other,
                None => self.constant(ty),
            },
            ty => self.argument(ty),
        };
        // A predicate is told what an entity was called.
        if datomic && (self.named.contains(&v) || self.named.contains(&other)) {
            return None;
        }
        // An equality with a constant may make a pattern one of constants, of which Datomic finds nothing.
        let name = if datomic && *name == "=" && !other.starts_with('?') { &"!=" } else { name };
        Some(if self.chance(0.5) {
            format!("[({name} {v} {other})]")
        } else {
            format!("[({name} {other} {v})]")
        })
    }

    /// An entity that a function asks of. Datomic looks up whom an input names when it gets there, which may be never: then
    /// nobody has to be found.
    pub fn asked_of(&mut self) -> Option<String> {
        let e = self.known(Ty::Entity)?;
        (!self.datomic() || !self.named.contains(&e)).then_some(e)
    }

    pub fn function(&mut self) -> Option<String> {
        if self.datomic() && self.chance(0.6) {
            return self.wide_function();
        }
        match self.rng.random_range(0..6) {
            0 | 1 => {
                let x = self.known(Ty::Long)?;
                let y = self.argument(Ty::Long);
                let name = ["+", "-", "*"].choose(self.rng)?;
                let out = if self.chance(0.2) { self.known(Ty::Long) } else { None };
                let out = out.unwrap_or_else(|| self.new_var(Ty::Long));
                Some(format!("[({name} {x} {y}) {out}]"))
            }
            2 if !self.history => {
                let e = self.asked_of()?;
                let a = self.attribute(|a| !a.many)?;
                let ty = if self.chance(0.8) { a.ty } else { Ty::String };
                let default = self.constant(ty);
                // A default of another type makes values of several types.
                let out = self.new_var(Ty::Mixed);
                Some(format!("[(get-else $ {e} {} {default}) {out}]", a.name))
            }
            3 if !self.history && !self.datomic() => {
                let e = self.known(Ty::Entity)?;
                let a = self.attribute(|a| !a.many)?;
                let b = self.attribute(|b| !b.many)?;
                let (which, out) = (self.new_var(Ty::Attribute), self.new_var(Ty::Mixed));
                Some(format!("[(get-some $ {e} {} {}) [{which} {out}]]", a.name, b.name))
            }
            4 => {
                let ty = *[Ty::Long, Ty::String, Ty::Entity].choose(self.rng)?;
                let items: Vec<String> =
                    (0..self.rng.random_range(1..4)).map(|_| self.constant(ty)).collect();
                let out = self.known(ty).unwrap_or_else(|| self.new_var(ty));
                Some(format!("[(ground [{}]) [{out} ...]]", items.join(" ")))
            }
            _ => {
                let ((x, tx), (y, ty)) = (self.any_known()?, self.any_known()?);
                // What an input names, a function hands on as its name.
                if self.datomic() && (self.given.contains(&x) || self.given.contains(&y)) {
                    return None;
                }
                let whole = self.new_var(Ty::Attribute);
                self.vars.pop();
                let a = self.new_var(tx);
                let b = if self.chance(0.5) { self.blank(ty) } else { self.new_var(ty) };
                Some(format!("[(tuple {x} {y}) {whole}] [(untuple {whole}) [{a} {b}]]"))
            }
        }
    }
}
