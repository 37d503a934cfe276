"""Events on their way to another topic, which are not done before they are acknowledged there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from eventstream.errors import Permanent
from eventstream.observe.logs import where

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from eventstream.events import Receipt
    from eventstream.log.received import Received

log = structlog.get_logger(__name__)


class Moves:
    """The moves of one handler's events; owned by the running loop.

    Args:
        gave_in: Called when a move failed, which is a bug: the worker has to end.
    """

    def __init__(self, gave_in: Callable[[BaseException], None]) -> None:
        self._gave_in = gave_in
        self._moving: dict[Received, asyncio.Task[Receipt]] = {}

    def begin(
        self,
        event: Received,
        moving: Coroutine[Any, Any, Receipt],
        moved: Callable[[Received, Receipt], None],
    ) -> None:
        """Move an event; `moved` is called once it is acknowledged, unless it was abandoned."""
        self._moving[event] = task = asyncio.get_running_loop().create_task(moving)
        task.add_done_callback(lambda task: self._end(event, task, moved))

    def of(self, partition: int) -> list[asyncio.Task[Receipt]]:
        """The moves of a partition's events."""
        return [self._moving[event] for event in _of(partition, self._moving)]

    def of_key(self, partition: int, key: bytes | None) -> list[asyncio.Task[Receipt]]:
        """The moves of a key's events."""
        return [self._moving[one] for one in _of(partition, self._moving) if one.key == key]

    def abandon(self, partition: int) -> None:
        """Wait no more for a partition's moves: those events are not done."""
        for event in _of(partition, self._moving):
            self._moving.pop(event).cancel()

    async def close(self) -> None:
        """Give up all moves."""
        moving = list(self._moving.values())
        for task in moving:
            task.cancel()
        await asyncio.gather(*moving, return_exceptions=True)

    def _end(
        self,
        event: Received,
        task: asyncio.Task[Receipt],
        moved: Callable[[Received, Receipt], None],
    ) -> None:
        if self._moving.get(event) is not task:
            return
        del self._moving[event]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("a letter failed", **where(event), exc_info=error)
            self._gave_in(Permanent(f"The letter of {event!r} failed: {error!r}."))
            return
        moved(event, task.result())


def _of(partition: int, events: Iterable[Received]) -> list[Received]:
    return [event for event in events if event.partition == partition]
