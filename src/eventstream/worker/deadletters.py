"""Moves events that were given up to the dead-letter topic.

An event counts as done when its letter is acknowledged. Until then its lane waits, and the letter
is written again for as long as it takes.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import structlog

from eventstream.backoff import Backoff
from eventstream.deadletters.letters import (
    DEADLETTER_SUFFIX,
    HEADER_BYTES,
    Failure,
    headers_of,
)
from eventstream.errors import EventstreamError, PartitionNotFound, RecordTooLarge, TopicNotFound
from eventstream.log.companions import make_companion
from eventstream.observe.logs import where

if TYPE_CHECKING:
    from eventstream.events import Headers
    from eventstream.log.received import Received
    from eventstream.settings import KafkaSettings
    from eventstream.worker.outbox import Outbox

log = structlog.get_logger(__name__)


class DeadLetters:
    """Writes the letters of one group; owned by the running loop.

    Args:
        kafka: How to reach Kafka, to make the topics.
        group: The consumer group that gives events up.
        outbox: Sends the letters.
        backoff: How long to wait before a letter that was not taken is written again.
    """

    def __init__(
        self, kafka: KafkaSettings, group: str, outbox: Outbox, backoff: Backoff | None = None
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._outbox = outbox
        self._backoff = backoff or Backoff()
        self._made: set[str] = set()

    async def write(
        self, event: Received, failure: Failure | None, suffix: str = DEADLETTER_SUFFIX
    ) -> None:
        """Write an event's letter and wait for its acknowledgement, however long that takes."""
        headers = headers_of(event, self._group, failure)
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._send(event, headers, suffix)
            except RecordTooLarge as error:
                shorter = _without_stack(headers)
                if len(shorter) < len(headers):
                    headers = shorter
                    continue
                await self._wait(event, attempt, error)
            except EventstreamError as error:
                await self._wait(event, attempt, error)
            else:
                return

    async def _send(self, event: Received, headers: Headers, suffix: str) -> None:
        topic = event.topic + suffix
        if topic not in self._made:
            await asyncio.get_running_loop().run_in_executor(
                None, make_companion, self._kafka, topic, event.topic, HEADER_BYTES
            )
            self._made.add(topic)
        try:
            await self._outbox.send(topic, event.value, event.key, headers, event.partition)
        except (TopicNotFound, PartitionNotFound):
            self._made.discard(topic)
            raise

    async def _wait(self, event: Received, attempt: int, error: EventstreamError) -> None:
        delay_s = self._backoff.delay_s(attempt, random.random())  # noqa: S311 - jitter
        log.error(
            "a dead letter was not written; its lane waits",
            **where(event),
            attempt=attempt,
            next_in_s=round(delay_s, 3),
            problem=str(error),
        )
        await asyncio.sleep(delay_s)


def _without_stack(headers: Headers) -> Headers:
    return tuple(header for header in headers if not header[0].endswith("-stacktrace"))
