"""Handlers of batches: events are collected until there are enough, or the first waited enough.

A batch that raises is tried again at once, event by event: so one bad event costs the others a
call, and it alone is retried, and given up in the end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from eventstream.worker.attempts import timed_out
from eventstream.worker.results import publish_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eventstream.events import Event
    from eventstream.worker.results import Sender
    from eventstream.worker.subscription import Batch


class _Waiting(NamedTuple):
    """An event in a batch: what the handler is given of it, and who waits for its end."""

    items: tuple[Any, ...]
    ended: asyncio.Future[None]


class Batches:
    """Collects one handler's events; owned by the running loop.

    Args:
        batch: How many events, and how long to wait for them.
        timeout_s: How long one call may take, in seconds; `None` is no limit.
        items_of: Makes what the handler is given of an event, an item for each of its parameters.
        call: Calls the handler with a list for each parameter.
        sender: Writes the events that it returns.
    """

    def __init__(
        self,
        batch: Batch,
        timeout_s: float | None,
        items_of: Callable[[Event], tuple[Any, ...]],
        call: Callable[..., Awaitable[Any]],
        sender: Sender,
    ) -> None:
        self._batch = batch
        self._timeout_s = timeout_s
        self._items_of = items_of
        self._call = call
        self._sender = sender
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._limit = asyncio.Semaphore(batch.concurrency)
        self._running: dict[asyncio.Task[None], list[_Waiting]] = {}
        self._loop = asyncio.get_running_loop()

    async def handle(self, event: Event) -> None:
        """Have an event handled in a batch; return, or raise, when it is.

        Raises:
            InvalidEvent: Its value is not what the handler asks for.
        """
        ended: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(_Waiting(self._items_of(event), ended))
        if len(self._waiting) >= self._batch.size:
            self._begin()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._batch.within_s, self._begin)
        try:
            await ended
        except asyncio.CancelledError:
            self._cancel_abandoned()
            raise

    def close(self) -> None:
        """Cancel what runs."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._running:
            task.cancel()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        task = self._loop.create_task(self._run(waiting))
        self._running[task] = waiting
        task.add_done_callback(self._running.pop)

    def _cancel_abandoned(self) -> None:
        """Cancel the batches all of whose events were abandoned, with their partitions."""
        for task, waiting in self._running.items():
            if all(one.ended.done() for one in waiting):
                task.cancel()

    async def _run(self, waiting: list[_Waiting]) -> None:
        async with self._limit:
            waiting = [one for one in waiting if not one.ended.done()]
            if not waiting or await self._try(waiting):
                return
            for one in waiting:
                if not one.ended.done():
                    await self._try([one])

    async def _try(self, waiting: list[_Waiting]) -> bool:
        """Call the handler, and end its events; return whether it is not to be tried in parts."""
        columns = map(list, zip(*(one.items for one in waiting), strict=True))
        timeout = asyncio.timeout(self._timeout_s)
        try:
            async with timeout:
                result = await self._call(*columns)
            if result is not None:
                await publish_result(result, self._sender)
        except Exception as error:  # noqa: BLE001 - handlers may raise anything
            if len(waiting) > 1:
                return False
            if not waiting[0].ended.done():
                why = timed_out(self._timeout_s, error) if timeout.expired() else error
                waiting[0].ended.set_exception(why)
            return True
        for one in waiting:
            if not one.ended.done():
                one.ended.set_result(None)
        return True
