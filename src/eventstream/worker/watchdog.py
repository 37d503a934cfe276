"""Says so when a handler blocks the event loop, and where it stands.

While the loop is blocked no other handler of the process goes on, and nothing is committed. The
group does not notice: another thread polls for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import traceback
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from eventstream.worker.handlers import code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from eventstream.worker.subscription import Subscription

log = structlog.get_logger(__name__)

LOOKS_PER_LIMIT = 4


@contextlib.contextmanager
def watching(subscriptions: Iterable[Subscription], blocked_after_s: float) -> Iterator[None]:
    """Watch the running loop, from a thread, while the body runs.

    Args:
        subscriptions: The handlers, to name the one that blocks.
        blocked_after_s: How long the loop may not turn before a warning, in seconds.
    """
    watchdog = _Watchdog(subscriptions, blocked_after_s)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()


class _Watchdog:
    def __init__(self, subscriptions: Iterable[Subscription], blocked_after_s: float) -> None:
        self._topics = {code_of(one.handler): one.topic for one in subscriptions}
        self._blocked_after_s = blocked_after_s
        self._interval_s = blocked_after_s / LOOKS_PER_LIMIT
        self._loop = asyncio.get_running_loop()
        self._loops_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._stopped = threading.Event()
        self._turned = monotonic()
        self._next_turn = self._loop.call_soon(self._turn)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._next_turn.cancel()
        self._turned = monotonic()
        self._stopped.set()

    def _turn(self) -> None:
        self._turned = monotonic()
        self._next_turn = self._loop.call_later(self._interval_s, self._turn)

    # Everything below runs in the thread.

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval_s):
            turned = self._turned
            if monotonic() - turned > self._blocked_after_s:
                handler = self._report()
                while self._turned == turned and not self._stopped.wait(self._interval_s):
                    pass
                blocked_s = round(self._turned - turned, 1)
                log.warning("the event loop turns again", **handler, blocked_s=blocked_s)

    def _report(self) -> dict[str, str]:
        """Log where the loop's thread stands; return which handler that is, if it is one."""
        frames, handler = self._standing()
        stack = traceback.StackSummary.extract((each, each.f_lineno) for each in frames)
        log.warning(
            "the event loop is blocked; what takes long must be awaited, or be a plain function",
            **handler,
            stack="".join(stack.format()),
        )
        return handler

    def _standing(self) -> tuple[list[FrameType], dict[str, str]]:
        """Take the stack of the loop's thread, from the handler on if there is one."""
        frame = sys._current_frames().get(self._loops_thread)  # noqa: SLF001 - its only name
        frames: list[FrameType] = []
        while frame is not None:
            frames.insert(0, frame)
            code = frame.f_code
            if code in self._topics:
                return frames, {"topic": self._topics[code], "handler": code.co_qualname}
            frame = frame.f_back
        return frames, {}
