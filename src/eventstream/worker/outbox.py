"""What a worker writes: dead letters, parked events, and the events that handlers return."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eventstream.errors import QueueFull
from eventstream.events import Receipt
from eventstream.log.faults import translate
from eventstream.log.producer import NO_OFFSET, Producer

if TYPE_CHECKING:
    from eventstream.events import Headers
    from eventstream.log.producer import DeliveryError, Report
    from eventstream.settings import KafkaSettings, ProducerSettings

FLUSH_TIMEOUT_S = 5.0
_FULL_PAUSE_S = 0.01


class Outbox:
    """A producer that is made when the first event is sent; owned by the running loop."""

    def __init__(self, kafka: KafkaSettings, settings: ProducerSettings) -> None:
        self._kafka = kafka
        self._settings = settings
        self._producer: Producer | None = None

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
            self._producer = Producer(self._kafka, self._settings, loop)
        answered: asyncio.Future[Receipt] = loop.create_future()

        def on_delivery(error: DeliveryError | None, report: Report) -> None:
            if answered.done():
                return
            offset = report.offset()
            if error is None and offset is not None:
                answered.set_result(Receipt(topic, report.partition(), offset))
            else:
                answered.set_exception(translate(error or NO_OFFSET, topic, was_sent=True))

        while True:
            try:
                self._producer.send(topic, value, key, on_delivery, headers, partition)
            except QueueFull:
                await asyncio.sleep(_FULL_PAUSE_S)
            else:
                return await answered

    def close(self) -> None:
        """Wait a while for what was sent and nobody waits for any more; blocks."""
        if self._producer is not None:
            self._producer.flush(FLUSH_TIMEOUT_S)
