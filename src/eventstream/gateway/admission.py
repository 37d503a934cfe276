"""Is there room for more; pure."""

from __future__ import annotations

from math import ceil

from eventstream.gateway.problems import Problem

MEMORY_S = 3.0
"""How far back the drain rate looks: an older second counts less than half of the last one."""
_LONGEST_RETRY_S = 60
_UNKNOWN_RETRY_S = 5


class Admission:
    """Bounds what a process holds: what it receives and what waits for Kafka's acknowledgement.

    A request is let in while there is room for its first byte and refused otherwise: one large
    request may pass the bound, and nothing waits in a queue of ours.

    Args:
        max_events: The most events in flight.
        max_bytes: The most bytes in flight, of values and keys.

    Attributes:
        events: Events in flight.
        bytes: Bytes of theirs, and of bodies that are still arriving.
        left: Events that ever left.
        closed: Why nothing is let in, whatever the room; `None` while Kafka is within reach.
    """

    __slots__ = (
        "_left_at_tick",
        "_max_bytes",
        "_max_events",
        "_ticked_s",
        "bytes",
        "closed",
        "drained_per_s",
        "events",
        "left",
    )

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._ticked_s: float | None = None
        self._left_at_tick = 0
        self.events = 0
        self.bytes = 0
        self.left = 0
        self.drained_per_s = 0.0
        self.closed: Problem | None = None

    def refusal(self) -> Problem | None:
        """Say why there is no room now, or `None` when there is."""
        if self.closed is not None:
            return self.closed
        if self.events < self._max_events and self.bytes < self._max_bytes:
            return None
        return Problem(
            503,
            "overloaded",
            f"{self.events} events wait for Kafka's acknowledgement and {self.bytes} bytes are"
            " held, and there is no room for more; try again.",
            retry_after_s=self._retry_after_s(),
        )

    def enter(self, events: int, size: int) -> None:
        """Count events in."""
        self.events += events
        self.bytes += size

    def leave(self, events: int, size: int) -> None:
        """Count events out."""
        self.events -= events
        self.bytes -= size
        self.left += events

    def withdraw(self, events: int, size: int) -> None:
        """Count events out that Kafka has not answered, which say nothing of how fast it does."""
        self.events -= events
        self.bytes -= size

    def tick(self, now_s: float) -> None:
        """Measure how fast events leave; called about twice a second."""
        if self._ticked_s is not None and now_s > self._ticked_s:
            passed_s = now_s - self._ticked_s
            rate = (self.left - self._left_at_tick) / passed_s
            weight = min(1.0, passed_s / MEMORY_S)
            self.drained_per_s += weight * (rate - self.drained_per_s)
        self._ticked_s = now_s
        self._left_at_tick = self.left

    def _retry_after_s(self) -> int:
        """Reckon when what is in flight now will be out."""
        if self.drained_per_s <= 0:
            return _UNKNOWN_RETRY_S
        return min(_LONGEST_RETRY_S, max(1, ceil(self.events / self.drained_per_s)))


class Room:
    """What a request takes of the bounds while it waits for something other than Kafka's answer.

    What it waits for may stand still, and any number of requests would pile up.

    Args:
        admission: Has the bounds.
        events: How many events wait.
        size: How many bytes are held of them.
    """

    __slots__ = ("_admission", "_events", "_size")

    def __init__(self, admission: Admission, events: int, size: int) -> None:
        self._admission = admission
        self._events = events
        self._size = size
        admission.enter(events, size)

    def leave_to_records(self) -> None:
        """Let the records count for themselves from now on; the body is still held."""
        self._admission.withdraw(self._events, 0)
        self._events = 0

    def leave(self) -> None:
        """Count out what is left."""
        self._admission.withdraw(self._events, self._size)
