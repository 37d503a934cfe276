"""Newline-delimited JSON: one event a line, each line answered for.

Blank lines are passed over. Line numbers count from 1 and count every line.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from eventstream.gateway.formats import json_event
from eventstream.gateway.problems import Problem, Rejected

_validate = msgspec.json.Decoder(msgspec.Raw).decode


class Lines(NamedTuple):
    """A body taken apart.

    Attributes:
        values: One event's value each, in order.
        numbers: The line of each value.
        problems: What is wrong with the other lines, by line number.
    """

    values: list[bytes]
    numbers: list[int] | range
    problems: dict[int, Problem]


def decode(body: bytes, max_value_bytes: int) -> Lines:
    """Take the events out of the body.

    Raises:
        Rejected: The body has no event at all.
    """
    values = body.split(b"\n")
    if not values[-1]:
        values.pop()
    if not values:
        raise Rejected(Problem(400, "no-events", "The body has no line with an event in it."))
    if _all_valid(body, values) and max(map(len, values)) <= max_value_bytes:
        return Lines(values, range(1, len(values) + 1), {})
    return _line_by_line(values, max_value_bytes)


def _all_valid(body: bytes, values: list[bytes]) -> bool:
    """Whether every line is an event: the usual case, settled without a loop of ours."""
    try:
        deque(map(_validate, values), maxlen=0)
        if not body.isascii():
            body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return b"\r" not in body


def _line_by_line(lines: list[bytes], max_value_bytes: int) -> Lines:
    values: list[bytes] = []
    numbers: list[int] = []
    problems: dict[int, Problem] = {}
    for number, line in enumerate(lines, 1):
        value = line.removesuffix(b"\r")
        if not value.strip():
            continue
        if len(value) > max_value_bytes:
            problems[number] = too_large(len(value), max_value_bytes)
        elif (reason := json_event.check(value)) is not None:
            problems[number] = Problem(400, "invalid-json", f"The line is not JSON: {reason}.")
        else:
            values.append(value)
            numbers.append(number)
    if not values and not problems:
        raise Rejected(Problem(400, "no-events", "The body has no line with an event in it."))
    return Lines(values, numbers, problems)


def too_large(size: int, limit: int) -> Problem:
    """Refuse one record for its size."""
    return Problem(
        413,
        "record-too-large",
        f"The event has {size} bytes with its key, and {limit} is the most a record can have here.",
    )
