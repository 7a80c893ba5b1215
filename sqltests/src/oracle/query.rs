//! Random questions in SQL, and their answers from relations.

use super::cell::{Cell, Relation, Row, Ty, printed};
use super::world::{OPEN, View, World};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use std::cmp::Ordering;
use std::collections::BTreeMap;

pub struct Question {
    pub sql: String,
    /// Rows as psql prints them, sorted.
    pub answer: Vec<Vec<String>>,
}

/// What may stand in FROM (before its alias), and its rows.
struct Source {
    sql: String,
    relation: Relation,
    /// The tables that `SELECT` may join by entity.
    entities: bool,
}

const TABLES: [&str; 2] = ["thing", "other_kind"];

/// A question, at the basis of the session. `explicit`: whether a table may name a basis of its own.
pub fn ask(world: &World, view: View, explicit: bool, rng: &mut SmallRng) -> Option<Question> {
    let from = source(world, view, explicit, rng)?;
    match rng.random_range(0..10) {
        0..5 => Some(select(from, rng)),
        5..8 => Some(group(from, rng)),
        _ => {
            let other = source(world, view, explicit, rng)?;
            Some(if from.entities && other.entities {
                join(from, other, rng)
            } else {
                select(from, rng)
            })
        }
    }
}

fn source(world: &World, view: View, explicit: bool, rng: &mut SmallRng) -> Option<Source> {
    let (clause, view) = match explicit && rng.random_bool(0.6) {
        true => basis(world, view, rng)?,
        false => (String::new(), view),
    };
    let table = TABLES.choose(rng).copied().unwrap_or(TABLES[0]);
    let dice = rng.random_range(0..20);
    let (name, relation) = match dice {
        13 | 14 => ("dao.datoms", world.datoms_relation(view)),
        15 | 16 => ("dao.changes", world.changes_relation(view)),
        17 => ("dao.transactions", world.transactions_relation(view)),
        _ if !world.has_table(table, view.t) => return None,
        10..13 => {
            let sql = format!("{table}__history{clause}");
            return Some(Source {
                sql,
                relation: world.history(table, view, |_, _| true),
                entities: true,
            });
        }
        18 | 19 if clause.is_empty() => {
            let (form, relation) = range(world, table, view, rng);
            return Some(Source { sql: format!("{table} {form}"), relation, entities: true });
        }
        _ => {
            let sql = format!("{table}{clause}");
            return Some(Source { sql, relation: world.table(table, view), entities: true });
        }
    };
    let sql = match name {
        // The database's own attributes are its own business.
        "dao.datoms" => format!("(SELECT * FROM dao.datoms{clause} d0 WHERE a NOT LIKE ':db/%')"),
        // Its other columns are of the log.
        "dao.transactions" => {
            format!("(SELECT _id, t, instant FROM dao.transactions{clause} d0)")
        }
        name => format!("{name}{clause}"),
    };
    Some(Source { sql, relation, entities: false })
}

/// A version clause, and what is seen by it.
fn basis(world: &World, view: View, rng: &mut SmallRng) -> Option<(String, View)> {
    let seen: Vec<(i64, i64)> =
        world.transactions.iter().filter(|tx| tx.0 <= view.t).copied().collect();
    let (t, instant) = seen.choose(rng).copied()?;
    if rng.random_bool(0.5) {
        return Some((format!(" VERSION AS OF {t}"), View { t, ..view }));
    }
    // Of the transactions of one instant, the last.
    let instant = instant + rng.random_range(0..2) * 400_000;
    let t = world.t_at(instant)?.min(view.t);
    let literal = Cell::Instant(instant).literal();
    Some((format!(" FOR SYSTEM_TIME AS OF {literal}"), View { t, ..view }))
}

