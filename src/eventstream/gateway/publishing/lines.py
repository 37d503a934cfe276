"""The events of one NDJSON request, from its body to its answer: one callback for all of them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from eventstream.gateway.answers import lines_answer
from eventstream.gateway.formats import ndjson
from eventstream.gateway.formats.ndjson import Lines
from eventstream.gateway.problems import problem_of
from eventstream.log.producer import NO_OFFSET

if TYPE_CHECKING:
    from eventstream.gateway.answers import Ranges
    from eventstream.gateway.problems import Problem
    from eventstream.gateway.publishing.core import Publishing, Responder
    from eventstream.gateway.routes import Route
    from eventstream.log.producer import DeliveryError, Report


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

    def _delivered(self, error: DeliveryError | None, report: Report) -> None:
        offset = report.offset()
        if error is None and offset is not None:
            partition = report.partition()
            reached = self._ranges.get(partition)
            if reached is None:
                self._ranges[partition] = [1, offset, offset]
            else:
                reached[0] += 1
                reached[2] = offset
        else:
            problem = self._publishing.failure(error or NO_OFFSET, self._topic, self._timestamp_ms)
            self._failures[self._line_of(report)] = problem
        self._waiting -= 1
        if not self._waiting:
            self._finish()

    def _line_of(self, report: Report) -> int:
        """Find a failed event's line by its value.

        One callback serves the whole request, so a report knows only its event. Lines that are the
        same byte for byte are told apart by order: the later ones failed.
        """
        value = report.value()
        return next(
            number
            for number, line in zip(
                reversed(self._lines.numbers), reversed(self._lines.values), strict=True
            )
            if line == value and number not in self._failures
        )

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
