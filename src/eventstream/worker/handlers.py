"""What a slot awaits for an event, whichever kind of function the handler is."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from eventstream.events import Event
    from eventstream.worker.app import Handler


def awaitable_handler(handler: Handler, threads: Executor) -> Callable[[Event], Awaitable[Any]]:
    """Give an async handler as it is, and a plain function as one that runs in a thread.

    A plain function that returns an awaitable has it awaited, in the loop.
    """
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - a callable object may be async
    ):
        return handler

    async def in_a_thread(event: Event) -> None:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(threads, context.run, handler, event)
        if inspect.isawaitable(result):
            await result

    return in_a_thread
