"""What a schema of JSON cannot say: statements, queries and transactions that reach the engine, in place of random texts.

A body keeps all else that schemathesis made of it, so that what is wrong in it stays wrong.
"""

import re

import schemathesis
from hypothesis import strategies as st

ATTRIBUTES = [
    ":person/name", ":person/email", ":person/age", ":person/friend", ":person/tags", ":person/home",
    ":item/n", ":new/one", ":db/ident", ":db/doc", ":db/valueType", ":db/cardinality", ":db/unique", ":db/txInstant",
    ":tx/author", ":dao/m", "person/name", ":", "::a",
]  # fmt: skip
ENTITIES = [
    4294967296, 4294967297, 1000, 999, 0, -1, 2**63 - 1, 2**80, "x", "datomic.tx", ":db/current-tx", ":person/name",
    [":person/email", "a@b"], [":person/email", None], [":person/name", "Ann"], [], {"#dao/ref": 4294967296}, None,
]  # fmt: skip
ATOMS = [
    None, True, 0, -1, 2**63, 1.5, 1e308, "", "a@b", "\0", ":person/name", ":-)", "?x", "$", "_", "%", "...",
    {"#string": ":-)"}, {"#long": "9007199254740993"}, {"#bigint": "1" * 50}, {"#bigdec": "1.50"}, {"#bigdec": "1e99999"},
    {"#double": "NaN"}, {"#double": "-Infinity"}, {"#inst": "2026-01-01T00:00:00Z"}, {"#inst": "2026-99"},
    {"#uuid": "6f2a0e7c-5f0e-4d43-9f5a-000000000001"}, {"#dao/uri": "http://a"}, {"#dao/bytes": "AP8="},
    {"#dao/symbol": "x"}, {"#char": "a"}, {"#char": ""}, {"#set": [1, 1]}, {"#map": [[1]]}, {"#my/tag": 1},
    ":db.type/long", ":db.type/ref", ":db.type/string", ":db.cardinality/many", ":db.unique/identity",
]  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.sampled_from(ATOMS), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(ATTRIBUTES), inner, max_size=3)
    ),
    max_leaves=8,
)
ATTRIBUTE = st.sampled_from(ATTRIBUTES)
ENTITY = st.sampled_from(ENTITIES)
FORM = st.one_of(
    # What is taken, so that there is more to read.
    st.builds(lambda name, age: {":person/name": name, ":person/age": age}, st.text(max_size=5), st.integers(0, 99)),
    st.tuples(st.sampled_from([":db/add", ":db/retract"]), ENTITY, ATTRIBUTE, VALUES).map(list),
    st.tuples(st.sampled_from([":db/retractEntity", ":db/retract", ":db.fn/retractEntity"]), ENTITY).map(list),
    st.tuples(st.just(":db/cas"), ENTITY, ATTRIBUTE, VALUES, VALUES).map(list),
    st.dictionaries(st.one_of(ATTRIBUTE, st.sampled_from([":db/id", ":person/_friend", ":db/ensure"])), VALUES, max_size=5),
    st.builds(lambda e, rest: {":db/id": e, **rest}, ENTITY, st.dictionaries(ATTRIBUTE, VALUES, max_size=4)),
    st.lists(VALUES, max_size=6),
)

SQL_WORDS = """SELECT FROM WHERE GROUP BY ORDER LIMIT OFFSET person person__history dao.datoms dao.changes dao.transactions
    dao.attributes dao.storage item pg_class name email age friend tags _id _t * , ( ) = < > <> || + - / % :: AS ON JOIN
    LEFT FULL UNION ALL EXCEPT WITH RECURSIVE x AS EXISTS IN NOT NULL IS BETWEEN AND OR CASE WHEN THEN ELSE END $1 $2 $99 1 0
    -1 9223372036854775807 1e400 'a' '' E'\\\\x' '2026-01-01' 'NaN'::float8 ARRAY[1] ARRAY[] [1] count(*) sum(age)
    avg(age) min(name) max(age) array_agg(name) string_agg(name,',') generate_series(1,3) now() version() DISTINCT HAVING
    OVER PARTITION FOR SYSTEM_TIME VERSION OF 1000 999 TIMESTAMP INTERVAL '1' DAY int8 text numeric bytea timestamptz
    date uuid true false ; -- /* */ "name" "" $$ VALUES LATERAL SHOW SET EXPLAIN ANALYZE INSERT INTO DELETE UPDATE DROP
    TABLE CREATE VIEW BEGIN COMMIT COPY TO STDOUT DECLARE CURSOR FETCH ::date ::bytea substr lpad repeat regexp_match""".split()
