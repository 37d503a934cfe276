"""One gateway process: what it owns, from its start to its stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import structlog

from eventstream.gateway.access.access import Access
from eventstream.gateway.access.cors import Cors
from eventstream.gateway.admission import Admission
from eventstream.gateway.counters import GatewayCounters
from eventstream.gateway.idempotency.flow import Idempotency
from eventstream.gateway.idempotency.settlement import Lease
from eventstream.gateway.idempotency.stores import make_store
from eventstream.gateway.idempotency.topic_log import TopicLog
from eventstream.gateway.lane import TICK_S, FastLane
from eventstream.gateway.metadata import KafkaMetadata
from eventstream.gateway.publishing.core import Publishing
from eventstream.gateway.reach import Reach
from eventstream.gateway.schemas import Schemas
from eventstream.gateway.tailing.endpoint import EventsEndpoint
from eventstream.gateway.targets.reading import Targets
from eventstream.log.producer import make_producer
from eventstream.log.questions import Questions
from eventstream.log.topics import TopicDirectory
from eventstream.observe.exposition import WRITE_INTERVAL_S, ProcessSamples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.applications import Starlette

    from eventstream.gateway.config import Gateway
    from eventstream.gateway.idempotency.contract import Store
    from eventstream.log.producing import Producer
    from eventstream.observe.metrics import Sample

log = structlog.get_logger(__name__)

FLUSH_TIMEOUT_S = 5.0
"""How long a stop waits for the answers of events whose callers are gone."""


class GatewayProcess:
    """Producer, topic directory, admission and counters of one process.

    Args:
        gateway: What it is started with.

    Raises:
        InvalidSetting: The key file, an origin or a schema is of no use.
    """

    producer: Producer
    topics: TopicDirectory
    events: EventsEndpoint
    publishing: Publishing

    def __init__(self, gateway: Gateway) -> None:
        self.settings = gateway.settings
        self.access = Access(gateway.access, gateway.settings.workers)
        self.cors = Cors(gateway.access.cors_origins)
        self.schemas = Schemas(gateway.schemas)
        self.metadata = KafkaMetadata(gateway.kafka)
        self.questions = Questions(gateway.kafka)
        self._idempotency = gateway.idempotency
        self._tailing = gateway.tailing
        self._kafka = gateway.kafka
        self._sending = gateway.sending
        self._home = gateway.home
        self.targets = Targets(self.settings.default_topic)
        self._counters = GatewayCounters()
        self._admission = Admission(self.settings.max_in_flight, self.settings.max_in_flight_bytes)
        self._samples: ProcessSamples

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG002
        """Own the process's parts while the server runs (ASGI lifespan).

        Yields:
            The state that uvicorn hands to every connection.
        """
        store = make_store(self._idempotency, time.monotonic)
        async with store, self._run(store) as state:
            yield state

    @contextlib.asynccontextmanager
    async def _run(self, store: Store) -> AsyncIterator[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        self.producer = make_producer(
            self._kafka,
            self._sending,
            loop,
            queue_events=2 * self.settings.max_in_flight,
            queue_bytes=2 * (self.settings.max_in_flight_bytes + self.settings.max_body_bytes),
        )
        self.topics = TopicDirectory(self.questions)
        self.topics.start()
        topic_log = TopicLog(self._kafka, self.topics.known, time.monotonic)
        self.publishing = Publishing(
            self.producer,
            self.topics,
            self.access,
            self.schemas,
            self._admission,
            self._counters,
            Idempotency(
                store,
                topic_log,
                Lease.for_delivery(self._sending.delivery_timeout_s),
                time.monotonic,
            ),
            self.settings.max_body_bytes,
        )
        self.events = EventsEndpoint(self._kafka, self._tailing, lambda _: self._admission.closed)
        lane = FastLane(
            self.settings,
            self.publishing,
            self.targets,
            self.cors.fields(b""),
            self._tailing.events_stall_s,
        )
        self._samples = ProcessSamples(self._home.home / "metrics", self._collect)
        reach = Reach(self.producer, self.questions, self._admission)
        chores = [
            loop.create_task(self._write_samples()),
            loop.create_task(self._tick(reach)),
        ]
        try:
            yield {"fast_lane": lane, "events": self.events}
        finally:
            for chore in chores:
                chore.cancel()
            await self.events.stop()
            await reach.stop()
            await self.publishing.once.stop()
            topic_log.close()
            await self.topics.stop()
            unanswered = await self.producer.drain(FLUSH_TIMEOUT_S)
            if unanswered:
                log.warning("stopped with events whose outcome is unknown", events=unanswered)
            self.producer.close()
            self._samples.close()

    def render_metrics(self) -> bytes:
        """Render the metrics of all processes of this machine."""
        return self._samples.render()

    def _collect(self) -> Iterator[Sample]:
        yield from self._counters.samples(self._admission)
        yield from self.publishing.once.samples()
        yield from self.events.samples()

    async def _tick(self, reach: Reach) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            self.access.tick(now_s)
            self.schemas.tick()
            self._admission.tick(now_s)
            reach.tick(now_s)

    async def _write_samples(self) -> None:
        while True:
            await asyncio.sleep(WRITE_INTERVAL_S)
            self._samples.write()
