"""Turns at the few consumers that read older events for clients that need them."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from eventstream.log.backlog import Backlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eventstream.gateway.tailing.positions import Positions
    from eventstream.log.backlog import Batch
    from eventstream.settings import KafkaSettings

TURN_S = 10.0
"""How long a client may keep a consumer that others wait for."""


class Turn:
    """A client's turn at a consumer.

    Args:
        backlog: The consumer.
        threads: Where it reads.
    """

    def __init__(self, backlog: Backlog, threads: ThreadPoolExecutor) -> None:
        self._backlog = backlog
        self._threads = threads
        self._ends_at = asyncio.get_running_loop().time() + TURN_S

    async def read(self) -> Batch:
        """Wait a moment for events, and return those that came.

        Raises:
            EventstreamError: Kafka refuses.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._backlog.read)

    def read_on(self, partition: int, offset: int) -> None:
        """Read a partition from another offset on."""
        self._backlog.read_on(partition, offset)

    @property
    def has_lasted(self) -> bool:
        """Whether it is time to let others have theirs."""
        return asyncio.get_running_loop().time() >= self._ends_at


class CatchingUp:
    """Lends consumers, to so many clients at once, in the order they come.

    Args:
        kafka: How to reach Kafka.
        readers: How many consumers there may be.

    Attributes:
        waiting: Clients that wait for a turn.
        reading: Clients that have one.
    """

    def __init__(self, kafka: KafkaSettings, readers: int) -> None:
        self.waiting = 0
        self.reading = 0
        self._kafka = kafka
        self._free = asyncio.Semaphore(readers)
        self._threads = ThreadPoolExecutor(readers, "events-catch-up")

    @contextlib.asynccontextmanager
    async def turn(self, topic: str, positions: Positions) -> AsyncIterator[Turn]:
        """Wait for a turn at reading a topic from positions on, and take it.

        Yields:
            The turn.
        """
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        backlog = Backlog(self._kafka, topic, dict(enumerate(positions)))
        self.reading += 1
        try:
            yield Turn(backlog, self._threads)
        finally:
            self.reading -= 1
            closing = asyncio.get_running_loop().run_in_executor(self._threads, backlog.close)
            closing.add_done_callback(lambda _: self._free.release())

    async def stop(self) -> None:
        """Wait until the threads have ended; nobody has a turn any more."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