STATEMENTS = [
    "SELECT * FROM person", "SELECT name, age FROM person WHERE age > $1 ORDER BY 1", "SELECT count(*) FROM dao.datoms",
    "SELECT * FROM person__history FOR SYSTEM_TIME ALL", "SELECT * FROM person VERSION AS OF 1000",
    "SELECT p.name, f.name FROM person p LEFT JOIN person f ON f._id = p.friend", "TABLE dao.changes",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
    "SELECT age / 0 FROM person", "SELECT $1::int8 + $2::int8", "SELECT 9223372036854775807 + age FROM person",
]  # fmt: skip
SQL = st.one_of(
    st.sampled_from(STATEMENTS),
    st.lists(st.sampled_from(SQL_WORDS), min_size=1, max_size=14).map(" ".join).map("SELECT {}".format),
    st.tuples(st.sampled_from(STATEMENTS), st.lists(st.sampled_from(SQL_WORDS), max_size=6)).map(
        lambda both: " ".join([both[0], *both[1]])
    ),
)

DATALOG_WORDS = """[ ) :find :in :where :with :keys :limit ?e ?a ?v ?x _ $ $x % . ... :person/name :person/age
    :person/friend :item/n :db/ident [?e :person/name ?v] [?e ?a ?v ?t ?op] [_ :person/age ?x] [(< ?x 3)] [(+ ?x 1) ?v]
    [(str ?x) ?v] [(ground [1 2]) [?x ...]] (not [?e :person/age ?x]) (or [?e :person/age ?x] [?e :item/n ?x])
    (or-join [?e] [?e :person/age]) (not-join [?e] [?e :item/n]) (rule ?e ?x) [[rule ?a ?b] [?a :person/friend ?b]]
    (pull ?e [*]) (pull ?e [:person/name {:person/friend ...}]) (count ?e) (sum ?x) (min 2 ?x) (median ?x) (sample 3 ?x)
    (q [:find ?e :where [?e :person/name]] $) ?r 1 -1 "a" nil true 1.5 1N 1M \\a #{1} #inst "2026" :a/b get-else
    missing? tuple untuple rand-nth [(get-else $ ?e :person/age 0) ?v] [(missing? $ ?e :person/age)] [(/ ?x 0) ?v]""".split(" ")
QUERIES = [
    "[:find ?e ?v :where [?e :person/name ?v]]", "[:find (pull ?e [*]) :where [?e :person/name]]",
    "[:find ?v . :in $ ?e :where [?e :person/name ?v]]", "[:find [?v ...] :where [_ :person/age ?v]]",
    "[:find ?a ?b :in $ % :where (r ?a ?b)]", "{:find [?e] :where [[?e :item/n 1]]}",
    "[:find (count ?e) (sum ?x) :where [?e :person/age ?x]]", "[:find ?e ?a ?v ?t ?o :where [?e ?a ?v ?t ?o]]",
]  # fmt: skip
QUERY = st.one_of(
    st.sampled_from(QUERIES),
    st.lists(st.sampled_from([w for w in DATALOG_WORDS if w.strip()]), max_size=14).map(
        lambda words: "[:find ?e " + " ".join(words) + "]"
    ),
    st.lists(VALUES, max_size=6),
    st.lists(st.sampled_from([":find", "?e", ":where", ["?e", ":person/name", "?v"], "?v", ":in", "$", ["?v", "..."]]), max_size=8),
)
PATTERNS = [
    "[*]", "[:person/name {:person/friend [:person/name]}]", "[{:person/friend ...}]", "[{:person/friend 3}]",
    "[(:person/tags :limit 2 :default 1 :as \"t\")]", "[:person/_friend]", "[:db/id \"x\"]", "[{}]", "[[]]", "[", "*",
]  # fmt: skip
SELECTOR = st.one_of(st.sampled_from(PATTERNS), st.lists(VALUES, max_size=4))

