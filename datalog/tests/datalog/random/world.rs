//! A random schema and a random history, in the database and as a list of datoms.

use crate::support::{World, parse};
use daodb_datalog::access::entid;
use daodb_datalog::edn::Node;
use daodb_storage::Datom;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Long,
    String,
    Keyword,
    Double,
    Instant,
    Boolean,
    Entity,
    /// Undeclared, values of several types.
    Mixed,
    Attribute,
}

#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: String,
    pub ty: Ty,
    pub many: bool,
    pub unique: bool,
}

/// What worlds and queries are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    All,
    /// What Datomic has, too: every attribute is declared, no datom has metadata, and attributes are no values of variables, which
    /// it shows by numbers of its own.
    Datomic,
}

/// One that was taken.
pub struct Transaction {
    pub t: i64,
    /// As EDN.
    pub forms: String,
    pub tempids: BTreeMap<String, i64>,
}

pub struct RandomWorld {
    pub of: Of,
    pub transactions: Vec<Transaction>,
    pub world: World,
    pub attributes: Vec<Attribute>,
    pub entities: Vec<i64>,
    pub datoms: Vec<Datom>,
    /// Of attributes that every database has.
    pub own: BTreeMap<String, i64>,
    /// What was transacted, for who has to find out.
    pub story: String,
}

/// Names of the first entities, where Datomic is asked.
pub const IDENTS: [&str; 2] = [":i/a", ":i/b"];

/// A value as EDN: few of each type, so that they meet.
pub fn value(rng: &mut SmallRng, ty: Ty, entities: &[i64]) -> String {
    match ty {
        Ty::Long => rng.random_range(0..6).to_string(),
        Ty::String => format!("\"{}\"", ["a", "b", "c", "d"].choose(rng).unwrap()),
        Ty::Keyword => [":k/a", ":k/b", ":c"].choose(rng).unwrap().to_string(),
        Ty::Double => ["0.5", "1.5", "2.0"].choose(rng).unwrap().to_string(),
        Ty::Instant => format!("#inst \"2020-01-0{}\"", rng.random_range(1..4)),
        Ty::Boolean => rng.random_bool(0.5).to_string(),
        Ty::Entity => entities.choose(rng).unwrap().to_string(),
        Ty::Mixed => {
            let ty = *[Ty::Long, Ty::String, Ty::Keyword].choose(rng).unwrap();
            value(rng, ty, entities)
        }
        Ty::Attribute => ":db/ident".to_owned(),
    }
}

fn declared(a: &Attribute) -> Option<String> {
    let ty = match a.ty {
        Ty::Long => "long",
        Ty::String => "string",
        Ty::Keyword => "keyword",
        Ty::Double => "double",
        Ty::Instant => "instant",
        Ty::Boolean => "boolean",
        Ty::Entity => "ref",
        Ty::Mixed | Ty::Attribute => return None,
    };
    let many = if a.many { "many" } else { "one" };
    let unique = if a.unique { " :db/unique :db.unique/value" } else { "" };
    Some(format!(
        "{{:db/ident {} :db/valueType :db.type/{ty} :db/cardinality :db.cardinality/{many}{unique}}}",
        a.name
    ))
}

/// Keeps one op of each entity and attribute: where several contradict each other the two databases differ, which
/// is what the test of transactions is for.
fn once(ops: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    ops.retain(|op| {
        let words: Vec<&str> = op.trim_end_matches(']').split(' ').collect();
        words.len() < 3 || seen.insert((words[1].to_owned(), words[2].to_owned()))
    });
    // An entity that is retracted as a whole has nothing else said of it.
    let gone: BTreeSet<String> = ops.iter().filter_map(|op| whole(op)).map(str::to_owned).collect();
    ops.retain(|op| whole(op).is_some() || !gone.iter().any(|e| op.contains(e.as_str())));
}

fn whole(op: &str) -> Option<&str> {
    op.strip_prefix("[:db/retractEntity ")?.strip_suffix(']')
}

