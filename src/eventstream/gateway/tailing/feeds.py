"""The topics that are read in this process: each by one consumer, for as long as it has clients."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.tailing import endings
from eventstream.gateway.tailing.feed import open_feed
from eventstream.log.lookups import Lookups

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eventstream.gateway.tailing.feed import Feed
    from eventstream.settings import KafkaSettings, TailingSettings

REST_S = 10.0
"""How long a topic without clients is read on: those who come back find what they missed."""


class Feeds:
    """Opens, shares and closes feeds.

    Args:
        kafka: How to reach Kafka.
        settings: How much may be read, and kept.
    """

    def __init__(self, kafka: KafkaSettings, settings: TailingSettings) -> None:
        self._kafka = kafka
        self._settings = settings
        self._lookups: Lookups | None = None
        self._shared: dict[str, _Shared] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def topics(self) -> int:
        """How many topics are read now, by one consumer each."""
        return len(self._shared)

    @contextlib.asynccontextmanager
    async def joined(self, topic: str) -> AsyncIterator[Feed]:
        """Read a topic together with everybody else who does.

        Yields:
            The topic's feed.

        Raises:
            Rejected: This process stops, or reads as many topics as it may.
            EventstreamError: There is no such topic, Kafka did not answer in time, or it refused.
        """
        shared = self._shared_of(topic)
        shared.clients += 1
        try:
            yield await asyncio.shield(shared.opening)
        finally:
            shared.clients -= 1
            if not shared.clients:
                asyncio.get_running_loop().call_later(REST_S, self._rest_is_over, shared)

    def end_streams(self) -> None:
        """End every stream with the reason that this process stops, and take no more."""
        self._stopping = True
        for shared in [*self._shared.values()]:
            if shared.is_open:
                shared.opening.result().end(endings.STOPPING)

    async def stop(self) -> None:
        """Close every feed."""
        self.end_streams()
        for shared in [*self._shared.values()]:
            self._close(shared)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _shared_of(self, topic: str) -> _Shared:
        if self._stopping:
            raise Rejected(
                Problem(503, "stopping", "This server stops; connect again.", retry_after_s=1)
            )
        if topic not in self._shared:
            self._make_room()
            opening = asyncio.get_running_loop().create_task(self._open(topic))
            shared = self._shared[topic] = _Shared(topic, opening)
            opening.add_done_callback(lambda _: self._opened(shared))
        return self._shared[topic]

    def _make_room(self) -> None:
        most = self._settings.events_max_topics
        if len(self._shared) < most:
            return
        resting = next((each for each in self._shared.values() if not each.clients), None)
        if resting is None:
            raise Rejected(
                Problem(
                    503,
                    "too-many-topics",
                    f"{most} topics are read here already, the most there may be; try again later.",
                    retry_after_s=int(REST_S),
                )
            )
        self._close(resting)

    async def _open(self, topic: str) -> Feed:
        if self._lookups is None:
            self._lookups = Lookups(self._kafka)
        return await open_feed(
            self._kafka, topic, self._lookups, self._settings.events_client_bytes
        )

    def _opened(self, shared: _Shared) -> None:
        if not shared.is_open:
            self._forget(shared)
            return
        feed = shared.opening.result()
        feed.over.add_done_callback(lambda _: self._close(shared))
        if self._stopping:
            feed.end(endings.STOPPING)

    def _rest_is_over(self, shared: _Shared) -> None:
        if not shared.clients:
            self._close(shared)

    def _close(self, shared: _Shared) -> None:
        """Close a feed, once; who asks for its topic from now on gets another one."""
        if self._forget(shared):
            closing = asyncio.get_running_loop().create_task(_stop(shared.opening))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _forget(self, shared: _Shared) -> bool:
        is_known = self._shared.get(shared.topic) is shared
        if is_known:
            del self._shared[shared.topic]
        return is_known


class _Shared:
    """A feed, and how many read from it or wait for it to open."""

    def __init__(self, topic: str, opening: asyncio.Task[Feed]) -> None:
        self.topic = topic
        self.opening = opening
        self.clients = 0

    @property
    def is_open(self) -> bool:
        done = self.opening
        return done.done() and not done.cancelled() and done.exception() is None


async def _stop(opening: asyncio.Task[Feed]) -> None:
    with contextlib.suppress(EventstreamError, Rejected):  # it did not open
        await (await opening).stop()
