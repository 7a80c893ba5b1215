//! How many rows each question has, by loops over the plain columns and searches of the graphs.

use super::data::{Crowd, Graph};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Of a question about people; None: there is no such question.
pub fn of_people(question: &str, crowd: &Crowd) -> Option<usize> {
    let p = &crowd.people;
    let now = crowd.salaries(crowd.updates.len());
    let all = || 0..p.len();
    let ivan = |i: &usize| p.name[*i] == "Ivan";
    let male = |i: &usize| p.sex[*i] == "male";
    Some(match question {
        "q1" | "q2" | "q2-switch" => all().filter(ivan).count(),
        "q3" | "q4" => all().filter(ivan).filter(male).count(),
        "qpred1" | "qpred2" => now.iter().filter(|s| **s > 50_000).count(),
        "agg" => p.name.iter().collect::<BTreeSet<_>>().len(),
        "agg2" => p.name.iter().zip(&p.sex).collect::<BTreeSet<_>>().len(),
        "join_sel" => {
            let mut alike: HashMap<(&str, i64), usize> = HashMap::new();
            let key = |i: usize| (p.last_name[i], p.age[i]);
            all().filter(ivan).for_each(|i| *alike.entry(key(i)).or_default() += 1);
            all().filter(ivan).filter(|i| now[*i] < 1000).map(|i| alike[&key(i)]).sum()
        }
        "point" => 1,
        "value-join" => {
            let mut olgas: HashMap<i64, usize> = HashMap::new();
            let olga = all().filter(|i| p.name[*i] == "Olga");
            olga.for_each(|i| *olgas.entry(now[i]).or_default() += 1);
            let young = all().filter(ivan).filter(|i| p.age[*i] < 10);
            young.map(|i| olgas.get(&now[i]).copied().unwrap_or(0)).sum()
        }
        "not" => all().filter(ivan).filter(|i| !male(i)).count(),
        "or-join" => {
            let either = |i: &usize| p.age[*i] == 10 || male(i) && now[*i] < 5000;
            all().filter(ivan).filter(either).count()
        }
        "3-hop" => all().filter(ivan).filter(|i| p.age[*i] == 7).count(),
        "as-of" => {
            let then = crowd.salaries(crowd.middle());
            all().filter(ivan).filter(|i| then[*i] > 50_000).count()
        }
        "history" => {
            let changed = retracted(crowd).into_iter().filter(ivan).count();
            all().filter(ivan).count() + changed
        }
        "retracted" => retracted(crowd).len(),
        _ => return None,
    })
}

/// Those who got another salary.
fn retracted(crowd: &Crowd) -> Vec<usize> {
    let changes = crowd.updates.iter().flatten();
    changes.filter(|(row, new)| crowd.people.salary[*row] != *new).map(|(row, _)| *row).collect()
}

/// Pairs of which the second is reached from the first in one step or more.
pub fn closure(graph: &Graph) -> usize {
    let out = graph.out();
    (1..=graph.nodes).map(|x| search(&out, x)).sum()
}

pub fn reached(graph: &Graph, from: usize) -> usize {
    search(&graph.out(), from)
}

fn search(out: &[Vec<usize>], from: usize) -> usize {
    let (mut seen, mut rest, mut count) = (vec![false; out.len()], vec![from], 0);
    while let Some(x) = rest.pop() {
        for y in &out[x] {
            if !std::mem::replace(&mut seen[*y], true) {
                count += 1;
                rest.push(*y);
            }
        }
    }
    count
}

/// Pairs with an even number of steps between them, two or more.
pub fn even(graph: &Graph) -> usize {
    let out = graph.out();
    let from = |x: usize| {
        let mut seen = [vec![false; out.len()], vec![false; out.len()]];
        let mut rest = vec![(x, 0)];
        while let Some((x, parity)) = rest.pop() {
            for y in &out[x] {
                if !std::mem::replace(&mut seen[1 - parity][*y], true) {
                    rest.push((*y, 1 - parity));
                }
            }
        }
        seen[0].iter().filter(|s| **s).count()
    };
    (1..=graph.nodes).map(from).sum()
}

/// Pairs of nodes of a tree that are equally far from its root, which itself is of no generation.
pub fn same_generation(tree: &Graph) -> usize {
    let (out, mut depth) = (tree.out(), vec![0usize; tree.nodes + 1]);
    // A parent has a smaller number than its children.
    for x in 1..=tree.nodes {
        out[x].iter().for_each(|y| depth[*y] = depth[x] + 1);
    }
    let mut levels: BTreeMap<usize, usize> = BTreeMap::new();
    (1..=tree.nodes).for_each(|x| *levels.entry(depth[x]).or_default() += 1);
    levels.into_iter().filter(|(depth, _)| *depth > 0).map(|(_, n)| n * n).sum()
}
