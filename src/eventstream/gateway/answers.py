"""Receipts and problems to the bytes of an answer; pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from eventstream.gateway.problems import CONTENT_TYPE, Problem

if TYPE_CHECKING:
    from eventstream.gateway.formats.contract import Outcome

JSON = b"application/json"
Fields = tuple[tuple[bytes, bytes], ...]


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An HTTP answer without its framing.

    Attributes:
        status: The HTTP status.
        fields: Header names in lower case, and values, without date, length and connection.
        body: The content.

    It is stored as the array of its attributes.
    """

    status: int
    fields: Fields
    body: bytes

    def with_fields(self, *more: tuple[bytes, bytes]) -> Answer:
        """Make the same answer with more header fields."""
        return Answer(self.status, (*self.fields, *more), self.body)


JSON_FIELDS: Fields = ((b"content-type", JSON),)
QUEUED_FIELDS: Fields = (*JSON_FIELDS, (b"preference-applied", b"respond-async"))
_QUEUED = -1
_PROBLEM_FIELDS: Fields = ((b"content-type", CONTENT_TYPE),)


Ranges = dict[int, list[int]]
"""By partition: how many events are acknowledged there, their first and their last offset."""


def outcome_answer(topic: str, outcome: Outcome) -> Answer:
    """Answer for one event."""
    if isinstance(outcome, Problem):
        return problem_answer(outcome)
    if outcome.partition == _QUEUED:
        return Answer(202, QUEUED_FIELDS, _queued(topic=topic))
    return receipt_answer(topic, outcome.partition, outcome.offset)


def receipt_answer(topic: str, partition: int, offset: int) -> Answer:
    """Answer for one acknowledged event."""
    return Answer(
        200,
        JSON_FIELDS,
        f'{{"topic":"{topic}","partition":{partition},"offset":{offset}}}'.encode(),
    )


def problem_answer(problem: Problem) -> Answer:
    """Answer for a request that was refused as a whole."""
    return Answer(problem.status, _fields(problem), problem.body())


def lines_answer(topic: str, ranges: Ranges, failures: dict[int, Problem]) -> Answer:
    """Answer for every line of a request.

    Args:
        topic: Where the events went.
        ranges: What is acknowledged; partition -1 stands for what is only queued.
        failures: What happened to the other lines, by line number.
    """
    lines = [{"line": number, **failures[number].members()} for number in sorted(failures)]
    if _QUEUED in ranges:
        told = {"failed": len(failures), "failures": lines} if failures else {}
        return Answer(202, QUEUED_FIELDS, _queued(topic=topic, accepted=ranges[_QUEUED][0], **told))
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
    if not (problem.retry_after_s or problem.fields):
        return _PROBLEM_FIELDS
    retry = ((b"retry-after", b"%d" % problem.retry_after_s),) if problem.retry_after_s else ()
    return (*_PROBLEM_FIELDS, *problem.fields, *retry)


def _queued(**members: Any) -> bytes:
    """Say that events are in the producer's queue, and that no more will be said of them."""
    return msgspec.json.encode({**members, "durability": "accepted"})
