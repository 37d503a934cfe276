"""How much a process may hold."""

from __future__ import annotations

import threading


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
        return 2 * self.events >= self._most_events or 2 * self.bytes >= self._most_bytes

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
        """End every `wait` now."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, timeout_s: float, *, until_half: bool = False) -> None:
        """Block the calling thread until there is room, somebody wakes it, or time is up.

        Args:
            timeout_s: The longest to wait, in seconds.
            until_half: Wait until half of the bound is free.
        """
        with self._changed:
            if self.is_pressed if until_half else not self.room:
                self._changed.wait(timeout_s)
