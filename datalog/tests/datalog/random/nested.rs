//! Forms with clauses in them, and rules.

use super::patterns::Maker;
use super::world::Ty;
use rand::Rng;
use rand::seq::IndexedRandom;

impl Maker<'_> {
    /// Some clauses; what they bind stays known.
    pub fn clauses(&mut self, most: usize, depth: usize) -> Vec<String> {
        let mut out = vec![self.pattern()];
        for _ in 0..self.rng.random_range(0..=most) {
            let next = match self.rng.random_range(0..20) {
                0..8 => Some(self.pattern()),
                8..11 => self.test(),
                11 | 12 => self.function(),
                13 | 14 if depth > 0 => self.not(depth - 1),
                15 | 16 if depth > 0 => self.or(depth - 1),
                17 | 18 => self.call(),
                _ => None,
            };
            out.extend(next);
        }
        out
    }

    /// What is bound within is not known outside.
    fn inner(&mut self, known: Vec<(String, Ty)>, most: usize, depth: usize) -> String {
        let outer = std::mem::replace(&mut self.vars, known);
        let clauses = self.clauses(most, depth);
        self.vars = outer;
        clauses.join(" ")
    }

    fn not(&mut self, depth: usize) -> Option<String> {
        let (e, _) = self.any_known()?;
        let source = if self.other && self.chance(0.2) { "$b " } else { "" };
        if self.chance(0.5) {
            let (known, fresh) = (self.vars.clone(), self.fresh);
            let inner = self.inner(known.clone(), 2, depth);
            if !self.datomic() {
                return Some(format!("({source}not {inner})"));
            }
            // Datomic wants every variable of a not bound outside of it, and one at least.
            let shared: Vec<String> =
                known.into_iter().map(|(v, _)| v).filter(|v| mentions(&inner, v)).collect();
            // The name ?op is used again: within it may be another one.
            let shared: Vec<String> = shared.into_iter().filter(|v| v != "?op").collect();
            let outside = self.fresh == fresh && !mentions(&inner, "?op");
            return match (shared.is_empty(), outside) {
                (true, _) => None,
                (false, true) => Some(format!("({source}not {inner})")),
                (false, false) => {
                    Some(format!("({source}not-join [{}] {inner})", shared.join(" ")))
                }
            };
        }
        let mut shared = vec![self.vars.iter().find(|(v, _)| *v == e)?.clone()];
        if let (Some(other), true) = (self.any_known(), self.chance(0.4))
            && other.0 != e
        {
            shared.push(other);
        }
        let inner = self.inner(shared.clone(), 2, depth);
        // Every variable of the join must stand in it.
        let shared: Vec<String> =
            shared.into_iter().map(|(v, _)| v).filter(|v| mentions(&inner, v)).collect();
        let shared: Vec<String> = shared.into_iter().filter(|v| v != "?op").collect();
        match shared.is_empty() {
            true => None,
            false => Some(format!("({source}not-join [{}] {inner})", shared.join(" "))),
        }
    }

    fn or(&mut self, depth: usize) -> Option<String> {
        let e = self.entity();
        let source = if self.other && self.chance(0.2) { "$b " } else { "" };
        let value = self.chance(0.6).then(|| self.new_var(Ty::Mixed));
        let join = self.chance(0.5);
        let mut branches = Vec::new();
        for _ in 0..self.rng.random_range(2..4) {
            let a = self.attribute(|_| true)?;
            let v = match &value {
                Some(v) => v.clone(),
                None => "_".to_owned(),
            };
            let mut branch = format!("[{e} {} {v}]", a.name);
            if join && self.chance(0.5) {
                let mut known = vec![(e.clone(), Ty::Entity)];
                known.extend(value.iter().map(|v| (v.clone(), a.ty)));
                // Datomic knows no other source there, and a variable that a pattern has twice is two.
                let before = (self.other, self.plain, self.twice);
                if self.datomic() {
                    (self.other, self.plain, self.twice) = (false, false, false);
                }
                let more = self.inner(known, 1, depth);
                (self.other, self.plain, self.twice) = before;
                branch = format!("(and {branch} {more})");
            } else if self.chance(0.3) {
                let b = self.attribute(|_| true)?;
                branch = format!("(and {branch} [{e} {} _])", b.name);
            }
            branches.push(branch);
        }
        let branches = branches.join(" ");
        Some(match (join, value) {
            (false, _) => format!("({source}or {branches})"),
            (true, None) => format!("({source}or-join [{e}] {branches})"),
            (true, Some(v)) => {
                let required = self.chance(0.2);
                let heads = if required { format!("[{e}] {v}") } else { format!("{e} {v}") };
                format!("({source}or-join [{heads}] {branches})")
            }
        })
    }

    fn call(&mut self) -> Option<String> {
        let (name, types, required) = self.rules.choose(self.rng)?.clone();
        let mut args = Vec::new();
        for (i, ty) in types.into_iter().enumerate() {
            args.push(match i < required {
                true => self.known(ty)?,
                false if self.chance(0.15) => self.constant(ty),
                false if self.chance(0.1) => "_".to_owned(),
                false if self.chance(0.6) => self.known(ty).unwrap_or_else(|| self.new_var(ty)),
                false => self.new_var(ty),
            });
        }
        if self.datomic() && args.len() == 2 && args[0] == args[1] {
            return None;
        }
        // Beside a constant Datomic forgets the source.
        let constant = self.datomic() && args.iter().any(|arg| !arg.starts_with(['?', '_']));
        let source = if self.other && !constant && self.chance(0.3) { "$b " } else { "" };
        Some(format!("({source}{name} {})", args.join(" ")))
    }

    /// A set of rules: recursion to either side and to both, two rules that call each other, rules that do not recur, and
    /// rules over the absence of others.
    pub fn make_rules(&mut self) -> String {
        let mut refs: Vec<String> = self
            .world
            .attributes
            .iter()
            .filter(|a| a.ty == Ty::Entity)
            .map(|a| a.name.clone())
            .collect();
        refs.sort_by_key(|_| self.rng.random_range(0..100));
        let (r, s) = (refs[0].clone(), refs[1].clone());
        let (a, b) = (self.attribute(|_| true).unwrap(), self.attribute(|_| true).unwrap());
        let step = match self.rng.random_range(0..3) {
            0 => format!("[?x {r} ?z] (reach ?z ?y)"),
            1 => format!("(reach ?x ?z) [?z {r} ?y]"),
            _ => "(reach ?x ?z) (reach ?z ?y)".to_owned(),
        };
        let start = match self.rng.random_range(0..3) {
            0 => format!("(or [?x {r} ?y] [?y {s} ?x])"),
            1 => format!("[?x {r} ?y] (not [?y {} _])", a.name),
            _ => format!("[?x {r} ?y]"),
        };
        let even = match self.rng.random_range(0..2) {
            0 => format!("(odd ?x ?z) [?z {s} ?y]"),
            _ => format!("[?x {s} ?z] (odd ?z ?y) [?y {} _]", b.name),
        };
        self.rules = vec![
            ("reach", vec![Ty::Entity, Ty::Entity], 0),
            ("odd", vec![Ty::Entity, Ty::Entity], 0),
            ("even", vec![Ty::Entity, Ty::Entity], 0),
            ("has", vec![Ty::Entity], 0),
            ("apart", vec![Ty::Entity, Ty::Entity], 0),
            ("more", vec![Ty::Long, Ty::Long], 1),
            ("of", vec![Ty::Entity, Ty::Mixed], 0),
            ("same", vec![Ty::Entity, Ty::Entity], 0),
        ];
        format!(
            "[[(reach ?x ?y) {start}] [(reach ?x ?y) {step}]
              [(odd ?x ?y) [?x {r} ?y]] [(odd ?x ?y) (even ?x ?z) [?z {r} ?y]] [(even ?x ?y) {even}]
              [(has ?x) [?x {an} _]] [(has ?x) [?y {r} ?x] (not [?x {bn} _])]
              [(apart ?x ?y) [?x {an} _] [?y {r} _] (not (reach ?x ?y))]
              [(more [?n] ?m) [(+ ?n 1) ?m]] [(more [?n] ?m) [_ :x/a ?m] [(< ?n ?m)]]
              [(of ?e ?v) [?e {an} ?v]] [(of ?e ?v) [?e {bn} ?v] (has ?e)]
              [(same ?x ?y) [?x {r} ?p] [?y {r} ?p]] [(same ?x ?y) [?x {s} ?p] [?y {s} ?q] (same ?p ?q)]]",
            an = a.name,
            bn = b.name,
        )
    }
}

fn mentions(text: &str, v: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '?').any(|word| word == v)
}
