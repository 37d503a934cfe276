"""Newline-delimited JSON: one event a line, each line answered for.

Blank lines are passed over. Line numbers count from 1 and count every line.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from eventstream.gateway.answers import lines_answer, problem_answer
from eventstream.gateway.formats import json_event
from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.formats.fields import record_of
from eventstream.gateway.problems import Problem, Rejected, record_too_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.answers import Answer, Ranges
    from eventstream.gateway.formats.contract import Outcome
    from eventstream.gateway.routes import Route

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


class LinesBatch:
    """The events of one body, and the problems of its other lines."""

    __slots__ = ("_numbers", "_problems", "_topic", "records")

    def __init__(self, route: Route, lines: Lines) -> None:
        self._topic = route.topic
        self._numbers = lines.numbers
        self._problems = lines.problems
        self.records = [record_of(route, value) for value in lines.values]

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Say what became of every line."""
        ranges: Ranges = {}
        failures = dict(self._problems)
        for number, outcome in zip(self._numbers, outcomes, strict=True):
            if isinstance(outcome, Placed):
                add(ranges, outcome.partition, outcome.offset)
            else:
                failures[number] = outcome
        return lines_answer(self._topic, ranges, failures)


class Ndjson:
    """Takes a body of lines, each one event's value."""

    def decode(self, route: Route, body: bytes) -> LinesBatch:
        """Take the events out of the body.

        Raises:
            Rejected: The body has no event at all.
        """
        return LinesBatch(route, split(body, len(body)))

    def refuse(self, problem: Problem) -> Answer:
        """Answer with problem details."""
        return problem_answer(problem)


NDJSON = Ndjson()


def add(ranges: Ranges, partition: int, offset: int) -> None:
    """Count one acknowledged event in."""
    reached = ranges.get(partition)
    if reached is None:
        ranges[partition] = [1, offset, offset]
    else:
        reached[0] += 1
        reached[2] = offset


def split(body: bytes, max_value_bytes: int) -> Lines:
    """Take the body apart.

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
            problems[number] = record_too_large(len(value), max_value_bytes)
        elif (reason := json_event.check(value)) is not None:
            problems[number] = Problem(400, "invalid-json", f"The line is not JSON: {reason}.")
        else:
            values.append(value)
            numbers.append(number)
    if not values and not problems:
        raise Rejected(Problem(400, "no-events", "The body has no line with an event in it."))
    return Lines(values, numbers, problems)