/// A range form by transactions, and the versions that it shows.
fn range(world: &World, table: &str, view: View, rng: &mut SmallRng) -> (String, Relation) {
    let (first, last) = (1000, view.t.max(1000));
    let (a, b) = (rng.random_range(first..=last), rng.random_range(first..=last));
    let (x, y) = (a.min(b), a.max(b));
    let clause = |form: &str| format!("FOR SYSTEM_TIME {form}");
    match rng.random_range(0..4) {
        0 => (clause("ALL"), world.history(table, view, |_, _| true)),
        1 => {
            // From a time to itself there is none.
            let within = |from, to| x < y && from < y && x < to;
            (clause(&format!("FROM {x} TO {y}")), world.history(table, view, within))
        }
        2 => {
            let within = |from, to| from <= y && x < to;
            (clause(&format!("BETWEEN {x} AND {y}")), world.history(table, view, within))
        }
        _ => {
            let within = |from, to| x <= from && to != OPEN && to <= y;
            (clause(&format!("CONTAINED IN ({x}, {y})")), world.history(table, view, within))
        }
    }
}

fn quoted(alias: &str, name: &str) -> String {
    format!("{alias}.\"{name}\"")
}

/// Some columns, some rows.
fn select(from: Source, rng: &mut SmallRng) -> Question {
    let relation = &from.relation;
    let condition = condition(relation, rng, 0);
    let star = rng.random_bool(0.15);
    let picked: Vec<usize> = match star {
        true => (0..relation.columns.len()).collect(),
        false => some(relation.columns.len(), rng),
    };
    let names: Vec<String> = picked.iter().map(|i| quoted("x", &relation.columns[*i].0)).collect();
    let list = if star { "*".to_owned() } else { names.join(", ") };
    let sql =
        format!("SELECT {list} FROM {} x{}", from.sql, where_clause(relation, &condition, "x"));
    let kept = relation.rows.iter().filter(|row| condition.holds(row) == Some(true));
    let rows = kept.map(|row| picked.iter().map(|i| row[*i].clone()).collect::<Row>());
    Question { sql, answer: sorted(rows) }
}

/// Counts, and the least and the greatest, by some column.
fn group(from: Source, rng: &mut SmallRng) -> Question {
    let relation = &from.relation;
    let condition = condition(relation, rng, 0);
    let plain = |i: &usize| !matches!(relation.columns[*i].1, Ty::List(_));
    let plain: Vec<usize> = (0..relation.columns.len()).filter(plain).collect();
    let key = plain.choose(rng).copied().filter(|_| rng.random_bool(0.8));
    let over = plain.choose(rng).copied().unwrap_or(0);
    let (over_name, over_type) =
        (quoted("x", &relation.columns[over].0), &relation.columns[over].1);
    let mut list = vec!["count(*)".to_owned(), format!("count({over_name})")];
    list.push(format!("count(DISTINCT {over_name})"));
    let ordered = *over_type != Ty::Boolean;
    let summed = matches!(over_type, Ty::Long | Ty::Double);
    if ordered {
        list.extend([format!("min({over_name})"), format!("max({over_name})")]);
    }
    if summed {
        list.push(format!("sum({over_name})"));
    }
    let mut sql = String::from("SELECT ");
    let mut tail = where_clause(relation, &condition, "x");
    if let Some(key) = key {
        let name = quoted("x", &relation.columns[key].0);
        sql += &format!("{name}, ");
        tail += &format!(" GROUP BY {name}");
    }
    sql += &format!("{} FROM {} x{tail}", list.join(", "), from.sql);

    let mut groups: BTreeMap<Option<String>, (Option<Cell>, Vec<&Row>)> = BTreeMap::new();
    if key.is_none() {
        groups.insert(None, (None, Vec::new()));
    }
    for row in relation.rows.iter().filter(|row| condition.holds(row) == Some(true)) {
        let cell = key.and_then(|key| row[key].clone());
        let text = key.map(|_| cell.as_ref().map_or("\0".to_owned(), Cell::text));
        groups.entry(text).or_insert((cell, Vec::new())).1.push(row);
    }
    let rows = groups.into_values().map(|(cell, rows)| {
        let values: Vec<&Cell> = rows.iter().filter_map(|row| row[over].as_ref()).collect();
        let mut out: Row = key.map(|_| cell).into_iter().collect();
        let mut distinct: Vec<String> = values.iter().map(|cell| cell.text()).collect();
        distinct.sort();
        distinct.dedup();
        out.extend([rows.len(), values.len(), distinct.len()].map(|n| Some(Cell::Long(n as i64))));
        if ordered {
            let order = |a: &&&Cell, b: &&&Cell| a.compare(b).unwrap_or(Ordering::Equal);
            out.push(values.iter().min_by(order).map(|cell| (*cell).clone()));
            out.push(values.iter().max_by(order).map(|cell| (*cell).clone()));
        }
        if summed {
            out.push(sum(&values));
        }
        out
    });
    Question { sql, answer: sorted(rows) }
}

