"""What Python's drivers need of the Postgres wire: psycopg2 (simple protocol), psycopg 3 (extended, text and binary) and
asyncpg (extended, binary throughout).

    python suite.py HOST PORT DATABASE

The database has a table person (name text, age bigint) of two rows, Ann 40 and Bob 50.
"""

import asyncio
import datetime as dt
import decimal
import io
import sys
import uuid

import asyncpg
import psycopg
import psycopg2
import psycopg2.errors

HOST, PORT, DATABASE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
AT = dt.datetime(2026, 1, 31, 12, 34, 56, 789000, tzinfo=dt.timezone.utc)
VALUES = [
    ("true", True),
    ("(-7)::int2", -7),
    ("(-7)::int4", -7),
    ("9223372036854775807", 9223372036854775807),
    ("0.5::float4", 0.5),
    ("0.1::float8", 0.1),
    ("(-12.50)::numeric(10,2)", decimal.Decimal("-12.50")),
    ("'ä b'", "ä b"),
    ("'2026-01-31'::date", AT.date()),
    ("'12:34:56.789'::time", AT.time()),
    ("'2026-01-31 12:34:56.789'::timestamp", AT.replace(tzinfo=None)),
    ("'2026-01-31 12:34:56.789+00'::timestamptz", AT),
    ("'2 days 00:00:03'::interval", dt.timedelta(days=2, seconds=3)),
    ("ARRAY[1, NULL, 3]", [1, None, 3]),
    ("ARRAY['a b', 'c', '']", ["a b", "c", ""]),
    ("NULL", None),
]


def same(driver, what, got, expect):
    assert got == expect, f"{driver}: {what}: {got!r} is not {expect!r}"


def with_psycopg2():
    connection = psycopg2.connect(host=HOST, port=PORT, dbname=DATABASE, user="tester")
    assert connection.server_version == 150000, connection.server_version
    cursor = connection.cursor()
    for literal, expect in VALUES:
        cursor.execute(f"SELECT {literal}")
        same("psycopg2", literal, cursor.fetchone()[0], expect)
    cursor.execute("SELECT decode('00ff', 'hex')")
    same("psycopg2", "bytea", bytes(cursor.fetchone()[0]), b"\x00\xff")
    cursor.execute("SELECT name FROM person WHERE age > %s ORDER BY name", (30,))
    same("psycopg2", "parameters", cursor.fetchall(), [("Ann",), ("Bob",)])
    same("psycopg2", "count", cursor.rowcount, 2)
    connection.commit()
    # A transaction that failed says so until it is rolled back.
    try:
        cursor.execute("SELECT * FROM nowhere")
        raise AssertionError("psycopg2: no error")
    except psycopg2.errors.UndefinedTable as e:
        assert e.diag.sqlstate == "42P01" and e.diag.statement_position, vars(e.diag)
    try:
        cursor.execute("SELECT 1")
        raise AssertionError("psycopg2: no error")
    except psycopg2.errors.InFailedSqlTransaction:
        connection.rollback()
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT name, age FROM person ORDER BY 1) TO STDOUT (FORMAT csv)", out)
    same("psycopg2", "copy", out.getvalue(), "Ann,40\nBob,50\n")
    connection.commit()
    # A named cursor fetches so many rows at a time.
    named = connection.cursor("some rows")
    named.itersize = 1000
    named.execute("SELECT n FROM generate_series(1, 10000) AS g(n) WHERE n > %s ORDER BY n", (100,))
    same("psycopg2", "a named cursor", [n for n, in named], list(range(101, 10001)))
    named.close()
    connection.commit()
    held = connection.cursor("held", withhold=True)
    held.execute("SELECT name FROM person ORDER BY name")
    same("psycopg2", "before the commit", held.fetchone(), ("Ann",))
    connection.commit()
    same("psycopg2", "after the commit", held.fetchall(), [("Bob",)])
    held.close()
    connection.commit()
    moved = connection.cursor("moved")
    moved.execute("SELECT n FROM generate_series(1, 100) AS g(n) ORDER BY n")
    moved.scroll(10)
    same("psycopg2", "moved", moved.fetchmany(2), [(11,), (12,)])
    try:
        moved.scroll(-5)
        raise AssertionError("psycopg2: no error")
    except psycopg2.errors.ObjectNotInPrerequisiteState:
        connection.rollback()
    connection.close()