fn attributes(rng: &mut SmallRng, of: Of) -> Vec<Attribute> {
    let tys = [Ty::Long, Ty::String, Ty::Keyword, Ty::Double, Ty::Instant, Ty::Boolean];
    let mut out = Vec::new();
    let mut add = |ty, many, unique| {
        let name = format!(":x/{}", ["a", "b", "c", "d", "e", "f", "g", "h", "i"][out.len()]);
        out.push(Attribute { name, ty, many, unique });
    };
    add(Ty::Long, false, false);
    add(Ty::Entity, rng.random_bool(0.7), false);
    add(Ty::Entity, rng.random_bool(0.3), false);
    add(Ty::String, rng.random_bool(0.3), false);
    add(Ty::Long, rng.random_bool(0.5), rng.random_bool(0.5));
    for _ in 0..rng.random_range(0..3) {
        add(*tys.choose(rng).unwrap(), rng.random_bool(0.3), false);
    }
    if of == Of::All && rng.random_bool(0.5) {
        add(Ty::Mixed, false, false);
    }
    out
}

impl RandomWorld {
    pub async fn new(rng: &mut SmallRng, of: Of) -> RandomWorld {
        let tail = *[1, 10, 1000].choose(rng).unwrap();
        let world = World::new(tail).await;
        let attributes = attributes(rng, of);
        let entities = vec![];
        let mut out = RandomWorld {
            of,
            transactions: vec![],
            world,
            attributes,
            entities,
            datoms: vec![],
            own: BTreeMap::new(),
            story: String::new(),
        };
        let schema: Vec<String> = out.attributes.iter().filter_map(declared).collect();
        assert!(out.transact(&format!("[{}]", schema.join(" "))).await);
        let n = rng.random_range(4..9);
        let mut first: Vec<String> =
            (0..n).map(|i| format!("[:db/add \"e{i}\" :x/a {}]", rng.random_range(0..6))).collect();
        if of == Of::Datomic {
            let named = IDENTS.iter().enumerate();
            first.extend(named.map(|(i, ident)| format!("[:db/add \"e{i}\" :db/ident {ident}]")));
        }
        assert!(out.transact(&format!("[{}]", first.join(" "))).await);
        for _ in 0..rng.random_range(3..8) {
            if rng.random_bool(0.3) {
                out.story += "index\n";
                out.world.database.stream().index_now().await.unwrap();
            }
            let mut ops: Vec<String> = (0..rng.random_range(4..25)).map(|_| out.op(rng)).collect();
            if of == Of::Datomic {
                once(&mut ops);
            }
            // One that contradicts itself is refused, and leaves nothing: then some of it.
            for n in [ops.len(), ops.len() / 2, ops.len() / 4] {
                if out.transact(&format!("[{}]", ops[..n].join(" "))).await {
                    break;
                }
            }
        }
        for d in out.datoms.iter().filter(|d| d.a.namespace() == Some("db")) {
            let at = out.world.at(None);
            if let Some(e) = entid(&at, &parse(d.a.as_str())).await.unwrap() {
                out.own.insert(d.a.to_string(), e);
            }
        }
        out
    }

    /// The entities that have [`IDENTS`].
    fn named(&self) -> &[i64] {
        &self.entities[..IDENTS.len().min(self.entities.len())]
    }

    fn op(&self, rng: &mut SmallRng) -> String {
        let e = self.entities.choose(rng).unwrap();
        let a = self.attributes.choose(rng).unwrap();
        let v = value(rng, a.ty, &self.entities);
        match rng.random_range(0..12) {
            0 => format!("[:db/retract {e} {} {v}]", a.name),
            1 => format!("[:db/retract {e} {}]", a.name),
            // Datomic still knows an ident that was retracted.
            2 if rng.random_bool(0.3) && (self.of == Of::All || !self.named().contains(e)) => {
                format!("[:db/retractEntity {e}]")
            }
            _ => format!("[:db/add {e} {} {v}]", a.name),
        }
    }

    async fn transact(&mut self, text: &str) -> bool {
        let transaction: Node = parse(text);
        let Ok(report) = self.world.transact(&transaction).await else { return false };
        self.story += &format!("{} {text}\n", report.t);
        self.transactions.push(Transaction {
            t: report.t,
            forms: text.to_owned(),
            tempids: report.tempids.iter().map(|(k, e)| (k.to_string(), *e)).collect(),
        });
        self.entities.extend(report.tempids.values());
        self.datoms.extend(report.datoms.iter().cloned());
        true
    }
}
