"""Events as values of a table's columns; pure."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from eventstream import pointer
from eventstream.sinks.postgres.table.codecs import UNFIT, Codec
from eventstream.sinks.postgres.table.documents import Documents, Wanted, shown
from eventstream.sinks.postgres.table.layout import Layout
from eventstream.sinks.sources import Kind, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eventstream.events import Event, Headers

_encode = msgspec.json.Encoder().encode


class Column(NamedTuple):
    """A column, and what goes into it.

    Attributes:
        name: Its name.
        type: Its type's name in the catalogue.
        source: Where in the event the value stands.
        codec: How it is written.
        is_needed: Whether it may not be NULL.
    """

    name: str
    type: str
    source: Source
    codec: Codec
    is_needed: bool


class Rows:
    """Takes rows out of events.

    Args:
        columns: The columns.

    Attributes:
        layout: How the columns' values are written.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.layout = Layout([column.codec.form for column in columns])
        self._columns = columns
        self._in_json = [
            at for at, column in enumerate(columns) if column.source.kind is Kind.POINTER
        ]
        self._documents = Documents(
            [Wanted(columns[at].source.pointer, columns[at].codec.decoded) for at in self._in_json]
        )

    def values(self, events: Sequence[Event]) -> tuple[list[Sequence[Any]], dict[int, str]]:
        """Take the values of events' rows.

        Args:
            events: None of them a tombstone, if a column comes from their value.

        Returns:
            What `layout` writes, a list of values for each column, and the reasons why events have
            no row, by offset: if there are any, the values are of no use.
        """
        reasons: dict[int, str] = {}
        found = self._values_in_json(events, reasons)
        for at, column in enumerate(self._columns):
            if at not in found:
                found[at] = _value_getter(column.source)(events)
        columns = [
            self._converted(column, events, found[at], reasons)
            for at, column in enumerate(self._columns)
        ]
        return columns, reasons

    def _values_in_json(
        self, events: Sequence[Event], reasons: dict[int, str]
    ) -> dict[int, list[Any]]:
        if not self._in_json:
            return {}
        found = self._documents.take([event.value or b"" for event in events])
        for index, reason in found.not_json.items():
            reasons[events[index].offset] = f"The value is not JSON: {reason}."
        for (index, at), text in found.unfit.items():
            column = self._columns[self._in_json[at]]
            reasons.setdefault(events[index].offset, _misfit(column, text))
        return dict(zip(self._in_json, found.columns, strict=True))

    def _converted(
        self,
        column: Column,
        events: Sequence[Event],
        values: list[Any],
        reasons: dict[int, str],
    ) -> Sequence[Any]:
        convert = column.codec.convert
        try:
            return convert(values)
        except UNFIT:
            pass
        except TypeError:  # None is among them
            if not column.is_needed:
                with contextlib.suppress(*UNFIT):
                    there = iter(convert([value for value in values if value is not None]))
                    return [None if value is None else next(there) for value in values]
        for event, value in zip(events, values, strict=True):
            reason = _reason(column, event, value)
            if reason is not None:
                reasons.setdefault(event.offset, reason)
        return []


def _reason(column: Column, event: Event, value: Any) -> str | None:
    if value is None:
        if not column.is_needed:
            return None
        return f"{column.source.text} is missing or null, and column {column.name} is NOT NULL."
    try:
        column.codec.convert([value])
    except UNFIT:
        return _misfit(column, _shown_source(column.source, event, value))
    return None


def _misfit(column: Column, found: str) -> str:
    return f"{column.source.text} is {found}, and column {column.name} takes {column.codec.takes}."


def _shown_source(source: Source, event: Event, value: Any) -> str:
    if source.kind is Kind.POINTER:
        return shown(pointer.find(source.pointer, event.value or b"") or b"")
    return shown(value) if isinstance(value, bytes) else str(value)


def _value_getter(source: Source) -> Callable[[Sequence[Event]], list[Any]]:
    if source.kind is Kind.HEADER:
        name = source.header
        return lambda events: [_header(event.headers, name) for event in events]
    return _GETTERS[source.kind]


_GETTERS: Mapping[Kind, Callable[[Sequence[Event]], list[Any]]] = {
    Kind.KEY: lambda events: [event.key for event in events],
    Kind.VALUE: lambda events: [event.value for event in events],
    Kind.HEADERS: lambda events: [headers_json(event.headers) for event in events],
    Kind.TIMESTAMP: lambda events: [event.timestamp_ms for event in events],
    Kind.TOPIC: lambda events: [event.topic for event in events],
    Kind.PARTITION: lambda events: [event.partition for event in events],
    Kind.OFFSET: lambda events: [event.offset for event in events],
}


def _header(headers: Headers, name: str) -> bytes | None:
    """Return the value of a name; where it repeats, the last one."""
    return dict(headers).get(name)


def headers_json(headers: Headers) -> bytes:
    """Write headers as a JSON array of objects with `name`, and `value` or `value_base64`."""
    return _encode([{"name": name} | _header_value(value) for name, value in headers])


def _header_value(value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {"value": None}
    try:
        if b"\0" not in value:
            return {"value": value.decode()}
    except UnicodeDecodeError:
        pass
    return {"value_base64": base64.b64encode(value).decode()}
