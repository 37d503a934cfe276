"""What becomes of events in each mode, and which of them the server does not take."""

import asyncio
import contextlib
import json

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstream.events import Event
from eventstream.sinks.contract import Poisoned
from eventstream.sinks.postgres import Table

pytestmark = pytest.mark.anyio

NOTES = "CREATE TABLE notes (id text PRIMARY KEY, note text)"
NOTED = {"id": "key", "note": "/note"}


def run(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def event(offset, value, key=None):
    written = None if value is None else json.dumps(value).encode()
    return Event("orders", written, key and key.encode(), partition=0, offset=offset)


@contextlib.asynccontextmanager
async def tenure_of(dsn, *args, partition=0, **kwargs):
    sink = Table(*args, dsn=dsn, **kwargs).connect(lambda: None)
    await sink.open("group", "orders")
    try:
        yield await sink.take_over(partition, 0)
    finally:
        await sink.close()


async def reasons_of(tenure, events):
    with pytest.raises(Poisoned) as raised:
        await tenure.write(events, events[-1].offset + 1)
    return raised.value.reasons


async def test_insert_leaves_alone_what_is_there(postgres_database):
    run(postgres_database, NOTES)
    run(postgres_database, "INSERT INTO notes VALUES ('b', 'there')")
    batch = [event(n, {"note": f"{n}"}, key) for n, key in enumerate("abca")]
    async with tenure_of(postgres_database, "notes", NOTED) as tenure:
        await tenure.write(batch, 4)
        assert tenure.next_offset == 4
        await tenure.write([event(4, {"note": "4"}, "c"), event(5, {"note": "5"}, "d")], 6)
    assert run(postgres_database, "SELECT * FROM notes ORDER BY id") == [
        ("a", "0"),
        ("b", "there"),
        ("c", "2"),
        ("d", "5"),
    ]


async def test_append_meets_a_unique_constraint(postgres_database):
    run(postgres_database, NOTES)
    run(postgres_database, "INSERT INTO notes VALUES ('b', 'there')")
    batch = [event(n, {"note": f"{n}"}, key) for n, key in enumerate("abca")]
    async with tenure_of(postgres_database, "notes", NOTED, mode="append") as tenure:
        reasons = await reasons_of(tenure, batch)
    assert list(reasons) == [1, 3]
    assert "duplicate key value" in reasons[1]


async def test_upsert_keeps_the_last_event_and_a_tombstone_deletes(postgres_database):
    run(postgres_database, NOTES)
    run(postgres_database, "INSERT INTO notes VALUES ('old', 'old'), ('gone', 'old')")
    async with tenure_of(postgres_database, "notes", NOTED, mode="upsert") as tenure:
        await tenure.write(
            [
                event(0, {"note": "first"}, "a"),
                event(1, {"note": "new"}, "old"),
                event(2, None, "gone"),
                event(3, {"note": "last"}, "a"),
                event(4, {"note": "x"}, "b"),
                event(5, None, "b"),
                event(6, None, "c"),
                event(7, {"note": "again"}, "c"),
                event(8, None, "never"),
            ],
            9,
        )
        await tenure.write([event(9, None, "old")], 10)
        assert await reasons_of(tenure, [event(10, None)]) == {
            10: "key is missing or null, and column id is NOT NULL."
        }
    assert run(postgres_database, "SELECT * FROM notes ORDER BY id") == [
        ("a", "last"),
        ("c", "again"),
    ]


async def test_upsert_leaves_other_columns_alone(postgres_database):
    run(postgres_database, "CREATE TABLE notes (id int PRIMARY KEY, note text, mine text)")
    run(postgres_database, "INSERT INTO notes VALUES (1, 'old', 'mine')")
    columns = {"id": "/id", "note": "/note"}
    async with tenure_of(postgres_database, "notes", columns, mode="upsert") as tenure:
        await tenure.write([event(0, {"id": 1, "note": "new"}), event(1, {"id": 2})], 2)
        reasons = await reasons_of(tenure, [event(2, None, "1")])
        assert "which row it deletes is not known" in reasons[2]
    assert run(postgres_database, "SELECT * FROM notes ORDER BY id") == [
        (1, "new", "mine"),
        (2, None, None),
    ]


async def test_upsert_of_nothing_but_a_key(postgres_database):
    run(postgres_database, "CREATE TABLE notes (a int, b text, PRIMARY KEY (b, a))")
    async with tenure_of(postgres_database, "notes", mode="upsert") as tenure:
        await tenure.write([event(n, {"a": n % 2, "b": "x"}) for n in range(5)], 5)
        await tenure.write([event(5, {"a": 0, "b": "x"})], 6)
    assert run(postgres_database, "SELECT a, b FROM notes ORDER BY a") == [(0, "x"), (1, "x")]


async def test_upsert_knows_equal_keys_that_look_different(postgres_database):
    run(postgres_database, "CREATE TABLE notes (id numeric PRIMARY KEY, n int)")
    written = ["1", "1.0", "2", "1.00", "20e-1"]
    batch = [
        Event("orders", b'{"id": %b, "n": %d}' % (number.encode(), n), offset=n)
        for n, number in enumerate(written)
    ]
    async with tenure_of(postgres_database, "notes", mode="upsert") as tenure:
        await tenure.write(batch, 5)
    assert run(postgres_database, "SELECT id, n FROM notes ORDER BY id") == [(1, 3), (2, 4)]


KEYS = st.sampled_from(["a", "b", "c", "ä", "a "])
CHANGES = st.lists(st.lists(st.tuples(KEYS, st.none() | st.integers(0, 9)), max_size=8), max_size=5)


@pytest.mark.parametrize("kind", ["text", "bytea", "char(5)"])
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=CHANGES)
def test_upsert_does_what_a_dictionary_does(postgres_database, kind, batches):
    run(postgres_database, "DROP TABLE IF EXISTS numbers, eventstream_ledger_partition")
    run(postgres_database, f"CREATE TABLE numbers (id {kind} PRIMARY KEY, n int)")
    expected = {}

    async def write():
        columns = {"id": "key", "n": "/n"}
        async with tenure_of(postgres_database, "numbers", columns, mode="upsert") as tenure:
            for batch in batches:
                events = []
                for key, n in batch:
                    value = None if n is None else {"n": n}
                    events.append(event(tenure.next_offset + len(events), value, key))
                    expected.pop(known(key), None)
                    if n is not None:
                        expected[known(key)] = n
                await tenure.write(events, tenure.next_offset + len(events))

    def known(key):
        return key.rstrip(" ") if kind == "char(5)" else key

    asyncio.run(write())
    as_text = "convert_from(id, 'UTF8')" if kind == "bytea" else "id::text"
    assert dict(run(postgres_database, f"SELECT {as_text}, n FROM numbers")) == expected  # noqa: S608


