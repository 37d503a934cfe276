"""A table sink whose server is in trouble, or somebody's hands in its table."""

import asyncio
import contextlib

import psycopg
import pytest

from eventstream.events import Event
from eventstream.local.postgres import start_postgres
from eventstream.settings import HomeSettings
from eventstream.sinks.contract import Fenced, SinkRefused, SinkUnavailable
from eventstream.sinks.postgres import Table
from sinks.cutting import Wire

pytestmark = pytest.mark.anyio


def run(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def events(*ids):
    return [Event("orders", b'{"id": %d}' % each, b"k", offset=each) for each in ids]


@contextlib.asynccontextmanager
async def tenure_of(dsn, mode="append", on_void=lambda: None):
    sink = Table("t", mode=mode, dsn=dsn).connect(on_void)
    await sink.open("group", "orders")
    try:
        yield await sink.take_over(0, 0)
    finally:
        await sink.close()


@pytest.fixture
def database(postgres_database):
    run(postgres_database, "CREATE TABLE t (id int)")
    return postgres_database


def ids(dsn):
    return [each for (each,) in run(dsn, "SELECT id FROM t ORDER BY id")]


OURS = "datname = current_database() AND application_name LIKE 'eventstream%'"
TERMINATE = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}"  # noqa: S608
CANCEL = f"""
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'
"""  # noqa: S608


def once(how, sign):
    """Make what a wire does the first time that a client sends something."""
    hows = iter([how])
    return lambda data: next(hows, None) if sign in data else None


async def some(dsn, statement):
    """Wait until a statement has rows."""
    while not run(dsn, statement):  # noqa: ASYNC110 - the server says so
        await asyncio.sleep(0.005)


async def test_a_locked_table_is_trouble_that_passes(database):
    async with tenure_of(database) as tenure:
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE t")
            writing = asyncio.create_task(tenure.write(events(0), 1))
            await some(database, CANCEL)
            with pytest.raises(SinkUnavailable, match="canceling statement"):
                await writing
        await tenure.write(events(0), 1)
    assert ids(database) == [0]


async def test_sessions_that_were_ended_are_trouble_that_passes(database):
    async with tenure_of(database) as tenure:
        await tenure.write(events(0), 1)
        run(database, TERMINATE)
        with pytest.raises(SinkUnavailable):
            await tenure.write(events(1), 2)
        await tenure.write(events(1), 2)
    assert ids(database) == [0, 1]


