"""Batches of rows as they go to the server; pure."""

from __future__ import annotations

from itertools import compress
from struct import pack
from typing import TYPE_CHECKING, Any, NamedTuple

from eventstream.sinks.contract import Poisoned
from eventstream.sinks.postgres.table.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from eventstream.events import Event
    from eventstream.sinks.postgres.table.layout import Layout
    from eventstream.sinks.postgres.table.rows import Column

    _Key = tuple[bytes, ...]

COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + pack("!ii", 0, 0)
"""What COPY reads before the rows."""
COPY_END = b"\xff\xff"
"""What COPY reads after the rows."""


class Part(NamedTuple):
    """Rows, or what is known of them.

    Attributes:
        events: Where they come from, in offset order.
        columns: Values, a list of them for each column.
        layout: How these are written.
    """

    events: Sequence[Event]
    columns: Sequence[Sequence[Any]]
    layout: Layout

    def cut(self, start: int, end: int) -> Part:
        """Take some of the rows."""
        columns = [column[start:end] for column in self.columns]
        return Part(self.events[start:end], columns, self.layout)

    def left(self, is_left: Sequence[bool]) -> Part:
        """Take the rows that are said to be left."""
        columns = [list(compress(column, is_left)) for column in self.columns]
        return Part(list(compress(self.events, is_left)), columns, self.layout)

    def copied(self) -> bytes:
        """Write the rows as COPY reads them."""
        return self.layout.copied(self.columns)

    def array(self, at: int, element: int) -> bytes:
        """Write a column as an array; `element` is its type, by the server's number."""
        return self.layout.array(at, self.columns[at], element)

    def keys(self, columns: Iterable[int]) -> Sequence[tuple[bytes, ...]]:
        """Write some of the columns as fields, together for each row."""
        fields = (self.layout.fields(at, self.columns[at]) for at in columns)
        return list(zip(*fields, strict=True))


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
        live, dead = _apart(events)
        columns, reasons = self._rows.values(live)
        keys: Sequence[Sequence[Any]] = ()
        if dead and self._why_no_tombstones is not None:
            reasons |= {event.offset: self._why_no_tombstones for event in dead}
        elif dead:
            keys, why_no_key = self._keys.values(dead)
            reasons |= why_no_key
        if reasons:
            raise Poisoned(reasons)
        batch = Batch(Part(live, columns, self._rows.layout), Part(dead, keys, self._keys.layout))
        return self._last_of_each(batch) if self._key else batch

    def _last_of_each(self, batch: Batch) -> Batch:
        rows, gone = batch
        keys = rows.keys(self._key)
        gone_keys = gone.keys(range(len(gone.columns)))
        offsets = [*_by_offset(rows, keys), *_by_offset(gone, gone_keys)]
        last = {key: offset for offset, key in sorted(offsets)}
        if len(last) == len(keys) + len(gone_keys):
            return batch
        return Batch(
            rows.left([last[key] == offset for offset, key in _by_offset(rows, keys)]),
            gone.left([last[key] == offset for offset, key in _by_offset(gone, gone_keys)]),
        )


def _apart(events: Sequence[Event]) -> tuple[Sequence[Event], Sequence[Event]]:
    """Return those with a value and those without."""
    live = [event for event in events if event.value is not None]
    if len(live) == len(events):
        return live, ()
    return live, [event for event in events if event.value is None]


def _by_offset(part: Part, keys: Sequence[_Key]) -> Iterator[tuple[int, _Key]]:
    return ((event.offset, key) for event, key in zip(part.events, keys, strict=True))
