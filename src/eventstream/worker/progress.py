"""Which offset of a partition may be committed.

Only offsets that were received are tracked: compaction and transaction markers leave gaps, and a
gap waits for nobody.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Progress:
    """What one partition's owner has received, finished and committed.

    Args:
        committed: The position the owner starts at, if one is committed; -1 otherwise.

    Attributes:
        received: One more than the last offset received; -1 before the first.
        committed: The position known to be committed; -1 when there is none.
        done: Finishes a received offset; raises `KeyError` when it was not received, or is finished
            already. It is called per event: the dict's own method costs half of one that calls it.
    """

    __slots__ = ("_first", "_uncommitted", "_unfinished", "committed", "done", "received")

    def __init__(self, committed: int = -1) -> None:
        self.received = -1
        self.committed = committed
        self._unfinished: dict[int, None] = {}
        self.done: Callable[[int], None] = self._unfinished.pop
        self._uncommitted: deque[tuple[Sequence[int], Sequence[int]]] = deque()
        self._first = 0

    def receive(self, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        """Track events that were received.

        Args:
            offsets: Their offsets, rising, all at or above `received`; at least one.
            sizes: The bytes each of them counts for.
        """
        self._unfinished.update(dict.fromkeys(offsets))
        self._uncommitted.append((offsets, sizes))
        self.received = offsets[-1] + 1

    @property
    def position(self) -> int:
        """The offset to commit: the lowest received but unfinished, or one after the last received.

        -1 when nothing was received. Finding the lowest passes over the finished ones in front of
        it, so ask once per commit rather than once per event.
        """
        return next(iter(self._unfinished), self.received)

    @property
    def unfinished(self) -> int:
        """How many received events are not finished."""
        return len(self._unfinished)

    def settle(self, position: int) -> tuple[int, int]:
        """Note that a position is committed.

        Returns:
            How many events, and how many of their bytes, were uncommitted until now.
        """
        self.committed = position
        count = size = 0
        while self._uncommitted:
            offsets, sizes = self._uncommitted[0]
            end = bisect_left(offsets, position, self._first)
            count += end - self._first
            size += sum(sizes[self._first : end])
            if end < len(offsets):
                self._first = end
                break
            self._uncommitted.popleft()
            self._first = 0
        return count, size

    def give_up(self) -> tuple[int, int]:
        """Forget what is not committed, as the partition goes to another owner.

        Returns:
            How many events, and how many of their bytes, that was.
        """
        self._unfinished.clear()
        return self.settle(self.received)
