"""Handlers whose effects commit with their event, over a real Kafka and a real PostgreSQL."""

import asyncio

import psycopg
import pytest
from psycopg import AsyncConnection
from workers import (
    committed,
    make_anew,
    make_worker,
    new_group,
    publish,
    reach,
    until,
    working,
)

from eventstream import App, Event, Permanent, Retry
from eventstream.errors import InvalidSetting
from eventstream.settings import WorkerSettings
from eventstream.sinks.postgres import Postgres

pytestmark = pytest.mark.kafka


@pytest.fixture
def database(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE effects (partition int, id bigint)")
    return postgres_database


def rows(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def recording(topic, database, before=id, **options):
    """An app whose handler writes down each event, after `before` was called with it."""
    app = App()

    @app.on(topic, ledger=Postgres(database), **options)
    async def record(event: Event, tx: AsyncConnection) -> None:
        values = (event.partition, event.offset)
        await tx.execute("INSERT INTO effects VALUES (%s, %s)", values)
        before(event)

    return app


def count(database):
    return rows(database, "SELECT count(*) FROM effects")[0][0]


def assert_each_once(database, expected):
    found = rows(database, "SELECT count(*), count(DISTINCT (partition, id)) FROM effects")
    assert found == [(expected, expected)]


def test_every_event_has_its_effects_once(kafka, make_topic, database):
    topic, group = make_topic(3), new_group()
    publish(kafka, topic, [(b"key-%d" % (n % 50), b"%d" % n) for n in range(1000)])

    async def main():
        async with working(recording(topic, database), kafka, group):
            await until(lambda: count(database) >= 1000, "all are handled")

    asyncio.run(main())
    assert_each_once(database, 1000)
    assert committed(kafka, group, topic, 3) == 1000
    assert rows(database, "SELECT sum(next_offset) FROM eventstream_ledger_partition") == [(1000,)]
    assert rows(database, "SELECT count(*) FROM eventstream_ledger_done") == [(0,)]


def test_the_position_is_the_ledgers_and_not_kafkas(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, [(None, b"%d" % n) for n in range(20)])

    async def main():
        async with working(recording(topic, database), kafka, group):
            await until(lambda: count(database) >= 20, "all are handled")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("UPDATE eventstream_ledger_partition SET next_offset = 12")
        async with working(recording(topic, database), kafka, group):
            await until(lambda: count(database) >= 28, "what the ledger lost is done again")
            publish(kafka, topic, [(None, b"20")])
            await until(lambda: count(database) >= 29, "and what comes behind")

    asyncio.run(main())
    assert rows(database, "SELECT count(DISTINCT id) FROM effects") == [(21,)]


def test_what_is_done_beyond_the_position_is_not_done_again(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, [(b"stuck", b"0")] + [(b"key-%d" % n, b"%d" % n) for n in range(30)])
    is_stuck = True

    def before(event):
        if event.key == b"stuck" and is_stuck:
            raise RuntimeError("not yet")

    async def main():
        nonlocal is_stuck
        async with working(recording(topic, database, before), kafka, group, drain_timeout_s=0.1):
            await until(lambda: count(database) >= 30, "the others are handled")
        is_stuck = False
        async with working(recording(topic, database, before), kafka, group):
            await until(lambda: count(database) >= 31, "it is handled at last")

    asyncio.run(main())
    assert_each_once(database, 31)


def test_with_no_position_anywhere_a_group_begins_where_its_settings_say(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, [(None, b"before")] * 5)

    async def main():
        app = recording(topic, database)
        async with working(app, kafka, group, from_beginning=False) as worker:
            await until(lambda: worker._parts[topic].progress, "it has begun")
            publish(kafka, topic, [(None, b"after")] * 3)
            await until(lambda: count(database) >= 3, "the later ones are handled")

    asyncio.run(main())
    assert rows(database, "SELECT min(id), count(*) FROM effects") == [(5, 3)]


def test_a_letter_passes_the_position_and_its_replay_has_effects_once(kafka, topic, database, run):
    group = new_group()
    publish(kafka, topic, [(b"card", b"bad"), (b"card", b"good")])
    is_failing = True

    def before(event):
        if event.value == b"bad" and is_failing:
            raise Permanent("the card is declined")

    def position():
        return rows(database, "SELECT next_offset FROM eventstream_ledger_partition")[0]

    async def main():
        nonlocal is_failing
        app = recording(topic, database, before, retry=Retry(attempts=1))
        async with working(app, kafka, group):
            await until(lambda: count(database) >= 1, "the good one is handled")
            await until(lambda: position() == (2,), "the position has passed the letter")
            is_failing = False
            replay = ("deadletters", "replay", topic, "--group", group, "--json")
            told = await asyncio.to_thread(
                run, *replay, "--bootstrap-servers", kafka.bootstrap_servers
            )
            assert told.returncode == 0, told.stderr
            await until(lambda: count(database) >= 2, "the letter is handled")

    asyncio.run(main())
    assert_each_once(database, 2)


def test_a_partition_that_another_owner_took_is_let_go_and_taken_again(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, [(None, b"%d" % n) for n in range(10)])

    async def main():
        app = recording(topic, database)
        async with working(app, kafka, group):
            await until(lambda: count(database) >= 10, "all are handled")
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("UPDATE eventstream_ledger_partition SET epoch = epoch + 1")
            publish(kafka, topic, [(None, b"%d" % n) for n in range(10)])
            await until(lambda: count(database) >= 20, "it is taken over again")

    asyncio.run(main())
    assert_each_once(database, 20)


def test_a_topic_that_is_made_anew_is_done_from_its_beginning(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, [(None, b"%d" % n) for n in range(10)])

    async def run_until(number, then=None):
        async with working(recording(topic, database), kafka, group):
            await until(lambda: count(database) >= number, f"{number} are handled", 40)
            if then is not None:
                await then()

    async def make_it_anew():
        await asyncio.to_thread(make_anew, kafka, topic)
        await asyncio.to_thread(publish, kafka, topic, [(None, b"%d" % n) for n in range(5)])
        await until(lambda: count(database) >= 15, "those of the second topic too", 40)

    async def main():
        await run_until(10, make_it_anew)
        await asyncio.to_thread(make_anew, kafka, topic)
        await asyncio.to_thread(publish, kafka, topic, [(None, b"%d" % n) for n in range(20)])
        await run_until(35)

    asyncio.run(main())
    times = "SELECT id, count(*) FROM effects GROUP BY id ORDER BY id"
    expected = [(n, 3 if n < 5 else 2 if n < 10 else 1) for n in range(20)]
    assert rows(database, times) == expected


def test_a_log_that_lost_what_is_done_ends_the_worker(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, [(None, b"")] * 3)

    async def main():
        async with working(recording(topic, database), kafka, group):
            await until(lambda: count(database) >= 3, "all are handled")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("UPDATE eventstream_ledger_partition SET next_offset = 100")
        worker = make_worker(recording(topic, database), reach(kafka), WorkerSettings(group=group))
        with pytest.raises(Permanent, match="it lost events"):
            await worker.run()

    asyncio.run(main())
    assert count(database) == 3


def test_a_database_that_cannot_be_reached_ends_the_start(kafka, topic, monkeypatch):
    monkeypatch.setattr("eventstream.sinks.postgres.ledger.OPEN_TIMEOUT_S", 0.1)
    app = recording(topic, "postgresql://nobody:hush@127.0.0.1:1/none")
    worker = make_worker(app, reach(kafka), WorkerSettings(group=new_group()))
    with pytest.raises(Exception, match="PostgreSQL cannot take this now") as raised:
        asyncio.run(worker.run())
    assert "hush" not in str(raised.value)


async def takes_no_transaction(event: Event) -> None:
    pass


def takes_it_in_a_thread(event: Event, tx: AsyncConnection) -> None:
    pass


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (takes_no_transaction, "does not take its transaction"),
        (takes_it_in_a_thread, "an async handler of single events"),
    ],
)
def test_a_handler_that_goes_with_no_ledger_is_refused(handler, says):
    with pytest.raises(InvalidSetting, match=says):
        App().on("orders", ledger=Postgres("postgresql://host/db"))(handler)
