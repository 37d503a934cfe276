"""Takes a publish request in, or refuses it."""

from __future__ import annotations

import time
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from eventstream.errors import EventstreamError, OutcomeUnknown, TopicNotFound
from eventstream.gateway.access.refusals import RESOLVE
from eventstream.gateway.admission import Room
from eventstream.gateway.formats.json_event import JSON
from eventstream.gateway.formats.ndjson import NDJSON
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.problems import Rejected, problem_of
from eventstream.gateway.publishing.batch import PublishBatch, size_of
from eventstream.gateway.publishing.inflating import inflate
from eventstream.gateway.publishing.lines import PublishLines
from eventstream.gateway.publishing.once import PublishOnce
from eventstream.gateway.publishing.one import PublishOne
from eventstream.gateway.routes import Refused
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eventstream.gateway.access.access import Access
    from eventstream.gateway.admission import Admission
    from eventstream.gateway.answers import Answer
    from eventstream.gateway.counters import GatewayCounters
    from eventstream.gateway.formats.contract import Format, Outcome, Record
    from eventstream.gateway.idempotency.flow import Idempotency
    from eventstream.gateway.problems import Problem
    from eventstream.gateway.publishing.batch import OnOutcomes
    from eventstream.gateway.routes import Route
    from eventstream.gateway.schemas import Schemas
    from eventstream.log.producing import DeliveryError, Producer
    from eventstream.log.topics import TopicDirectory


OF_NOW_S = 120.0
"""How long ago an event may have been sent whose time is that of its sending; no topic's bound on
times is as close."""


class Responder(Protocol):
    """Whoever carries an answer to the client; `answer` is called once, in the loop."""

    def answer(self, answer: Answer) -> None:
        """Take the answer. Must not raise."""


