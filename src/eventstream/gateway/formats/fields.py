"""What a record takes from its request's head, and from its own value; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream import pointer
from eventstream.gateway.formats.contract import Record
from eventstream.gateway.formats.times import milliseconds
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from eventstream.gateway.routes import Route
    from eventstream.pointer import Pointer

_SHOWN = 100


def record_of(route: Route, value: bytes) -> Record | Problem:
    """Make the record of one JSON value.

    Args:
        route: What the request's head says.
        value: A valid JSON text.
    """
    key, timestamp_ms, special = route.key, route.timestamp_ms, route.special
    if special is not None:
        if special.key_from is not None:
            found = _scalar(special.key_from, value)
            if not found:
                return _lacking("key", special.key_from, "a string, a number, true or false")
            key = found
        if special.timestamp_from is not None:
            time = milliseconds(_scalar(special.timestamp_from, value) or b"")
            if time is None:
                return _lacking(
                    "timestamp",
                    special.timestamp_from,
                    "milliseconds since the epoch or a time like 2026-01-31T12:00:00Z",
                )
            timestamp_ms = time
    return Record(value, key, route.headers, route.partition, timestamp_ms)


def _scalar(place: Pointer, value: bytes) -> bytes | None:
    found = pointer.find(place, value)
    return None if found is None else pointer.scalar(found)


def _lacking(what: str, place: Pointer, expected: str) -> Problem:
    shown = pointer.write(place)[:_SHOWN]
    return Problem(
        422,
        f"no-{what}",
        f"The event's {what} is to be at {shown!r}, and there is no such value there:"
        f" it has to be {expected}.",
    )
