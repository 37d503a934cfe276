"""One handler's slots: long-lived tasks that take events and run them.

There is no task per event: a slot takes an event from the lanes, awaits the handler and takes the
next. A slot that begins a turn and finds more than it can run at once wakes one idle slot, which
does the same; so a handler that never suspends is run by one slot, and one that does by as many as
it has use for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from eventstream.observe.logs import where
from eventstream.worker.attempts import timed_out
from eventstream.worker.counters import QUICK_S
from eventstream.worker.results import publish_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from eventstream.log.received import Received
    from eventstream.worker.attempts import Attempts
    from eventstream.worker.counters import WorkerCounters
    from eventstream.worker.lanes import NoLanes
    from eventstream.worker.results import Sender
    from eventstream.worker.subscription import Subscription

log = structlog.get_logger(__name__)

LONGEST_LOOK_S = 1.0
"""How long a handler may go on after its time-out, at the most."""
TURN_S = 0.002
"""How long slots run events before others in the loop have their turn, in seconds."""


class _Slot:
    """One task, and the event it runs; `None` between events and once the event was abandoned."""

    __slots__ = ("began", "event", "leaving", "overdue", "task", "woken")

    def __init__(self) -> None:
        self.event: Received | None = None
        self.began = 0.0
        self.overdue: Received | None = None
        self.leaving: tuple[Received, asyncio.Future[None]] | None = None
        self.task: asyncio.Task[None]
        self.woken: asyncio.Future[None]


class Slots:
    """Runs events of one handler; owned by the loop it is made in.

    Args:
        subscription: The handler, and how it is run.
        handle: Calls the handler.
        lanes: The events, those first that may run now.
        attempts: Takes the events whose handler raised.
        counters: Counts them.
        sender: Writes the events that the handler returns.
        clock: Tells seconds.
        limit: How many slots may run events now.
        turn_ended: Called after a slot ran events: the time for what is due.
        gave_in: Called when the process is to end; the event that asked for it is not done.
    """

    def __init__(
        self,
        subscription: Subscription,
        handle: Callable[[Received], Awaitable[Any]],
        lanes: NoLanes[Received],
        attempts: Attempts,
        counters: WorkerCounters,
        sender: Sender,
        clock: Callable[[], float],
        *,
        limit: Callable[[], int],
        turn_ended: Callable[[], None],
        gave_in: Callable[[BaseException], None],
    ) -> None:
        self._subscription = subscription
        self._handle = handle
        self._lanes = lanes
        self._attempts = attempts
        self._counters = counters
        self._sender = sender
        self._clock = clock
        self._limit = limit
        self._turn_ended = turn_ended
        self._gave_in = gave_in
        self._loop = asyncio.get_running_loop()
        self._idle: list[_Slot] = []
        self._slots = [_Slot() for _ in range(subscription.concurrency)]
        self._turn_ends = 0.0
        self._closing = False
        self._look: asyncio.TimerHandle | None = None
        if subscription.timeout_s is not None:
            self._look_for_overdue(subscription.timeout_s)
        for slot in self._slots:
            slot.task = self._loop.create_task(self._run(slot))
            slot.task.add_done_callback(self._slot_ended)

    def leave(self, partition: int) -> list[asyncio.Future[None]]:
        """Let go of a partition, whose events the lanes have forgotten.

        Returns:
            A future for each event of it that runs: resolved when its handler has ended.
        """
        endings = []
        for slot in self._slots:
            if slot.event is not None and slot.event.partition == partition:
                slot.leaving = (slot.event, self._loop.create_future())
                slot.event = None
            if slot.leaving is not None and slot.leaving[0].partition == partition:
                endings.append(slot.leaving[1])
        return endings

    def abandon(self, partition: int) -> None:
        """Cancel what still runs of a partition; threads run on, but nothing counts them."""
        for slot in self._slots:
            if slot.leaving is not None and slot.leaving[0].partition == partition:
                log.warning("handler cancelled: it took too long to end", **where(slot.leaving[0]))
                slot.leaving[1].cancel()
                slot.leaving = None
                slot.task.cancel()

    async def close(self) -> None:
        """End the slots."""
        self._closing = True
        if self._look is not None:
            self._look.cancel()
        for slot in self._slots:
            slot.task.cancel()
        await asyncio.gather(*(slot.task for slot in self._slots), return_exceptions=True)

    def _slot_ended(self, task: asyncio.Task[None]) -> None:
        """Stop the worker when a slot ends by itself: a bug must not take slots away in silence."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._closing:
            log.error("a slot failed", topic=self._subscription.topic, exc_info=error)
            self._gave_in(error)

    def wake(self) -> None:
        """Have an idle slot look at what is ready."""
        if self._idle and self._lanes.ready and not self._closing and self._running < self._limit():
            self._idle.pop().woken.set_result(None)

    @property
    def _running(self) -> int:
        return len(self._slots) - len(self._idle)

    async def _run(self, slot: _Slot) -> None:
        ready = self._lanes.ready
        while True:
            if not ready or self._running > self._limit():
                await self._rest(slot)
            if not self._has_turn():
                await asyncio.sleep(0)
                continue
            if self._idle and len(ready) > 1:
                self.wake()
            await self._take_turn(slot)
            slot.event = None
            if slot.overdue is not None:  # a handler that ended well though it was cancelled
                slot.overdue = None
                _take_back_cancel(slot)
            self._turn_ended()

    def _has_turn(self) -> bool:
        """Whether slots may run events now: all together for `TURN_S` in one round of the loop."""
        now = self._clock()
        if not self._turn_ends:
            self._turn_ends = now + TURN_S
            self._loop.call_soon(self._end_turn)
        return now < self._turn_ends

    def _end_turn(self) -> None:
        self._turn_ends = 0.0

    async def _rest(self, slot: _Slot) -> None:
        slot.woken = self._loop.create_future()
        self._idle.append(slot)
        await slot.woken

    async def _take_turn(self, slot: _Slot) -> None:
        """Run events for as long as a turn lasts: the path of every event."""
        handle, tried, clock = self._handle, self._attempts.tried, self._clock
        ready, take, done = self._lanes.ready, self._lanes.take, self._lanes.done
        counters, quick_s = self._counters, QUICK_S
        now = began = clock()
        ends = self._turn_ends
        while ready and now < ends:
            started = slot.began = now
            event = slot.event = take()
            try:
                result = await handle(event)
                if result is not None:
                    await publish_result(result, self._sender)
            except BaseException as error:
                now = clock()
                if not self._goes_on_after(slot, event, error):
                    raise
            else:
                now = clock()
                if slot.event is event:
                    event.finish(event.offset)
                    done(event)
                    if tried:
                        tried.pop(event, None)
                else:
                    self._left(slot, event)
            if now - started > quick_s:
                counters.slow.observe(now - started)
        counters.busy_s += now - began

    def _look_for_overdue(self, timeout_s: float) -> None:
        """Cancel handlers that take too long; a look now and then costs less than a timer each."""
        latest = self._clock() - timeout_s
        for slot in self._slots:
            if slot.event is not None and slot.began < latest and slot.overdue is not slot.event:
                slot.overdue = slot.event
                slot.task.cancel()
        interval_s = min(LONGEST_LOOK_S, timeout_s / 10)
        self._look = self._loop.call_later(interval_s, self._look_for_overdue, timeout_s)

    def _left(self, slot: _Slot, event: Received) -> None:
        """End an event whose partition is leaving; if it was abandoned nobody waits."""
        if slot.leaving is None:
            _take_back_cancel(slot)
            return
        event.finish(event.offset)
        slot.leaving[1].set_result(None)
        slot.leaving = None

    def _goes_on_after(self, slot: _Slot, event: Received, error: BaseException) -> bool:
        """Decide what becomes of an event whose handler raised, and whether the slot lives on."""
        if isinstance(error, GeneratorExit) or self._closing:
            return False
        _take_back_cancel(slot)
        is_ours, slot.event = slot.event is event, None
        was_overdue, slot.overdue = slot.overdue is event, None
        if not is_ours and slot.leaving is None:
            return True
        self._counters.failed_attempts += 1
        if slot.leaving is not None:
            log.warning("attempt failed; the partition's next owner tries again", **where(event))
            slot.leaving[1].set_result(None)
            slot.leaving = None
        elif isinstance(error, Exception | asyncio.CancelledError):
            if was_overdue:
                error = timed_out(self._subscription.timeout_s, error)
            self._attempts.failed(event, error, slot.began)
        else:
            self._gave_in(error)
        return True


def _take_back_cancel(slot: _Slot) -> None:
    """A cancelled handler has ended; its slot goes on, and later handlers are not cancelled."""
    while slot.task.cancelling():
        slot.task.uncancel()