CONSTRAINED = """
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN filled AS text NOT NULL;
CREATE TABLE nodes (
    id int PRIMARY KEY, parent int REFERENCES nodes{}, size positive, name filled,
    price numeric(4, 2), CHECK (name <> 'bad')
);
CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name = 'worse' THEN RAISE 'worse is not allowed'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER complain BEFORE INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION complain();
CREATE INDEX ON nodes (name)
"""
NODES = [
    {"id": 0, "name": "root"},
    {"id": 1, "name": "child", "parent": 0},
    {"id": 2, "name": "orphan", "parent": 99},
    {"id": 3, "name": "bad"},
    {"id": 4, "name": "worse"},
    {"id": 5, "name": "small", "size": 0},
    {"id": 6, "name": "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(4000))},
    {"id": 7, "name": "grandchild", "parent": 1, "size": 3, "price": 1.005},
    {"id": 8, "name": "dear", "price": 100},
]


@pytest.mark.parametrize("mode", ["append", "insert", "upsert"])
@pytest.mark.parametrize("check", ["", " DEFERRABLE INITIALLY DEFERRED"])
async def test_what_only_the_server_knows_is_found(postgres_database, mode, check):
    run(postgres_database, CONSTRAINED.format(check))
    batch = [event(n, node) for n, node in enumerate(NODES)]
    async with tenure_of(postgres_database, "nodes", mode=mode) as tenure:
        orphan = await reasons_of(tenure, batch[:3])
        assert list(orphan) == [2]
        reasons = await reasons_of(tenure, batch)
        assert list(reasons) == [2, 3, 4, 5, 6, 8]
        assert "worse is not allowed" in reasons[4]
        assert run(postgres_database, "SELECT count(*) FROM nodes") == [(0,)]
        await tenure.write([one for one in batch if one.offset not in reasons], len(batch))
    assert run(postgres_database, "SELECT id, price::text FROM nodes ORDER BY id") == [
        (0, None),
        (1, None),
        (7, "1.01"),
    ]


async def test_a_domain_that_is_not_null_needs_a_value(postgres_database):
    run(postgres_database, "CREATE DOMAIN filled AS text NOT NULL; CREATE TABLE t (a filled)")
    async with tenure_of(postgres_database, "t", mode="append") as tenure:
        assert list(await reasons_of(tenure, [event(0, {"a": "x"}), event(1, {})])) == [1]


async def test_a_row_that_others_refer_to_is_not_deleted(postgres_database):
    run(postgres_database, NOTES)
    run(postgres_database, "CREATE TABLE uses (id text REFERENCES notes)")
    async with tenure_of(postgres_database, "notes", NOTED, mode="upsert") as tenure:
        await tenure.write([event(0, {}, "a"), event(1, {}, "b")], 2)
        run(postgres_database, "INSERT INTO uses VALUES ('a')")
        reasons = await reasons_of(tenure, [event(2, None, "b"), event(3, None, "a")])
        assert list(reasons) == [3]
        await tenure.write([event(2, None, "b")], 4)
    assert run(postgres_database, "SELECT id FROM notes") == [("a",)]


async def test_a_few_bad_events_are_found_among_thousands(postgres_database):
    run(postgres_database, "CREATE TABLE t (id int PRIMARY KEY CHECK (id % 1000 <> 999))")
    async with tenure_of(postgres_database, "t", mode="append") as tenure:
        reasons = await reasons_of(tenure, [event(n, {"id": n}) for n in range(5000)])
    assert list(reasons) == [999, 1999, 2999, 3999, 4999]
