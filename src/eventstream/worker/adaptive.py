"""How many handlers may run at once, found from how long they take; pure.

What a handler calls, a database say, does more work with more callers up to some number of them;
beyond it they only wait longer. So the limit is raised by its square root while calls take about as
long as they do with few callers, and lowered in proportion once they take longer: the gradient of
Netflix's concurrency-limits. Every so often the limit is quartered for a moment, to see anew how
long a call takes that nobody stands in the way of.
"""

from __future__ import annotations

from math import inf, sqrt

FIRST_LIMIT = 8
TOLERANCE = 1.5
"""How much longer than with few callers a call may take."""
LEAST_CALLS = 10
PROBE_EVERY = 50
"""After how many adjustments the limit is quartered for one."""


class AdaptiveLimit:
    """The limit of one handler.

    Args:
        most: The highest it may be.

    Attributes:
        limit: How many calls may run at once now.
    """

    __slots__ = (
        "_adjustments",
        "_base_s",
        "_calls",
        "_most",
        "_peak",
        "_running",
        "_sum_s",
        "limit",
    )

    def __init__(self, most: int) -> None:
        self.limit = min(most, FIRST_LIMIT)
        self._most = most
        self._running = 0
        self._base_s = inf
        self._adjustments = 0
        self._calls = 0
        self._sum_s = 0.0
        self._peak = 0

    def begin(self) -> int:
        """Note that a call begins; return under which adjustment it does."""
        self._running += 1
        self._peak = max(self._peak, self._running)
        return self._adjustments

    def end(self, begun: int, took_s: float) -> None:
        """Note that a call ended, well or not.

        Args:
            begun: What `begin` returned; calls that ran under another limit tell nothing.
            took_s: How long it took, in seconds.
        """
        self._running -= 1
        if begun != self._adjustments:
            return
        self._calls += 1
        self._sum_s += took_s
        if self._calls >= max(LEAST_CALLS, 2 * self.limit):
            self._adjust(self._sum_s / self._calls)
            self._forget_calls()

    def _adjust(self, mean_s: float) -> None:
        self._adjustments += 1
        stage = self._adjustments % PROBE_EVERY
        if stage == 0:
            self.limit = max(1, self.limit // 4)
            return
        self._base_s = mean_s if stage == 1 else min(self._base_s, mean_s)
        gradient = TOLERANCE * self._base_s / mean_s if mean_s > 0 else 1.0
        raised = sqrt(self.limit) if self._peak >= self.limit else 0.0
        wanted = self.limit * max(0.5, min(1.0, gradient)) + raised
        self.limit = max(1, min(self._most, int(wanted)))

    def _forget_calls(self) -> None:
        self._calls = 0
        self._sum_s = 0.0
        self._peak = self._running
