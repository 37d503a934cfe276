"""Events of a topic, encoded once for all who read them; pure.

A page is a part of the topic as one process reads it: consecutive events of one partition, and the
positions in all partitions before and after them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from eventstream.gateway.tailing import frames
from eventstream.gateway.tailing.ids import EventId, around, encode
from eventstream.gateway.tailing.positions import moved, position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eventstream.events import Event
    from eventstream.gateway.tailing.positions import Positions

PAGE_BYTES = 65_536


class Page:
    """A part of a topic, encoded.

    Args:
        tag: The topic's tag.
        partition: The partition of its events.
        before: Where a reader stands who has read everything before it.
        after: Where one stands who has read it too.
        blob: A notice that stands for what the log does not have; `fill` sets the others'.

    Attributes:
        at: The ring's: how many bytes came before it.
    """

    __slots__ = ("_by_key", "_ends", "_keys", "_offsets", "after", "at", "before", "blob",
                 "is_notice", "partition", "tag")  # fmt: skip

    def __init__(
        self, tag: str, partition: int, before: Positions, after: Positions, blob: bytes = b""
    ) -> None:
        self.tag = tag
        self.partition = partition
        self.before = before
        self.after = after
        self.blob = blob
        self.is_notice = bool(blob)
        self.at = 0
        self._offsets = array("q")
        self._ends = array("q", (0,))
        self._keys: list[bytes | None] = []
        self._by_key: dict[bytes | None, list[int]] | None = None

    def fill(self, events: list[Event], encoded: list[bytes]) -> None:
        """Set the events and their frames."""
        self.blob = b"".join(encoded)
        self._keys = [event.key for event in events]
        self._offsets.extend(event.offset for event in events)
        end = 0
        for frame in encoded:
            end += len(frame)
            self._ends.append(end)

    def for_all(self, key: bytes | None) -> tuple[bytes, int]:
        """Give what is for a reader who stands at `before`: bytes, and how many events they are.

        Args:
            key: The only key it reads; `None` for all.
        """
        if key is None or self.is_notice:
            return self.blob, len(self._offsets)
        if self._by_key is None:
            self._by_key = {}
            for index, each in enumerate(self._keys):
                self._by_key.setdefault(each, []).append(index)
        wanted = self._by_key.get(key, ())
        return b"".join(map(self._frame, wanted)), len(wanted)

    def for_one(self, positions: Positions, key: bytes | None) -> tuple[bytes, int]:
        """Give what is for a reader who stands further in some partitions.

        What it has seen is left out, and the ids are its own.
        """
        done = position(positions, self.partition)
        if self.is_notice:
            if done >= position(self.after, self.partition):
                return b"", 0
            reached = moved(positions, self.partition, position(self.after, self.partition))
            return frames.with_id(self.blob, encode(EventId(self.tag, reached))), 0
        first = bisect_left(self._offsets, done)
        head, tail = around(EventId(self.tag, positions), self.partition)
        encoded = [
            frames.with_id(self._frame(index), b"%b%d%b" % (head, self._offsets[index] + 1, tail))
            for index in range(first, len(self._offsets))
            if key is None or self._keys[index] == key
        ]
        return b"".join(encoded), len(encoded)

    def _frame(self, index: int) -> bytes:
        return self.blob[self._ends[index] : self._ends[index + 1]]


def pages_of(events: Iterable[Event], before: Positions, tag: str) -> Iterator[Page]:
    """Encode events of one partition, in order, into pages of about `PAGE_BYTES`.

    Args:
        events: The events.
        before: Where a reader stands who has read everything before them.
        tag: The topic's tag.
    """
    size = 0
    taken: list[Event] = []
    encoded: list[bytes] = []
    head = tail = b""
    for event in events:
        if not taken:
            head, tail = around(EventId(tag, before), event.partition)
        frame = b"id: %b%d%b\ndata: %b\n\n" % (head, event.offset + 1, tail, frames.data_of(event))
        taken.append(event)
        encoded.append(frame)
        size += len(frame)
        if size >= PAGE_BYTES:
            page = _page(taken, encoded, before, tag)
            yield page
            before, size, taken, encoded = page.after, 0, [], []
    if taken:
        yield _page(taken, encoded, before, tag)


def _page(events: list[Event], encoded: list[bytes], before: Positions, tag: str) -> Page:
    last = events[-1]
    page = Page(tag, last.partition, before, moved(before, last.partition, last.offset + 1))
    page.fill(events, encoded)
    return page
