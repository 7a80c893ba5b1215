//! Operators and functions by their qualified names, collations, words that are functions.

use super::build::{call, fold, system_name, take, text};
use daodb_catalog::{Error, Result, SqlState};
use datafusion::sql::sqlparser::ast::{AccessExpr, BinaryOperator, Expr, Ident, ObjectName};

pub fn rewrite(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::BinaryOp { op, .. } => {
            if let BinaryOperator::PGCustomBinaryOperator(parts) = op {
                *op = operator(parts)?;
            }
        }
        Expr::Collate { expr: inner, collation } => {
            check_collation(collation)?;
            *expr = take(inner);
        }
        Expr::Identifier(ident) if ident.quote_style.is_none() => {
            // Words of the grammar that the parser takes for columns.
            let word = fold(ident);
            if matches!(word.as_str(), "current_schema" | "current_role") {
                *expr = call(&word, Vec::new());
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => access(root, access_chain),
        Expr::Function(function) => {
            if let Some(name) = system_name(&function.name) {
                function.name = ObjectName::from(vec![Ident::new(renamed(name))]);
            }
        }
        _ => {}
    }
    Ok(())
}

/// `(composite).field` names the field by a text, and the array of `relation.array[1]` is one reference.
fn access(root: &mut Expr, chain: &mut Vec<AccessExpr>) {
    let Some(AccessExpr::Dot(Expr::Identifier(field))) = chain.first_mut() else { return };
    match root {
        Expr::Identifier(relation) => {
            *root = Expr::CompoundIdentifier(vec![relation.clone(), field.clone()]);
            chain.remove(0);
        }
        Expr::CompoundIdentifier(parts) => {
            parts.push(field.clone());
            chain.remove(0);
        }
        _ => chain[0] = AccessExpr::Dot(text(fold(field))),
    }
}

/// Functions that DataFusion has by another name.
fn renamed(name: String) -> String {
    match name.as_str() {
        // DataFusion's own takes away the first only.
        "array_remove" => "array_remove_all".to_owned(),
        "statement_timestamp" | "transaction_timestamp" | "clock_timestamp" => "now".to_owned(),
        _ => name,
    }
}

fn operator(parts: &[String]) -> Result<BinaryOperator> {
    let symbol = parts.last().map(String::as_str).unwrap_or_default();
    Ok(match symbol {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "&" => BinaryOperator::BitwiseAnd,
        "|" => BinaryOperator::BitwiseOr,
        _ => {
            let message = format!("operator does not exist: {}", parts.join("."));
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message));
        }
    })
}

/// All texts are compared byte for byte, which is what these collations ask for.
fn check_collation(name: &ObjectName) -> Result<()> {
    let known = system_name(name).map(|n| n.to_lowercase());
    match known.as_deref() {
        Some("default" | "c" | "posix" | "ucs_basic" | "c.utf-8" | "c.utf8") => Ok(()),
        _ => {
            let message = format!("collation {name} does not exist");
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message)
                .hint("texts are compared byte for byte: collation \"C\""))
        }
    }
}
