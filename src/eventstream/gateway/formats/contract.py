"""What every format is made of; pure.

A format turns a request's body into records, and what became of them into an answer's bytes. The
core between the two (`gateway/publishing/`) knows no format, and a format knows no Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.events import Headers
    from eventstream.gateway.answers import Answer
    from eventstream.gateway.routes import Route


class Record(NamedTuple):
    """One event on its way to the log.

    Attributes:
        value: The data; `None` is a tombstone.
        key: The Kafka key, or `None`.
        headers: Record headers in order; a name may repeat.
        partition: Where it goes; -1 lets the key decide.
        timestamp_ms: Milliseconds since the epoch; 0 is when it is sent.
    """

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    timestamp_ms: int = 0


class Placed(NamedTuple):
    """Where an acknowledged record stands.

    Attributes:
        partition: Its partition.
        offset: Its offset there.
        timestamp_ms: Its time, as the log has it; milliseconds since the epoch.
    """

    partition: int
    offset: int
    timestamp_ms: int


QUEUED = Placed(-1, -1, -1)
"""A record in the producer's queue, of which its client does not wait to hear more."""

Outcome = Placed | Problem
"""What became of one record: where it stands, or why it does not, or may not."""


class Batch(Protocol):
    """The records of one request, and how its client is told what became of them."""

    @property
    def records(self) -> Sequence[Record | Problem]:
        """In the body's order, each record, or what keeps it from being one."""

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Say what became of each record, in the order of `records`."""


class Format(Protocol):
    """One way a request can carry events."""

    def decode(self, route: Route, body: bytes) -> Batch:
        """Take the records out of a request's body.

        Raises:
            Rejected: Nothing of this request is to be published; `refuse` makes the answer.
        """

    def refuse(self, problem: Problem) -> Answer:
        """Say why a request carried no event to Kafka, as this format's clients expect it."""
