//! What is asked: queries for all who speak Datalog, and the same in SQL.

use super::data::{self, Crowd, Graph};
use super::expect;

/// What a database is looked at as.
#[derive(Clone, Copy, PartialEq)]
pub enum View {
    Now,
    /// As of the middle of the updates.
    Middle,
    History,
}

pub struct Question {
    pub name: String,
    /// The data set.
    pub data: String,
    pub view: View,
    pub query: &'static str,
    /// `%`, the first after `$`.
    pub rules: Option<&'static str>,
    /// Those after it.
    pub args: Vec<i64>,
    /// Over `{p}`, each time that the table stands there, in our SQL and DuckDB's.
    pub sql: Option<&'static str>,
    /// In DuckDB's alone, over the edges `g(a, b)`.
    pub recursive_sql: Option<&'static str>,
    pub rows: usize,
}

impl Question {
    pub fn is_recursive(&self) -> bool {
        self.rules.is_some()
    }
}

/// Name, query, SQL.
const OF_PEOPLE: [(&str, &str, &str); 18] = [
    (
        "q1",
        r#"[:find ?e :where [?e :person/name "Ivan"]]"#,
        "SELECT _id FROM {p} WHERE name = 'Ivan'",
    ),
    (
        "q2",
        r#"[:find ?e ?a :where [?e :person/name "Ivan"] [?e :person/age ?a]]"#,
        "SELECT _id, age FROM {p} WHERE name = 'Ivan'",
    ),
    (
        "q2-switch",
        r#"[:find ?e ?a :where [?e :person/age ?a] [?e :person/name "Ivan"]]"#,
        "SELECT _id, age FROM {p} WHERE name = 'Ivan'",
    ),
    (
        "q3",
        r#"[:find ?e ?a :where [?e :person/name "Ivan"] [?e :person/age ?a] [?e :person/sex "male"]]"#,
        "SELECT _id, age FROM {p} WHERE name = 'Ivan' AND sex = 'male'",
    ),
    (
        "q4",
        r#"[:find ?e ?l ?a :where [?e :person/name "Ivan"] [?e :person/surname ?l] [?e :person/age ?a] [?e :person/sex "male"]]"#,
        "SELECT _id, surname, age FROM {p} WHERE name = 'Ivan' AND sex = 'male'",
    ),
    (
        "qpred1",
        "[:find ?e ?s :where [?e :person/salary ?s] [(> ?s 50000)]]",
        "SELECT _id, salary FROM {p} WHERE salary > 50000",
    ),
    (
        "qpred2",
        "[:find ?e ?s :in $ ?min :where [?e :person/salary ?s] [(> ?s ?min)]]",
        "SELECT _id, salary FROM {p} WHERE salary > 50000",
    ),
    (
        "agg",
        "[:find ?n (avg ?s) :with ?e :where [?e :person/name ?n] [?e :person/salary ?s]]",
        "SELECT name, avg(salary) FROM {p} GROUP BY name",
    ),
    (
        "agg2",
        "[:find ?x ?n (avg ?s) :with ?e :where [?e :person/sex ?x] [?e :person/name ?n] [?e :person/salary ?s]]",
        "SELECT sex, name, avg(salary) FROM {p} GROUP BY sex, name",
    ),
    (
        "join_sel",
        r#"[:find ?e1 ?e2 :where [?e1 :person/name "Ivan"] [?e1 :person/salary ?s] [(< ?s 1000)]
            [?e1 :person/surname ?l] [?e1 :person/age ?a]
            [?e2 :person/surname ?l] [?e2 :person/age ?a] [?e2 :person/name "Ivan"]]"#,
        "SELECT x._id, y._id FROM {p} x JOIN {p} y ON x.surname = y.surname AND x.age = y.age \
         WHERE x.name = 'Ivan' AND x.salary < 1000 AND y.name = 'Ivan'",
    ),
    (
        "point",
        "[:find ?n ?l ?a ?s :in $ ?i :where [?e :person/id ?i] [?e :person/name ?n] [?e :person/surname ?l]
            [?e :person/age ?a] [?e :person/salary ?s]]",
        "SELECT name, surname, age, salary FROM {p} WHERE id = 12345",
    ),
    (
        "value-join",
        r#"[:find ?e ?f :where [?e :person/name "Ivan"] [?e :person/age ?a] [(< ?a 10)] [?e :person/salary ?s]
            [?f :person/salary ?s] [?f :person/name "Olga"]]"#,
        "SELECT x._id, y._id FROM {p} x JOIN {p} y ON x.salary = y.salary \
         WHERE x.name = 'Ivan' AND x.age < 10 AND y.name = 'Olga'",
    ),
    (
        "not",
        r#"[:find ?e :where [?e :person/name "Ivan"] (not [?e :person/sex "male"])]"#,
        "SELECT _id FROM {p} x WHERE name = 'Ivan' AND NOT EXISTS \
         (SELECT 1 FROM {p} y WHERE y._id = x._id AND y.sex = 'male')",
    ),
    (
        "or-join",
        r#"[:find ?e :where [?e :person/name "Ivan"]
            (or-join [?e] [?e :person/age 10]
                (and [?e :person/sex "male"] [?e :person/salary ?s] [(< ?s 5000)]))]"#,
        "SELECT _id FROM {p} WHERE name = 'Ivan' AND (age = 10 OR sex = 'male' AND salary < 5000)",
    ),
    (
        "3-hop",
        r#"[:find ?a ?n :where [?a :person/name "Ivan"] [?a :person/age 7] [?a :person/follows ?b] [?b :person/follows ?c]
            [?c :person/follows ?d] [?d :person/name ?n]]"#,
        "SELECT a._id, d.name FROM {p} a JOIN {p} b ON b._id = a.follows JOIN {p} c ON c._id = b.follows \
         JOIN {p} d ON d._id = c.follows WHERE a.name = 'Ivan' AND a.age = 7",
    ),
    (
        "as-of",
        r#"[:find ?e ?s :where [?e :person/name "Ivan"] [?e :person/salary ?s] [(> ?s 50000)]]"#,
        "SELECT _id, salary FROM {p} WHERE name = 'Ivan' AND salary > 50000",
    ),
    (
        "history",
        r#"[:find ?e ?s ?t :where [?e :person/name "Ivan"] [?e :person/salary ?s ?t true]]"#,
        "",
    ),
    ("retracted", "[:find ?e ?s :where [?e :person/salary ?s _ false]]", ""),
];

