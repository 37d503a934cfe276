"""Batches of rows as they go to the server; pure."""

from __future__ import annotations

from itertools import chain, compress, repeat
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from eventstream.sinks.contract import Poisoned
from eventstream.sinks.postgres.table.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventstream.events import Event
    from eventstream.sinks.postgres.table.rows import Column

COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + pack("!ii", 0, 0)
"""What COPY reads before the rows."""
COPY_END = b"\xff\xff"
"""What COPY reads after the rows."""


class Part(NamedTuple):
    """Rows, or what is known of them.

    Attributes:
        offsets: The events' offsets, rising.
        columns: Fields, a list of them for each column.
    """

    offsets: Sequence[int]
    columns: Sequence[Sequence[bytes]]

    def cut(self, start: int, end: int) -> Part:
        """Take some of the rows."""
        return Part(self.offsets[start:end], [column[start:end] for column in self.columns])

    def copied(self) -> bytes:
        """Write the rows as COPY reads them.

        Source: PostgreSQL, "COPY", section "Binary Format".
        """
        head = repeat(pack("!h", len(self.columns)))
        return b"".join(chain.from_iterable(zip(head, *self.columns, strict=False)))

    def array(self, at: int, element: int) -> bytes:
        """Write a column as an array.

        Source: PostgreSQL, src/backend/utils/adt/arrayfuncs.c, `array_recv`.

        Args:
            at: Which column.
            element: The elements' type, by the server's number.
        """
        column = self.columns[at]
        return pack("!iiiii", 1, 1, element, len(column), 1) + b"".join(column)


class Batch(NamedTuple):
    """What events do to a table.

    Attributes:
        rows: What is written.
        gone: Primary keys of the rows that are deleted; no row that is written has one of them.
    """

    rows: Part
    gone: Part


class Batches:
    """Makes batches for one table.

    Args:
        columns: The columns.
        key: The primary key's columns, if of each key only the last event is to be left.
        why_no_tombstones: A sentence for events without a value, if they cannot be written;
            otherwise they delete the row of their key.
    """

    def __init__(
        self, columns: Sequence[Column], key: Sequence[str], why_no_tombstones: str | None
    ) -> None:
        at = {column.name: number for number, column in enumerate(columns)}
        self._key = [at[name] for name in key]
        self._rows = Rows(columns)
        self._keys = Rows([columns[number] for number in self._key])
        self._why_no_tombstones = why_no_tombstones

    def of(self, events: Sequence[Event]) -> Batch:
        """Write events as a batch.

        Raises:
            Poisoned: Some have no row, or no key.
        """
        live = [event for event in events if event.value is not None]
        dead = [event for event in events if event.value is None]
        columns, reasons = self._rows.fields(live)
        keys: list[list[bytes]] = []
        if dead and self._why_no_tombstones is not None:
            reasons |= {event.offset: self._why_no_tombstones for event in dead}
        elif dead:
            keys, why_no_key = self._keys.fields(dead)
            reasons |= why_no_key
        if reasons:
            raise Poisoned(reasons)
        batch = Batch(
            Part([event.offset for event in live], columns),
            Part([event.offset for event in dead], keys),
        )
        return self._last_of_each(batch) if self._key else batch

    def _last_of_each(self, batch: Batch) -> Batch:
        rows, gone = batch
        keys = list(zip(*(rows.columns[at] for at in self._key), strict=True))
        gone_keys = list(zip(*gone.columns, strict=True))
        offsets = [
            *zip(rows.offsets, keys, strict=True),
            *zip(gone.offsets, gone_keys, strict=True),
        ]
        last = {key: offset for offset, key in sorted(offsets)}
        if len(last) == len(keys) + len(gone_keys):
            return batch
        return Batch(_left(rows, keys, last), _left(gone, gone_keys, last))


def _left(
    part: Part, keys: Sequence[tuple[bytes, ...]], last: Mapping[tuple[bytes, ...], int]
) -> Part:
    left = [last[key] == offset for key, offset in zip(keys, part.offsets, strict=True)]
    return Part(
        list(compress(part.offsets, left)),
        [list(compress(column, left)) for column in part.columns],
    )
