"""One event of one request, from its body to its answer: the shortest way."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from eventstream.errors import EventstreamError
from eventstream.gateway.answers import receipt_answer
from eventstream.gateway.formats.json_event import JSON, value_of
from eventstream.gateway.problems import Rejected, problem_of, record_too_large
from eventstream.gateway.publishing.batch import headers_size

if TYPE_CHECKING:
    from eventstream.gateway.publishing.core import Publishing, Responder
    from eventstream.gateway.routes import Route
    from eventstream.log.producing import DeliveryError


class PublishOne:
    """Sends the event when made.

    Raises:
        Rejected: Nothing was sent.
    """

    __slots__ = ("_publishing", "_responder", "_route", "_size", "_started")

    def __init__(
        self, publishing: Publishing, route: Route, body: bytes, responder: Responder
    ) -> None:
        value = value_of(body) if route.format is JSON else body
        key = route.key
        size = len(value) if key is None else len(value) + len(key)
        if route.headers:
            size += headers_size(route.headers)
        if size > publishing.producer.max_record_bytes:
            raise Rejected(record_too_large(size, publishing.producer.max_record_bytes))
        problem = publishing.schemas.check(route.topic, value)
        if problem is not None:
            raise Rejected(problem)
        self._publishing = publishing
        self._responder = responder
        self._route = route
        self._size = size
        self._started = perf_counter()
        try:
            publishing.producer.send(
                route.topic, value, key, self._delivered, route.headers, -1, route.timestamp_ms
            )
        except EventstreamError as error:
            raise Rejected(problem_of(error)) from None
        publishing.admission.enter(1, size)

    def _delivered(
        self, error: DeliveryError | None, partition: int, offset: int, _timestamp_ms: int
    ) -> None:
        publishing, topic = self._publishing, self._route.topic
        publishing.admission.leave(1, self._size)
        counters = publishing.counters
        if error is None:
            counters.acknowledged += 1
            counters.acknowledged_bytes += self._size
            counters.ok += 1
            counters.publish_seconds.observe(perf_counter() - self._started)
            self._responder.answer(receipt_answer(topic, partition, offset))
        else:
            problem = publishing.failure(error, topic, self._route.timestamp_ms)
            publishing.refuse(problem, self._route.format, self._responder)
