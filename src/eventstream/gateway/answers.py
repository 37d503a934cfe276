"""Receipts and problems to the bytes of an answer; pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from eventstream.gateway import problems

if TYPE_CHECKING:
    from eventstream.gateway.problems import Problem

JSON = b"application/json"
Fields = tuple[tuple[bytes, bytes], ...]


class Answer(NamedTuple):
    """An HTTP answer without its framing.

    Attributes:
        status: The HTTP status.
        fields: Header names in lower case, and values, without date, length and connection.
        body: The content.
    """

    status: int
    fields: Fields
    body: bytes


JSON_FIELDS: Fields = ((b"content-type", JSON),)
_PROBLEM_FIELDS: Fields = ((b"content-type", problems.CONTENT_TYPE),)


def receipt_answer(topic: str, partition: int, offset: int) -> Answer:
    """Answer for one acknowledged event."""
    return Answer(
        200,
        JSON_FIELDS,
        b'{"topic":"%b","partition":%d,"offset":%d}' % (topic.encode(), partition, offset),
    )


def problem_answer(problem: Problem) -> Answer:
    """Answer for a request that was refused as a whole."""
    return Answer(problem.status, _fields(problem), problem.body())


def lines_answer(topic: str, ranges: dict[int, list[int]], failures: dict[int, Problem]) -> Answer:
    """Answer for every line of a request.

    Args:
        topic: Where the events went.
        ranges: By partition: how many events are acknowledged, their first and last offset.
        failures: What happened to the other lines, by line number.
    """
    content = {
        "topic": topic,
        "published": sum(count for count, _, _ in ranges.values()),
        "partitions": [
            {"partition": partition, "published": count, "first_offset": first, "last_offset": last}
            for partition, (count, first, last) in sorted(ranges.items())
        ],
    }
    if not failures:
        return Answer(200, JSON_FIELDS, msgspec.json.encode(content))
    lines = [{"line": number, **failures[number].members()} for number in sorted(failures)]
    if ranges:
        content |= {"failed": len(failures), "failures": lines}
        return Answer(HTTPStatus.MULTI_STATUS, JSON_FIELDS, msgspec.json.encode(content))
    worst = max(failures.values(), key=lambda problem: problem.status)
    return Answer(
        worst.status,
        _fields(worst),
        worst._replace(
            detail=f"No line was published. Line {lines[0]['line']}: {lines[0]['detail']}"
        ).body(published=0, failed=len(failures), failures=lines),
    )


def _fields(problem: Problem) -> Fields:
    if problem.retry_after_s:
        return (
            *_PROBLEM_FIELDS,
            *problem.fields,
            (b"retry-after", b"%d" % problem.retry_after_s),
        )
    return (*_PROBLEM_FIELDS, *problem.fields) if problem.fields else _PROBLEM_FIELDS
