//! What Datomic is asked beside what the naive evaluator knows: find shapes, pulls, queries in queries, more functions and inputs.

use super::patterns::Maker;
use super::world::Ty;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

impl Maker<'_> {
    /// A pattern of any attribute, or of those that the arguments name.
    pub fn any_attribute(&mut self, source: &str) -> Option<String> {
        let (e, mut v) = (self.known(Ty::Entity)?, self.place(Ty::Mixed));
        // Datomic forgets what stands behind a variable that the pattern has twice.
        if v == e {
            v = "_".to_owned();
        }
        if let Some(a) = self.known(Ty::Attribute) {
            // Datomic does not know an attribute's name where the pattern has other variables of :in, too.
            if self.given.contains(&e) || self.given.contains(&v) {
                return None;
            }
            return Some(format!("[{source}{e} {a} {v}]"));
        }
        // Its number is the database's own: the name tells. The database's own attributes have none here.
        self.fresh += 1;
        let (a, name) = (format!("?a{}", self.fresh), self.new_var(Ty::Keyword));
        let one = self.attribute(|_| true)?.name;
        Some(format!(
            "[{source}{e} {one}] [{source}{e} {a} {v}] [{source}{a} :db/ident {name}] [(!= {name} :db/ident)]"
        ))
    }

    /// Attributes as arguments.
    pub fn named_attributes(&mut self, inputs: &mut Vec<String>, args: &mut Vec<String>) {
        let mut names: Vec<&str> = self.world.attributes.iter().map(|a| a.name.as_str()).collect();
        names.shuffle(self.rng);
        let names = names[..self.rng.random_range(1..4)].join(" ");
        inputs.push(format!("[{} ...]", self.new_var(Ty::Attribute)));
        args.push(format!("[{names}]"));
    }

    pub fn wide_test(&mut self) -> Option<String> {
        let (v, ty) = self.any_known()?;
        let of = |names: &[&'static str]| names.to_vec();
        let names = match ty {
            Ty::Long => of(&["even?", "odd?", "zero?", "pos?", "neg?", "int?"]),
            Ty::Mixed => of(&["string?", "int?", "keyword?", "boolean?", "inst?", "number?"]),
            Ty::Boolean => of(&["true?", "false?", "not"]),
            Ty::String => {
                let with = self.argument(Ty::String);
                let name = *[
                    "clojure.string/starts-with?",
                    "clojure.string/includes?",
                    "clojure.string/ends-with?",
                    ".startsWith",
                    ".endsWith",
                    ".contains",
                ]
                .choose(self.rng)?;
                return Some(format!("[({name} {v} {with})]"));
            }
            _ => {
                let other = self.known(ty)?;
                if self.named.contains(&v) || self.named.contains(&other) {
                    return None;
                }
                return Some(format!("[(not= {v} {other})]"));
            }
        };
        Some(format!("[({} {v})]", names.choose(self.rng)?))
    }

    pub fn wide_function(&mut self) -> Option<String> {
        match self.rng.random_range(0..12) {
            0 | 1 => self.query_in_query(),
            2 | 3 if !self.history => {
                let e = self.asked_of()?;
                let a = self.attribute(|a| !a.many)?;
                let b = self.attribute(|b| !b.many && b.name != a.name)?;
                let database = self.database();
                let v = self.new_var(Ty::Mixed);
                let which = self.blank(Ty::Attribute);
                if which != "_" {
                    self.vars.pop();
                }
                Some(format!("[(get-some {database} {e} {} {}) [{which} {v}]]", a.name, b.name))
            }
            4 | 5 if !self.history => {
                let e = self.asked_of()?;
                let a = self.attribute(|a| !a.many && a.ty != Ty::Entity)?;
                let (database, default) = (self.database(), self.constant(a.ty));
                let v = self.new_var(a.ty);
                Some(format!("[(get-else {database} {e} {} {default}) {v}]", a.name))
            }
            6 | 7 => self.ground(),
            8 => {
                let x = self.known(Ty::Long)?;
                let name = *["inc", "dec", "(quot 2)", "(rem 2)", "(mod 3)", "max", "min"]
                    .choose(self.rng)?;
                let call = match name {
                    "inc" | "dec" => format!("{name} {x}"),
                    "max" | "min" => format!("{name} {x} {}", self.argument(Ty::Long)),
                    _ => {
                        let (name, by) = name[1..name.len() - 1].split_once(' ')?;
                        format!("{name} {x} {by}")
                    }
                };
                // After the arguments: a new variable is none of them.
                let out = self.new_var(Ty::Long);
                Some(format!("[({call}) {out}]"))
            }
            9 => {
                let (k, out) = (self.known(Ty::Keyword)?, self.new_var(Ty::String));
                let name = *["name", "namespace", "str"].choose(self.rng)?;
                Some(format!("[({name} {k}) {out}]"))
            }
            10 => {
                let (s, out) = (self.known(Ty::String)?, self.new_var(Ty::Long));
                Some(format!("[(count {s}) {out}]"))
            }
            _ => {
                let s = self.known(Ty::String)?;
                let call = match self.rng.random_range(0..4) {
                    0 => format!("str {s} \"-\" {}", self.argument(Ty::Long)),
                    1 => format!("subs {s} 0 1"),
                    2 => format!("clojure.string/upper-case {s}"),
                    _ => format!("str {s} {}", self.argument(Ty::String)),
                };
                let out = self.new_var(Ty::String);
                Some(format!("[({call}) {out}]"))
            }
        }
    }

    /// Constants, taken apart in each way.
    fn ground(&mut self) -> Option<String> {
        let (x, y) = (*SIMPLE.choose(self.rng)?, *SIMPLE.choose(self.rng)?);
        let (v, w) = (self.constant(x), self.constant(y));
        let a = self.known(x).unwrap_or_else(|| self.new_var(x));
        match self.rng.random_range(0..3) {
            0 => Some(format!("[(ground {v}) {a}]")),
            kind => {
                let b = if self.chance(0.3) { self.blank(y) } else { self.new_var(y) };
                let (v2, w2) = (self.constant(x), self.constant(y));
                Some(match kind {
                    1 => format!("[(ground [{v} {w}]) [{a} {b}]]"),
                    _ => format!("[(ground [[{v} {w}] [{v2} {w2}]]) [[{a} {b}]]]"),
                })
            }
        }
    }

    fn query_in_query(&mut self) -> Option<String> {
        let (e, a) = (self.known(Ty::Entity)?, self.attribute(|_| true)?);
        let database = self.database();
        let at = format!(":in $ ?qe :where [?qe {} ?qv]", a.name);
        Some(match self.rng.random_range(0..5) {
            0 => {
                let n = self.new_var(Ty::Long);
                format!("[(q [:find (count ?qv) . {at}] {database} {e}) {n}]")
            }
            1 => {
                let v = self.new_var(a.ty);
                format!("[(q [:find [?qv ...] {at}] {database} {e}) [{v} ...]]")
            }
            2 => {
                let b = self.attribute(|_| true)?;
                let (v, w) = (self.new_var(a.ty), self.new_var(b.ty));
                format!(
                    "[(q [:find ?qv ?qw {at} [?qe {} ?qw]] {database} {e}) [[{v} {w}]]]",
                    b.name
                )
            }
            3 => {
                let n = self.new_var(Ty::Long);
                format!("[(q [:find (max ?qv) . :where [_ :x/a ?qv]] {database}) {n}]")
            }
            _ => {
                let (x, n) = (self.new_var(a.ty), self.new_var(Ty::Long));
                format!(
                    "[(q [:find ?qv (count ?qy) {at} [?qy {} ?qv]] {database} {e}) [[{x} {n}]]]",
                    a.name
                )
            }
        })
    }

    /// Tuples, and entities by what they are called. No `_`: in Datomic it is one value with those of the clauses.
    pub fn wide_input(
        &mut self,
        v: String,
        ty: Ty,
        inputs: &mut Vec<String>,
        args: &mut Vec<String>,
    ) {
        let value = self.argument_value(ty);
        if ty == Ty::Entity {
            self.named.push(v.clone());
        }
        let (input, arg) = match self.rng.random_range(0..4) {
            0 => (v, value),
            1 => (format!("[{v} ...]"), format!("[{value} {}]", self.argument_value(ty))),
            _ => {
                let other = *SIMPLE.choose(self.rng).unwrap();
                let (w, second) = (self.new_var(other), self.constant(other));
                (format!("[{w} {v}]"), format!("[{second} {value}]"))
            }
        };
        inputs.push(input);
        args.push(arg);
    }

    fn argument_value(&mut self, ty: Ty) -> String {
        if ty == Ty::Entity { self.entity_constant() } else { self.constant(ty) }
    }

    /// What is found, in any shape; and where that is one of many, how all are asked for.
    pub fn any_find(
        &mut self,
        inputs: &mut Vec<String>,
        args: &mut Vec<String>,
    ) -> (String, Option<String>) {
        let grouped = self.chance(0.25);
        let mut vars = self.vars.clone();
        // Datomic makes one group of 2 and 2.0.
        vars.retain(|(_, ty)| !grouped || *ty != Ty::Mixed);
        vars.shuffle(self.rng);
        vars.truncate(self.rng.random_range(1..4));
        let last = vars.len().saturating_sub(1);
        let mut elements = Vec::new();
        for (i, (v, ty)) in vars.into_iter().enumerate() {
            // Of a lookup ref that finds nobody Datomic shows an empty map.
            let named = self.named.contains(&v);
            let pulled = !self.history && !named && ty == Ty::Entity && self.chance(0.35);
            elements.push(match (grouped && i == last, pulled) {
                (true, _) => self.aggregate(&v, ty),
                (false, true) => self.pull(&v, inputs, args),
                _ => v,
            });
        }
        if elements.is_empty() {
            elements.push("(count ?none)".to_owned());
        }
        let with = match self.any_known() {
            // Datomic fails where it is found, too.
            Some((v, _))
                if grouped && self.chance(0.4) && !elements.iter().any(|e| e.contains(&v)) =>
            {
                format!(" :with {v}")
            }
            _ => String::new(),
        };
        let all = format!("{}{with}", elements.join(" "));
        let one = elements.len() == 1;
        match self.rng.random_range(0..8) {
            0 if one => (format!("[{} ...]{with}", elements[0]), None),
            1 if one => (format!("{} .{with}", elements[0]), Some(all)),
            0 | 1 => (format!("[{}]{with}", elements.join(" ")), Some(all)),
            2 => {
                let kind = *[":keys", ":strs", ":syms"].choose(self.rng).unwrap();
                let names = ["a", "b", "c"][..elements.len()].join(" ");
                (format!("{} {kind} {names}{with}", elements.join(" ")), None)
            }
            _ => (all, None),
        }
    }

    fn aggregate(&mut self, v: &str, ty: Ty) -> String {
        let names: &[&str] = match ty {
            Ty::Long => &[
                "sum",
                "avg",
                "min",
                "max",
                "median",
                "count",
                "variance",
                "stddev",
                "distinct",
                "min 2",
                "max 3",
                "count-distinct",
            ],
            Ty::Double => &["sum", "avg", "min", "max", "distinct"],
            Ty::String | Ty::Entity => {
                &["min", "max", "count", "count-distinct", "min 2", "max 2", "distinct"]
            }
            _ => &["count", "count-distinct"],
        };
        format!("({} {v})", names.choose(self.rng).unwrap())
    }

    fn pull(&mut self, v: &str, inputs: &mut Vec<String>, args: &mut Vec<String>) -> String {
        // Of what was given by a name, Datomic's recursion goes around once more.
        let mut recurs = self.given.iter().any(|given| given == v);
        let pattern = self.pull_pattern(2, &mut recurs);
        let database = if self.other && self.chance(0.2) { "$b " } else { "" };
        // A pattern may be an input, too.
        if self.chance(0.2) {
            let name = format!("pattern{}", inputs.len());
            let said = format!("(pull {database}{v} {name})");
            inputs.push(name);
            args.push(pattern);
            return said;
        }
        format!("(pull {database}{v} {pattern})")
    }

    /// `recurs`: whether there is a recursion already. In Datomic two in each other share what they have seen.
    fn pull_pattern(&mut self, depth: usize, recurs: &mut bool) -> String {
        let mut attributes = self.world.attributes.clone();
        attributes.shuffle(self.rng);
        let mut out = Vec::new();
        let all = self.chance(0.25);
        if all {
            out.push("*".to_owned());
        }
        if self.chance(0.4) {
            out.push(":db/id".to_owned());
        }
        for a in attributes.into_iter().take(3) {
            let name = a.name;
            let inverse = name.replace('/', "/_");
            out.push(match (a.ty, self.rng.random_range(0..6)) {
                (Ty::Entity, 0) if depth > 0 => {
                    format!("{{{name} {}}}", self.pull_pattern(depth - 1, recurs))
                }
                (Ty::Entity, 1) if depth > 0 => {
                    format!("{{{inverse} {}}}", self.pull_pattern(depth - 1, recurs))
                }
                // Datomic fails at a number beside `*`.
                (Ty::Entity, 2) if !all && !std::mem::replace(recurs, true) => {
                    format!("{{{name} {}}}", self.rng.random_range(1..4))
                }
                (Ty::Entity, 3) if !std::mem::replace(recurs, true) => format!("{{{name} ...}}"),
                (Ty::Entity, 4) => inverse,
                (ty, 0) if ty != Ty::Entity => {
                    format!("({name} :as :other{name})").replace(":other:x/", ":other/")
                }
                (ty, 1) if ty != Ty::Entity => format!("({name} :default {})", self.constant(ty)),
                (ty, 2) if ty != Ty::Entity => format!("({name} :limit 1)"),
                _ => name,
            });
        }
        format!("[{}]", out.join(" "))
    }
}

/// Types of which constants mean the same everywhere.
const SIMPLE: [Ty; 4] = [Ty::Long, Ty::String, Ty::Keyword, Ty::Double];
