"""What a slot awaits for an event, whichever kind of function the handler is."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from typing import TYPE_CHECKING, Any

from eventstream.worker.arguments import NOTHING_MORE, arguments_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor
    from types import CodeType

    from eventstream.events import Event
    from eventstream.worker.arguments import Given
    from eventstream.worker.context import Context
    from eventstream.worker.subscription import Handler


def is_async(handler: Handler) -> bool:
    """Whether calling the handler makes a coroutine."""
    of_an_object = type(handler).__call__
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(of_an_object)


def code_of(handler: Handler) -> CodeType | None:
    """Find what a handler runs, as a stack's frame names it; `None` for one not in Python."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    handler = inspect.unwrap(handler)
    if not inspect.isroutine(handler):
        handler = type(handler).__call__
    return getattr(handler, "__code__", None)


def awaitable_handler(
    handler: Handler,
    threads: Executor,
    context_of: Callable[[Event], Context],
    given: Given = NOTHING_MORE,
) -> Callable[[Event], Awaitable[Any]]:
    """Give an async handler as it is, and a plain function as one that runs in a thread.

    Either is called with what its annotations ask for; see `worker.arguments`. A plain function
    that returns an awaitable has it awaited, in the loop.

    Raises:
        InvalidSetting: The handler cannot be called with what there is.
    """
    arguments = arguments_of(handler, context_of, given)
    if is_async(handler):
        return handler if arguments is None else _called_with(handler, arguments)
    return _in_a_thread(handler if arguments is None else _called_with(handler, arguments), threads)


def awaitable_batch_handler(handler: Handler, threads: Executor) -> Callable[..., Awaitable[Any]]:
    """Give a handler of batches likewise; it is called with its lists."""
    return handler if is_async(handler) else _in_a_thread(handler, threads)


def _in_a_thread(call: Callable[..., Any], threads: Executor) -> Callable[..., Awaitable[Any]]:
    async def in_a_thread(*arguments: Any) -> Any:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(threads, context.run, call, *arguments)
        return await result if inspect.isawaitable(result) else result

    return in_a_thread


def _called_with(
    handler: Callable[..., Any], arguments: Callable[[Event], tuple[Any, ...]]
) -> Callable[[Event], Any]:
    return lambda event: handler(*arguments(event))
