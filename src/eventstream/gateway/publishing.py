"""A publish request's way to Kafka and its answer's way back: one core for both lanes."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from eventstream.errors import EventstreamError, OutcomeUnknown, TopicNotFound
from eventstream.gateway.answers import Answer, lines_answer, problem_answer, receipt_answer
from eventstream.gateway.formats import Format, json_event, ndjson
from eventstream.gateway.problems import Problem, Rejected, problem_of
from eventstream.log.faults import translate
from eventstream.log.producer import NO_OFFSET

if TYPE_CHECKING:
    from eventstream.gateway.admission import Admission
    from eventstream.gateway.counters import GatewayCounters
    from eventstream.gateway.routes import Route
    from eventstream.log.producer import DeliveryError, Producer, Report
    from eventstream.log.topics import TopicDirectory


class Responder(Protocol):
    """Whoever carries an answer to the client; `answer` is called once, in the loop."""

    def answer(self, answer: Answer) -> None:
        """Take the answer. Must not raise."""


class Publishing:
    """Publishes what requests carry.

    Args:
        producer: Sends events.
        topics: Knows which topics exist.
        admission: Knows whether there is room.
        counters: What happened so far.
    """

    def __init__(
        self,
        producer: Producer,
        topics: TopicDirectory,
        admission: Admission,
        counters: GatewayCounters,
    ) -> None:
        self.producer = producer
        self.topics = topics
        self.admission = admission
        self.counters = counters

    def publish(self, route: Route, body: bytes, responder: Responder) -> None:
        """Publish a request's events; the answer reaches `responder`, now or later."""
        if route.topic in self.topics.known:
            self._publish(route, body, responder)
        else:
            self._resolve(route, body, responder)

    def refuse(self, problem: Problem, responder: Responder) -> None:
        """Answer a request that carries no event to Kafka."""
        self.counters.answered(problem.status)
        responder.answer(problem_answer(problem))

    def _resolve(self, route: Route, body: bytes, responder: Responder) -> None:
        def resolved(error: EventstreamError | None) -> None:
            if error is not None:
                self.refuse(problem_of(error), responder)
            elif route.topic in self.topics.known:
                self._publish(route, body, responder)
            else:
                missing = TopicNotFound(
                    f"Topic {route.topic!r} does not exist; create it, or check the name."
                )
                self.refuse(problem_of(missing), responder)

        self.topics.resolve(resolved)

    def _publish(self, route: Route, body: bytes, responder: Responder) -> None:
        refusal = self.admission.refusal()
        if refusal is not None:
            self.refuse(refusal, responder)
            return
        try:
            if route.format is Format.NDJSON:
                PublishLines(self, route, body, responder)
            else:
                PublishOne(self, route, body, responder)
        except Rejected as rejected:
            self.counters.rejected += 1
            self.refuse(rejected.problem, responder)


class PublishOne:
    """One event of one request, from its body to its answer."""

    __slots__ = ("_publishing", "_responder", "_size", "_started", "_topic")

    def __init__(
        self, publishing: Publishing, route: Route, body: bytes, responder: Responder
    ) -> None:
        value = json_event.decode(body) if route.format is Format.JSON else body
        key = route.key
        size = len(value) if key is None else len(value) + len(key)
        if size > publishing.producer.max_record_bytes:
            raise Rejected(ndjson.too_large(size, publishing.producer.max_record_bytes))
        self._publishing = publishing
        self._responder = responder
        self._topic = route.topic
        self._size = size
        self._started = perf_counter()
        try:
            publishing.producer.send(route.topic, value, key, self._delivered)
        except EventstreamError as error:
            raise Rejected(problem_of(error)) from None
        publishing.admission.enter(1, size)

    def _delivered(self, error: DeliveryError | None, report: Report) -> None:
        publishing = self._publishing
        publishing.admission.leave(1, self._size)
        counters = publishing.counters
        offset = report.offset()
        if error is None and offset is not None:
            counters.acknowledged += 1
            counters.acknowledged_bytes += self._size
            counters.ok += 1
            counters.publish_seconds.observe(perf_counter() - self._started)
            self._responder.answer(receipt_answer(self._topic, report.partition(), offset))
        else:
            problem = failure(publishing, error or NO_OFFSET, self._topic)
            publishing.refuse(problem, self._responder)


class PublishLines:
    """The events of one NDJSON request, from its body to its answer."""

    __slots__ = (
        "_failures",
        "_lines",
        "_publishing",
        "_ranges",
        "_responder",
        "_sent",
        "_size",
        "_started",
        "_topic",
        "_waiting",
    )

    def __init__(
        self, publishing: Publishing, route: Route, body: bytes, responder: Responder
    ) -> None:
        topic, key, producer = route.topic, route.key, publishing.producer
        room = producer.max_record_bytes - (0 if key is None else len(key))
        self._lines = lines = ndjson.decode(body, room)
        self._failures = lines.problems
        self._publishing = publishing
        self._responder = responder
        self._topic = topic
        self._ranges: dict[int, list[int]] = {}
        self._size = len(body)
        self._started = perf_counter()
        publishing.counters.rejected += len(lines.problems)
        send, delivered = producer.send, self._delivered
        sent = 0
        try:
            for value in lines.values:
                send(topic, value, key, delivered)
                sent += 1
        except EventstreamError as error:
            problem = problem_of(error)
            self._failures |= dict.fromkeys(lines.numbers[sent:], problem)
            publishing.counters.rejected += len(lines.numbers) - sent
        self._sent = self._waiting = sent
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
            self._failures[self._line_of(report)] = failure(
                self._publishing, error or NO_OFFSET, self._topic
            )
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


def failure(publishing: Publishing, error: DeliveryError, topic: str) -> Problem:
    """Say what became of an event that Kafka did not acknowledge, and count it."""
    meaning = translate(error, topic, was_sent=True)
    if isinstance(meaning, TopicNotFound):
        publishing.topics.forget(topic)
    if isinstance(meaning, OutcomeUnknown):
        publishing.counters.unknown += 1
    else:
        publishing.counters.failed += 1
    return problem_of(meaning)
