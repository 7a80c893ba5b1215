//! The settings that there are: of Postgres those that clients send and read, and our own.

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Anything.
    Text,
    Bool,
    Int(i64, i64),
    /// Accepted and shown; memory is shared by all sessions and set for the server.
    Memory,
    /// Milliseconds, or a number with a unit.
    Duration,
    OneOf(&'static [&'static str]),
    Encoding,
    DateStyle,
    TimeZone,
    /// Only what it is; setting it to that is no error.
    ReadOnly,
}

pub struct Known {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    pub about: &'static str,
}

const fn known(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    about: &'static str,
) -> Known {
    Known { name, default, kind, about }
}

/// All of them read one snapshot a transaction; the names differ for writers only.
const ISOLATION: Kind =
    Kind::OneOf(&["serializable", "repeatable read", "read committed", "read uncommitted"]);
const MESSAGES: Kind = Kind::OneOf(&[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
]);
const PLANNER: &str = "Accepted for compatibility; the planner chooses by itself";

/// Sorted by name, as SHOW ALL prints them.
pub const KNOWN: &[Known] = &[
    known("application_name", "", Kind::Text, "The name of the application, for logs"),
    known("array_nulls", "on", Kind::ReadOnly, "NULL in arrays is read as null"),
    known("backslash_quote", "safe_encoding", Kind::ReadOnly, "Whether \\' is allowed in strings"),
    known("block_size", "8192", Kind::ReadOnly, "The size of a disk block in PostgreSQL"),
    known("bytea_output", "hex", Kind::ReadOnly, "How bytea is printed"),
    known("check_function_bodies", "on", Kind::Bool, "Accepted for compatibility"),
    known("client_encoding", "UTF8", Kind::Encoding, "The client's character set"),
    known("client_min_messages", "notice", MESSAGES, "Which messages are sent to the client"),
    known("daodb.as_of", "", Kind::Text, "Reads the database as of a transaction or an instant"),
    known("daodb.history", "off", Kind::Bool, "Tables show all versions of their rows"),
    known(
        "daodb.since",
        "",
        Kind::Text,
        "Shows only facts asserted after a transaction or an instant",
    ),
    known("DateStyle", "ISO, MDY", Kind::DateStyle, "How dates are printed"),
    known("default_table_access_method", "heap", Kind::ReadOnly, "Accepted for compatibility"),
    known("default_tablespace", "", Kind::Text, "Accepted for compatibility"),
    known(
        "default_transaction_deferrable",
        "off",
        Kind::Bool,
        "Whether new transactions are deferrable",
    ),
    known(
        "default_transaction_isolation",
        "repeatable read",
        ISOLATION,
        "The isolation of new transactions",
    ),
    known(
        "default_transaction_read_only",
        "off",
        Kind::Bool,
        "Whether new transactions are read-only",
    ),
    known("enable_bitmapscan", "on", Kind::Bool, PLANNER),
    known("enable_hashagg", "on", Kind::Bool, PLANNER),
    known("enable_hashjoin", "on", Kind::Bool, PLANNER),
    known("enable_indexonlyscan", "on", Kind::Bool, PLANNER),
    known("enable_indexscan", "on", Kind::Bool, PLANNER),
    known("enable_material", "on", Kind::Bool, PLANNER),
    known("enable_mergejoin", "on", Kind::Bool, PLANNER),
    known("enable_nestloop", "on", Kind::Bool, PLANNER),
    known("enable_seqscan", "on", Kind::Bool, PLANNER),
    known("enable_sort", "on", Kind::Bool, PLANNER),
    known("escape_string_warning", "on", Kind::Bool, "Accepted for compatibility"),
    known("extra_float_digits", "1", Kind::Int(-15, 3), "Floats are always printed exactly"),
    known("geqo", "on", Kind::Bool, PLANNER),
    known("idle_in_transaction_session_timeout", "0", Kind::Duration, "Accepted for compatibility"),
    known("idle_session_timeout", "0", Kind::Duration, "Accepted for compatibility"),
    known("in_hot_standby", "off", Kind::ReadOnly, "Whether this is a hot standby"),
    known("integer_datetimes", "on", Kind::ReadOnly, "Instants are integers of microseconds"),
    known("IntervalStyle", "postgres", Kind::ReadOnly, "How intervals are printed"),
    known("is_superuser", "on", Kind::ReadOnly, "Whether the user may do everything"),
    known("jit", "off", Kind::Bool, PLANNER),
    known("lc_collate", "C", Kind::ReadOnly, "Strings compare by their code points"),
    known("lc_ctype", "C.UTF-8", Kind::ReadOnly, "Classes of characters"),
    known("lc_messages", "C", Kind::Text, "The language of messages; there is one"),
    known("lc_monetary", "C", Kind::Text, "Accepted for compatibility"),
    known("lc_numeric", "C", Kind::Text, "Accepted for compatibility"),
    known("lc_time", "C", Kind::Text, "Accepted for compatibility"),
    known("lock_timeout", "0", Kind::Duration, "Readers never wait for locks"),
    known("maintenance_work_mem", "64MB", Kind::Memory, "Accepted for compatibility"),
    known("max_identifier_length", "63", Kind::ReadOnly, "The longest name that PostgreSQL takes"),
    known("max_index_keys", "32", Kind::ReadOnly, "The most columns of an index in PostgreSQL"),
    known("max_parallel_workers_per_gather", "2", Kind::Int(0, 1024), PLANNER),
    known("password_encryption", "scram-sha-256", Kind::ReadOnly, "How passwords are kept"),
    known("quote_all_identifiers", "off", Kind::Bool, "Accepted for compatibility"),
    known("row_security", "on", Kind::Bool, "Accepted for compatibility"),
    known(
        "search_path",
        "\"$user\", public",
        Kind::Text,
        "The schemas that plain names are looked up in",
    ),
    known("server_encoding", "UTF8", Kind::ReadOnly, "The server's character set"),
    known("server_version", "15.0 (DaoDB 0.1.0)", Kind::ReadOnly, "The PostgreSQL that is spoken"),
    known("server_version_num", "150000", Kind::ReadOnly, "The same as a number"),
    known("session_authorization", "", Kind::ReadOnly, "The session's user"),
    known("standard_conforming_strings", "on", Kind::ReadOnly, "Backslashes in strings are plain"),
    known(
        "statement_timeout",
        "0",
        Kind::Duration,
        "The longest that a statement may run; 0: no limit",
    ),
    known("synchronize_seqscans", "on", Kind::Bool, PLANNER),
    known(
        "synchronous_commit",
        "on",
        Kind::ReadOnly,
        "A commit is durable when it is acknowledged",
    ),
    known("TimeZone", "UTC", Kind::TimeZone, "The time zone of instants in texts"),
    known("timezone_abbreviations", "Default", Kind::ReadOnly, "Accepted for compatibility"),
    known("transaction_deferrable", "off", Kind::Bool, "Whether the transaction is deferrable"),
    known("transaction_isolation", "repeatable read", ISOLATION, "The transaction's isolation"),
    known("transaction_read_only", "off", Kind::Bool, "Whether the transaction is read-only"),
    known("transform_null_equals", "off", Kind::ReadOnly, "Whether = NULL means IS NULL"),
    known("work_mem", "4MB", Kind::Memory, "Accepted for compatibility"),
    known(
        "xmloption",
        "content",
        Kind::OneOf(&["content", "document"]),
        "Accepted for compatibility",
    ),
];
