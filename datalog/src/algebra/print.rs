//! Plans as EXPLAIN shows them: a node a line, what it reads below it.

use super::{Node, Plan, Test};
use std::fmt::{self, Display, Formatter};

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Test::Holds(apply) => write!(f, "{apply}"),
            Test::Same(var, slot) => write!(f, "{var} = {slot}"),
            Test::Present(var) => write!(f, "{var} is there"),
            Test::Any(any) => {
                for (i, tests) in any.iter().enumerate() {
                    f.write_str(if i > 0 { "; or " } else { "" })?;
                    for (i, test) in tests.iter().enumerate() {
                        write!(f, "{}{test}", if i > 0 { ", " } else { "" })?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Plan {
    fn line(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Unit => f.write_str("One row"),
            Node::Empty { why } => write!(f, "Empty: {why}"),
            Node::Values { rows } => write!(f, "Values: {} rows", rows.len()),
            Node::Star(star) => {
                write!(f, "Star of {}:", star.e)?;
                star.places.iter().try_for_each(|p| {
                    write!(f, " {}{} {}", p.a, if p.optional { "?" } else { "" }, p.v)
                })
            }
            Node::Datoms(d) => {
                write!(f, "Datoms: {} of {} attributes", d.pattern, d.attributes.len())
            }
            Node::Table(read) => {
                write!(f, "Rows of SQL, ${}:", read.source)?;
                read.places.iter().try_for_each(|(i, slot)| write!(f, " {i}: {slot}"))
            }
            Node::Join { left, right, outer } => {
                f.write_str(if *outer { "Join, where there are any, on" } else { "Join on" })?;
                super::estimate::shared(left, right).iter().try_for_each(|v| write!(f, " {v}"))
            }
            Node::Anti { left, right } => {
                f.write_str("Not on")?;
                super::estimate::shared(left, right).iter().try_for_each(|v| write!(f, " {v}"))
            }
            Node::Filter { test, .. } => write!(f, "Filter: {test}"),
            Node::Extend { apply, .. } => write!(f, "Function: {apply}"),
            Node::Each { of, .. } => write!(f, "Each of {of}"),
            Node::Union { .. } => f.write_str("Or"),
            Node::Distinct { .. } => f.write_str("Distinct"),
            Node::Nested { query, .. } => {
                f.write_str("Query for each")?;
                query.params.iter().try_for_each(|v| write!(f, " {v}"))
            }
            Node::Rule { fixpoint, rule } => {
                write!(f, "Fixpoint of {}", fixpoint.name(*rule))
            }
        }
    }

    fn tree(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:width$}", "", width = depth * 2)?;
        self.line(f)?;
        write!(f, " -> [")?;
        for (i, c) in self.columns.iter().enumerate() {
            write!(f, "{}{}: {}", if i > 0 { ", " } else { "" }, c.var, c.kind)?;
        }
        writeln!(f, "] about {:.0} rows", self.rows)?;
        match &self.node {
            Node::Join { left, right, .. } | Node::Anti { left, right } => {
                left.tree(f, depth + 1)?;
                right.tree(f, depth + 1)
            }
            Node::Filter { input, .. }
            | Node::Extend { input, .. }
            | Node::Each { input, .. }
            | Node::Distinct { input }
            | Node::Nested { input, .. } => input.tree(f, depth + 1),
            Node::Union { inputs } => inputs.iter().try_for_each(|p| p.tree(f, depth + 1)),
            _ => Ok(()),
        }
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.tree(f, 0)
    }
}
