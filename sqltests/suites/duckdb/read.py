"""Reads Parquet files of DaoDB with DuckDB, which knows nothing of DaoDB, and prints what it found as JSON lines.

read.py log FILE...        one line a datom: [e, a, type, value, t, m, added]
read.py segments FILE...   one line a fact:  [e, a, type, value, t_from, m_from, t_to, m_to]
read.py metadata FILE...   one line a file:  its key-value metadata as an object

Values are text that both sides can make: integers in decimal, doubles as the 16 hex digits of their bits, instants as
microseconds, bytes in hex.
"""

import json
import struct
import sys

import duckdb

INTEGERS = {"long", "ref"}
BINARY = {"bytes", "tuple"}


def text(value_type, value):
    if value_type == "boolean":
        return "true" if value else "false"
    if value_type in INTEGERS or value_type == "instant":
        return str(value)
    if value_type == "double":
        return struct.pack(">d", value).hex()
    if value_type in BINARY:
        return bytes(value).hex()
    return value


def value_columns(db, file):
    columns = db.execute("SELECT * FROM read_parquet(?) LIMIT 0", [file]).description
    return [c[0] for c in columns if c[0].startswith("v_")]


def rows(db, file, columns):
    """The columns named, then the value columns, in the order of the file."""
    values = value_columns(db, file)
    shown = [f"epoch_us({v})" if v == "v_instant" else v for v in values]
    query = (
        f"SELECT {', '.join(columns + shown)} FROM read_parquet(?, file_row_number = true) "
        "ORDER BY file_row_number"
    )
    for row in db.execute(query, [file]).fetchall():
        named = dict(zip(columns + values, row))
        kind = named["value_type"]
        filled = [v for v in values if named[v] is not None]
        if filled != [f"v_{kind}"]:
            sys.exit(f"{file}: value_type is {kind}, but {filled} hold a value")
        yield named, text(kind, named[f"v_{kind}"])


def log(db, file):
    for row, value in rows(db, file, ["e", "a", "value_type", "t", "m", "added"]):
        print(json.dumps([row["e"], row["a"], row["value_type"], value, row["t"], row["m"], row["added"]]))


def segments(db, file):
    columns = ["e", "a", "value_type", "t_from", "m_from", "t_to", "m_to"]
    for row, value in rows(db, file, columns):
        fact = [row["e"], row["a"], row["value_type"], value]
        print(json.dumps(fact + [row[c] for c in columns[3:]]))


def metadata(db, file):
    pairs = db.execute("SELECT key, value FROM parquet_kv_metadata(?)", [file]).fetchall()
    print(json.dumps({k.decode(): v.decode() for k, v in pairs}))


def main():
    db = duckdb.connect()
    read = {"log": log, "segments": segments, "metadata": metadata}[sys.argv[1]]
    for file in sys.argv[2:]:
        read(db, file)


main()
