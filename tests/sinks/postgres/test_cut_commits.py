"""Connections that are lost during COMMIT, and servers that are killed."""

import asyncio
import random

import psycopg
import pytest

from eventstream.events import Event
from eventstream.local.postgres import start_postgres
from eventstream.settings import HomeSettings
from eventstream.sinks.postgres import Postgres
from sinks.cutting import Wire

pytestmark = pytest.mark.anyio
COUNT = 30


def rows(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def make_effects(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE effects (id bigint)")


async def run_all(ledger, count, first=0):
    """Run events at once, each with one effect; return how often each was tried."""
    attempts = [0] * count
    slots = asyncio.Semaphore(32)

    def work_of(offset):
        async def work(tx):
            attempts[offset - first] += 1
            await tx.execute("INSERT INTO effects VALUES (%s)", [offset])

        return work

    async def run(offset):
        async with slots:
            await ledger.run(Event("orders", b"", partition=0, offset=offset), work_of(offset))

    await asyncio.gather(*map(run, range(first, first + count)))
    return attempts


def cutting_each_third(how):
    seen = []

    def cut_at(data):
        if b"ledger_finish" not in data:
            return None
        seen.append(data)
        return how if len(seen) % 3 == 1 else None

    return cut_at


@pytest.mark.parametrize(("how", "again"), [("before", True), ("after", False)])
async def test_a_commit_whose_answer_is_lost_is_looked_up(postgres_database, how, again):
    make_effects(postgres_database)
    async with Wire(postgres_database, cutting_each_third(how)) as wire:
        ledger = Postgres(wire.url).connect("group", lambda: None, random.random)
        await ledger.open()
        await ledger.take_over("orders", 0, 0)
        attempts = await run_all(ledger, COUNT)
        await ledger.advance("orders", 0, COUNT)
        await ledger.close()
    assert wire.cuts >= COUNT // 3
    assert any(each > 1 for each in attempts) is again
    assert rows(postgres_database, "SELECT count(*), count(DISTINCT id) FROM effects") == [
        (COUNT, COUNT)
    ]


async def test_a_commit_that_arrives_late_finds_its_session_ended(postgres_database):
    make_effects(postgres_database)
    async with Wire(postgres_database, cutting_each_third("late")) as wire:
        ledger = Postgres(wire.url).connect("group", lambda: None, random.random)
        await ledger.open()
        await ledger.take_over("orders", 0, 0)
        await run_all(ledger, COUNT)
        wire.let_go()
        await ledger.advance("orders", 0, COUNT)
        await run_all(ledger, 1, COUNT)
        await ledger.close()
    assert rows(postgres_database, "SELECT count(*), count(DISTINCT id) FROM effects") == [
        (COUNT + 1, COUNT + 1)
    ]


async def test_a_killed_server_is_waited_for_and_told_of(tmp_path):
    home = HomeSettings(home=tmp_path / "home")
    server = start_postgres(home)
    make_effects(server.dsn)
    voided = asyncio.Event()
    ledger = Postgres(server.dsn).connect("group", voided.set, random.random)
    await ledger.open()
    await ledger.take_over("orders", 0, 0)
    await run_all(ledger, COUNT)
    running = asyncio.create_task(run_all(ledger, 1000, COUNT))
    while rows(server.dsn, "SELECT count(*) FROM effects")[0][0] < 2 * COUNT:  # noqa: ASYNC110
        await asyncio.sleep(0)
    server.kill()
    server = await asyncio.to_thread(start_postgres, home, server.port)
    await running
    await voided.wait()
    await ledger.close()
    count = COUNT + 1000
    assert rows(server.dsn, "SELECT count(*), count(DISTINCT id) FROM effects") == [(count, count)]
    server.discard()
