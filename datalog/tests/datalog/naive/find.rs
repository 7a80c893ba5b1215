//! From bindings to the rows of the answer, as text in order.

use super::data::Source;
use super::eval::{Rows, World};
use super::rules::Relations;
use super::syntax::{Element, Query, Rules, bind, cell, rules};
use super::{Cell, Env, Result, Stop};
use daodb_datalog::edn::{Form, Node};
use daodb_storage::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One argument: a source, or a value.
pub enum Arg {
    Source(Source),
    Value(Node),
}

/// The rows that a query answers, each as text, in the order of their texts. `$` is the first argument.
pub fn answer(query: &Query, args: Vec<Arg>) -> Result<Vec<String>> {
    let (mut sources, mut all_rules) = (BTreeMap::new(), Rules::new());
    let mut envs = vec![Env::new()];
    for (input, arg) in query.inputs.iter().zip(args) {
        match (input.symbol(), arg) {
            (Some(name), Arg::Source(source)) => {
                sources.insert(name.to_owned(), source);
            }
            (Some("%"), Arg::Value(node)) => all_rules = rules(&node),
            (_, Arg::Value(node)) => {
                let (bind, value) = (bind(input), cell(&node));
                envs = envs.iter().flat_map(|env| World::input(env, &bind, &value)).collect();
            }
            (None, Arg::Source(_)) => panic!("{input} takes no source"),
        }
    }
    let world = World { sources: &sources, rules: &all_rules, relations: Relations::default() };
    let mut keys = BTreeSet::new();
    query.inputs.iter().filter(|i| i.symbol().is_none_or(|s| s.starts_with('?'))).for_each(|i| {
        bind(i).vars(&mut keys);
    });
    let rows = Rows { keys, envs: envs.into_iter().collect() };
    let rows = world.clauses(&query.clauses, "$", rows)?;
    shaped(query, &rows)
}

fn shaped(query: &Query, rows: &Rows) -> Result<Vec<String>> {
    let of_element = |e: &Element| match e {
        Element::Var(v) | Element::Aggregate(_, v) => v.clone(),
    };
    let wanted: BTreeSet<String> =
        query.find.iter().map(of_element).chain(query.with.iter().cloned()).collect();
    if let Some(v) = wanted.iter().find(|v| !rows.keys.contains(*v)) {
        return Err(Stop::Unbound(v.clone()));
    }
    let tuple = |env: &Env| -> Env { wanted.iter().map(|v| (v.clone(), env[v].clone())).collect() };
    let distinct: BTreeSet<Env> = rows.envs.iter().map(tuple).collect();
    let is_aggregate = |e: &Element| matches!(e, Element::Aggregate(..));
    let mut out: Vec<String> = Vec::new();
    if query.find.iter().any(is_aggregate) {
        let mut groups: BTreeMap<Vec<Cell>, Vec<&Env>> = BTreeMap::new();
        for env in &distinct {
            let keys = query.find.iter().filter(|e| !is_aggregate(e));
            groups
                .entry(keys.map(|e| env[&of_element(e)].clone()).collect())
                .or_default()
                .push(env);
        }
        for (key, envs) in groups {
            let mut key = key.into_iter();
            out.push(text(query.find.iter().map(|e| match e {
                Element::Var(_) => key.next().unwrap(),
                Element::Aggregate(name, v) => {
                    aggregate(name, envs.iter().filter_map(|env| env[v].clone()).collect())
                }
            })));
        }
    } else {
        out.extend(
            distinct.iter().map(|env| text(query.find.iter().map(|e| env[&of_element(e)].clone()))),
        );
    }
    out.sort();
    Ok(out)
}

fn aggregate(name: &str, mut values: Vec<Value>) -> Cell {
    let longs = || values.iter().map(|v| v.as_i64().unwrap());
    Some(match name {
        "count" => Value::Long(values.len() as i64),
        "count-distinct" => Value::Long(values.iter().collect::<BTreeSet<_>>().len() as i64),
        "sum" => Value::Long(longs().sum()),
        "avg" => Value::Double(longs().sum::<i64>() as f64 / values.len() as f64),
        "min" => values.iter().min().unwrap().clone(),
        "max" => values.iter().max().unwrap().clone(),
        "median" => {
            values.sort();
            let n = values.len();
            let at = |i: usize| values[i].as_i64().unwrap();
            Value::Long(if n % 2 == 1 { at(n / 2) } else { (at(n / 2 - 1) + at(n / 2)) / 2 })
        }
        other => panic!("the naive evaluator has no aggregate {other}"),
    })
}

fn form(c: &Cell) -> Form {
    let node = |c: &Cell| Node { form: form(c), span: Default::default() };
    match c {
        None => Form::Nil,
        Some(Value::Tuple(parts)) => Form::Vector(parts.iter().map(node).collect()),
        Some(v) => Form::Value(v.clone()),
    }
}

fn text(cells: impl Iterator<Item = Cell>) -> String {
    form(&Some(Value::Tuple(cells.collect()))).to_string()
}