class Publishing:
    """Publishes what requests carry.

    Args:
        producer: Sends events.
        topics: Knows which topics exist.
        access: Knows who may write where.
        schemas: Knows what events must look like.
        admission: Knows whether there is room.
        counters: What happened so far.
        idempotency: Publishes what has an Idempotency-Key.
        max_body_bytes: The largest body, after it is inflated.
    """

    def __init__(
        self,
        producer: Producer,
        topics: TopicDirectory,
        access: Access,
        schemas: Schemas,
        admission: Admission,
        counters: GatewayCounters,
        idempotency: Idempotency,
        max_body_bytes: int,
    ) -> None:
        self.producer = producer
        self.topics = topics
        self.access = access
        self.schemas = schemas
        self.admission = admission
        self.counters = counters
        self.once = PublishOnce(self, idempotency)
        self._max_body_bytes = max_body_bytes

    def publish(self, route: Route, body: bytes, responder: Responder) -> bool:
        """Publish a request's events; the answer reaches `responder`, now or later.

        Returns:
            Whether its events are on their way, or refused. If not, something has to be found out
            first, and what is published meanwhile may overtake them.
        """
        topic = route.topic
        refusal = self.access.refusal(route.credential, topic) or self.admission.refusal()
        if refusal is None:
            if topic in self.topics.known:
                return self._publish(route, body, responder)
            self._resolve(route, body, responder)
            return False
        if refusal is RESOLVE:
            self._admit(route, body, responder)
            return False
        self.refuse(refusal, route.format, responder)
        return True

    def publish_records(
        self, route: Route, records: Sequence[Record], on_outcomes: OnOutcomes
    ) -> None:
        """Publish records that were decoded elsewhere, as far as their caller may and can now."""
        refusal = (
            self.access.refusal(route.credential, route.topic, len(records))
            or self.admission.refusal()
        )
        if refusal is not None:
            self.counters.rejected += len(records)
            on_outcomes([refusal] * len(records))
        elif route.topic in self.topics.known:
            PublishBatch(self, route.topic, records, on_outcomes)
        else:
            self._resolve_records(route, records, on_outcomes)

    def refusal(self, route: Route | Refused) -> Refused | None:
        """Say why a request is refused before its body has come, or `None`."""
        if isinstance(route, Refused):
            return route
        problem = self.access.refusal(route.credential, route.topic, events=0)
        if problem is None or problem is RESOLVE:
            problem = self.admission.refusal()
        return None if problem is None else Refused(problem, route.format)

    def refuse(self, problem: Problem, format_: Format, responder: Responder) -> None:
        """Answer a request that carries no event to Kafka."""
        self.answer(format_.refuse(problem), responder)

    def failure(self, error: DeliveryError, topic: str, timestamp_ms: int) -> Problem:
        """Say what became of an event that Kafka did not acknowledge, and count it.

        Args:
            error: What the delivery report says.
            topic: The event's topic.
            timestamp_ms: The time that it was given; 0 is none.
        """
        is_of_now = not timestamp_ms or abs(time.time() - timestamp_ms / 1000) < OF_NOW_S
        meaning = translate(error, topic, was_sent=True, is_of_now=is_of_now)
        if isinstance(meaning, TopicNotFound):
            self.topics.forget(topic)
        if isinstance(meaning, OutcomeUnknown):
            self.counters.unknown += 1
        else:
            self.counters.failed += 1
        return problem_of(meaning)

    def _admit(self, route: Route, body: bytes, responder: Responder) -> None:
        room = Room(self.admission, 1, len(body))

        def fetched() -> None:
            room.leave()
            self.publish(route, body, responder)

        self.access.resolve(fetched)

    def _resolve(self, route: Route, body: bytes, responder: Responder) -> None:
        room = Room(self.admission, 1, len(body))

        def resolved(problem: Problem | None) -> None:
            room.leave()
            if problem is None:
                self._publish(route, body, responder)
            else:
                self.refuse(problem, route.format, responder)

        self._find_topic(route.topic, resolved)

    def _resolve_records(
        self, route: Route, records: Sequence[Record], on_outcomes: OnOutcomes
    ) -> None:
        room = Room(self.admission, len(records), sum(map(size_of, records)))

        def resolved(problem: Problem | None) -> None:
            room.leave()
            if problem is None:
                PublishBatch(self, route.topic, records, on_outcomes)
            else:
                self.counters.rejected += len(records)
                on_outcomes([problem] * len(records))

        self._find_topic(route.topic, resolved)

    def _find_topic(self, topic: str, found: Callable[[Problem | None], None]) -> None:
        def resolved(error: EventstreamError | None) -> None:
            if error is not None:
                found(problem_of(error))
            elif topic in self.topics.known:
                found(None)
            else:
                missing = f"Topic {topic!r} does not exist; create it, or check the name."
                found(problem_of(TopicNotFound(missing)))

        self.topics.resolve(resolved)

    def _publish(self, route: Route, body: bytes, responder: Responder) -> bool:
        format_, special = route.format, route.special
        try:
            if special is None and (format_ is JSON or format_ is RAW):
                PublishOne(self, route, body, responder)
            elif special is None and format_ is NDJSON:
                PublishLines(self, route, body, responder)
            else:
                return self._publish_batch(route, body, responder)
        except Rejected as rejected:
            self.counters.rejected += 1
            self.refuse(rejected.problem, format_, responder)
        return True

    def _publish_batch(self, route: Route, body: bytes, responder: Responder) -> bool:
        special = route.special
        plain = body
        if special is not None and special.encoding:
            plain = inflate(body, special.encoding, self._max_body_bytes)
        batch = route.format.decode(route, plain)
        self.access.charge(route.credential, len(batch.records) - 1)
        if special is not None and special.idempotency_key:
            self.once.publish(route, body, batch, responder)
            return False
        if special is not None and special.respond_async:
            sent = PublishBatch(self, route.topic, batch.records, _nobody_waits)
            self.answer(batch.answer(sent.outcomes), responder)
        else:
            started = perf_counter()

            def settled(outcomes: Sequence[Outcome]) -> None:
                self.counters.publish_seconds.observe(perf_counter() - started)
                self.answer(batch.answer(outcomes), responder)

            PublishBatch(self, route.topic, batch.records, settled)
        return True

    def answer(self, answer: Answer, responder: Responder) -> None:
        """Answer a request."""
        self.counters.answered(answer.status)
        responder.answer(answer)


def _nobody_waits(outcomes: Sequence[Outcome]) -> None:
    """Take what became of records whose client did not wait."""
