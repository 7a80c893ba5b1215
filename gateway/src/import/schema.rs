//! The attributes of an imported history.

use daodb_catalog::{Op, TxValue};
use daodb_storage::{Attr, Value};

pub const TX_INSTANT: &str = ":db/txInstant";
/// On the transaction entity: the commit that it imports.
pub const GIT_COMMIT: &str = ":git/commit";
pub const SHA: &str = ":commit/sha";
pub const MESSAGE: &str = ":commit/message";
pub const AUTHOR: &str = ":commit/author";
pub const COMMITTER: &str = ":commit/committer";
pub const AUTHORED_AT: &str = ":commit/authored-at";
pub const COMMITTED_AT: &str = ":commit/committed-at";
pub const PARENTS: &str = ":commit/parents";
pub const NAME: &str = ":person/name";
pub const EMAIL: &str = ":person/email";
pub const PATH: &str = ":file/path";
pub const MODE: &str = ":file/mode";
pub const BLOB: &str = ":file/blob";
pub const SIZE: &str = ":file/size";
pub const LINES: &str = ":file/lines";

struct Declared {
    name: &'static str,
    value_type: &'static str,
    many: bool,
    identity: bool,
    doc: &'static str,
}

const fn one(name: &'static str, value_type: &'static str, doc: &'static str) -> Declared {
    Declared { name, value_type, many: false, identity: false, doc }
}

const fn identity(name: &'static str, doc: &'static str) -> Declared {
    Declared { name, value_type: ":db.type/string", many: false, identity: true, doc }
}

const DECLARED: [Declared; 15] = [
    one(GIT_COMMIT, ":db.type/ref", "The commit that this transaction imports"),
    identity(SHA, "Object name, in hex"),
    one(MESSAGE, ":db.type/string", "Without the line ends at its end"),
    one(AUTHOR, ":db.type/ref", "Who wrote it"),
    one(COMMITTER, ":db.type/ref", "Who committed it"),
    one(AUTHORED_AT, ":db.type/instant", "When it was written, as the commit says"),
    one(COMMITTED_AT, ":db.type/instant", "When it was committed, as the commit says"),
    Declared { many: true, ..one(PARENTS, ":db.type/ref", "The commits that it follows") },
    one(NAME, ":db.type/string", "The name last used with the address"),
    identity(EMAIL, "The address; NAME <> where git has none"),
    identity(PATH, "From the top of the tree; as git quotes it where it is not UTF-8"),
    one(MODE, ":db.type/string", "As git ls-tree prints it: 100644, 100755, 120000, 160000"),
    one(BLOB, ":db.type/string", "Object name of the content, in hex; of a submodule, its commit"),
    one(SIZE, ":db.type/long", "Bytes; absent for a submodule"),
    one(LINES, ":db.type/long", "Absent for a submodule and for a binary file"),
];

/// Ops that declare the attributes.
pub fn ops() -> Vec<Op> {
    DECLARED.iter().map(declare).collect()
}

fn declare(declared: &Declared) -> Op {
    let keyword = |name: &str| TxValue::Value(Value::keyword(name));
    let cardinality = if declared.many { ":db.cardinality/many" } else { ":db.cardinality/one" };
    let mut attrs = vec![
        (Attr::new(":db/ident"), keyword(declared.name)),
        (Attr::new(":db/valueType"), keyword(declared.value_type)),
        (Attr::new(":db/cardinality"), keyword(cardinality)),
        (Attr::new(":db/doc"), TxValue::Value(Value::string(declared.doc))),
    ];
    if declared.identity {
        attrs.push((Attr::new(":db/unique"), keyword(":db.unique/identity")));
    }
    Op::Map { id: None, attrs }
}