fn sum(values: &[&Cell]) -> Option<Cell> {
    let mut total: Option<Cell> = None;
    for value in values {
        total = Some(match (total, value) {
            (Some(Cell::Long(a)), Cell::Long(b)) => Cell::Long(a + b),
            (Some(Cell::Double(a)), Cell::Double(b)) => Cell::Double(a + b),
            (_, value) => (*value).clone(),
        });
    }
    total
}

/// Two tables (at two bases, perhaps) by entity or by reference.
fn join(left: Source, right: Source, rng: &mut SmallRng) -> Question {
    let column = |source: &Source, name: &str| {
        source.relation.columns.iter().position(|c| c.0 == name && c.1 == Ty::Long)
    };
    let refers = column(&left, "link").filter(|_| rng.random_bool(0.5));
    let on = refers.unwrap_or(0);
    let outer = rng.random_bool(0.4);
    let condition = condition(&left.relation, rng, 0);
    let (l, r) = (some(left.relation.columns.len(), rng), some(right.relation.columns.len(), rng));
    let name = |alias: &str, relation: &Relation, i: &usize| quoted(alias, &relation.columns[*i].0);
    let mut list: Vec<String> = l.iter().map(|i| name("x", &left.relation, i)).collect();
    list.extend(r.iter().map(|i| name("y", &right.relation, i)));
    let sql = format!(
        "SELECT {} FROM {} x {} {} y ON {} = y._id{}",
        list.join(", "),
        left.sql,
        if outer { "LEFT JOIN" } else { "JOIN" },
        right.sql,
        name("x", &left.relation, &on),
        where_clause(&left.relation, &condition, "x"),
    );
    let mut rows: Vec<Row> = Vec::new();
    for row in left.relation.rows.iter().filter(|row| condition.holds(row) == Some(true)) {
        let same = |other: &&Row| row[on].is_some() && row[on] == other[0];
        let found: Vec<&Row> = right.relation.rows.iter().filter(same).collect();
        let head: Row = l.iter().map(|i| row[*i].clone()).collect();
        let none: Row = r.iter().map(|_| None).collect();
        if found.is_empty() && outer {
            rows.push([head.clone(), none].concat());
        }
        rows.extend(found.into_iter().map(|other| {
            let tail: Row = r.iter().map(|i| other[*i].clone()).collect();
            [head.clone(), tail].concat()
        }));
    }
    Question { sql, answer: sorted(rows.into_iter()) }
}

fn sorted(rows: impl Iterator<Item = Row>) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = rows.map(|row| printed(&row)).collect();
    rows.sort();
    rows
}

fn some(columns: usize, rng: &mut SmallRng) -> Vec<usize> {
    (0..rng.random_range(1..4)).map(|_| rng.random_range(0..columns)).collect()
}

