"""What is told to a client whose request cannot be carried out (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from eventstream.errors import (
    EventstreamError,
    InvalidEvent,
    KafkaUnavailable,
    NotAuthorized,
    OutcomeUnknown,
    PartitionNotFound,
    QueueFull,
    RecordTooLarge,
    TopicNotFound,
)

CONTENT_TYPE = b"application/problem+json"

_STATUS_AND_NAME: dict[type[EventstreamError], tuple[int, str]] = {
    TopicNotFound: (404, "unknown-topic"),
    PartitionNotFound: (404, "unknown-partition"),
    RecordTooLarge: (413, "record-too-large"),
    InvalidEvent: (422, "refused-by-kafka"),
    NotAuthorized: (403, "not-authorized-in-kafka"),
    QueueFull: (503, "overloaded"),
    KafkaUnavailable: (503, "kafka-unavailable"),
    OutcomeUnknown: (504, "outcome-unknown"),
}


class Problem(NamedTuple):
    """One refusal.

    Attributes:
        status: The HTTP status.
        name: The last part of the problem's type, `urn:eventstream:problem:<name>`.
        detail: One sentence: what happened, to which thing, what to do.
        retry_after_s: When to come back, in seconds; 0 says nothing about it.
        fields: Further header fields of the answer. Their values are few: answers' heads are
            remembered by them.
    """

    status: int
    name: str
    detail: str
    retry_after_s: int = 0
    fields: tuple[tuple[bytes, bytes], ...] = ()

    def members(self, **more: Any) -> dict[str, Any]:
        """List the members of the problem object (RFC 9457, section 3.1) and `more` after them."""
        return {
            "type": f"urn:eventstream:problem:{self.name}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **more,
        }

    def body(self, **more: Any) -> bytes:
        """Encode the problem object."""
        return msgspec.json.encode(self.members(**more))


class Rejected(Exception):
    """Leaves a pure function with the problem that ends the request."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def problem_of(error: EventstreamError) -> Problem:
    """Say in HTTP what kept an event from being acknowledged."""
    status, name = _STATUS_AND_NAME.get(type(error), (502, "kafka-failed"))
    return Problem(
        status, name, str(error), retry_after_s=1 if status == HTTPStatus.SERVICE_UNAVAILABLE else 0
    )


TOO_SLOW = Problem(
    408, "request-timeout", "The request did not arrive whole in time; send it again."
)


def head_too_large(limit: int) -> Problem:
    """Refuse a head for its size."""
    return Problem(
        431,
        "head-too-large",
        f"The request line and headers have more than {limit} bytes, the most they can have here.",
    )


def body_too_large(size: int, limit: int) -> Problem:
    """Refuse a body for its size."""
    return Problem(
        413,
        "body-too-large",
        f"The body has {size} bytes, and {limit} is the most a request can have here;"
        " send it in parts.",
    )


def inflates_too_large(limit: int) -> Problem:
    """Refuse a compressed body for what would come out of it."""
    return Problem(
        413,
        "body-too-large",
        f"The body inflates to more than {limit} bytes, the most a request can have here; send it"
        " in parts.",
    )


def too_many_connections(limit: int) -> Problem:
    """Refuse a connection."""
    return Problem(
        503,
        "too-many-connections",
        f"This process has {limit} connections open, the most it takes; try again.",
        retry_after_s=1,
    )


def unknown_partition(topic: str, partition: int) -> Problem:
    """Refuse a record for a partition that its topic does not have."""
    return Problem(
        404,
        "unknown-partition",
        f"Topic {topic!r} has no partition {partition}; ask for its partitions.",
    )


def record_too_large(size: int, limit: int) -> Problem:
    """Refuse one record for its size."""
    return Problem(
        413,
        "record-too-large",
        f"The event has {size} bytes with its key, and {limit} is the most a record can have here.",
    )
