"""No-op handlers by key beside plain consume(), on the same events.

`python -m eventstream.bench.worker BOOTSTRAP TOPIC COUNT handlers|plain` is one measurement, in a
process of its own; it prints events a second.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
import uuid
from typing import TYPE_CHECKING

import msgspec
import uvloop

from eventstream.bench.programs import PARTITIONS, measured_alone, measured_topic
from eventstream.bench.workload import EXPONENT, zipf_keys
from eventstream.errors import LocalServerError
from eventstream.log.bulk import BulkProducer
from eventstream.log.plain import drain
from eventstream.observe import metrics
from eventstream.observe.logs import configure_logging
from eventstream.settings import (
    BulkProducerSettings,
    KafkaSettings,
    LogSettings,
    WorkerSettings,
)
from eventstream.supervision.collector import calm_collector
from eventstream.worker.app import App
from eventstream.worker.reach import KafkaReach
from eventstream.worker.runner import Worker

if TYPE_CHECKING:
    from eventstream.events import Event

CHUNK = 10_000
LOOK_INTERVAL_S = 0.01
_VALUE = b'{"message": "' + b"x" * 85 + b'"}'


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second of both, in interleaved rounds; one process each."""

    count: int
    handlers: list[float]
    plain: list[float]

    @property
    def ratio(self) -> float:
        """The median of handlers over the median of plain consume()."""
        return round(statistics.median(self.handlers) / statistics.median(self.plain), 3)


def run_worker(kafka: KafkaSettings, *, count: int, rounds: int) -> WorkerReport:
    """Fill a topic, keys by Zipf's law, and read it with both in turn."""
    handlers, plain = [], []
    with measured_topic(kafka) as topic:
        fill(kafka, topic, count)
        for _ in range(rounds):
            handlers.append(measure(kafka, topic, count, "handlers"))
            plain.append(measure(kafka, topic, count, "plain"))
    return WorkerReport(count=count, handlers=handlers, plain=plain)


def fill(kafka: KafkaSettings, topic: str, count: int, exponent: float = EXPONENT) -> None:
    """Put events into a topic, their keys by Zipf's law.

    Raises:
        LocalServerError: Not all of them were acknowledged.
    """
    producer = BulkProducer(kafka, BulkProducerSettings())
    keys = [b"key-%d" % key for key in zipf_keys(count, exponent=exponent)]
    for start in range(0, count, CHUNK):
        producer.send(topic, [(key, _VALUE) for key in keys[start : start + CHUNK]])
    if producer.flush(60) or producer.failures:
        raise LocalServerError(f"The topic could not be filled: {producer.failures}.")


def measure(kafka: KafkaSettings, topic: str, count: int, what: str) -> float:
    """Read a topic in a process of its own, with `handlers` or `plain`; return events a second.

    Raises:
        LocalServerError: The process failed.
    """
    return float(measured_alone(__name__, kafka.bootstrap_servers, topic, str(count), what))


async def _handle_all(kafka: KafkaSettings, topic: str, count: int) -> float:
    app = App()

    @app.on(topic, order="key")
    async def nothing(event: Event) -> None:
        pass

    settings = WorkerSettings(group=uuid.uuid4().hex)
    worker = Worker(app, KafkaReach(kafka, settings), settings)
    running = asyncio.create_task(worker.run())
    while not (before := handled(worker)):
        await asyncio.sleep(LOOK_INTERVAL_S)
    began = time.perf_counter()
    while (now := handled(worker)) < count:
        await asyncio.sleep(LOOK_INTERVAL_S)
    rate = (now - before) / (time.perf_counter() - began)
    worker.stop()
    await running
    return rate


def handled(worker: Worker) -> int:
    """Count the events whose handler finished."""
    return int(sum(each.value for each in worker.samples() if each.metric == metrics.HANDLED.name))


def main() -> None:
    """Run one measurement, as a worker process would: with its log and its collector."""
    configure_logging(LogSettings(log_level="warning"))
    calm_collector()
    bootstrap_servers, topic, count, what = sys.argv[1:]
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers)
    if what == "plain":
        print(int(count) / drain(kafka, topic, PARTITIONS, int(count)))
    else:
        print(uvloop.run(_handle_all(kafka, topic, int(count))))


if __name__ == "__main__":
    main()
