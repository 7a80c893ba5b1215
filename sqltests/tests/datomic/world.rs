//! What the generator remembers of a sequence: whom forms can speak of, and values that may hold.

use super::schema::{Attribute, Kind, attributes, literal};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

/// An entity that both sides have never given: only said of, never as a value.
pub const NOBODY: &str = "#e \"?\"";
pub const TX: &str = "\"datomic.tx\"";

/// What the generator remembers: names, and values that may hold.
pub struct World<'a> {
    pub ns: String,
    pub attributes: Vec<Attribute>,
    pub rng: &'a mut SmallRng,
    pub tx: usize,
    /// Tempids of earlier transactions: entities, where those were taken.
    pub made: Vec<String>,
    /// Tempids of this transaction, and whether anything is said of them.
    pub temps: Vec<(String, bool)>,
    /// (entity, attribute, value), as they were said.
    pub said: Vec<(String, usize, String)>,
    pub marks: u32,
    pub names: u32,
}

impl<'a> World<'a> {
    pub fn new(ns: &str, rng: &'a mut SmallRng) -> World<'a> {
        let attributes = attributes(ns, rng);
        let (made, temps, said) = (Vec::new(), Vec::new(), Vec::new());
        let ns = ns.to_owned();
        World { ns, attributes, rng, tx: 0, made, temps, said, marks: 0, names: 0 }
    }

    /// `:s1/mark 7`, by which an entity without a name is known on both sides.
    pub fn mark(&mut self) -> String {
        self.marks += 1;
        format!(":{}/mark {}", self.ns, self.marks)
    }

    pub fn attribute(&mut self) -> usize {
        self.rng.random_range(0..self.attributes.len())
    }

    /// Whom a form speaks of.
    pub fn entity(&mut self) -> String {
        match self.rng.random_range(0..100) {
            0..35 => self.temp(true),
            35..75 if !self.made.is_empty() => self.handle(),
            75..90 => self.lookup().unwrap_or_else(|| self.temp(true)),
            90..94 => self.enumerated(),
            94..95 => NOBODY.to_owned(),
            _ => self.temp(true),
        }
    }

    /// One that must be there already.
    pub fn existing(&mut self) -> String {
        match self.rng.random_range(0..10) {
            0..7 if !self.made.is_empty() => self.handle(),
            7..9 => self.lookup().unwrap_or_else(|| format!(":{}/red", self.ns)),
            _ => self.enumerated(),
        }
    }

    pub fn enumerated(&mut self) -> String {
        let name = ["red", "blue"].choose(self.rng).copied().unwrap_or("red");
        format!(":{}/{name}", self.ns)
    }

    pub fn handle(&mut self) -> String {
        // The newest most: what is said twice of one entity is what matters.
        let last = self.made.len().saturating_sub(5);
        let from = if self.rng.random_bool(0.7) { last } else { 0 };
        self.made[from..]
            .choose(self.rng)
            .map_or_else(|| "\"none\"".to_owned(), |n| format!("#e {n}"))
    }

    /// A tempid of this transaction. `said`: something is said of it here.
    pub fn temp(&mut self, said: bool) -> String {
        let fresh = self.temps.is_empty() || (self.temps.len() < 4 && self.rng.random_bool(0.5));
        if fresh {
            self.names += 1;
            let name = match self.rng.random_bool(0.1) {
                true => format!("-{}", self.names),
                false => format!("\"n{}\"", self.names),
            };
            self.temps.push((name, said));
            return self.temps.last().map(|(name, _)| name.clone()).unwrap_or_default();
        }
        let at = self.rng.random_range(0..self.temps.len());
        self.temps[at].1 |= said;
        self.temps[at].0.clone()
    }

    /// `[:s1/a0 "x"]`, mostly of a value that was said.
    pub fn lookup(&mut self) -> Option<String> {
        let unique: Vec<usize> =
            (0..self.attributes.len()).filter(|a| self.attributes[*a].unique.is_some()).collect();
        let at = *unique.choose(self.rng)?;
        if self.attributes[at].kind.is_composite() {
            return None;
        }
        let v = match self.rng.random_bool(0.8) {
            true => {
                let known: Vec<String> =
                    self.said.iter().filter(|s| s.1 == at).map(|s| s.2.clone()).collect();
                known.choose(self.rng).cloned()?
            }
            false => literal(&self.attributes[at].kind, self.rng)?,
        };
        Some(format!("[{} {v}]", self.attributes[at].name))
    }

    pub fn target(&mut self) -> String {
        match self.rng.random_range(0..100) {
            0..45 if !self.made.is_empty() => self.handle(),
            45..75 => self.temp(false),
            75..82 => self.lookup().unwrap_or_else(|| self.temp(false)),
            82..88 => TX.to_owned(),
            _ => self.enumerated(),
        }
    }

    /// A value as a list form has it.
    pub fn value(&mut self, at: usize) -> String {
        if self.rng.random_bool(0.03)
            && let Some(wrong) = self.attributes[at].wrong(self.rng)
        {
            return wrong;
        }
        let kind = self.attributes[at].kind.clone();
        match kind {
            // A part is retracted with its whole; a transaction never is.
            Kind::Ref if self.attributes[at].component => match self.target() {
                tx if tx == TX => self.temp(false),
                other => other,
            },
            Kind::Ref => self.target(),
            kind => literal(&kind, self.rng).unwrap_or_else(|| self.by_hand(&kind)),
        }
    }

    /// A composite tuple, which the database makes itself.
    pub fn by_hand(&mut self, kind: &Kind) -> String {
        let parts: Vec<String> = match kind {
            Kind::Composite(of) => {
                of.iter().map(|(_, kind)| literal(kind, self.rng).unwrap_or("nil".into())).collect()
            }
            _ => Vec::new(),
        };
        format!("[{}]", parts.join(" "))
    }

    pub fn remember(&mut self, e: &str, at: usize, v: &str) {
        if v.starts_with('{') {
            return;
        }
        let e = if e.starts_with('"') { format!("#e {e}") } else { e.to_owned() };
        // An entity of this transaction is known by its tempid in the next ones only.
        if e.starts_with("#e") && !v.starts_with('"') || self.attributes[at].kind != Kind::Ref {
            self.said.push((e, at, v.to_owned()));
        }
    }

    /// Something that may hold.
    pub fn fact(&mut self) -> Option<(String, usize, String)> {
        let last = self.said.len().saturating_sub(12);
        let known =
            |s: &&(String, usize, String)| self.made.iter().any(|m| s.0 == format!("#e {m}"));
        let all: Vec<(String, usize, String)> =
            self.said[last..].iter().filter(known).cloned().collect();
        all.choose(self.rng).cloned()
    }
}
