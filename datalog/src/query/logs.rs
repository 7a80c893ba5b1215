//! `:in ?log`, as Datomic has the log of a database: what `tx-ids` and `tx-data` ask is a source, whatever its name is.

use super::{Binding, Call, Clause, Heads, Input, Name, Query, TermKind};

const ASKED: [&str; 2] = ["tx-ids", "tx-data"];

/// Makes sources of the inputs that are asked as logs.
pub fn as_sources(query: &mut Query) {
    for input in &mut query.inputs {
        let Input::Binding(Binding::Var(var)) = input else { continue };
        let name = var.0.clone();
        if in_clauses(&mut query.clauses, &name) {
            *input = Input::Source(name);
        }
    }
}

fn in_clauses(clauses: &mut [Clause], name: &Name) -> bool {
    let found: Vec<bool> = clauses.iter_mut().map(|clause| in_clause(clause, name)).collect();
    found.contains(&true)
}

fn in_clause(clause: &mut Clause, name: &Name) -> bool {
    match clause {
        Clause::Function(call, _) => in_call(call, name),
        // A source is no variable that is joined.
        Clause::Not { vars, clauses, .. } => {
            let found = in_clauses(clauses, name);
            if let Some(vars) = vars.as_mut().filter(|_| found) {
                vars.retain(|v| v.0 != *name);
            }
            found
        }
        Clause::Or { vars, branches, .. } => {
            let found: Vec<bool> = branches.iter_mut().map(|b| in_clauses(b, name)).collect();
            let found = found.contains(&true);
            if let Some(Heads { required, free }) = vars.as_mut().filter(|_| found) {
                required.retain(|v| v.0 != *name);
                free.retain(|v| v.0 != *name);
            }
            found
        }
        Clause::Pattern { .. } | Clause::Predicate(_) | Clause::Rule { .. } => false,
    }
}

fn in_call(call: &mut Call, name: &Name) -> bool {
    let asked = ASKED.contains(&call.name.as_ref());
    match call.args.first_mut().filter(|_| asked) {
        Some(term) if term.var().is_some_and(|var| var.0 == *name) => {
            term.kind = TermKind::Source(name.clone());
            true
        }
        _ => false,
    }
}
