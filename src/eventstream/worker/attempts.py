"""What becomes of events whose handler failed: another attempt, a dead letter, or the end."""

from __future__ import annotations

import asyncio
import random
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from eventstream.deadletters.letters import Failure
from eventstream.errors import HandlerTimedOut, Permanent
from eventstream.observe.logs import where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from eventstream.log.received import Received
    from eventstream.worker.app import Subscription
    from eventstream.worker.lanes import NoLanes

log = structlog.get_logger(__name__)


class Letters(Protocol):
    """Where events go that are given up."""

    async def write(self, event: Received, failure: Failure | None) -> None:
        """Write an event's letter and wait for its acknowledgement, however long that takes."""


class Tried(NamedTuple):
    """How often an event was tried, and when first, on `perf_counter`."""

    attempts: int
    began: float


class Attempts:
    """The failed events of one handler; owned by the running loop.

    Args:
        subscription: The handler, and when its failures are given up.
        lanes: Where a failed event waits.
        letters: Takes the events that are given up.
        tried_again: Called when an event may run again.
        given_up: Called when an event's letter is acknowledged.
        gave_in: Called when the worker is to end; the event is not done.

    Attributes:
        tried: The events that failed before and are not finished.
    """

    def __init__(
        self,
        subscription: Subscription,
        lanes: NoLanes[Received],
        letters: Letters,
        *,
        tried_again: Callable[[], None],
        given_up: Callable[[Received], None],
        gave_in: Callable[[Permanent], None],
    ) -> None:
        self.tried: dict[Received, Tried] = {}
        self._subscription = subscription
        self._lanes = lanes
        self._letters = letters
        self._tried_again = tried_again
        self._given_up = given_up
        self._gave_in = gave_in
        self._moving: dict[Received, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()

    def failed(self, event: Received, error: BaseException, began: float) -> None:
        """Decide what becomes of an event whose attempt raised; `began` is on `perf_counter`."""
        attempts, first_began = self.tried.get(event, (0, began))
        attempts += 1
        delay_s = self._subscription.retry.delay_s(
            error,
            attempts,
            perf_counter() - first_began,
            random.random(),  # noqa: S311 - jitter
        )
        if delay_s is None:
            self._give_up(event, error, attempts)
            return
        log.warning(
            "attempt failed",
            **where(event),
            attempt=attempts,
            next_in_s=round(delay_s, 3),
            error=f"{type(error).__name__}: {error}",
            exc_info=error if attempts == 1 else None,
        )
        self.tried[event] = Tried(attempts, first_began)
        self._lanes.retry_later(event)
        self._loop.call_later(delay_s, self._try_again, event)

    def leave(self, partition: int) -> list[asyncio.Task[None]]:
        """Try nothing of a partition again; return the letters of it that are being written."""
        for event in _of(partition, self.tried):
            del self.tried[event]
        return [self._moving[event] for event in _of(partition, self._moving)]

    def abandon(self, partition: int) -> None:
        """Wait no more for the partition's letters: those events are not done."""
        for event in _of(partition, self._moving):
            self._moving.pop(event).cancel()

    async def close(self) -> None:
        """Give up what is being written."""
        moving = list(self._moving.values())
        for task in moving:
            task.cancel()
        await asyncio.gather(*moving, return_exceptions=True)

    def _give_up(self, event: Received, error: BaseException, attempts: int) -> None:
        self.tried.pop(event, None)
        self._lanes.retry_later(event)
        on_failure = self._subscription.on_failure
        log.error("given up", **where(event), attempt=attempts, then=on_failure, exc_info=error)
        if on_failure == "stop":
            self._gave_in(_end_of_the_worker(event, error, attempts))
            return
        writing = self._letters.write(event, Failure.of(error, attempts))
        self._moving[event] = task = self._loop.create_task(writing)
        task.add_done_callback(lambda task: self._moved(event, task))

    def _moved(self, event: Received, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._moving.pop(event, None) is None:
            return
        error = task.exception()
        if error is not None:
            log.error("a dead letter failed", **where(event), exc_info=error)
            self._gave_in(Permanent(f"The dead letter of {event!r} failed: {error!r}."))
            return
        self._given_up(event)

    def _try_again(self, event: Received) -> None:
        self._lanes.ready_again(event)
        self._tried_again()


def timed_out(timeout_s: float | None, ended_by: BaseException) -> HandlerTimedOut:
    """Say that a handler's time was over; where it stood is in the cause."""
    error = HandlerTimedOut(f"The handler did not end within {timeout_s:g} s.")
    error.__cause__ = ended_by
    return error


def _end_of_the_worker(event: Received, error: BaseException, attempts: int) -> Permanent:
    times = "once" if attempts == 1 else f"{attempts} times"
    return Permanent(
        f"The handler of {event.topic!r} failed {times} on {event!r}"
        f" ({type(error).__name__}: {error}), and its on_failure is 'stop';"
        " the event is not done and comes again."
    )


def _of(partition: int, events: Iterable[Received]) -> list[Received]:
    return [event for event in events if event.partition == partition]
