//! Random schemas and transactions as EDN text, good and bad ones. What the two take differently for a reason is not among
//! them (docs/datomic-differences.md): undeclared attributes, numbers that widen, ids that nobody has as values, and so on.

use super::schema::{Attribute, Kind, WORDS, literal};
use super::world::{NOBODY, World};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use std::fmt::Write;

/// Transactions of a sequence.
const TRANSACTIONS: std::ops::Range<usize> = 5..14;

pub struct Sequence {
    /// The namespace of all its names.
    pub ns: String,
    pub txs: Vec<String>,
    /// Transactions at which the past is compared.
    pub views: Vec<usize>,
}

pub fn sequence(ns: &str, rng: &mut SmallRng) -> Sequence {
    let mut world = World::new(ns, rng);
    let mut txs = vec![world.declarations(), world.people()];
    for k in 2..world.rng.random_range(TRANSACTIONS) {
        world.tx = k;
        txs.push(match world.rng.random_range(0..10) {
            0 => world.alteration(),
            _ => world.transaction(),
        });
    }
    let views = (0..2).map(|_| world.rng.random_range(0..txs.len())).collect();
    Sequence { ns: ns.to_owned(), txs, views }
}

impl World<'_> {
    fn declarations(&mut self) -> String {
        let ns = &self.ns;
        let mut out = String::from("[");
        for attribute in &self.attributes {
            out.push_str(&attribute.declaration());
            out.push(' ');
        }
        let required: Vec<&str> = self.attributes.iter().take(2).map(|a| a.name.as_str()).collect();
        let _ = write!(
            out,
            "{{:db/ident :{ns}/mark :db/valueType :db.type/long :db/cardinality :db.cardinality/one}} \
             {{:db/ident :{ns}/spec :db.entity/attrs [{}]}} {{:db/ident :{ns}/red}} {{:db/ident :{ns}/blue}}]",
            required.join(" ")
        );
        out
    }

    /// Entities that are there whatever else is refused.
    fn people(&mut self) -> String {
        let mut out = Vec::new();
        for word in WORDS.iter().take(3) {
            self.names += 1;
            let (name, v) = (format!("\"n{}\"", self.names), format!("\"{word}\""));
            let mark = self.mark();
            out.push(format!("{{:db/id {name} {} {v} {mark}}}", self.attributes[0].name));
            self.said.push((format!("#e {name}"), 0, v));
            self.made.push(name);
        }
        format!("[{}]", out.join(" "))
    }

    fn transaction(&mut self) -> String {
        let forms = match self.rng.random_bool(0.5) {
            true => 1,
            false => self.rng.random_range(2..5),
        };
        let mut out: Vec<String> = (0..forms).map(|_| self.form()).collect();
        let silent: Vec<String> =
            self.temps.iter().filter(|(_, said)| !said).map(|(name, _)| name.clone()).collect();
        for name in silent {
            if self.rng.random_bool(0.95) {
                let mark = self.mark();
                out.push(format!("{{:db/id {name} {mark}}}"));
            }
        }
        let temps = self.temps.drain(..).map(|(name, _)| name).filter(|name| name.starts_with('"'));
        self.made.extend(temps);
        format!("[{}]", out.join(" "))
    }

    fn form(&mut self) -> String {
        match self.rng.random_range(0..100) {
            0..34 => self.map(0),
            34..62 => self.add(),
            62..72 => self.retract(),
            72..77 => self.retract_entity(),
            77..88 => self.cas(),
            88..91 => self.about_transaction(),
            91..93 => self.ensured(),
            93..95 => format!("[:db/add {} :db/doc \"d{}\"]", self.entity(), self.tx % 3),
            _ => self.malformed(),
        }
    }

    fn add(&mut self) -> String {
        let (e, at) = (self.entity(), self.attribute());
        let v = self.value(at);
        self.remember(&e, at, &v);
        format!("[:db/add {e} {} {v}]", self.attributes[at].name)
    }

    fn retract(&mut self) -> String {
        if self.rng.random_bool(0.7)
            && let Some((e, at, v)) = self.fact()
        {
            let a = &self.attributes[at].name;
            return match self.rng.random_bool(0.6) {
                true if !v.contains(":wrong") => format!("[:db/retract {e} {a} {v}]"),
                _ => format!("[:db/retract {e} {a}]"),
            };
        }
        let (e, at) = (self.existing(), self.attribute());
        let a = self.attributes[at].name.clone();
        match self.rng.random_bool(0.5) {
            true => format!("[:db/retract {e} {a}]"),
            false => {
                let kind = self.attributes[at].kind.clone();
                let v = match kind {
                    Kind::Ref => self.existing(),
                    kind => literal(&kind, self.rng).unwrap_or_else(|| self.by_hand(&kind)),
                };
                // Datomic takes a tuple with wrong parts here, and does nothing.
                let v = if v.contains(":wrong") { "" } else { &v };
                format!("[:db/retract {e} {a} {v}]")
            }
        }
    }

    fn retract_entity(&mut self) -> String {
        let name = match self.rng.random_bool(0.2) {
            true => ":db.fn/retractEntity",
            false => ":db/retractEntity",
        };
        let e = match self.rng.random_bool(0.1) {
            true => NOBODY.to_owned(),
            false => self.existing(),
        };
        format!("[{name} {e}]")
    }

    fn cas(&mut self) -> String {
        let plain = |a: &Attribute| a.kind != Kind::Ref && a.kind.is_exact();
        let name = if self.rng.random_bool(0.2) { ":db.fn/cas" } else { ":db/cas" };
        if self.rng.random_bool(0.7)
            && let Some((e, at, old)) = self.fact()
            && plain(&self.attributes[at])
        {
            let new = self.value(at);
            self.said.push((e.clone(), at, new.clone()));
            return format!("[{name} {e} {} {old} {new}]", self.attributes[at].name);
        }
        let (e, at) = (self.existing(), self.attribute());
        if !plain(&self.attributes[at]) {
            return self.add();
        }
        let new = self.value(at);
        let old = match self.rng.random_bool(0.6) {
            true => "nil".to_owned(),
            false => literal(&self.attributes[at].kind, self.rng).unwrap_or("nil".to_owned()),
        };
        if e.starts_with("#e") {
            self.said.push((e.clone(), at, new.clone()));
        }
        format!("[{name} {e} {} {old} {new}]", self.attributes[at].name)
    }

    /// Something of the transaction that never names it: there, an identity would make it another entity.
    fn about_transaction(&mut self) -> String {
        let plain = |a: &usize| {
            let a = &self.attributes[*a];
            a.unique.is_none() && !a.component && !a.kind.is_composite()
        };
        let plain: Vec<usize> = (0..self.attributes.len()).filter(plain).collect();
        let Some(at) = plain.choose(self.rng).copied() else { return self.add() };
        let v = self.value(at);
        let v = self.several(at, v);
        format!("{{:db/id \"datomic.tx\" {} {v}}}", self.attributes[at].name)
    }

    /// One value, or several of an attribute of cardinality many.
    fn several(&mut self, at: usize, v: String) -> String {
        let (many, kind) = (self.attributes[at].many, self.attributes[at].kind.clone());
        match (many, self.rng.random_range(0..4)) {
            (false, _) => v,
            // Without a vector around it a vector is read as several values.
            (true, 0) if !v.starts_with('[') => v,
            (true, 1) => format!("#{{{v}}}"),
            _ => {
                let other = self.value(at);
                match other == v || kind.is_tuple() {
                    true => format!("[{v}]"),
                    false => format!("[{v} {other}]"),
                }
            }
        }
    }

    fn map(&mut self, depth: usize) -> String {
        let id = match self.rng.random_range(0..10) {
            0..3 => None,
            _ => Some(self.entity()).filter(|id| id != NOBODY),
        };
        let mut used = Vec::new();
        let mut out = String::from("{");
        if let Some(id) = &id {
            let _ = write!(out, ":db/id {id} ");
        } else {
            out.push_str(&self.mark());
        }
        let pairs = if self.rng.random_bool(0.05) { 0 } else { self.rng.random_range(1..4) };
        for _ in 0..pairs {
            let at = self.attribute();
            if used.contains(&at) {
                continue;
            }
            used.push(at);
            let v = match self.attributes[at].kind == Kind::Ref && self.rng.random_bool(0.4) {
                true if depth < 2 => self.nested(at, depth),
                _ => self.value(at),
            };
            if let Some(id) = &id {
                self.remember(id, at, &v);
            }
            let v = self.several(at, v);
            let _ = write!(out, " {} {v}", self.attributes[at].name);
        }
        let refs: Vec<usize> =
            (0..self.attributes.len()).filter(|a| self.attributes[*a].kind == Kind::Ref).collect();
        // There, a map within another one says nothing backwards.
        let backwards = depth == 0 && self.rng.random_bool(0.15);
        if let Some(at) = refs.choose(self.rng).filter(|_| backwards) {
            let (name, other) = (self.attributes[*at].name.clone(), self.entity());
            let _ = write!(out, " {} {other}", name.replace('/', "/_"));
            if id.is_some() {
                // Else nothing may be said of it, and both refuse it for another reason.
                let _ = write!(out, " {}", self.mark());
            }
        }
        out.push('}');
        out
    }

    /// A map under a reference: mostly one that may stand there.
    fn nested(&mut self, at: usize, depth: usize) -> String {
        if self.attributes[at].component || self.rng.random_bool(0.1) {
            return self.map(depth + 1);
        }
        format!("{{:db/id {} {}}}", self.temp(true), self.mark())
    }

    /// `:db/ensure` of what must have the first two attributes.
    fn ensured(&mut self) -> String {
        let (id, ns) = (self.entity(), self.ns.clone());
        let mut out = format!("{{:db/id {id} :db/ensure :{ns}/spec");
        for at in 0..2 {
            if self.rng.random_bool(0.6) {
                let v = self.value(at);
                let v = self.several(at, v);
                let _ = write!(out, " {} {v}", self.attributes[at].name);
            }
        }
        out.push('}');
        out
    }

    fn malformed(&mut self) -> String {
        let (e, at) = (self.entity(), self.attribute());
        let a = self.attributes[at].name.clone();
        let ns = &self.ns;
        match self.rng.random_range(0..9) {
            0 => format!("[:db/add {e} {a}]"),
            1 => format!("[:db/add {e} {a} nil]"),
            2 => format!("[:{ns}/function {e}]"),
            3 => "[:db/retractEntity]".to_owned(),
            4 => "{}".to_owned(),
            5 => format!("{{:db/id \"datomic.tx\" :db/txInstant #inst \"{}\"}}", "2001-01-01"),
            6 => format!("{{:db/id \"datomic.tx\" :db/txInstant #inst \"{}\"}}", "2200-01-01"),
            7 => format!("[:db/retract [:{ns}/a0 \"nobody has it\"] {a}]"),
            _ => format!("{{:db/id {e} {a} nil}}"),
        }
    }

    /// A change of the schema, alone in its transaction.
    fn alteration(&mut self) -> String {
        let at = self.attribute();
        let word = WORDS.choose(self.rng).copied().unwrap_or("x");
        let attribute = &mut self.attributes[at];
        let a = attribute.name.clone();
        match self.rng.random_range(0..10) {
            0 => format!("[{{:db/id {a} :db/doc \"{word}\"}}]"),
            1 if attribute.kind != Kind::Plain("bytes") => {
                attribute.many |= !attribute.is_part && !attribute.kind.is_composite();
                format!("[{{:db/id {a} :db/cardinality :db.cardinality/many}}]")
            }
            2 => {
                attribute.many = false;
                format!("[{{:db/id {a} :db/cardinality :db.cardinality/one}}]")
            }
            3 => format!("[{{:db/id {a} :db/valueType :db.type/uuid}}]"),
            4 if attribute.unique.is_some() => {
                let other = if self.rng.random_bool(0.5) { "identity" } else { "value" };
                format!("[{{:db/id {a} :db/unique :db.unique/{other}}}]")
            }
            5 if attribute.unique.is_some() => {
                // Once gone it needs an index there to come back.
                let unique = attribute.unique.take().unwrap_or("value");
                format!("[[:db/retract {a} :db/unique :db.unique/{unique}]]")
            }
            6 => {
                // The old name is still used, sometimes.
                let new = format!("{a}-{}", self.tx);
                if self.rng.random_bool(0.5) {
                    attribute.name.clone_from(&new);
                }
                format!("[{{:db/id {a} :db/ident {new}}}]")
            }
            7 => {
                let name = format!(":{}/new{}", self.ns, self.tx);
                let new = Attribute::random(name, self.rng);
                let declaration = new.declaration();
                self.attributes.push(new);
                format!("[{declaration}]")
            }
            8 => format!("[{{:db/id {a} :db/index true}}]"),
            _ => format!("[[:db/add {a} :db/doc \"{word}\"]]"),
        }
    }
}
