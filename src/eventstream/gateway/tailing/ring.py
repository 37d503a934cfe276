"""The newest part of a topic, as one process has read it; pure.

A reader's place in the ring is the number of the page it reads next. All readers share the pages;
what one has before it is all that is queued for it, so the ring's bound is each reader's bound.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from eventstream.gateway.tailing.positions import reaches

if TYPE_CHECKING:
    from eventstream.gateway.tailing.pages import Page
    from eventstream.gateway.tailing.positions import Positions


class Ring:
    """Pages in the order they were read; the oldest leave when there are too many bytes.

    Args:
        positions: Where the reading begins.
        most_bytes: How many bytes are kept; the newest page is kept whatever its size.

    Attributes:
        most_bytes: Likewise.
        head: Where the reading stands.
        first: The number of the oldest page that is kept.
        next: The number of the page to come.
    """

    def __init__(self, positions: Positions, most_bytes: int) -> None:
        self.head = positions
        self.first = 0
        self.next = 0
        self.most_bytes = most_bytes
        self._bytes = 0
        self._total = 0
        self._pages: dict[int, Page] = {}

    def append(self, page: Page) -> None:
        """Add a page, whose `before` is the head."""
        page.at = self._total
        self._total += len(page.blob)
        self._pages[self.next] = page
        self.next += 1
        self.head = page.after
        self._bytes += len(page.blob)
        while self._bytes > self.most_bytes and self.next - self.first > 1:
            self._bytes -= len(self._pages.pop(self.first).blob)
            self.first += 1

    def page(self, number: int) -> Page | None:
        """Look a page up; `None` when it has left, or is still to come."""
        return self._pages.get(number)

    def behind(self, number: int) -> int:
        """Count the bytes that a reader has before it which reads this page next."""
        page = self._pages.get(max(number, self.first))
        return 0 if page is None else self._total - page.at

    def place(self, positions: Positions) -> int | None:
        """Find where a reader goes on who stands at `positions`, wherever it has read before.

        Returns:
            The number of the last page before which it has seen everything; `None` when the ring
            does not reach back so far.
        """
        numbers = range(self.first, self.next + 1)
        beyond = bisect_left(
            numbers, True, key=lambda number: not reaches(positions, self._before(number))
        )
        return numbers[beyond - 1] if beyond else None

    def _before(self, number: int) -> Positions:
        page = self._pages.get(number)
        return self.head if page is None else page.before
