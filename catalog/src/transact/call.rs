//! What a caller hands over: ops, who speaks, and a key that makes a repetition of the call the same transaction.

use super::{Condition, EntityRef, Op, TxValue};
use crate::schema::builtin;
use daodb_storage::{Attr, Value};
use std::sync::Arc;

/// Ops that are done as a whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    pub ops: Vec<Op>,
    pub provenance: Provenance,
    /// A call that repeats the key of an earlier transaction is answered with that one's report, and writes nothing.
    pub key: Option<Arc<str>>,
    /// What must be true after it, else it is refused.
    pub conditions: Vec<Arc<dyn Condition>>,
}

/// Who writes, from where and why, as the door knows it: attributes of the transaction's entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `:tx/author`
    pub author: Option<Arc<str>>,
    /// `:tx/client`
    pub client: Option<Arc<str>>,
    /// `:tx/reason`
    pub reason: Option<Arc<str>>,
}

impl From<Vec<Op>> for Transaction {
    fn from(ops: Vec<Op>) -> Transaction {
        Transaction { ops, ..Transaction::default() }
    }
}

impl Transaction {
    /// What provenance and key say of the transaction's entity; None: nothing.
    pub(super) fn said_of_it(&self) -> Option<Op> {
        let Provenance { author, client, reason } = &self.provenance;
        let said = [
            (builtin::TX_AUTHOR, author),
            (builtin::TX_CLIENT, client),
            (builtin::TX_REASON, reason),
            (builtin::TX_KEY, &self.key),
        ];
        let text = |v: &Arc<str>| TxValue::Value(Value::String(Arc::clone(v)));
        let attrs: Vec<(Attr, TxValue)> = said
            .into_iter()
            .filter_map(|(a, v)| v.as_ref().map(|v| (Attr::new(a), text(v))))
            .collect();
        (!attrs.is_empty()).then_some(Op::Map { id: Some(EntityRef::Tx), attrs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provenance_is_said_of_the_transaction() {
        let mut transaction = Transaction::from(Vec::new());
        assert_eq!(transaction.said_of_it(), None);
        transaction.provenance.reason = Some("a typo".into());
        transaction.key = Some("k1".into());
        let shown = transaction.said_of_it().map(|op| op.to_string());
        let expect = "{:db/id \"datomic.tx\", :tx/reason \"a typo\", :dao.tx/key \"k1\"}";
        assert_eq!(shown.as_deref(), Some(expect));
    }
}
