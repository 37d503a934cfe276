"""Reports in the order of their records, though outcomes come as they come; pure."""

from __future__ import annotations

from collections import deque


class InOrder:
    """Keeps each report back until those before it are there.

    Attributes:
        waiting: Reports that were announced and not taken yet.
    """

    __slots__ = ("_first", "_reports")

    def __init__(self) -> None:
        self._reports: deque[bytes | None] = deque()
        self._first = 0

    @property
    def waiting(self) -> int:
        """How many reports were announced and not taken yet."""
        return len(self._reports)

    def announce(self) -> int:
        """Give the next report its number."""
        self._reports.append(None)
        return self._first + len(self._reports) - 1

    def put(self, number: int, report: bytes) -> None:
        """Say what report `number` is; each is put once."""
        self._reports[number - self._first] = report

    def take(self) -> list[bytes]:
        """Take the reports that need not wait for another."""
        ready: list[bytes] = []
        while self._reports and (report := self._reports[0]) is not None:
            ready.append(report)
            self._reports.popleft()
        self._first += len(ready)
        return ready
