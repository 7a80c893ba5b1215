"""The questions of bench/datalog asked of DuckDB in SQL: duckdb_peer.py FOLDER. peers.rs says what is printed.

Its rows are counted where they are, so that nothing is measured but the query: a table of the answer, dropped again."""
import json
import sys
import time
from pathlib import Path

import duckdb

WARM_UP_S, RUNS = 1.0, 5
folder = Path(sys.argv[1])
questions = json.loads((folder / "questions.json").read_text())


def say(line):
    print(line, flush=True)


def database(data):
    con = duckdb.connect()
    file = folder / f"{data}.csv"
    if data.startswith("people"):
        con.execute(
            f"CREATE TABLE person AS SELECT column0 AS _id, column0 AS id, column1 AS name, column2 AS surname, column3 AS sex, "
            f"column4 AS age, column8 AS salary, column6 AS follows FROM read_csv('{file}', header=false)")
    else:
        con.execute(f"CREATE TABLE g AS SELECT column0 AS a, column1 AS b FROM read_csv('{file}', header=false)")
    return con


def measured(ask):
    start = time.perf_counter()
    rows = ask()
    first = time.perf_counter() - start
    if first > WARM_UP_S:
        return rows, first
    while time.perf_counter() - start < WARM_UP_S:
        ask()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return rows, sorted(times)[RUNS // 2]


loaded = con = None
for q in questions:
    if q["data"] != loaded:
        say(f"load {q['data']}")
        con, loaded = database(q["data"]), q["data"]
    say(f"ask {q['name']}")
    try:
        rows, seconds = measured(lambda: con.execute(f"CREATE OR REPLACE TEMP TABLE answer AS {q['sql']}").fetchone()[0])
        say(f"answer {q['name']}\t{rows}\t{seconds * 1e3}")
    except duckdb.Error as e:
        say(f"failed {q['name']}\t{str(e).splitlines()[0]}")
