"""What a worker writes: dead letters, parked events, and the events that handlers return."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.errors import QueueFull
from eventstream.events import Receipt
from eventstream.log.faults import translate
from eventstream.log.rdkafka import RdkafkaProducer

if TYPE_CHECKING:
    from eventstream.events import Headers
    from eventstream.log.producing import DeliveryError
    from eventstream.settings import KafkaSettings, ProducerSettings

FLUSH_TIMEOUT_S = 5.0
_FULL_PAUSE_S = 0.01


class Outbox:
    """A producer that is made when the first event is sent; owned by the running loop."""

    def __init__(self, kafka: KafkaSettings, settings: ProducerSettings) -> None:
        self._kafka = kafka
        self._settings = settings
        self._producer: RdkafkaProducer | None = None

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers = (),
        partition: int = -1,
    ) -> Receipt:
        """Write an event, and wait until all in-sync replicas have it.

        Raises:
            EventstreamError: It is not written; or, `OutcomeUnknown`, it may be.
        """
        loop = asyncio.get_running_loop()
        if self._producer is None:
            self._producer = RdkafkaProducer(self._kafka, self._settings, loop)
        answered: asyncio.Future[Receipt] = loop.create_future()

        def on_delivery(
            error: DeliveryError | None, partition: int, offset: int, _timestamp_ms: int
        ) -> None:
            if answered.done():
                return
            if error is None:
                answered.set_result(Receipt(topic, partition, offset))
            else:
                answered.set_exception(translate(error, topic, was_sent=True))

        while True:
            try:
                self._producer.send(topic, value, key, on_delivery, headers, partition)
            except QueueFull:
                await asyncio.sleep(_FULL_PAUSE_S)
            else:
                return await answered

    async def close(self) -> None:
        """Wait a while for what was sent and nobody waits for any more."""
        if self._producer is not None:
            await self._producer.drain(FLUSH_TIMEOUT_S)
