"""Events of one partition that travel together, and who wants to know of them; pure."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from eventstream.log.native.primitives import TABLE
from eventstream.log.native.records import (
    NO_IDENTITY,
    decode_records,
    encode_batch,
    encode_record,
    encode_records,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from eventstream.events import Headers
    from eventstream.log.native.records import Identity, Stored
    from eventstream.log.producing import DeliveryError, OnDelivery, OnRun

MOST_RECORDS = TABLE
MOST_BYTES = 1_000_000
_OVERHEAD_BYTES = 24
"""More than a record takes beside its key, value and headers, as it is written here."""
NUMBERLESS = -1
_NO_RUN = -1


class Batch:
    """Records as they will be sent, and their callbacks.

    Args:
        began_s: When the first event came, by the loop's clock.
        first_ms: Its time, which the others' are told from; milliseconds since the epoch.

    Attributes:
        count: How many records it has.
        size: How many bytes they are.
        sequence: The first one's sequence number; `NUMBERLESS` until it is sent.
        identity: Whose number that is.
        may_be_written: Whether it may be in the log, though nobody has said so.
    """

    __slots__ = (
        "_first_ms",
        "_last_ms",
        "_listeners",
        "_parts",
        "began_s",
        "count",
        "identity",
        "may_be_written",
        "sequence",
        "size",
    )

    def __init__(self, began_s: float, first_ms: int) -> None:
        self.began_s = began_s
        self.count = 0
        self.size = 0
        self.sequence = NUMBERLESS
        self.identity: Identity = NO_IDENTITY
        self.may_be_written = False
        self._first_ms = self._last_ms = first_ms
        self._parts: list[bytes] = []
        # An OnDelivery, the event's time, 0; or an OnRun, the first event's number, how many.
        self._listeners: list[tuple[Any, int, int]] = []

    def has_room(self, size: int) -> bool:
        """Whether an event of so many bytes may join; the first one always may."""
        return self.size + size <= MOST_BYTES and self.count < MOST_RECORDS

    def add(
        self,
        value: bytes | None,
        key: bytes | None,
        headers: Headers,
        timestamp_ms: int,
        on_delivery: OnDelivery,
    ) -> None:
        """Put one event in; there is room."""
        part = encode_record(self.count, timestamp_ms - self._first_ms, value, key, headers)
        self._last_ms = max(self._last_ms, timestamp_ms)
        self.count += 1
        self.size += len(part)
        self._parts.append(part)
        self._listeners.append((on_delivery, timestamp_ms, 0))

    def add_run(
        self,
        values: Sequence[bytes],
        key: bytes | None,
        headers: Headers,
        timestamp_ms: int,
        on_run: OnRun,
        first: int,
    ) -> int:
        """Put as many events in as there is room for, and return how many; there is room.

        Args:
            values: Their data.
            key: Their key, or `None`.
            headers: Their headers.
            timestamp_ms: Their time.
            on_run: Called with what became of them.
            first: The number that the caller has for the first.
        """
        values = values[: MOST_RECORDS - self.count]
        beside = _OVERHEAD_BYTES + len(key or b"")
        beside += sum(len(name) + len(data or b"") + _OVERHEAD_BYTES for name, data in headers)
        if sum(map(len, values)) + beside * len(values) > MOST_BYTES - self.size:
            sizes = list(accumulate(len(value) + beside for value in values))
            values = values[: max(1, bisect_right(sizes, MOST_BYTES - self.size))]
        part = encode_records(self.count, timestamp_ms - self._first_ms, values, key, headers)
        self._last_ms = max(self._last_ms, timestamp_ms)
        self.count += len(values)
        self.size += len(part)
        self._parts.append(part)
        self._listeners.append((on_run, first, len(values)))
        return len(values)

    def encoded(self) -> bytes:
        """Write it as it is sent; it has its number."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return encode_batch(
            self._parts[0], self.count, self.identity, self.sequence, self._first_ms, self._last_ms
        )

    # Ends

    def acknowledge(self, partition: int, offset: int, append_ms: int) -> None:
        """Tell everybody that their events are in the log, the first of them at `offset`."""
        for listener, number, count in self._listeners:
            if count:
                listener(None, partition, offset, number, count)
                offset += count
            else:
                listener(None, partition, offset, number if append_ms < 0 else append_ms)
                offset += 1

    def fail(self, partition: int, error: DeliveryError) -> None:
        """Tell everybody that their events are not in the log, or that nobody knows."""
        for listener, number, count in self._listeners:
            if count:
                listener(error, partition, -1, number, count)
            else:
                listener(error, partition, -1, number)

    # Parts

    def parted(self, numbers: Collection[int]) -> tuple[Batch, Batch]:
        """Put the records of these numbers into one batch, all others into another."""
        chosen, others = (Batch(self.began_s, self._first_ms) for _ in range(2))
        for number, (record, listener, told) in enumerate(self._each()):
            batch = chosen if number in numbers else others
            if told == _NO_RUN:
                batch.add(*record, listener)
            else:
                value, key, headers, timestamp_ms = record
                batch.add_run((value or b"",), key, headers, timestamp_ms, listener, told)
        return chosen, others

    def _each(self) -> Iterator[tuple[Stored, Any, int]]:
        """Go through the records, with who listens and, in a run, the number in it."""
        records = iter(decode_records(b"".join(self._parts), self._first_ms))
        for listener, first, count in self._listeners:
            for number in range(count or 1):
                yield next(records), listener, first + number if count else _NO_RUN
