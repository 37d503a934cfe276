"""A topic written into a table beside COPY BINARY of the same rows without Kafka.

`python -m eventstream.bench.rows BOOTSTRAP TOPIC COUNT sink|copy` is one measurement, in a process
of its own, of the database that `EVENTSTREAM_POSTGRES_DSN` names. It prints rows a second.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import uvloop
from psycopg.types.json import Jsonb, set_json_dumps

from eventstream.bench.programs import measured_alone, measured_topic
from eventstream.bench.worker import handled
from eventstream.errors import LocalServerError
from eventstream.log.bulk import BulkProducer
from eventstream.observe.logs import configure_logging
from eventstream.settings import (
    BulkProducerSettings,
    KafkaSettings,
    LogSettings,
    WorkerSettings,
)
from eventstream.sinks.postgres import Table
from eventstream.sinks.postgres.settings import DSN_VARIABLE
from eventstream.supervision.collector import calm_collector
from eventstream.worker.app import App
from eventstream.worker.reach import KafkaReach
from eventstream.worker.runner import Worker
from eventstream.worker.write_queue import BATCH_EVENTS

CHUNK = 10_000
LOOK_INTERVAL_S = 0.02
_WARM_SHARE = 5
"""The first fifth is not measured."""
_TABLE = """
DROP TABLE IF EXISTS bench_orders;
CREATE TABLE bench_orders (
    id int8 PRIMARY KEY, customer text, amount int8, at timestamptz, event jsonb
);
"""
_COPY = "COPY bench_orders (id, customer, amount, at, event) FROM STDIN (FORMAT BINARY)"
_TYPES = ("int8", "text", "int8", "timestamptz", "jsonb")
_COLUMNS = {
    "id": "/id",
    "customer": "/customer",
    "amount": "/amount",
    "at": "/at",
    "event": "value",
}
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class RowsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Rows a second of both, in interleaved rounds; one process each."""

    count: int
    sink: list[float]
    copy: list[float]

    @property
    def ratio(self) -> float:
        """The median of the sink over the median of COPY."""
        return round(statistics.median(self.sink) / statistics.median(self.copy), 3)


def run_rows(kafka: KafkaSettings, dsn: str, *, count: int, rounds: int) -> RowsReport:
    """Fill a topic with orders, and write them with both in turn."""
    sink, copy = [], []
    with measured_topic(kafka) as topic:
        _fill(kafka, topic, count)
        for _ in range(rounds):
            sink.append(_measure(kafka, dsn, topic, count, "sink"))
            copy.append(_measure(kafka, dsn, topic, count, "copy"))
    return RowsReport(count=count, sink=sink, copy=copy)


def _order(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "customer": f"customer-{number * 7919 % 10_000}",
        "amount": number % 997,
        "at": (_BEGAN + timedelta(seconds=number)).isoformat(),
        "note": "to be left with the neighbours if nobody opens",
    }


def _fill(kafka: KafkaSettings, topic: str, count: int) -> None:
    producer = BulkProducer(kafka, BulkProducerSettings())
    for start in range(0, count, CHUNK):
        orders = map(_order, range(start, min(count, start + CHUNK)))
        producer.send(
            topic, [(b"%d" % order["id"], msgspec.json.encode(order)) for order in orders]
        )
    if producer.flush(60) or producer.failures:
        raise LocalServerError(f"The topic could not be filled: {producer.failures}.")


def _measure(kafka: KafkaSettings, dsn: str, topic: str, count: int, what: str) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_TABLE)
        connection.execute("CHECKPOINT")
    arguments = (kafka.bootstrap_servers, topic, str(count), what)
    return float(measured_alone(__name__, *arguments, environment={DSN_VARIABLE: dsn}))


def _copy(dsn: str, count: int) -> float:
    """Copy rows that are ready, batch after batch, as a client does that has nothing else to do."""
    set_json_dumps(msgspec.json.encode)
    orders = [_order(number) for number in range(count)]
    rows = [
        (
            order["id"],
            order["customer"],
            order["amount"],
            datetime.fromisoformat(order["at"]),
            Jsonb(order),
        )
        for order in orders
    ]
    warm = count // _WARM_SHARE // BATCH_EVENTS * BATCH_EVENTS
    began = 0.0
    with psycopg.connect(dsn) as connection:
        for start in range(0, count, BATCH_EVENTS):
            if start == warm:
                began = time.perf_counter()
            with connection.transaction(), connection.cursor().copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in rows[start : start + BATCH_EVENTS]:
                    copy.write_row(row)
    return (count - warm) / (time.perf_counter() - began)


async def _sink(kafka: KafkaSettings, topic: str, count: int) -> float:
    app = App()
    app.sink(topic, Table("bench_orders", _COLUMNS))
    settings = WorkerSettings(group=uuid.uuid4().hex)
    worker = Worker(app, KafkaReach(kafka, settings), settings)
    running = asyncio.create_task(worker.run())
    while (before := handled(worker)) < count // _WARM_SHARE:
        await asyncio.sleep(LOOK_INTERVAL_S)
    began = time.perf_counter()
    while (now := handled(worker)) < count:
        await asyncio.sleep(LOOK_INTERVAL_S)
    rate = (now - before) / (time.perf_counter() - began)
    worker.stop()
    await running
    return rate


def main() -> None:
    """Run one measurement, as a worker process would: with its log and its collector."""
    configure_logging(LogSettings(log_level="error"))
    calm_collector()
    bootstrap_servers, topic, count, what = sys.argv[1:]
    if what == "copy":
        print(_copy(os.environ[DSN_VARIABLE], int(count)))
    else:
        kafka = KafkaSettings(bootstrap_servers=bootstrap_servers)
        print(uvloop.run(_sink(kafka, topic, int(count))))


if __name__ == "__main__":
    main()
