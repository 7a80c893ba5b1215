//! Whole queries, and the same ones with their clauses in another order.

use super::patterns::Maker;
use super::world::{Of, RandomWorld, Ty, value};
use daodb_datalog::edn::{Form, Node};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};

/// One question, as text.
#[derive(Debug, Clone)]
pub struct Question {
    pub query: String,
    /// The views of `$` and of `$b`.
    pub on: String,
    pub other: Option<String>,
    /// The rows of `$p`.
    pub plain: Option<String>,
    /// Those after the sources.
    pub args: Vec<String>,
    /// Where `query` finds one row or value of several, the query that finds all of them.
    pub all: Option<String>,
}

fn view(rng: &mut SmallRng) -> String {
    let t = rng.random_range(1001..1008);
    match rng.random_range(0..10) {
        0 | 1 => format!("{{:as-of {t}}}"),
        2 => format!("{{:since {}}}", t - 2),
        3 => "{:history true}".to_owned(),
        4 => format!("{{:history true :as-of {t}}}"),
        5 if rng.random_bool(0.5) => format!("{{:history true :since {}}}", t - 2),
        _ => "{}".to_owned(),
    }
}

fn rows(rng: &mut SmallRng, x: Ty, y: Ty, entities: &[i64]) -> String {
    let row = |_| format!("[{} {}]", value(rng, x, entities), value(rng, y, entities));
    let n = 3;
    format!("[{}]", (0..n).map(row).collect::<Vec<_>>().join(" "))
}

pub fn question(rng: &mut SmallRng, world: &RandomWorld) -> Question {
    let on = view(rng);
    let other = rng.random_bool(0.3).then(|| view(rng));
    let history =
        on.contains("history") || other.as_ref().is_some_and(|other| other.contains("history"));
    let has_rules = rng.random_bool(0.35);
    let plain = rng.random_bool(0.1).then(|| rows(rng, Ty::Long, Ty::String, &[]));
    let mut maker = Maker {
        rng,
        world,
        vars: vec![],
        fresh: 0,
        other: other.is_some(),
        plain: plain.is_some(),
        history,
        blank: false,
        given: vec![],
        named: vec![],
        twice: false,
        rules: vec![],
    };
    let (mut inputs, mut args) = (vec!["$".to_owned()], vec![]);
    inputs.extend(other.iter().map(|_| "$b".to_owned()));
    inputs.extend(plain.iter().map(|_| "$p".to_owned()));
    if has_rules {
        inputs.push("%".to_owned());
        args.push(maker.make_rules());
    }
    maker.twice = maker.datomic() && maker.chance(0.5);
    maker.inputs(&mut inputs, &mut args);
    if maker.datomic() && maker.chance(0.1) {
        maker.named_attributes(&mut inputs, &mut args);
    }
    maker.given = maker.vars.iter().map(|(v, _)| v.clone()).collect();
    let clauses = maker.clauses(5, 2);
    let (find, all) = match world.of {
        Of::All => (maker.find(), None),
        Of::Datomic => maker.any_find(&mut inputs, &mut args),
    };
    let rest = format!(":in {} :where {}", inputs.join(" "), clauses.join(" "));
    let query = format!("[:find {find} {rest}]");
    let all = all.map(|find| format!("[:find {find} {rest}]"));
    Question { query, on, other, plain, args, all }
}

impl Maker<'_> {
    fn inputs(&mut self, inputs: &mut Vec<String>, args: &mut Vec<String>) {
        let tys = [Ty::Long, Ty::String, Ty::Entity, Ty::Mixed];
        for _ in 0..self.rng.random_range(0..3) {
            if self.chance(0.5) {
                continue;
            }
            let ty = *tys.choose(self.rng).unwrap();
            let v = self.new_var(ty);
            if self.datomic() && self.chance(0.4) {
                self.wide_input(v, ty, inputs, args);
                continue;
            }
            match self.rng.random_range(0..3) {
                0 => {
                    inputs.push(v);
                    args.push(self.constant(ty));
                }
                1 => {
                    inputs.push(format!("[{v} ...]"));
                    let items: Vec<String> =
                        (0..self.rng.random_range(0..4)).map(|_| self.constant(ty)).collect();
                    args.push(format!("[{}]", items.join(" ")));
                }
                _ => {
                    let other = *tys.choose(self.rng).unwrap();
                    let w = self.new_var(other);
                    inputs.push(format!("[[{v} {w}]]"));
                    args.push(rows(self.rng, ty, other, &self.world.entities));
                }
            }
        }
    }

    /// Some of the variables, now and then aggregated.
    pub fn find(&mut self) -> String {
        let mut vars = self.vars.clone();
        vars.shuffle(self.rng);
        vars.truncate(self.rng.random_range(1..4));
        if vars.is_empty() {
            return "(count ?none)".to_owned();
        }
        if !self.chance(0.25) {
            let names: Vec<String> = vars.into_iter().map(|(v, _)| v).collect();
            return names.join(" ");
        }
        let (last, ty) = vars.pop().unwrap();
        let of_any = ["count", "count-distinct"];
        let name = match ty {
            Ty::Long => *["sum", "avg", "min", "max", "median", "count"].choose(self.rng).unwrap(),
            Ty::String | Ty::Entity => {
                *["min", "max", "count", "count-distinct"].choose(self.rng).unwrap()
            }
            _ => *of_any.choose(self.rng).unwrap(),
        };
        let mut names: Vec<String> = vars.into_iter().map(|(v, _)| v).collect();
        names.push(format!("({name} {last})"));
        let with = match self.any_known() {
            Some((v, _)) if self.chance(0.4) => format!(" :with {v}"),
            _ => String::new(),
        };
        format!("{}{with}", names.join(" "))
    }
}

/// The same query, its clauses in another order, on every level.
pub fn permuted(rng: &mut SmallRng, query: &Node) -> Node {
    let Form::Vector(parts) = &query.form else { panic!("a query is a vector") };
    let mut parts = parts.clone();
    let start = parts.iter().position(|p| p.keyword() == Some(":where")).unwrap() + 1;
    parts[start..].shuffle(rng);
    parts[start..].iter_mut().for_each(|clause| shuffle(rng, clause));
    Node { form: Form::Vector(parts), span: query.span }
}

fn shuffle(rng: &mut SmallRng, clause: &mut Node) {
    let Form::List(parts) = &mut clause.form else { return };
    let name = parts
        .iter()
        .position(|p| matches!(p.symbol(), Some("not" | "or" | "and" | "not-join" | "or-join")));
    let Some(name) = name else { return };
    let join = matches!(parts[name].symbol(), Some("not-join" | "or-join"));
    let start = name + 1 + usize::from(join);
    parts[start..].shuffle(rng);
    parts[start..].iter_mut().for_each(|clause| shuffle(rng, clause));
}

/// Rules in another order.
pub fn permuted_rules(rng: &mut SmallRng, rules: &Node) -> Node {
    let Form::Vector(all) = &rules.form else { panic!("rules are a vector") };
    let mut all = all.clone();
    all.shuffle(rng);
    for rule in &mut all {
        let Form::Vector(parts) = &mut rule.form else { panic!("a rule is a vector") };
        parts[1..].shuffle(rng);
        parts[1..].iter_mut().for_each(|clause| shuffle(rng, clause));
    }
    Node { form: Form::Vector(all), span: rules.span }
}
