//! Who writes and why, and the key of a call that may be made again: said beside `:tx-data`, by whatever door it comes.

use crate::http::formats::field;
use daodb_catalog::{EntityRef, Op, Provenance, Transaction};
use daodb_datalog::edn::{EdnError, Form, Node};
use daodb_storage::Attr;
use std::sync::Arc;

pub const AUTHOR: &str = "author";
pub const REASON: &str = "reason";
pub const KEY: &str = "idempotency-key";
pub const TX_AUTHOR: &str = ":tx/author";
pub const TX_CLIENT: &str = ":tx/client";
/// What this program calls itself where it writes.
pub const DAODB: &str = concat!("daodb/", env!("CARGO_PKG_VERSION"));
/// Characters of each: names and a sentence, no documents.
const MOST: usize = 1024;

/// What a map says beside its data.
pub fn said_in(map: &Node) -> Result<Transaction, EdnError> {
    let text = |name: &str| match field(map, name).filter(|node| node.form != Form::Nil) {
        None => Ok(None),
        Some(node) => {
            let given = node.string().ok_or_else(|| format!("is {}, not a text", node.kind()));
            let wrong = |why| EdnError {
                message: format!("the value of :{name} {why}"),
                hint: Some(format!("give a text of 1 to {MOST} characters")),
                span: node.span,
            };
            given.and_then(fits).map(Some).map_err(wrong)
        }
    };
    let (author, reason) = (text(AUTHOR)?, text(REASON)?);
    let provenance = Provenance { author, client: None, reason };
    Ok(Transaction { provenance, key: text(KEY)?, ..Transaction::default() })
}

/// Whether the data themselves say this of the transaction: then what a door says by default is left out.
pub fn tells(ops: &[Op], attribute: &str) -> bool {
    let is = |a: &Attr| a.as_str() == attribute;
    let is_tx = |e: &EntityRef| match e {
        EntityRef::Tx => true,
        EntityRef::Temp(name) => name.as_ref() == "datomic.tx",
        EntityRef::Ident(name) => name.as_str() == ":db/current-tx",
        _ => false,
    };
    ops.iter().any(|op| match op {
        Op::Add { e, a, .. } => is_tx(e) && is(a),
        Op::Map { id: Some(e), attrs } => is_tx(e) && attrs.iter().any(|(a, _)| is(a)),
        _ => false,
    })
}

/// A text that may be kept; else what is wrong with it.
pub fn fits(text: &str) -> Result<Arc<str>, String> {
    match text.chars().count() {
        0 => Err("is empty".to_owned()),
        n if n > MOST => Err(format!("has {n} characters, and {MOST} are the most")),
        _ => Ok(text.into()),
    }
}

/// What a program calls itself; its beginning, where that is a whole story. None: it does not say.
pub fn client(text: &str) -> Option<Arc<str>> {
    let text: String = text.trim().chars().take(MOST).collect();
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use daodb_datalog::edn::read;

    #[test]
    fn what_is_said_beside_the_data() {
        let said =
            said_in(&read("{:author \"ada\" :reason nil \"idempotency-key\" \"k\"}").unwrap());
        let said = said.unwrap();
        assert_eq!(said.provenance.author.as_deref(), Some("ada"));
        assert_eq!((said.provenance.reason, said.key.as_deref()), (None, Some("k")));
        let long = format!("{{:author {:?}}}", "x".repeat(MOST + 1));
        for (text, expect) in [
            ("{:reason \"\"}", "the value of :reason is empty"),
            ("{:author 7}", "the value of :author is a long, not a text"),
            (long.as_str(), "1025 characters, and 1024 are the most"),
        ] {
            let e = said_in(&read(text).unwrap()).unwrap_err();
            assert!(e.message.contains(expect), "{e}");
            assert!(e.span.start > 0, "{e:?}");
        }
    }

    #[test]
    fn a_client_says_a_name_or_nothing() {
        assert_eq!(client(" curl/8 ").as_deref(), Some("curl/8"));
        assert_eq!(client("  "), None);
        assert_eq!(client(&"ß".repeat(2000)).unwrap().chars().count(), MOST);
    }
}
