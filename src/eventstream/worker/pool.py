"""Processes for handlers that compute: plain functions that would hold the interpreter."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from eventstream.errors import Transient
from eventstream.events import Event
from eventstream.worker.arguments import arguments_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.worker.context import Context


class Pool:
    """Runs one handler in processes of its own; they start with the first event.

    Args:
        handler: A plain function; the processes import it by its module and name.
        processes: The most processes; no more are of use than there are processors.
        context_of: Says which attempt of an event it is.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        processes: int,
        context_of: Callable[[Event], Context],
    ) -> None:
        self._handler = handler
        self._context_of = context_of
        self._processes = min(processes, os.cpu_count() or 1)
        self._executor: ProcessPoolExecutor | None = None

    async def run(self, event: Event) -> Any:
        """Run the handler on an event and return what it returns.

        Raises:
            Transient: A process ended; the handler may have, too.
        """
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self._processes, multiprocessing.get_context("spawn"), _begin
            )
        executor = self._executor
        loop = asyncio.get_running_loop()
        try:
            context = self._context_of(event)
            return await loop.run_in_executor(
                executor, _call, self._handler, _whole(event), context
            )
        except BrokenProcessPool:
            if self._executor is executor:
                self._executor = None
                executor.shutdown(wait=False)
            raise Transient("A process of the pool ended while it ran a handler.") from None

    def close(self) -> None:
        """End the processes once they have run what they run."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)


def _whole(event: Event) -> Event:
    """Copy an event with all it has, for another process."""
    return Event(
        event.topic,
        event.value,
        event.key,
        event.headers,
        event.partition,
        event.offset,
        event.timestamp_ms,
    )


# Everything below runs in the pool's processes.


def _begin() -> None:
    """Leave Ctrl-C to the worker, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(handler: Callable[..., Any], event: Event, context: Context) -> Any:
    _contexts[event] = context
    try:
        arguments = _arguments_of(handler)
        return handler(event) if arguments is None else handler(*arguments(event))
    finally:
        del _contexts[event]


_contexts: dict[Event, Context] = {}


@functools.cache
def _arguments_of(handler: Callable[..., Any]) -> Callable[[Event], tuple[Any, ...]] | None:
    return arguments_of(handler, _contexts.__getitem__)
