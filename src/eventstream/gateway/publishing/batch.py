"""The records of one request, whatever its format, from its body to its answer."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError
from eventstream.gateway.formats.contract import QUEUED, Placed, Record
from eventstream.gateway.problems import Problem, problem_of, record_too_large, unknown_partition
from eventstream.log.producer import NO_OFFSET

if TYPE_CHECKING:
    from eventstream.gateway.formats.contract import Batch, Outcome
    from eventstream.gateway.publishing.core import Publishing, Responder
    from eventstream.gateway.routes import Route
    from eventstream.log.producer import DeliveryError, Report


class PublishBatch:
    """Sends the records when made; a record that cannot be sent does not keep the others back."""

    __slots__ = (
        "_batch",
        "_outcomes",
        "_publishing",
        "_responder",
        "_started",
        "_topic",
        "_waiting",
    )

    def __init__(
        self, publishing: Publishing, route: Route, batch: Batch, responder: Responder
    ) -> None:
        self._publishing = publishing
        self._topic = route.topic
        self._batch = batch
        self._responder: Responder | None = responder
        self._started = perf_counter()
        self._waiting = 0
        self._outcomes: list[Outcome] = [
            self._send(number, record) for number, record in enumerate(batch.records)
        ]
        if not self._waiting or (route.special is not None and route.special.respond_async):
            self._answer()

    def _send(self, number: int, record: Record | Problem) -> Outcome:
        publishing = self._publishing
        problem: Problem
        if isinstance(record, Problem):
            problem = record
        else:
            size = _size(record)
            limit = publishing.producer.max_record_bytes
            if size > limit:
                problem = record_too_large(size, limit)
            elif record.partition >= publishing.topics.known.get(self._topic, 0):
                problem = unknown_partition(self._topic, record.partition)
            else:
                value, key, headers, partition, timestamp_ms = record
                delivered = partial(self._delivered, number, size)
                try:
                    publishing.producer.send(
                        self._topic, value, key, delivered, headers, partition, timestamp_ms
                    )
                except EventstreamError as error:
                    problem = problem_of(error)
                else:
                    publishing.admission.enter(1, size)
                    self._waiting += 1
                    return QUEUED
        publishing.counters.rejected += 1
        return problem

    def _delivered(
        self, number: int, size: int, error: DeliveryError | None, report: Report
    ) -> None:
        publishing = self._publishing
        publishing.admission.leave(1, size)
        offset = report.offset()
        if error is None and offset is not None:
            publishing.counters.acknowledged += 1
            publishing.counters.acknowledged_bytes += size
            self._outcomes[number] = Placed(report.partition(), offset, report.timestamp()[1])
        else:
            self._outcomes[number] = publishing.failure(error or NO_OFFSET, self._topic)
        self._waiting -= 1
        if not self._waiting and self._responder is not None:
            publishing.counters.publish_seconds.observe(perf_counter() - self._started)
            self._answer()

    def _answer(self) -> None:
        responder, self._responder = self._responder, None
        if responder is not None:
            answer = self._batch.answer(self._outcomes)
            self._publishing.counters.answered(answer.status)
            responder.answer(answer)


def _size(record: Record) -> int:
    size = len(record.value or b"") + len(record.key or b"")
    return size + sum(len(name) + len(value or b"") for name, value in record.headers)