/// A condition on a row, in SQL's logic of three values.
enum Condition {
    Always,
    Null(usize, bool),
    Compare(usize, &'static str, Cell),
    In(usize, Vec<Cell>),
    Like(usize, String),
    Flag(usize),
    Longer(usize, usize),
    Not(Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
}

fn condition(relation: &Relation, rng: &mut SmallRng, depth: usize) -> Condition {
    let deeper = |rng: &mut SmallRng| Box::new(condition(relation, rng, depth + 1));
    match rng.random_range(0..10) {
        0 | 1 if depth == 0 => Condition::Always,
        2 if depth < 3 => Condition::Not(deeper(rng)),
        3 | 4 if depth < 3 => Condition::Both(deeper(rng), deeper(rng)),
        5 if depth < 3 => Condition::Either(deeper(rng), deeper(rng)),
        _ => leaf(relation, rng),
    }
}

fn leaf(relation: &Relation, rng: &mut SmallRng) -> Condition {
    let i = rng.random_range(0..relation.columns.len());
    let ty = &relation.columns[i].1;
    if rng.random_bool(0.2) {
        return Condition::Null(i, rng.random_bool(0.5));
    }
    match ty {
        Ty::List(_) => return Condition::Longer(i, rng.random_range(0..3)),
        Ty::Boolean => return Condition::Flag(i),
        _ => {}
    }
    let there: Vec<&Cell> = relation.rows.iter().filter_map(|row| row[i].as_ref()).collect();
    let cell = |rng: &mut SmallRng| match there.choose(rng) {
        Some(cell) if rng.random_bool(0.8) => (*cell).clone(),
        _ => elsewhere(ty),
    };
    if *ty == Ty::Text && rng.random_bool(0.2) {
        let text = cell(rng).text();
        let start: String = text.chars().take(rng.random_range(0..3)).collect();
        if !start.contains(['%', '_', '\\']) {
            return Condition::Like(i, start);
        }
    }
    if rng.random_bool(0.25) {
        return Condition::In(i, (0..rng.random_range(1..5)).map(|_| cell(rng)).collect());
    }
    let operator = ["=", "=", "<>", "<", "<=", ">", ">="].choose(rng).copied().unwrap_or("=");
    Condition::Compare(i, operator, cell(rng))
}

/// A value that no row has.
fn elsewhere(ty: &Ty) -> Cell {
    match ty {
        Ty::Long => Cell::Long(77),
        Ty::Double => Cell::Double(0.125),
        Ty::Instant => Cell::Instant(crate::engine::EPOCH + 1),
        _ => Cell::Text("nowhere".into()),
    }
}

fn where_clause(relation: &Relation, condition: &Condition, alias: &str) -> String {
    match condition {
        Condition::Always => String::new(),
        condition => format!(" WHERE {}", condition.sql(relation, alias)),
    }
}

impl Condition {
    fn sql(&self, relation: &Relation, alias: &str) -> String {
        let name = |i: &usize| quoted(alias, &relation.columns[*i].0);
        let inner = |c: &Condition| c.sql(relation, alias);
        match self {
            Condition::Always => "true".into(),
            Condition::Null(i, true) => format!("{} IS NULL", name(i)),
            Condition::Null(i, false) => format!("{} IS NOT NULL", name(i)),
            Condition::Compare(i, operator, cell) => {
                format!("{} {operator} {}", name(i), cell.literal())
            }
            Condition::In(i, cells) => {
                let cells: Vec<String> = cells.iter().map(Cell::literal).collect();
                format!("{} IN ({})", name(i), cells.join(", "))
            }
            Condition::Like(i, start) => {
                format!("{} LIKE '{}%'", name(i), start.replace('\'', "''"))
            }
            Condition::Flag(i) => name(i),
            Condition::Longer(i, n) => format!("array_length({}) > {n}", name(i)),
            Condition::Not(c) => format!("NOT ({})", inner(c)),
            Condition::Both(a, b) => format!("({} AND {})", inner(a), inner(b)),
            Condition::Either(a, b) => format!("({} OR {})", inner(a), inner(b)),
        }
    }

    /// None: unknown.
    fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Condition::Always => Some(true),
            Condition::Null(i, null) => Some(row[*i].is_none() == *null),
            Condition::Compare(i, operator, cell) => {
                let order = row[*i].as_ref()?.compare(cell)?;
                Some(match *operator {
                    "=" => order.is_eq(),
                    "<>" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
            Condition::In(i, cells) => {
                let value = row[*i].as_ref()?;
                Some(cells.iter().any(|cell| value.compare(cell) == Some(Ordering::Equal)))
            }
            Condition::Like(i, start) => Some(row[*i].as_ref()?.text().starts_with(start)),
            Condition::Flag(i) => match row[*i].as_ref()? {
                Cell::Boolean(b) => Some(*b),
                _ => None,
            },
            Condition::Longer(i, n) => match row[*i].as_ref()? {
                Cell::List(items) => Some(items.len() > *n),
                _ => None,
            },
            Condition::Not(c) => c.holds(row).map(|holds| !holds),
            Condition::Both(a, b) => match (a.holds(row), b.holds(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Condition::Either(a, b) => match (a.holds(row), b.holds(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}
