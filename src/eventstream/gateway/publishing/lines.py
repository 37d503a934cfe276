"""The events of one NDJSON request, from its body to its answer: one callback for all of them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from eventstream.gateway.answers import lines_answer
from eventstream.gateway.formats import ndjson
from eventstream.gateway.formats.ndjson import Lines
from eventstream.gateway.problems import problem_of

if TYPE_CHECKING:
    from eventstream.gateway.answers import Ranges
    from eventstream.gateway.problems import Problem
    from eventstream.gateway.publishing.core import Publishing, Responder
    from eventstream.gateway.routes import Route
    from eventstream.log.producing import DeliveryError


class PublishLines:
    """Sends the events when made.

    Raises:
        Rejected: The body has no event at all; nothing was sent.
    """

    __slots__ = (
        "_failures",
        "_lines",
        "_publishing",
        "_ranges",
        "_responder",
        "_sent",
        "_size",
        "_started",
        "_timestamp_ms",
        "_topic",
        "_waiting",
    )

    def __init__(
        self, publishing: Publishing, route: Route, body: bytes, responder: Responder
    ) -> None:
        topic, key, producer = route.topic, route.key, publishing.producer
        room = producer.max_record_bytes - (0 if key is None else len(key))
        lines = ndjson.split(body, room)
        refused = publishing.schemas.check_all(topic, lines.values)
        self._lines = lines = _without(lines, refused) if refused else lines
        self._failures = lines.problems
        self._publishing = publishing
        self._responder = responder
        self._topic = topic
        self._timestamp_ms = route.timestamp_ms
        self._ranges: Ranges = {}
        self._size = len(body)
        self._started = perf_counter()
        publishing.counters.rejected += len(lines.problems)
        sent, error = producer.send_all(
            topic, lines.values, key, self._delivered, route.headers, route.timestamp_ms
        )
        if error is not None:
            self._failures |= dict.fromkeys(lines.numbers[sent:], problem_of(error))
            publishing.counters.rejected += len(lines.numbers) - sent
        self._sent = self._waiting = sent
        publishing.access.charge(route.credential, sent - 1)
        publishing.admission.enter(sent, self._size)
        if not sent:
            self._finish()

    def _delivered(
        self, error: DeliveryError | None, partition: int, offset: int, first: int, count: int
    ) -> None:
        if error is None:
            reached = self._ranges.get(partition)
            if reached is None:
                self._ranges[partition] = [count, offset, offset + count - 1]
            else:
                reached[0] += count
                reached[2] = offset + count - 1
        else:
            for position in range(first, first + count):
                problem = self._publishing.failure(error, self._topic, self._timestamp_ms)
                self._failures[self._lines.numbers[position]] = problem
        self._waiting -= count
        if not self._waiting:
            self._finish()

    def _finish(self) -> None:
        publishing = self._publishing
        publishing.admission.leave(self._sent, self._size)
        answer = lines_answer(self._topic, self._ranges, self._failures)
        counters = publishing.counters
        counters.acknowledged += sum(count for count, _, _ in self._ranges.values())
        counters.acknowledged_bytes += self._size
        counters.answered(answer.status)
        counters.publish_seconds.observe(perf_counter() - self._started)
        self._responder.answer(answer)


def _without(lines: Lines, refused: dict[int, Problem]) -> Lines:
    """Count events among the problems that their topic's schema refuses."""
    problems = {lines.numbers[position]: problem for position, problem in refused.items()}
    kept = [position for position in range(len(lines.values)) if position not in refused]
    return Lines(
        [lines.values[position] for position in kept],
        [lines.numbers[position] for position in kept],
        {**lines.problems, **problems},
    )
