"""Any records of one topic, from the producer's queue to what became of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError
from eventstream.gateway.formats.contract import QUEUED, Placed
from eventstream.gateway.problems import Problem, problem_of, record_too_large, unknown_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventstream.events import Headers
    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.publishing.core import Publishing
    from eventstream.log.producing import DeliveryError

    OnOutcomes = Callable[[Sequence[Outcome]], None]


class PublishBatch:
    """Sends records when made; one that cannot be sent does not keep the others back.

    Args:
        publishing: The core.
        topic: Where they go.
        records: In order, each record, or what keeps it from being one.
        on_outcomes: Called once, in the loop, now or later, when it is known what became of all of
            them; they are in the order of `records`.

    Attributes:
        outcomes: What is known so far; `QUEUED` stands for what is not.
    """

    __slots__ = ("_on_outcomes", "_publishing", "_timestamps_ms", "_topic", "_waiting", "outcomes")

    def __init__(
        self,
        publishing: Publishing,
        topic: str,
        records: Sequence[Record | Problem],
        on_outcomes: OnOutcomes,
    ) -> None:
        self._publishing = publishing
        self._topic = topic
        self._on_outcomes = on_outcomes
        self._timestamps_ms: dict[int, int] = {}
        self._waiting = 0
        self.outcomes: list[Outcome] = []
        for record in _checked(publishing, topic, records):
            self.outcomes.append(record if isinstance(record, Problem) else self._send(record))
        publishing.counters.rejected += len(self.outcomes) - self._waiting
        if not self._waiting:
            on_outcomes(self.outcomes)

    def _send(self, record: Record) -> Outcome:
        publishing, topic = self._publishing, self._topic
        value, key, headers, partition, timestamp_ms = record
        size = size_of(record)
        limit = publishing.producer.max_record_bytes
        if size > limit:
            return record_too_large(size, limit)
        if partition >= publishing.topics.known.get(topic, 0):
            return unknown_partition(topic, partition)
        delivered = partial(self._delivered, len(self.outcomes), size)
        try:
            publishing.producer.send(topic, value, key, delivered, headers, partition, timestamp_ms)
        except EventstreamError as error:
            return problem_of(error)
        if timestamp_ms:
            self._timestamps_ms[len(self.outcomes)] = timestamp_ms
        publishing.admission.enter(1, size)
        self._waiting += 1
        return QUEUED

    def _delivered(  # what the record is, then its report
        self,
        number: int,
        size: int,
        error: DeliveryError | None,
        partition: int,
        offset: int,
        timestamp_ms: int,
    ) -> None:
        publishing = self._publishing
        publishing.admission.leave(1, size)
        if error is None:
            publishing.counters.acknowledged += 1
            publishing.counters.acknowledged_bytes += size
            self.outcomes[number] = Placed(partition, offset, timestamp_ms)
        else:
            self.outcomes[number] = publishing.failure(
                error, self._topic, self._timestamps_ms.get(number, 0)
            )
        self._waiting -= 1
        if not self._waiting:
            self._on_outcomes(self.outcomes)


def _checked(
    publishing: Publishing, topic: str, records: Sequence[Record | Problem]
) -> Sequence[Record | Problem]:
    """Put a problem in the place of each record that the topic's schema refuses."""
    if topic not in publishing.schemas.documents:
        return records
    values = [None if isinstance(record, Problem) else record.value for record in records]
    refused = publishing.schemas.check_all(topic, values)
    return [refused.get(position, record) for position, record in enumerate(records)]


def size_of(record: Record) -> int:
    """Count the bytes of a record."""
    return len(record.value or b"") + len(record.key or b"") + headers_size(record.headers)


def headers_size(headers: Headers) -> int:
    """Count the bytes of record headers."""
    return sum(len(name) + len(value or b"") for name, value in headers)