pub fn of_people(crowd: &Crowd) -> Result<Vec<Question>, String> {
    let one = |(name, query, sql): &(&str, &'static str, &'static str)| {
        let rows =
            expect::of_people(name, crowd).ok_or_else(|| format!("{name} is not counted"))?;
        Ok(Question {
            name: (*name).to_owned(),
            data: data::people(crowd.people.len()),
            view: match *name {
                "as-of" => View::Middle,
                "history" | "retracted" => View::History,
                _ => View::Now,
            },
            query,
            rules: None,
            args: match *name {
                "qpred2" => vec![50_000],
                "point" => vec![12_345],
                _ => vec![],
            },
            sql: Some(*sql).filter(|sql| !sql.is_empty()),
            recursive_sql: None,
            rows,
        })
    };
    OF_PEOPLE.iter().map(one).collect()
}

const RIGHT: &str =
    "[[(reach ?x ?y) [?x :node/to ?y]] [(reach ?x ?y) [?x :node/to ?z] (reach ?z ?y)]]";
const LEFT: &str =
    "[[(reach ?x ?y) [?x :node/to ?y]] [(reach ?x ?y) (reach ?x ?z) [?z :node/to ?y]]]";
const ODD: &str = "[[(odd ?x ?y) [?x :node/to ?y]] [(odd ?x ?y) (even ?x ?z) [?z :node/to ?y]]
    [(even ?x ?y) (odd ?x ?z) [?z :node/to ?y]]]";
const SAME: &str = "[[(same ?x ?y) [?p :node/to ?x] [?p :node/to ?y]]
    [(same ?x ?y) (same ?p ?q) [?p :node/to ?x] [?q :node/to ?y]]]";

const ALL: &str = "[:find ?x ?y :in $ % :where (reach ?x ?y)]";
const FROM_ONE: &str = "[:find ?y :in $ % ?i :where [?x :node/id ?i] (reach ?x ?y)]";

const CLOSURE: &str = "WITH RECURSIVE r(x, y) AS (SELECT a, b FROM g UNION \
     SELECT r.x, g.b FROM r JOIN g ON r.y = g.a) SELECT x, y FROM r";
const CLOSURE_OF_ONE: &str = "WITH RECURSIVE r(y) AS (SELECT b FROM g WHERE a = 1 UNION \
     SELECT g.b FROM r JOIN g ON r.y = g.a) SELECT y FROM r";
const EVEN: &str = "WITH RECURSIVE r(x, y, odd) AS (SELECT a, b, 1 FROM g UNION \
     SELECT r.x, g.b, 1 - r.odd FROM r JOIN g ON r.y = g.a) SELECT x, y FROM r WHERE odd = 0";
const GENERATION: &str = "WITH RECURSIVE r(x, y) AS (SELECT p.b, q.b FROM g p JOIN g q ON p.a = q.a UNION \
     SELECT p.b, q.b FROM r JOIN g p ON p.a = r.x JOIN g q ON q.a = r.y) SELECT x, y FROM r";

/// One for a graph, or two.
pub fn of_graph(data: &str, graph: &Graph) -> Vec<Question> {
    let question = |of: &str, query, rules, sql, rows| Question {
        name: if of.is_empty() { data.to_owned() } else { format!("{data} {of}") },
        data: data.to_owned(),
        view: View::Now,
        query,
        rules: Some(rules),
        args: if query == FROM_ONE { vec![1] } else { vec![] },
        sql: None,
        recursive_sql: Some(sql),
        rows,
    };
    let closure = |rules| question("closure", ALL, rules, CLOSURE, expect::closure(graph));
    let from_one =
        |of, rules| question(of, FROM_ONE, rules, CLOSURE_OF_ONE, expect::reached(graph, 1));
    match data {
        "tree-1k" => {
            let same = "[:find ?x ?y :in $ % :where (same ?x ?y)]";
            let rows = expect::same_generation(graph);
            vec![question("same generation", same, SAME, GENERATION, rows)]
        }
        "random-10k" => vec![from_one("from one", LEFT), from_one("from one, right", RIGHT)],
        "chain-1k" => {
            let even = "[:find ?x ?y :in $ % :where (even ?x ?y)]";
            let parity = question("even", even, ODD, EVEN, expect::even(graph));
            vec![from_one("from one", LEFT), closure(LEFT), parity]
        }
        _ if data.starts_with("wide") || data.starts_with("long") => vec![closure(RIGHT)],
        _ => vec![closure(LEFT)],
    }
}