INDEXES = [":eavt", ":aevt", ":avet", ":vaet"]

# By key: what may stand there already (of a type, or one of some values), what takes its place.
PLACES = {
    "sql": (str, SQL),
    "query": ((str, list, dict), QUERY),
    "selector": ((str, list), SELECTOR),
    "args": (list, st.lists(st.one_of(VALUES, st.just([[["r", "?a", "?b"], ["?a", ":person/friend", "?b"]]])), max_size=3)),
    "eid": (object, ENTITY),
    "eids": (list, st.lists(ENTITY, max_size=3)),
    "index": (INDEXES, st.sampled_from(INDEXES)),
    "attrid": (object, ATTRIBUTE),
    "start": (object, VALUES),
    "end": (object, VALUES),
}


def forms_of(value):
    return isinstance(value, list) and all(isinstance(form, (list, dict)) for form in value)


def fits(kind, value):
    return value in kind if isinstance(kind, list) else isinstance(value, kind)


def left_out(said, drawn):
    """The keys of a moment or a limit that a call does without; most do, or none would get any further."""
    fits = {
        "as-of": lambda v: isinstance(v, (str, int)),
        "since": lambda v: isinstance(v, (str, int)),
        "history": lambda v: v in (True, False, "true", "false"),
        "timeout": lambda v: type(v) is int and v >= 1,
        # No more than a page of the log has, so that a larger one stays wrong.
        "limit": lambda v: type(v) is int and 1 <= v <= 1000,
        "offset": lambda v: type(v) is int and v >= 0,
    }
    return {key: v for key, v in said.items() if key in drawn or key not in fits or not fits[key](v)}


KEPT = st.sets(st.sampled_from(["as-of", "since", "history", "timeout", "limit", "offset"]), max_size=1)


@schemathesis.hook
def flatmap_query(context, query):
    return KEPT.map(lambda kept: left_out(query, kept)) if isinstance(query, dict) else st.just(query)


@schemathesis.hook
def flatmap_body(context, body):
    if not isinstance(body, dict):
        return st.just(body)
    places = {key: new for key, (kind, new) in PLACES.items() if key in body and fits(kind, body[key])}
    if "eids" in places and len(body["eids"]) > 10_000:
        del places["eids"]
    if forms_of(body.get("tx-data")):
        places["tx-data"] = st.lists(FORM, max_size=4)
    components = body.get("components")
    if isinstance(components, list) and len(components) <= 4:
        places["components"] = st.lists(st.one_of(ENTITY, ATTRIBUTE, VALUES), max_size=4)
    if context.operation.path == "/api" and is_database_name(body.get("db-name")):
        # A database takes memory and threads: some names, not one a call.
        places["db-name"] = st.sampled_from(["put_away", "made", "test"])
    changed = st.builds(lambda new, kept: changed_body(body, new, kept), st.fixed_dictionaries(places), KEPT)
    return st.one_of(st.just(body), changed, changed, changed) if places else st.just(body)


def changed_body(body, new, kept):
    out = left_out({**body, **new}, kept)
    # One of two that exclude each other, where both are what may stand there.
    for one, other in [("sql", "query"), ("eid", "eids"), ("index", "attrid")]:
        if one in new and other in new:
            del out[one if kept else other]
    if "sql" in out and "args" in new and "$" not in str(out["sql"]):
        del out["args"]
    return out


def is_database_name(name):
    return isinstance(name, str) and re.fullmatch("[a-z_][a-z0-9_-]{0,62}", name) is not None


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # Under load, or where a limit of time or memory is met, a server says so and when to come again.
    return not (response.status_code == 503 and "retry-after" in response.headers)
