"""Topics written into tables by a worker, over a real Kafka and a real PostgreSQL."""

import asyncio

import psycopg
import pytest
from workers import committed, make_worker, new_group, publish, reach, until, working

from eventstream import App
from eventstream.deadletters.letters import letter_of
from eventstream.errors import InvalidSetting, Permanent
from eventstream.log.received import runs_of
from eventstream.settings import WorkerSettings
from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.postgres import Table
from records import read_records

pytestmark = pytest.mark.kafka


@pytest.fixture
def database(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE orders (id int8 PRIMARY KEY, amount int8 CHECK (amount > 0))"
        )
    return postgres_database


def rows(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def count(database):
    return rows(database, "SELECT count(*) FROM orders")[0][0]


def orders(first, stop):
    return [
        (b"key-%d" % (n % 9), b'{"id": %d, "amount": %d}' % (n, n + 1)) for n in range(first, stop)
    ]


def writing(topic, database, mode="append", **options):
    app = App()
    app.sink(topic, Table("orders", mode=mode, dsn=database), **options)
    return app


def test_every_event_becomes_a_row_once_over_restarts(kafka, make_topic, database):
    topic, group = make_topic(3), new_group()
    publish(kafka, topic, orders(0, 3000))

    async def main():
        async with working(writing(topic, database), kafka, group):
            await until(lambda: count(database) > 0, "it has begun")
        async with working(writing(topic, database), kafka, group):
            publish(kafka, topic, orders(3000, 3100))
            await until(lambda: count(database) >= 3100, "all are written")

    asyncio.run(main())
    assert rows(database, "SELECT count(*), min(id), max(id) FROM orders") == [(3100, 0, 3099)]
    assert committed(kafka, group, topic, 3) == 3100
    assert rows(database, "SELECT sum(next_offset) FROM eventstream_ledger_partition") == [(3100,)]


def test_an_event_that_cannot_be_a_row_becomes_a_letter_and_the_others_rows(kafka, topic, database):
    group = new_group()
    bad = [(b"k", b'{"id": "seven", "amount": 1}'), (b"k", b'{"id": 8, "amount": -1}')]
    publish(kafka, topic, orders(0, 5) + bad + orders(10, 15))

    async def main():
        async with working(writing(topic, database), kafka, group):
            await until(lambda: count(database) >= 10, "the others are written")
            await until(lambda: committed(kafka, group, topic) == 12, "the position has passed")

    asyncio.run(main())
    letters = [letter_of_record(each) for each in read_records(kafka, f"{topic}.deadletter")]
    assert sorted(letter.event.offset for letter in letters) == [5, 6]
    assert all("InvalidEvent" in letter.failure.error for letter in letters)


def test_a_letter_is_written_once_when_it_is_replayed(kafka, topic, database, run):
    group = new_group()
    publish(kafka, topic, [(b"k", b'{"id": 1, "amount": -1}'), (b"k", b'{"id": 2, "amount": 1}')])

    async def main():
        async with working(writing(topic, database), kafka, group):
            await until(lambda: count(database) == 1, "the good one is written")
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("ALTER TABLE orders DROP CONSTRAINT orders_amount_check")
            command = ("deadletters", "replay", topic, "--group", group, "--json")
            told = await asyncio.to_thread(
                run, *command, "--bootstrap-servers", kafka.bootstrap_servers
            )
            assert told.returncode == 0, told.stderr

    asyncio.run(main())
    assert rows(database, "SELECT id, amount FROM orders ORDER BY id") == [(1, -1), (2, 1)]


def letter_of_record(message):
    (run,) = runs_of([message])
    return letter_of(run.events[0])


def test_a_worker_that_is_to_stop_at_a_bad_event_does(kafka, topic, database):
    publish(kafka, topic, [(b"k", b"no JSON")])
    worker = make_worker(
        writing(topic, database, on_failure="stop"), reach(kafka), WorkerSettings(group=new_group())
    )
    with pytest.raises(Permanent, match="on_failure is 'stop'"):
        asyncio.run(worker.run())
    assert count(database) == 0


def test_a_partition_that_another_owner_took_is_written_on_from_where_it_is(kafka, topic, database):
    group = new_group()
    publish(kafka, topic, orders(0, 10))

    async def main():
        async with working(writing(topic, database), kafka, group):
            await until(lambda: count(database) >= 10, "all are written")
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("UPDATE eventstream_ledger_partition SET epoch = epoch + 1")
            publish(kafka, topic, orders(10, 20))
            await until(lambda: count(database) >= 20, "it is taken over again")

    asyncio.run(main())
    assert count(database) == 20


def test_a_table_that_does_not_fit_ends_the_start(kafka, topic, database):
    app = App()
    app.sink(topic, Table("orders", {"id": "/id", "colour": "/colour"}, dsn=database))
    worker = make_worker(app, reach(kafka), WorkerSettings(group=new_group()))
    with pytest.raises(SinkRefused, match="colour"):
        asyncio.run(worker.run())


def test_a_sink_parks_nothing(database):
    with pytest.raises(InvalidSetting, match="a sink takes deadletter or stop"):
        writing("orders", database, on_failure="park")
