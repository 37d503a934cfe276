"""Handlers that wait, as for a database: what they reach of the limit, and what one bad key costs.

`python -m eventstream.bench.waiting BOOTSTRAP TOPIC SECONDS KEY HOW` is one measurement, in a
process of its own: `well`, or `failing` for the events of KEY. It prints its `Counts` as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from typing import TYPE_CHECKING

import msgspec
import uvloop

from eventstream.backoff import Backoff
from eventstream.bench.programs import measured_alone, measured_topic
from eventstream.bench.worker import fill
from eventstream.observe.logs import configure_logging
from eventstream.settings import KafkaSettings, LogSettings, WorkerSettings
from eventstream.supervision.collector import calm_collector
from eventstream.worker.app import App
from eventstream.worker.reach import KafkaReach
from eventstream.worker.retry import Retry
from eventstream.worker.runner import Worker

if TYPE_CHECKING:
    from eventstream.events import Event

WAIT_S = 0.005
CONCURRENCY = 64
LIMIT = CONCURRENCY / WAIT_S
EXPONENT = 0.9
BARE_S = 3.0
FIRST_S = 15.0
"""How long the rate is taken; later the hottest keys, which 5 ms hold to 200 events a second each,
fill the bound."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What one measurement counted.

    Attributes:
        bare: How many waits a second as many bare tasks do in the same loop.
        first: Events handled within the first seconds.
        others: Events of other keys than the failing one that were handled in all the time.
        failed: Attempts that failed.
    """

    bare: float
    first: int
    others: int
    failed: int


class WaitingReport(msgspec.Struct, frozen=True, kw_only=True):
    """Two measurements, one after the other: with a key that fails, and without."""

    seconds: float
    key: str
    well: Counts
    failing: Counts

    @property
    def rate(self) -> float:
        """Events a second in the first seconds."""
        return self.well.first / min(FIRST_S, self.seconds)

    @property
    def of_bare(self) -> float:
        """The rate of the first seconds over that of bare tasks: timers have their grain."""
        return round(self.rate / self.well.bare, 3)

    @property
    def others(self) -> float:
        """How much other keys got done while one failed, over how much they do without."""
        return round(self.failing.others / self.well.others, 3)


def run_waiting(kafka: KafkaSettings, *, seconds: float, key: str) -> WaitingReport:
    """Fill a topic with more than can be handled, and handle it twice."""
    with measured_topic(kafka) as topic:
        fill(kafka, topic, round(LIMIT * seconds * 1.1), EXPONENT)
        well = _measure(kafka, topic, seconds, key, "well")
        failing = _measure(kafka, topic, seconds, key, "failing")
    return WaitingReport(seconds=seconds, key=key, well=well, failing=failing)


def _measure(kafka: KafkaSettings, topic: str, seconds: float, key: str, how: str) -> Counts:
    arguments = (kafka.bootstrap_servers, topic, str(seconds), key, how)
    return msgspec.json.decode(measured_alone(__name__, *arguments), type=Counts)


async def _handle(kafka: KafkaSettings, topic: str, seconds: float, key: bytes, how: str) -> Counts:
    app = App()
    first = others = failed = 0
    first_ends = 0.0
    fails = how == "failing"
    begun = asyncio.Event()

    @app.on(topic, concurrency=CONCURRENCY, retry=Retry(attempts=None, backoff=Backoff(cap_s=1)))
    async def wait(event: Event) -> None:
        nonlocal first, others, failed
        begun.set()
        await asyncio.sleep(WAIT_S)
        if event.key == key:
            failed += fails
            if fails:
                raise ConnectionError("What this key needs is not there.")
        else:
            others += 1
        first += time.perf_counter() < first_ends

    bare = await _bare_rate()
    settings = WorkerSettings(group=uuid.uuid4().hex)
    worker = Worker(app, KafkaReach(kafka, settings), settings)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    first_ends = time.perf_counter() + FIRST_S
    await asyncio.sleep(seconds)
    counts = Counts(bare=bare, first=first, others=others, failed=failed)
    worker.stop()
    await running
    return counts


async def _bare_rate() -> float:
    waits = 0
    ends = time.perf_counter() + BARE_S

    async def wait() -> None:
        nonlocal waits
        while time.perf_counter() < ends:
            await asyncio.sleep(WAIT_S)
            waits += 1

    await asyncio.gather(*(wait() for _ in range(CONCURRENCY)))
    return waits / BARE_S


def main() -> None:
    """Run one measurement, as a worker process would: with its log and its collector."""
    configure_logging(LogSettings(log_level="error"))
    calm_collector()
    bootstrap_servers, topic, seconds, key, how = sys.argv[1:]
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers)
    counts = uvloop.run(_handle(kafka, topic, float(seconds), key.encode(), how))
    print(msgspec.json.encode(counts).decode())


if __name__ == "__main__":
    main()
