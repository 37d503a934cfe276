"""The PostgreSQL store where PostgreSQL is away, slow, shared, or somebody else's."""

import asyncio
import secrets
import time

import psutil
import psycopg
import pytest

from eventstream.errors import InvalidSetting
from eventstream.gateway.idempotency.contract import Answered, Ask, Reserved, StoreUnavailable
from eventstream.gateway.idempotency.postgres import PostgresStore
from eventstream.gateway.idempotency.stores import make_store
from eventstream.local.postgres import start_postgres
from eventstream.settings import HomeSettings, IdempotencySettings


def ask(key=b"k"):
    return Ask(key, b"body", secrets.token_bytes(16), b"start", 60.0)


@pytest.fixture
def own_postgres(tmp_path):
    """A server of the test's own, which may be hurt."""
    home = HomeSettings(home=tmp_path)
    server = start_postgres(home)

    def again():
        return start_postgres(home, server.port)

    yield server, again
    again().discard()


async def until_it_answers(store, attempt, deadline_s=30.0):
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            return await store.reserve(attempt)
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def test_two_processes_share_the_keys_and_they_survive_both(postgres_database):
    async def story():
        async with (
            PostgresStore(postgres_database, 60) as one,
            PostgresStore(postgres_database, 60) as other,
        ):
            first = ask()
            assert await one.reserve(first) == Reserved()
            assert await one.complete(first.id, first.token, b"answer")
            assert await other.reserve(ask()) == Answered(b"answer")
        async with PostgresStore(postgres_database, 60) as later:
            assert await later.reserve(ask()) == Answered(b"answer")

    asyncio.run(story())


def test_many_stores_make_the_table_at_once(postgres_database):
    async def story():
        stores = [PostgresStore(postgres_database, 60) for _ in range(8)]
        await asyncio.gather(*(store.__aenter__() for store in stores))
        await asyncio.gather(*(store.__aexit__() for store in stores))

    asyncio.run(story())


def test_concurrent_keys_share_a_transaction(postgres_database):
    async def story():
        async with PostgresStore(postgres_database, 60) as store:
            asks = [ask(b"%d" % number) for number in range(400)]
            before = transactions()
            assert set(await asyncio.gather(*map(store.reserve, asks))) == {Reserved()}
            await asyncio.gather(*(store.complete(one.id, one.token, b"a") for one in asks))
            return transactions() - before

    def transactions():
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            rows = connection.execute(
                "SELECT max(n) - min(n) FROM ("
                " SELECT xmin::text::bigint n FROM eventstream_idempotency) AS writers"
            ).fetchone()
        return rows[0] or 0

    # Rows written by one transaction have its number: 400 keys were not 400 transactions.
    assert asyncio.run(story()) < 20


def test_a_server_that_crashed_is_found_again_with_all_it_had(own_postgres):
    server, again = own_postgres

    async def story():
        async with PostgresStore(server.dsn, 60) as store:
            first = ask()
            assert await store.reserve(first) == Reserved()
            server.kill()
            with pytest.raises(StoreUnavailable, match="does not answer now"):
                await store.reserve(ask(b"while it is away"))
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.reserve(ask(b"while it is away"))
            assert time.monotonic() - began < 1
            again()
            assert await until_it_answers(store, ask(b"later")) == Reserved()
            assert await store.reserve(first) == Reserved()
            assert await store.complete(first.id, first.token, b"answer")

    asyncio.run(story())


def test_connections_that_were_cut_cost_nobody_an_error(postgres_database):
    async def story():
        async with PostgresStore(postgres_database, 60) as store:
            asks = [ask(b"%d" % number) for number in range(50)]
            await asyncio.gather(*map(store.reserve, asks))
            with psycopg.connect(postgres_database, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            assert await store.reserve(ask(b"after")) == Reserved()

    asyncio.run(story())


def test_a_table_locked_by_somebody_is_given_up_in_time(postgres_database):
    async def story():
        async with PostgresStore(postgres_database, 60) as store:
            with psycopg.connect(postgres_database) as connection:
                connection.execute("LOCK TABLE eventstream_idempotency")
                began = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    await store.reserve(ask())
                assert time.monotonic() - began < 4
            assert await until_it_answers(store, ask()) == Reserved()

    asyncio.run(story())


def test_a_server_that_stands_still_is_given_up_in_time_and_used_again(own_postgres):
    server, _ = own_postgres

    async def story():
        async with PostgresStore(server.dsn, 60) as store:
            assert await store.reserve(ask()) == Reserved()
            first = psutil.Process(server.pid)
            family = [first, *first.children(recursive=True)]
            for process in family:
                process.suspend()
            try:
                began = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    await store.reserve(ask(b"into the void"))
                assert time.monotonic() - began < 4
            finally:
                for process in family:
                    process.resume()
            assert await until_it_answers(store, ask(b"later")) == Reserved()

    asyncio.run(story())


def test_keys_that_have_had_their_time_are_deleted(postgres_database):
    async def story():
        async with PostgresStore(postgres_database, 0) as store:
            asks = [ask(b"%d" % number) for number in range(1500)]
            await asyncio.gather(*map(store.reserve, asks))
            assert await store.expire() == 0
            await asyncio.gather(*(store.complete(one.id, one.token, b"a") for one in asks))
            assert await store.expire() == 1500

    asyncio.run(story())


def test_a_table_of_another_version_is_left_alone(postgres_database):
    with psycopg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE eventstream_idempotency (id int)")
        connection.execute("COMMENT ON TABLE eventstream_idempotency IS 'version 7'")

    async def story():
        async with PostgresStore(postgres_database, 60):
            pass

    with pytest.raises(InvalidSetting, match="made by another version"):
        asyncio.run(story())


@pytest.mark.parametrize("dsn", ["postgresql://u:secret@[::1:x/", "host=h password=secret port"])
def test_a_dsn_that_is_none_is_refused_without_its_password(dsn):
    with pytest.raises(InvalidSetting, match="is not a PostgreSQL DSN") as caught:
        PostgresStore(dsn, 60)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_at_the_start_without_the_password(
    postgres_database, monkeypatch
):
    monkeypatch.setattr("eventstream.gateway.idempotency.database.OPEN_TIMEOUT_S", 0.3)
    wrong = postgres_database.rpartition(":")[0] + ":1/postgres"

    async def story():
        async with PostgresStore(wrong, 60):
            pass

    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        asyncio.run(story())
    assert "postgres:" not in str(caught.value).replace("postgresql:", "")


def test_the_settings_choose_the_store():
    def made(**settings):
        return make_store(IdempotencySettings(**settings), time.monotonic)

    assert made().fields
    with pytest.raises(InvalidSetting, match="needs an --idempotency-dsn"):
        made(idempotency_store="postgres")
    with pytest.raises(InvalidSetting, match="is memory"):
        made(idempotency_dsn="postgresql://h/d")
    shared = IdempotencySettings(
        idempotency_store="postgres", idempotency_dsn="postgresql://u:secret@h/d"
    )
    assert "secret" not in repr(shared)
    assert make_store(shared, time.monotonic).fields == ()
