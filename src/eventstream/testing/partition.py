"""A partition's records in memory."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from confluent_kafka import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.events import Headers


class PartitionLog:
    """Records in offset order; offsets may have gaps, as compaction and transactions leave them.

    Attributes:
        topic: The topic's name.
        partition: Which partition of it.
        start: The first offset that is kept.
        end: One more than the last offset.
        offsets: The offsets that hold a record, also those that are kept no more.
    """

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.start = 0
        self.end = 0
        self.offsets: list[int] = []
        self._records: list[Message] = []

    def append(
        self, value: bytes | None, key: bytes | None, headers: Headers, at_s: float, gap: int = 0
    ) -> int:
        """Write a record, after a gap; return its offset."""
        offset = self.end + gap
        self._records.append(
            Message(
                topic=self.topic,
                partition=self.partition,
                offset=offset,
                key=key,
                value=value,
                headers=[(name, data) for name, data in headers] or None,
                timestamp=(1, round(at_s * 1000)),
            )
        )
        self.offsets.append(offset)
        self.end = offset + 1
        return offset

    def read(self, position: int, most: int) -> list[Message]:
        """Read records from a position on."""
        first = bisect_left(self.offsets, max(position, self.start))
        return self._records[first : first + most]

    def pick(self, offsets: Iterable[int]) -> list[Message]:
        """Read records by their offsets, where they are kept."""
        wanted = sorted(offset for offset in offsets if offset >= self.start)
        return [
            record
            for offset in wanted
            for record in self.read(offset, 1)
            if record.offset() == offset
        ]

    def expire(self, before: int) -> None:
        """Keep nothing before an offset, as retention does."""
        self.start = max(self.start, min(before, self.end))