def with_psycopg3():
    connection = psycopg.connect(host=HOST, port=PORT, dbname=DATABASE, user="tester")
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        for literal, expect in VALUES:
            cursor.execute(f"SELECT {literal}")
            same("psycopg 3", literal, cursor.fetchone()[0], expect)
            if expect is None or isinstance(expect, (list, float)):
                continue
            cursor.execute("SELECT %b" if binary else "SELECT %t", (expect,))
            same("psycopg 3", f"parameter {literal}", cursor.fetchone()[0], expect)
        sql = "SELECT name FROM person WHERE age > %s AND name <> %s ORDER BY name"
        # Prepared by the driver from the sixth time on.
        for _ in range(8):
            rows = cursor.execute(sql, (30, "Zoe")).fetchall()
            same("psycopg 3", "prepared", rows, [("Ann",), ("Bob",)])
        names = cursor.execute("SELECT name FROM person WHERE name = ANY(%s)", (["Ann", "Eve"],))
        same("psycopg 3", "a list", names.fetchall(), [("Ann",)])
    pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
    same("psycopg 3", "the backend's number", pid, connection.info.backend_pid)
    # Rows one by one from a query of a million.
    count = sum(1 for _ in connection.cursor().stream("SELECT * FROM generate_series(1, 100000)"))
    same("psycopg 3", "stream", count, 100000)
    connection.rollback()
    with connection.pipeline():
        one, two = connection.execute("SELECT 1"), connection.execute("SELECT 2")
        same("psycopg 3", "pipeline", (one.fetchone(), two.fetchone()), ((1,), (2,)))
    with connection.cursor().copy("COPY (SELECT name FROM person ORDER BY 1) TO STDOUT") as copy:
        same("psycopg 3", "copy", b"".join(bytes(b) for b in copy), b"Ann\nBob\n")
    binary = "COPY (SELECT name, age FROM person ORDER BY 1) TO STDOUT (FORMAT binary)"
    with connection.cursor().copy(binary) as copy:
        copy.set_types(["text", "int8"])
        same("psycopg 3", "copy of rows", list(copy.rows()), [("Ann", 40), ("Bob", 50)])
    connection.rollback()
    for binary in (False, True):
        with connection.cursor("some rows", binary=binary) as named:
            named.itersize = 1000
            sql = "SELECT n, n::float8 / 2 AS half FROM generate_series(1, 10000) AS g(n) WHERE n > %s ORDER BY n"
            named.execute(sql, (100,))
            same("psycopg 3", "its columns", [c.name for c in named.description], ["n", "half"])
            same("psycopg 3", "a named cursor", named.fetchone(), (101, 50.5))
            same("psycopg 3", "the next", named.fetchmany(2), [(102, 51.0), (103, 51.5)])
            named.scroll(97)
            same("psycopg 3", "the rest", [n for n, _ in named], list(range(201, 10001)))
        connection.commit()
    held = connection.cursor("held", withhold=True)
    held.execute("SELECT name FROM person ORDER BY name")
    same("psycopg 3", "before the commit", held.fetchone(), ("Ann",))
    connection.commit()
    same("psycopg 3", "after the commit", held.fetchall(), [("Bob",)])
    held.close()
    # One that never ran: the driver asks pg_cursors whether it is there.
    connection.execute("SELECT 1")
    connection.cursor("never").close()
    connection.commit()
    # More prepared statements than the driver keeps: it gives some back.
    for n in range(120):
        connection.execute("SELECT %s::int8 AS c" + str(n), (n,), prepare=True)
    connection.close()


async def with_asyncpg():
    pool = await asyncpg.create_pool(
        host=HOST, port=PORT, database=DATABASE, user="tester", min_size=2, max_size=4
    )
    async with pool.acquire() as connection:
        for literal, expect in VALUES:
            same("asyncpg", literal, await connection.fetchval(f"SELECT {literal}"), expect)
        rows = await connection.fetch("SELECT name FROM person WHERE age > $1 ORDER BY name", 30)
        same("asyncpg", "parameters", [row["name"] for row in rows], ["Ann", "Bob"])
        some = uuid.uuid4()
        # A parameter that is cast to uuid is described as text: asyncpg wants a str for it.
        same("asyncpg", "uuid", await connection.fetchval("SELECT $1::uuid::text", str(some)), str(some))
        async with connection.transaction():
            cursor = await connection.cursor("SELECT n FROM generate_series(1, 10) AS g(n)")
            same("asyncpg", "cursor", [r["n"] for r in await cursor.fetch(4)], [1, 2, 3, 4])
            same("asyncpg", "cursor", [r["n"] for r in await cursor.fetch(4)], [5, 6, 7, 8])
        try:
            await connection.fetch("SELECT 1/0")
            raise AssertionError("asyncpg: no error")
        except asyncpg.exceptions.DivisionByZeroError:
            pass
        try:
            await connection.fetch("SELECT sum(n % 7) FROM generate_series(1, 100000000000) AS g(n)", timeout=0.5)
            raise AssertionError("asyncpg: no timeout")
        except (asyncio.TimeoutError, TimeoutError):
            pass
        same("asyncpg", "after a timeout", await connection.fetchval("SELECT 1"), 1)
    # A connection that is given back is reset.
    async with pool.acquire() as connection:
        same("asyncpg", "reset", await connection.fetchval("SELECT 1"), 1)
    await pool.close()


with_psycopg2()
with_psycopg3()
asyncio.run(with_asyncpg())
print("psycopg2, psycopg 3 and asyncpg: all well")
