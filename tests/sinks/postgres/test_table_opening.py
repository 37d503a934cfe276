"""What a table sink looks at before it writes."""

import contextlib
import re
import uuid
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from eventstream.errors import InvalidSetting
from eventstream.events import Event
from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.postgres import Table

pytestmark = pytest.mark.anyio


def run(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@contextlib.asynccontextmanager
async def opened(dsn, *args, **kwargs):
    sink = Table(*args, dsn=dsn, **kwargs).connect(lambda: None)
    await sink.open("group", "orders")
    try:
        yield await sink.take_over(0, 0)
    finally:
        await sink.close()


async def refusal(dsn, *args, **kwargs):
    sink = Table(*args, dsn=dsn, **kwargs).connect(lambda: None)
    with pytest.raises(SinkRefused) as raised:
        await sink.open("group", "orders")
    await sink.close()
    sentence = str(raised.value)
    assert sentence.endswith(".")
    return sentence


WITH_KEY = "CREATE TABLE orders (id int PRIMARY KEY, note text)"


@pytest.mark.parametrize(
    ("create", "columns", "mode", "says"),
    [
        (WITH_KEY, {"id": "/id", "nope": "/id"}, "insert", "has no column nope; it has id, note."),
        (WITH_KEY, {"note": "/note"}, "insert", "Column id of table .* is NOT NULL"),
        (WITH_KEY, {"id": "/id", "note": "offset"}, "insert", "offset goes into int8 only"),
        (
            WITH_KEY,
            {"id": "timestamp"},
            "insert",
            "timestamp goes into int8, timestamp,",
        ),
        ("CREATE TABLE orders (id int[])", {}, "append", r"is integer\[\], a type that is not"),
        ("CREATE TABLE orders (id int)", {}, "insert", "neither a primary key nor a unique"),
        ("CREATE TABLE orders (id int UNIQUE)", {}, "upsert", "has no primary key"),
        (
            "CREATE TABLE orders (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)",
            {},
            "upsert",
            "has no primary key",
        ),
        (
            "CREATE TABLE orders (id serial PRIMARY KEY, a int)",
            {},
            "upsert",
            "primary key: mode",
        ),
        ("CREATE TABLE orders (id jsonb PRIMARY KEY)", {}, "upsert", "equal values may look"),
        (
            "CREATE TABLE orders (id int, two int GENERATED ALWAYS AS (id * 2) STORED)",
            {"two": "/two"},
            "append",
            "Column two .* is GENERATED",
        ),
        ("CREATE TABLE orders (id int DEFAULT 1)", {}, "append", "has a default: say what goes"),
        ("CREATE VIEW orders AS SELECT 1 AS id", {}, "append", "orders is a view"),
    ],
)
async def test_a_mapping_that_does_not_fit_is_refused(
    postgres_database, create, columns, mode, says
):
    run(postgres_database, create)
    sentence = await refusal(postgres_database, "orders", columns, mode=mode)
    assert re.search(says, sentence)


async def test_a_table_like_the_event_needs_no_mapping(postgres_database):
    run(
        postgres_database,
        "CREATE TABLE orders (id int PRIMARY KEY, note text, number serial, at date DEFAULT now(),"
        " always int GENERATED ALWAYS AS IDENTITY)",
    )
    value = b'{"note": "hi", "id": 5, "number": 7, "at": "2020-01-01", "more": {}}'
    async with opened(postgres_database, "orders") as tenure:
        await tenure.write([Event("orders", value, offset=0)], 1)
    assert run(postgres_database, "SELECT id, note, number, at = current_date FROM orders") == [
        (5, "hi", 1, True)
    ]


async def test_every_part_of_an_event_goes_into_a_column(postgres_database):
    columns = {
        "key": "key",
        "value": "value",
        "headers": "headers",
        "trace": "headers.trace",
        "at": "timestamp",
        "topic": "topic",
        "partition": "partition",
        "offset": "offset",
        "customer": "/customer/name",
        "first": "/items/0",
    }
    headers = (("trace", b"a"), ("trace", b"b"), ("raw", b"\xff"), ("none", None))
    value = b'{"customer": {"name": "\xc3\xa4"}, "items": [{"sku": 1}]}'
    event = Event("orders", value, b"k", headers, 0, 0, 1_700_000_000_123)
    async with opened(
        postgres_database, "public.orders", columns, create=True, mode="append"
    ) as tenure:
        await tenure.write([event], 1)
    document = {"customer": {"name": "ä"}, "items": [{"sku": 1}]}
    in_json = [
        {"name": "trace", "value": "a"},
        {"name": "trace", "value": "b"},
        {"name": "raw", "value_base64": "/w=="},
        {"name": "none", "value": None},
    ]
    found = run(
        postgres_database,
        "SELECT key, value, headers, trace, extract(epoch FROM at)::text, topic, partition,"
        ' "offset", customer, first FROM orders',
    )
    at = "1700000000.123000"
    whole = ("k", document, in_json, "b", at, "orders", 0, 0, "ä", {"sku": 1})
    assert found == [whole]


async def test_bytes_go_into_columns_as_they_are(postgres_database):
    run(
        postgres_database,
        "CREATE TABLE orders (key bytea, value bytea, id int8, at int8, trace uuid)",
    )
    columns = {
        "key": "key",
        "value": "value",
        "id": "headers.id",
        "at": "timestamp",
        "trace": "headers.trace",
    }
    trace = uuid.uuid4()
    headers = (("id", b"-12"), ("trace", str(trace).encode()))
    async with opened(postgres_database, "orders", columns, mode="append") as tenure:
        await tenure.write([Event("orders", b"\xff\0", b"\0", headers, 0, 0, 77)], 1)
        await tenure.write([Event("orders", b"", offset=1)], 2)
    assert run(postgres_database, "SELECT * FROM orders") == [
        (b"\0", b"\xff\0", -12, 77, trace),
        (None, b"", None, 0, None),
    ]


async def test_names_that_need_quotes_are_quoted(postgres_database):
    run(postgres_database, 'CREATE SCHEMA "Sch""ema"')
    run(
        postgres_database,
        'CREATE TABLE "Sch""ema"."Or%s" ("i d" int PRIMARY KEY, "%b" text, "select" text)',
    )
    columns = {"i d": "key", "%b": "/a~1b", "select": '/"'}
    for mode in ("append", "insert", "upsert"):
        async with opened(postgres_database, 'Sch"ema.Or%s', columns, mode=mode) as tenure:
            start = tenure.next_offset
            event = Event("orders", b'{"a/b": "x", "\\"": "y"}', b"7", offset=start)
            await tenure.write([event], start + 1)
            if mode == "append":
                run(postgres_database, 'TRUNCATE "Sch""ema"."Or%s"')
    async with opened(postgres_database, 'Sch"ema.Or%s', columns, mode="upsert") as tenure:
        await tenure.write([Event("orders", None, b"8", offset=2 + 1)], 4)
    assert run(postgres_database, 'SELECT * FROM "Sch""ema"."Or%s"') == [(7, "x", "y")]


OFFERED = (
    'CREATE TABLE IF NOT EXISTS "orders" ("id" text, "event" jsonb, "amount" jsonb,'
    ' "at" timestamptz NOT NULL, PRIMARY KEY ("id"))'
)


async def test_a_table_that_is_missing_is_offered_and_made_only_when_asked(postgres_database):
    columns = {"id": "key", "event": "value", "amount": "/amount", "at": "timestamp"}
    for _ in range(2):
        sentence = await refusal(postgres_database, "orders", columns, mode="upsert")
        assert OFFERED in sentence
    async with opened(postgres_database, "orders", columns, mode="upsert", create=True) as tenure:
        await tenure.write([Event("orders", b'{"amount": 5}', b"a", offset=0)], 1)
    assert run(postgres_database, "SELECT id, amount FROM orders") == [("a", 5)]


@pytest.mark.parametrize(
    ("columns", "mode"),
    [({}, "append"), ({"id": "/id"}, "upsert"), ({"id": "/id"}, "insert")],
)
async def test_a_table_that_cannot_be_known_is_not_made(postgres_database, columns, mode):
    sentence = await refusal(postgres_database, "orders", columns, mode=mode, create=True)
    assert "There is no table orders" in sentence


@pytest.fixture
def restricted(postgres_database):
    """Give the DSN of a user who may keep a ledger, and nothing else."""
    role = f"role_{uuid.uuid4().hex[:12]}"
    run(postgres_database, f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    run(postgres_database, f"GRANT CREATE ON SCHEMA public TO {role}")
    parts = urlsplit(postgres_database)
    yield urlunsplit(parts._replace(netloc=f"{role}:secret@{parts.hostname}:{parts.port}")), role
    run(postgres_database, f"DROP OWNED BY {role}")
    run(postgres_database, f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("grants", "mode", "lacks"),
    [
        ("SELECT, UPDATE", "insert", "INSERT"),
        ("INSERT, SELECT", "upsert", "UPDATE"),
        ("INSERT, UPDATE", "upsert", "SELECT"),
    ],
)
async def test_a_privilege_that_is_missing_is_named(
    postgres_database, restricted, grants, mode, lacks
):
    dsn, role = restricted
    run(postgres_database, WITH_KEY)
    run(postgres_database, f"GRANT {grants} ON orders TO {role}")
    assert f"may not {lacks} column id" in await refusal(dsn, "orders", mode=mode)
    run(postgres_database, f"GRANT {lacks} ON orders TO {role}")
    async with opened(dsn, "orders", mode=mode) as tenure:
        await tenure.write([Event("orders", b'{"id": 1}', offset=0)], 1)


async def test_deleting_needs_its_privilege_too(postgres_database, restricted):
    dsn, role = restricted
    run(postgres_database, WITH_KEY)
    run(postgres_database, f"GRANT INSERT, UPDATE, SELECT ON orders TO {role}")
    columns = {"id": "key", "note": "/note"}
    assert "may not delete rows" in await refusal(dsn, "orders", columns, mode="upsert")


async def test_row_level_security_is_refused(postgres_database, restricted):
    dsn, role = restricted
    run(postgres_database, WITH_KEY)
    run(postgres_database, f"GRANT ALL ON orders TO {role}")
    run(postgres_database, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    assert "Row-level security" in await refusal(dsn, "orders")


@pytest.mark.parametrize(
    ("name", "columns", "mode"),
    [
        ("", {}, "insert"),
        ("a.b.c", {}, "insert"),
        ("orders", {"a": "amount"}, "insert"),
        ("orders", {"a": ""}, "insert"),
        ("orders", {"a": "headers."}, "insert"),
        ("orders", {}, "replace"),
    ],
)
def test_settings_of_no_use_are_refused(name, columns, mode):
    with pytest.raises(InvalidSetting):
        Table(name, columns, mode=mode)


def test_a_dsn_is_needed_for_a_table_and_never_shown(monkeypatch):
    monkeypatch.delenv("EVENTSTREAM_POSTGRES_DSN", raising=False)
    with pytest.raises(InvalidSetting, match="has no DSN"):
        Table("orders").connect(lambda: None)
    with pytest.raises(InvalidSetting) as raised:
        Table("orders", dsn="postgresql://user:hush@[").connect(lambda: None)
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(Table("orders", dsn="postgresql://user:hush@host"))
