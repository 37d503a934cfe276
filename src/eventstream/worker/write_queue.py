"""What waits to be written of one partition."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.log.received import Received

BATCH_EVENTS = 5_000
BATCH_BYTES = 8_000_000


class WriteQueue:
    """A partition's events, and the task that writes them; owned by an event loop.

    Attributes:
        filled: Set while there is something to be done.
        is_leaving: Whether nothing more is to be written.
        task: Writes.
    """

    def __init__(self) -> None:
        self.filled = asyncio.Event()
        self.is_leaving = False
        self.task: asyncio.Task[None]
        self._events: deque[Received] = deque()

    def add(self, events: Iterable[Received]) -> None:
        """Line events up, in offset order."""
        self._events.extend(events)
        if self._events:
            self.filled.set()

    def leave(self) -> None:
        """Write nothing more than what is being written."""
        self.is_leaving = True
        self.filled.set()

    def take(self) -> list[Received]:
        """Take the next batch off the front; there is one."""
        batch: list[Received] = []
        size = 0
        while self._events and len(batch) < BATCH_EVENTS and size < BATCH_BYTES:
            event = self._events.popleft()
            batch.append(event)
            size += len(event.value or b"")
        if not self._events:
            self.filled.clear()
        return batch
