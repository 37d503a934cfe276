"""Handlers in a ledger's transactions beside the same statements in plain transactions.

`python -m eventstream.bench.transactions BOOTSTRAP TOPIC COUNT HOW` is one measurement, in a
process of its own, of the database that `EVENTSTREAM_POSTGRES_DSN` names: `ledger`, handlers with a
ledger; `handlers`, the same without, each event in a transaction of its own; `plain`, neither Kafka
nor handlers. It prints transactions a second.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import uvloop
from psycopg import AsyncConnection

from eventstream.bench.programs import measured_alone, measured_topic
from eventstream.bench.worker import fill
from eventstream.observe.logs import configure_logging
from eventstream.settings import KafkaSettings, LogSettings, WorkerSettings
from eventstream.sinks.postgres import Postgres
from eventstream.sinks.postgres.settings import DSN_VARIABLE
from eventstream.supervision.collector import calm_collector
from eventstream.worker.app import App
from eventstream.worker.reach import KafkaReach
from eventstream.worker.runner import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.events import Event

CONCURRENCY = 64
ACCOUNTS = 10_000
HOW = ("ledger", "handlers", "plain")
_TABLES = """
DROP TABLE IF EXISTS bench_transfers, bench_accounts;
CREATE TABLE bench_transfers (account int, amount bigint, note text);
CREATE TABLE bench_accounts (id int PRIMARY KEY, balance bigint) WITH (fillfactor = 50);
"""
_ACCOUNTS = "INSERT INTO bench_accounts SELECT *, 0 FROM generate_series(0, %s)"
_WARM_SHARE = 5
"""The first fifth is not measured."""


class TransactionsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Transactions a second, in interleaved rounds; one process each."""

    count: int
    rates: dict[str, list[float]]

    def ratio(self, over: str) -> float:
        """The median with a ledger over another's."""
        ledger, other = (statistics.median(self.rates[how]) for how in ("ledger", over))
        return round(ledger / other, 3)


def run_transactions(
    kafka: KafkaSettings, dsn: str, *, count: int, rounds: int
) -> TransactionsReport:
    """Fill a topic, and do its events' statements in each way in turn."""
    rates: dict[str, list[float]] = {how: [] for how in HOW}
    with measured_topic(kafka) as topic:
        fill(kafka, topic, count)
        for _ in range(rounds):
            for how in HOW:
                rates[how].append(_measure(kafka, dsn, topic, count, how))
    return TransactionsReport(count=count, rates=rates)


def _measure(kafka: KafkaSettings, dsn: str, topic: str, count: int, how: str) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_TABLES)
        connection.execute(_ACCOUNTS, [ACCOUNTS - 1])
        connection.execute("CHECKPOINT")
    arguments = (kafka.bootstrap_servers, topic, str(count), how)
    return float(measured_alone(__name__, *arguments, environment={DSN_VARIABLE: dsn}))


async def _transfer(connection: AsyncConnection[Any], number: int) -> None:
    account = number * 7919 % ACCOUNTS
    await connection.execute(
        "INSERT INTO bench_transfers VALUES (%s, %s, %s)", (account, number, "a transfer")
    )
    await connection.execute(
        "UPDATE bench_accounts SET balance = balance + %s WHERE id = %s", (number, account)
    )


class _Pace:
    """Notes when the measured part begins and when all is done."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._first = count // _WARM_SHARE
        self._began = 0.0
        self.done = 0
        self.rate = 0.0
        self.finished = asyncio.Event()

    def note(self) -> None:
        self.done += 1
        if self.done == self._first:
            self._began = time.perf_counter()
        elif self.done == self._count:
            self.rate = (self._count - self._first) / (time.perf_counter() - self._began)
            self.finished.set()


async def _plain(dsn: str, count: int) -> float:
    pace = _Pace(count)
    numbers = iter(range(count))

    async def work(numbers: Iterator[int]) -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            for number in numbers:
                async with connection.transaction():
                    await _transfer(connection, number)
                pace.note()

    await asyncio.gather(*(work(numbers) for _ in range(CONCURRENCY)))
    return pace.rate


async def _handled(kafka: KafkaSettings, dsn: str, topic: str, count: int, how: str) -> float:
    pace = _Pace(count)
    app = App()
    idle: list[AsyncConnection[Any]] = []

    async def with_ledger(event: Event, tx: AsyncConnection) -> None:
        await _transfer(tx, event.offset)
        pace.note()

    async def without(event: Event) -> None:
        connection = idle.pop() if idle else await AsyncConnection.connect(dsn, autocommit=True)
        async with connection.transaction():
            await _transfer(connection, event.offset)
        idle.append(connection)
        pace.note()

    if how == "ledger":
        app.on(topic, ledger=Postgres(dsn))(with_ledger)
    else:
        app.on(topic)(without)
    settings = WorkerSettings(group=uuid.uuid4().hex)
    worker = Worker(app, KafkaReach(kafka, settings), settings)
    running = asyncio.create_task(worker.run())
    await pace.finished.wait()
    worker.stop()
    await running
    for connection in idle:
        await connection.close()
    return pace.rate


def main() -> None:
    """Run one measurement, as a worker process would: with its log and its collector."""
    configure_logging(LogSettings(log_level="error"))
    calm_collector()
    bootstrap_servers, topic, count, how = sys.argv[1:]
    kafka, dsn = KafkaSettings(bootstrap_servers=bootstrap_servers), os.environ[DSN_VARIABLE]
    if how == "plain":
        print(uvloop.run(_plain(dsn, int(count))))
    else:
        print(uvloop.run(_handled(kafka, dsn, topic, int(count), how)))


if __name__ == "__main__":
    main()