async def test_a_server_that_takes_no_writes_is_trouble_that_passes(database):
    name = database.rpartition("/")[2]
    async with tenure_of(database) as tenure:
        run(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        run(database, TERMINATE)
        with pytest.raises(SinkUnavailable):
            await tenure.write(events(0), 1)
        with pytest.raises(SinkUnavailable, match="read-only transaction"):
            await tenure.write(events(0), 1)
        with psycopg.connect(database, options="-c default_transaction_read_only=off") as mine:
            mine.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        run(database, TERMINATE)
        with pytest.raises(SinkUnavailable):
            await tenure.write(events(0), 1)
        await tenure.write(events(0), 1)
    assert ids(database) == [0]


async def test_a_deadlock_is_trouble_that_passes(database):
    run(database, "ALTER TABLE t ADD PRIMARY KEY (id)")
    run(
        database,
        "ALTER DATABASE {} SET deadlock_timeout = '20ms'".format(database.rpartition("/")[2]),
    )
    async with tenure_of(database, "upsert") as tenure:
        other = await psycopg.AsyncConnection.connect(database)
        await other.execute("INSERT INTO t VALUES (2)")
        writing = asyncio.create_task(tenure.write(events(1, 2), 3))
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        await some(database, waiting)
        crossing = asyncio.create_task(other.execute("INSERT INTO t VALUES (1)"))
        done = await asyncio.gather(writing, crossing, return_exceptions=True)
        await other.close()
        failed = [each for each in done if isinstance(each, Exception)]
        assert len(failed) == 1
        if isinstance(failed[0], SinkUnavailable):
            await tenure.write(events(1, 2), 3)
    assert ids(database) == [1, 2]


@pytest.mark.parametrize(
    ("mode", "change", "says"),
    [
        ("append", "DROP TABLE t", "does not exist"),
        ("upsert", "DROP TABLE t", "does not exist"),
        ("append", "ALTER TABLE t RENAME id TO number", "not what it was"),
        ("append", "ALTER TABLE t ALTER id TYPE bigint", "not what it was"),
        ("append", "ALTER TABLE t ALTER id TYPE real", "not what it was"),
        ("append", "TRUNCATE t; ALTER TABLE t ADD more int NOT NULL", "not what it was"),
        ("upsert", "TRUNCATE t; ALTER TABLE t ADD more int NOT NULL", "not what it was"),
    ],
)
async def test_a_table_that_was_changed_poisons_no_event(database, mode, change, says):
    run(database, "ALTER TABLE t ADD PRIMARY KEY (id)")
    async with tenure_of(database, mode) as tenure:
        await tenure.write(events(0), 1)
        run(database, change)
        with pytest.raises(SinkRefused, match=says):
            await tenure.write(events(1), 2)


async def test_a_process_that_stopped_in_the_middle_of_rows_is_not_waited_for_long(database):
    async with Wire(database, once("hold", b"PGCOPY")) as wire, tenure_of(wire.url) as old:
        stopped = asyncio.create_task(old.write(events(0), 1))
        await wire.held.wait()
        async with asyncio.timeout(2):
            async with tenure_of(database) as new:
                await new.write(events(0, 1), 2)
        wire.let_go()
        with pytest.raises((Fenced, SinkUnavailable)):
            await stopped
        with pytest.raises(Fenced):
            await old.write(events(0), 1)
    assert ids(database) == [0, 1]


async def test_a_cancel_in_the_middle_of_rows_writes_nothing(database):
    async with Wire(database, once("hold", b"PGCOPY")) as wire, tenure_of(wire.url) as tenure:
        writing = asyncio.create_task(tenure.write(events(0), 1))
        await wire.held.wait()
        writing.cancel()
        wire.let_go()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert ids(database) == []
        await tenure.write(events(0), 1)
    assert ids(database) == [0]


@pytest.mark.parametrize("mode", ["append", "insert", "upsert"])
async def test_whatever_is_cut_off_every_event_has_its_row_once(database, mode):
    if mode != "append":
        run(database, "ALTER TABLE t ADD PRIMARY KEY (id)")
    seen = []

    def cut_at(data):
        if not any(part in data for part in (b"COMMIT", b"PGCOPY", b"UPDATE")):
            return None
        seen.append(data)
        count, rest = divmod(len(seen), 4)
        return None if rest else ("before", "after", "late")[count % 3]

    async with Wire(database, cut_at) as wire, tenure_of(database, mode) as first:
        await first.write(events(0), 1)
        async with tenure_of(wire.url, mode) as tenure:
            for start in range(1, 200, 10):
                while tenure.next_offset < start + 10:
                    with contextlib.suppress(SinkUnavailable):
                        await tenure.write(events(*range(start, start + 10)), start + 10)
        wire.let_go()
    assert wire.cuts >= 5
    assert ids(database) == list(range(201))


async def test_a_killed_server_is_told_of_and_what_it_has_is_there_once(tmp_path):
    home = HomeSettings(home=tmp_path / "home")
    server = start_postgres(home)
    run(server.dsn, "CREATE TABLE t (id int)")
    voided = asyncio.Event()
    async with tenure_of(server.dsn, on_void=voided.set) as tenure:
        await tenure.write(events(0), 1)
        server.kill()
        with pytest.raises(SinkUnavailable):
            await tenure.write(events(1), 2)
        with pytest.raises(SinkUnavailable):
            await tenure.write(events(1), 2)
        server = await asyncio.to_thread(start_postgres, home, server.port)
        await tenure.write(events(1), 2)
        await voided.wait()
    assert ids(server.dsn) == [0, 1]
    server.discard()


async def test_a_server_that_lost_what_it_had_ends_the_tenure(database):
    async with tenure_of(database) as tenure:
        await tenure.write(events(0), 1)
        run(database, "UPDATE eventstream_ledger_partition SET next_offset = 0; TRUNCATE t")
        with pytest.raises(Fenced):
            await tenure.write(events(1), 2)
    assert ids(database) == []
