"""How much a process may hold."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Bound:
    """Counts what was read and not yet let go, between the thread that reads and the loop.

    Args:
        events: The most events.
        size: The most bytes; the last batch read may go beyond.
    """

    def __init__(self, events: int, size: int) -> None:
        self._changed = threading.Condition()
        self._most_events = events
        self._most_bytes = size
        self.events = 0
        self.bytes = 0

    @property
    def room(self) -> int:
        """How many events may be read now; 0 at the bound."""
        if self.bytes >= self._most_bytes:
            return 0
        return max(0, self._most_events - self.events)

    @property
    def is_pressed(self) -> bool:
        """Whether half of the bound or more is taken."""
        return self._is_taken(0.5)

    @property
    def is_nearly_full(self) -> bool:
        """Whether more than three quarters of the bound are taken."""
        return self._is_taken(0.75)

    def _is_taken(self, part: float) -> bool:
        return self.events >= part * self._most_events or self.bytes >= part * self._most_bytes

    def take(self, events: int, size: int) -> None:
        """Count what was read."""
        with self._changed:
            self.events += events
            self.bytes += size

    def release(self, events: int, size: int) -> None:
        """Let go of what is committed, or no longer this process's."""
        with self._changed:
            self.events -= events
            self.bytes -= size
            self._changed.notify_all()

    def wake(self) -> None:
        """Have a `wait` look at its condition now."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, timeout_s: float, until: Callable[[], bool]) -> bool:
        """Block the calling thread until a condition holds; it is looked at when anything changes.

        Returns:
            Whether it holds; False when time is up.
        """
        with self._changed:
            return self._changed.wait_for(until, timeout_s)
