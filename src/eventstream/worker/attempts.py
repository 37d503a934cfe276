"""What becomes of events whose handler failed: another attempt, or the end of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import structlog

from eventstream.errors import HandlerTimedOut
from eventstream.observe.logs import where

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.events import Event
    from eventstream.log.received import Received
    from eventstream.worker.lanes import NoLanes
    from eventstream.worker.machine import Machine
    from eventstream.worker.subscription import Subscription

log = structlog.get_logger(__name__)


class Tried(NamedTuple):
    """How often an event was tried, and when first, by the machine's clock."""

    attempts: int
    began: float


class Attempts:
    """The failed events of one handler; owned by the running loop.

    Args:
        subscription: The handler, and when its failures are given up.
        lanes: Where a failed event waits.
        machine: Time and chance.
        tried_again: Called when an event may run again.
        give_up: Called with an event that is tried no more, and its last error and attempt; it
            waits in its lane.

    Attributes:
        tried: The events that failed before and are not finished.
    """

    def __init__(
        self,
        subscription: Subscription,
        lanes: NoLanes[Received],
        machine: Machine,
        *,
        tried_again: Callable[[], None],
        give_up: Callable[[Received, BaseException, int], None],
    ) -> None:
        self.tried: dict[Event, Tried] = {}
        self._subscription = subscription
        self._lanes = lanes
        self._machine = machine
        self._tried_again = tried_again
        self._give_up = give_up
        self._call_later = asyncio.get_running_loop().call_later

    def failed(self, event: Received, error: BaseException, began: float) -> None:
        """Decide what becomes of an event whose attempt raised; it began at `began`."""
        attempts, first_began = self.tried.get(event, (0, began))
        attempts += 1
        elapsed_s = self._machine.clock() - first_began
        delay_s = self._subscription.retry.delay_s(
            error, attempts, elapsed_s, self._machine.chance()
        )
        self._lanes.retry_later(event)
        if delay_s is None:
            self.tried.pop(event, None)
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
        self._call_later(delay_s, self._try_again, event)

    def leave(self, partition: int) -> None:
        """Try nothing of a partition again."""
        for event in [event for event in self.tried if event.partition == partition]:
            del self.tried[event]

    def _try_again(self, event: Received) -> None:
        self._lanes.ready_again(event)
        self._tried_again()


def timed_out(timeout_s: float | None, ended_by: BaseException) -> HandlerTimedOut:
    """Say that a handler's time was over; where it stood is in the cause."""
    error = HandlerTimedOut(f"The handler did not end within {timeout_s:g} s.")
    error.__cause__ = ended_by
    return error
