"""How many connections may be open to a server that other programs use too; pure."""

from __future__ import annotations

from math import inf

GROW_S = 10.0
"""How soon more connections are tried where the server once had no more."""
_SHRUNK = 0.75
_GROWN = 8
"""One for so many that there may be, at least one, is tried each time."""


class Room:
    """Counts connections, and bounds them.

    Where the server has no more, a quarter of those there are is let go, so that others get in, and
    some are tried again from time to time.

    Args:
        most: How many there may ever be; `None` bounds nothing.

    Attributes:
        open: How many are open, or being opened.
        most: How many there may be now.
    """

    def __init__(self, most: int | None) -> None:
        self.open = 0
        self._bound = inf if most is None else most
        self.most = self._bound
        self._grow_after = 0.0

    @property
    def is_overfull(self) -> bool:
        """Whether there are more than there may be."""
        return self.open > self.most

    def enter(self, now: float) -> bool:
        """Count one more, if there may be one more."""
        if self.open >= self.most:
            if self.most >= self._bound or now < self._grow_after:
                return False
            self.most = min(self._bound, self.most + max(1, self.most // _GROWN))
            self._grow_after = now + GROW_S
        self.open += 1
        return True

    def leave(self) -> None:
        """Count one less."""
        self.open -= 1

    def shrink(self, there: int, now: float) -> None:
        """Note that the server has no more than those that are there."""
        self.most = max(1, int(there * _SHRUNK))
        self._grow_after = now + GROW_S
