"""Is there room for more; pure."""

from __future__ import annotations

from eventstream.gateway.problems import Problem


class Admission:
    """Bounds what waits for Kafka's acknowledgement in one process.

    A request is let in while there is room for its first byte and refused otherwise: one large
    request may pass the bound, and nothing waits in a queue of ours.

    Args:
        max_events: The most events in flight.
        max_bytes: The most bytes in flight, of values and keys.
    """

    __slots__ = ("_max_bytes", "_max_events", "bytes", "events")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self.events = 0
        self.bytes = 0

    def refusal(self) -> Problem | None:
        """Say why there is no room now, or `None` when there is."""
        if self.events < self._max_events and self.bytes < self._max_bytes:
            return None
        return Problem(
            503,
            "overloaded",
            f"{self.events} events with {self.bytes} bytes wait for Kafka's acknowledgement, and"
            " there is no room for more; try again.",
            retry_after_s=1,
        )

    def enter(self, events: int, size: int) -> None:
        """Count events in."""
        self.events += events
        self.bytes += size

    def leave(self, events: int, size: int) -> None:
        """Count events out."""
        self.events -= events
        self.bytes -= size
