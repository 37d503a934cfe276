"""The ledger against a real PostgreSQL: one owner a partition, and nothing done twice."""

import asyncio
import contextlib
import random
import uuid
from itertools import pairwise
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from structlog.testing import capture_logs

from eventstream.errors import InvalidEvent, InvalidSetting, Permanent
from eventstream.events import Event
from eventstream.sinks.contract import Fenced, SinkRefused
from eventstream.sinks.postgres import Postgres, room, sessions
from eventstream.sinks.postgres.ledger import LOCK_TIMEOUT_S
from waiting import wait_until

pytestmark = pytest.mark.anyio

TOPIC = "orders"
SOON_S = 20
WAITING = """
SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()
"""


@pytest.fixture
def database(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE effects (id bigint, attempt int)")
    return postgres_database


def rows(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def event(offset):
    return Event(TOPIC, b"{}", partition=0, offset=offset)


def ledger_of(dsn, on_void=lambda: None):
    return Postgres(dsn).connect("group", on_void, random.random)


async def opened(dsn):
    ledger = ledger_of(dsn)
    await ledger.open()
    return ledger


def effect(offset):
    async def work(tx):
        await tx.execute("INSERT INTO effects VALUES (%s, 1)", [offset])

    return work


async def done(ledger, *offsets):
    for offset in offsets:
        await ledger.run(event(offset), effect(offset))


async def test_an_owner_goes_on_where_the_one_before_was(database):
    first = await opened(database)
    assert await first.take_over(TOPIC, 0, 5) == (5, [])
    await done(first, 5, 6, 9)
    await first.advance(TOPIC, 0, 7)
    await first.close()

    second = await opened(database)
    assert await second.take_over(TOPIC, 0, 100) == (7, [9])
    assert await second.take_over(TOPIC, 1, 100) == (100, [])
    await second.close()
    assert rows(database, "SELECT id FROM effects ORDER BY id") == [(5,), (6,), (9,)]


async def test_events_that_were_given_up_run_again_beside_each_other(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    await asyncio.gather(*(ledger.run(event(n), effect(n), again=True) for n in range(20)))
    await ledger.close()
    assert rows(database, "SELECT count(*), count(DISTINCT id) FROM effects") == [(20, 20)]


async def test_of_a_topic_that_is_made_anew_nothing_is_done(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0, "one")
    await done(ledger, 0, 3)
    await ledger.run(event(1), effect(1), again=True)
    assert await ledger.take_over(TOPIC, 0, 0, "one") == (0, [0, 3])
    assert await ledger.take_over(TOPIC, 0, 0, "another") == (0, [])
    await done(ledger, 0, 3)
    await ledger.run(event(1), effect(1), again=True)
    await ledger.run(event(1), effect(1), again=True)
    await ledger.close()
    twice = rows(database, "SELECT id, count(*) FROM effects GROUP BY id ORDER BY id")
    assert twice == [(0, 2), (1, 2), (3, 2)]


async def test_an_old_owner_writes_nothing_more(database):
    old, new = await opened(database), await opened(database)
    await old.take_over(TOPIC, 0, 0)
    await new.take_over(TOPIC, 0, 0)
    with pytest.raises(Fenced):
        await done(old, 0)
    with pytest.raises(Fenced):
        await old.advance(TOPIC, 0, 1)
    await done(new, 0)
    await old.close()
    await new.close()
    assert rows(database, "SELECT id FROM effects") == [(0,)]


async def test_a_stricter_isolation_lets_no_old_owner_in_either(database):
    old, new = await opened(database), await opened(database)
    await old.take_over(TOPIC, 0, 0)

    async def work(tx):
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await tx.execute("INSERT INTO effects VALUES (0, 1)")
        if not taken:
            taken.append(await new.take_over(TOPIC, 0, 0))

    taken = []
    with pytest.raises(Fenced):
        await old.run(event(0), work)
    await old.close()
    await new.close()
    assert rows(database, "SELECT id FROM effects") == []


async def test_an_event_is_done_once_however_often_it_is_run(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    await done(ledger, 0, 0)
    await ledger.advance(TOPIC, 0, 1)
    await done(ledger, 0)
    await ledger.close()
    assert rows(database, "SELECT id FROM effects") == [(0,)]


async def test_many_events_of_a_partition_run_at_once(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    running = asyncio.Barrier(64)

    def work_of(offset):
        async def work(tx):
            await tx.execute("INSERT INTO effects VALUES (%s, 1)", [offset])
            await running.wait()

        return work

    await asyncio.gather(*(ledger.run(event(each), work_of(each)) for each in range(64)))
    await ledger.advance(TOPIC, 0, 64)
    await ledger.close()
    assert rows(database, "SELECT count(*) FROM effects") == [(64,)]
    assert rows(database, "SELECT count(*) FROM eventstream_ledger_done") == [(0,)]


async def test_the_next_transaction_begins_as_one_ends(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    began = []

    def noting(offset):
        async def work(tx):
            cursor = await tx.execute("SELECT pg_backend_pid(), now(), clock_timestamp()")
            began.append(await cursor.fetchone())
            await tx.execute("INSERT INTO effects VALUES (%s, 1)", [offset])

        return work

    for offset in range(5):
        await ledger.run(event(offset), noting(offset), more=lambda: True)
    await ledger.close()
    assert len({pid for pid, _, _ in began}) == 1
    for (_, _, before), (_, begin, ran) in pairwise(began):
        assert before < begin < ran, "it begins after the one before ran"
    assert rows(database, "SELECT id FROM effects") == [(each,) for each in range(5)]


async def test_a_transaction_that_has_begun_does_not_wait_long(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    await ledger.run(event(0), effect(0), more=lambda: True)
    await asyncio.to_thread(wait_until, lambda: not rows(database, WAITING), SOON_S, "it is let go")
    await done(ledger, 1)
    await ledger.close()
    assert rows(database, "SELECT id FROM effects") == [(0,), (1,)]


async def test_a_commit_that_fails_begins_nothing(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "ALTER TABLE effects ADD UNIQUE (id, attempt) DEFERRABLE INITIALLY DEFERRED"
        )
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    await ledger.run(event(0), effect(7), more=lambda: True)
    with pytest.raises(InvalidEvent, match="duplicate key"):
        await ledger.run(event(1), effect(7), more=lambda: True)
    await ledger.run(event(2), effect(8), more=lambda: True)
    await ledger.close()
    assert rows(database, "SELECT id FROM effects") == [(7,), (8,)]


async def test_a_server_that_gives_few_connections_has_them_shared(database, monkeypatch):
    monkeypatch.setattr(sessions, "ASK_AGAIN_S", 0.02)
    monkeypatch.setattr(room, "GROW_S", 0.02)
    role = f"role_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret' CONNECTION LIMIT 4")
        connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
        connection.execute(f"GRANT SELECT, INSERT ON effects TO {role}")
    parts = urlsplit(database)
    place = f"{role}:secret@{parts.hostname}:{parts.port}"
    ledger = await opened(urlunsplit(parts._replace(netloc=place)))
    await ledger.take_over(TOPIC, 0, 0)
    await done(ledger, 0)
    with capture_logs() as logs:
        await asyncio.gather(*(done(ledger, offset) for offset in range(1, 200)))
    await ledger.close()
    assert rows(database, "SELECT count(*), count(DISTINCT id) FROM effects") == [(200, 200)]
    shared = [each for each in logs if "gives no more connections" in each["event"]]
    assert shared
    assert all(each["log_level"] == "warning" and each["connections"] < 4 for each in shared)
    assert "too many connections" in shared[0]["problem"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


async def test_transactions_wait_for_the_connections_there_may_be(database):
    ledger = Postgres(database, connections=2).connect("group", lambda: None, random.random)
    await ledger.open()
    await ledger.take_over(TOPIC, 0, 0)
    sessions_seen, first_runs = set(), asyncio.Event()

    def noting(offset):
        async def work(tx):
            first_runs.set()
            sessions_seen.add(tx.info.backend_pid)
            await effect(offset)(tx)

        return work

    running = [asyncio.create_task(ledger.run(event(n), noting(n))) for n in range(50)]
    await first_runs.wait()
    for task in running[10:20]:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await ledger.run(event(50), noting(50), more=lambda: True)
    await ledger.close()
    assert len(sessions_seen) == 2
    assert rows(database, "SELECT count(*) >= 41, count(*) = count(DISTINCT id) FROM effects") == [
        (True, True)
    ]


async def test_what_a_handler_raises_undoes_all(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)

    async def work(tx):
        await tx.execute("INSERT INTO effects VALUES (0, 1)")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await ledger.run(event(0), work)
    assert rows(database, "SELECT id FROM effects") == []
    await done(ledger, 0)
    await ledger.close()


async def fails(tx):
    with contextlib.suppress(psycopg.Error):
        await tx.execute("SELECT 1/0")


async def commits(tx):
    await tx.commit()


async def rolls_back(tx):
    await tx.rollback()


async def commits_by_statement(tx):
    await tx.execute("COMMIT")


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (fails, "the handler went on"),
        (commits, "must not commit"),
        (rolls_back, "must not roll back"),
        (commits_by_statement, "by a statement of its own"),
    ],
)
async def test_a_handler_does_not_end_its_transaction(database, work, says):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    with pytest.raises(Permanent, match=says):
        await ledger.run(event(0), work)
    await done(ledger, 0)
    await ledger.close()


async def test_a_savepoint_is_undone_alone(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)

    async def work(tx):
        await tx.execute("INSERT INTO effects VALUES (0, 1)")
        with contextlib.suppress(psycopg.errors.DivisionByZero):
            async with tx.transaction():
                await tx.execute("INSERT INTO effects VALUES (1, 1)")
                await tx.execute("SELECT 1/0")

    await ledger.run(event(0), work)
    await ledger.close()
    assert rows(database, "SELECT id FROM effects") == [(0,)]


async def test_a_deadlock_is_run_again(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO effects VALUES (100, 0), (101, 0)")
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    both = asyncio.Barrier(2)
    attempts = []

    def crossing(first, second):
        async def work(tx):
            attempts.append(first)
            await tx.execute("SET LOCAL deadlock_timeout = '10ms'")
            await tx.execute("UPDATE effects SET attempt = attempt + 1 WHERE id = %s", [first])
            if len(attempts) <= 2:
                await both.wait()
            await tx.execute("UPDATE effects SET attempt = attempt + 1 WHERE id = %s", [second])

        return work

    await asyncio.gather(
        ledger.run(event(0), crossing(100, 101)), ledger.run(event(1), crossing(101, 100))
    )
    await ledger.close()
    assert len(attempts) > 2
    assert rows(database, "SELECT attempt FROM effects") == [(2,), (2,)]


@pytest.mark.parametrize(
    "trouble",
    [
        "SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(9)",
        "SET TRANSACTION READ ONLY; INSERT INTO effects VALUES (0, 0)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
)
async def test_a_transaction_that_fails_for_what_passes_is_run_again(database, trouble):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    attempts = []

    async def work(tx):
        attempts.append(1)
        await tx.execute("INSERT INTO effects VALUES (0, %s)", [len(attempts)])
        if len(attempts) < 3:
            await tx.execute(trouble)

    await ledger.run(event(0), work)
    await ledger.close()
    assert rows(database, "SELECT id, attempt FROM effects") == [(0, 3)]


async def test_a_transaction_that_cannot_be_serialized_is_run_again(database):
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("INSERT INTO effects VALUES (100, 0)")
        ledger = await opened(database)
        await ledger.take_over(TOPIC, 0, 0)
        seen = []

        async def work(tx):
            await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor = await tx.execute("SELECT attempt FROM effects")
            seen.append((await cursor.fetchone())[0])
            if len(seen) == 1:
                other.execute("UPDATE effects SET attempt = 10")
            await tx.execute("UPDATE effects SET attempt = %s", [seen[-1] + 1])

        await ledger.run(event(0), work)
        await ledger.close()
    assert seen == [0, 10]
    assert rows(database, "SELECT attempt FROM effects") == [(11,)]


async def test_a_stopped_owner_in_a_transaction_is_not_waited_for_long(database):
    old, new = await opened(database), await opened(database)
    await old.take_over(TOPIC, 0, 0)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def work(tx):
        await tx.execute("INSERT INTO effects VALUES (0, 1)")
        entered.set()
        await leave.wait()

    stopped = asyncio.create_task(old.run(event(0), work))
    await entered.wait()
    async with asyncio.timeout(LOCK_TIMEOUT_S + 2):
        assert await new.take_over(TOPIC, 0, 0) == (0, [])
        await done(new, 0)
    leave.set()
    with pytest.raises(Fenced):
        await stopped
    await old.close()
    await new.close()
    assert rows(database, "SELECT id FROM effects") == [(0,)]


async def test_a_cancel_in_the_middle_of_commit_waits_for_its_outcome(database):
    ledger = await opened(database)
    await ledger.take_over(TOPIC, 0, 0)
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_xact_lock(1702259300, 1)")
        running = asyncio.create_task(ledger.run(event(0), effect(0)))
        await waits_for_a_lock(database)
        running.cancel()
        other.rollback()
        await asyncio.wait([running])
    await ledger.close()
    assert not running.cancelled()
    assert rows(database, "SELECT id FROM effects") == [(0,)]


async def waits_for_a_lock(dsn):
    statement = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    while rows(dsn, statement) == [(0,)]:  # noqa: ASYNC110 - the server says so
        await asyncio.sleep(0.005)


async def test_an_older_version_of_the_tables_is_refused(database):
    await (await opened(database)).close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("COMMENT ON TABLE eventstream_ledger_partition IS 'version 0'")
    ledger = ledger_of(database)
    with pytest.raises(SinkRefused, match="another version"):
        await ledger.open()
    await ledger.close()


async def test_two_processes_make_the_tables_at_once(database):
    ledgers = [ledger_of(database) for _ in range(4)]
    await asyncio.gather(*(ledger.open() for ledger in ledgers))
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


def test_a_dsn_is_needed_and_never_shown(monkeypatch):
    monkeypatch.delenv("EVENTSTREAM_POSTGRES_DSN", raising=False)
    with pytest.raises(InvalidSetting, match="has no DSN"):
        ledger_of(None)
    with pytest.raises(InvalidSetting) as raised:
        ledger_of("postgresql://user:hush@[")
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(Postgres("postgresql://user:hush@host"))
