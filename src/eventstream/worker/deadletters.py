"""Writes letters and marks, each again for as long as it takes Kafka to acknowledge it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from eventstream.backoff import Backoff
from eventstream.deadletters.letters import DEADLETTER_SUFFIX, headers_of
from eventstream.deadletters.marks import MARK_HEADERS, PARKED_SUFFIX
from eventstream.errors import EventstreamError, PartitionNotFound, RecordTooLarge, TopicNotFound
from eventstream.observe.logs import where

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eventstream.deadletters.letters import Failure
    from eventstream.deadletters.marks import Mark
    from eventstream.events import Event, Headers, Receipt
    from eventstream.worker.machine import Machine
    from eventstream.worker.reach import Sending

log = structlog.get_logger(__name__)


class DeadLetters:
    """Writes what one group has to say about its events; owned by the running loop.

    Args:
        group: The consumer group that gives events up.
        outbox: Sends the records.
        make_companion: Makes sure that a companion, named first, of a topic exists.
        machine: Chance, for the backoff.
        backoff: How long to wait before a record that was not taken is written again.
    """

    def __init__(
        self,
        group: str,
        outbox: Sending,
        make_companion: Callable[[str, str], Awaitable[None]],
        machine: Machine,
        backoff: Backoff | None = None,
    ) -> None:
        self.group = group
        self._outbox = outbox
        self._make_companion = make_companion
        self._chance = machine.chance
        self._backoff = backoff or Backoff()
        self._made: set[str] = set()

    async def write(self, event: Event, failure: Failure) -> Receipt:
        """Write an event's dead letter."""
        headers = headers_of(event, self.group, failure)
        return await self._deliver(event, DEADLETTER_SUFFIX, event.value, headers)

    async def park(self, event: Event) -> Receipt:
        """Write an event behind the parked ones of its key."""
        headers = headers_of(event, self.group, None)
        return await self._deliver(event, PARKED_SUFFIX, event.value, headers)

    async def mark(self, event: Event, mark: Mark) -> Receipt:
        """Write a mark about letters that have the partition and the key of this event."""
        return await self._deliver(event, PARKED_SUFFIX, mark.encode(), MARK_HEADERS)

    async def _deliver(
        self, event: Event, suffix: str, value: bytes | None, headers: Headers
    ) -> Receipt:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._send(event, suffix, value, headers)
            except EventstreamError as error:
                shorter = _without_stack(headers)
                if isinstance(error, RecordTooLarge) and len(shorter) < len(headers):
                    headers = shorter
                    continue
                delay_s = self._backoff.delay_s(attempt, self._chance())
                log.error(  # noqa: TRY400 - a sentence for a person, not a bug
                    "a dead letter was not written; its lane waits",
                    **where(event),
                    attempt=attempt,
                    next_in_s=round(delay_s, 3),
                    problem=str(error),
                )
                await asyncio.sleep(delay_s)

    async def _send(
        self, event: Event, suffix: str, value: bytes | None, headers: Headers
    ) -> Receipt:
        topic = event.topic + suffix
        if topic not in self._made:
            await self._make_companion(topic, event.topic)
            self._made.add(topic)
        try:
            return await self._outbox.send(topic, value, event.key, headers, event.partition)
        except (TopicNotFound, PartitionNotFound):
            self._made.discard(topic)
            raise


def _without_stack(headers: Headers) -> Headers:
    return tuple(header for header in headers if not header[0].endswith("-stacktrace"))
