"""Takes a publish request in, or refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from eventstream.errors import EventstreamError, OutcomeUnknown, TopicNotFound
from eventstream.gateway.access.refusals import RESOLVE
from eventstream.gateway.formats.json_event import JSON
from eventstream.gateway.formats.ndjson import NDJSON
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.problems import Rejected, problem_of
from eventstream.gateway.publishing.batch import PublishBatch
from eventstream.gateway.publishing.inflating import inflate
from eventstream.gateway.publishing.lines import PublishLines
from eventstream.gateway.publishing.one import PublishOne
from eventstream.gateway.routes import Refused
from eventstream.log.faults import translate

if TYPE_CHECKING:
    from eventstream.gateway.access.access import Access
    from eventstream.gateway.admission import Admission
    from eventstream.gateway.answers import Answer
    from eventstream.gateway.counters import GatewayCounters
    from eventstream.gateway.formats.contract import Format
    from eventstream.gateway.problems import Problem
    from eventstream.gateway.routes import Route
    from eventstream.log.producer import DeliveryError, Producer
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
        access: Knows who may write where.
        admission: Knows whether there is room.
        counters: What happened so far.
        max_body_bytes: The largest body, after it is inflated.
    """

    def __init__(
        self,
        producer: Producer,
        topics: TopicDirectory,
        access: Access,
        admission: Admission,
        counters: GatewayCounters,
        max_body_bytes: int,
    ) -> None:
        self.producer = producer
        self.topics = topics
        self.access = access
        self.admission = admission
        self.counters = counters
        self._max_body_bytes = max_body_bytes

    def publish(self, route: Route, body: bytes, responder: Responder) -> None:
        """Publish a request's events; the answer reaches `responder`, now or later."""
        refusal = self.access.refusal(route.credential, route.topic) or self.admission.refusal()
        if refusal is RESOLVE:
            self.access.resolve(lambda: self.publish(route, body, responder))
        elif refusal is not None:
            self.refuse(refusal, route.format, responder)
        elif route.topic in self.topics.known:
            self._publish(route, body, responder)
        else:
            self._resolve(route, body, responder)

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
        self.counters.answered(problem.status)
        responder.answer(format_.refuse(problem))

    def failure(self, error: DeliveryError, topic: str) -> Problem:
        """Say what became of an event that Kafka did not acknowledge, and count it."""
        meaning = translate(error, topic, was_sent=True)
        if isinstance(meaning, TopicNotFound):
            self.topics.forget(topic)
        if isinstance(meaning, OutcomeUnknown):
            self.counters.unknown += 1
        else:
            self.counters.failed += 1
        return problem_of(meaning)

    def _resolve(self, route: Route, body: bytes, responder: Responder) -> None:
        def resolved(error: EventstreamError | None) -> None:
            if error is not None:
                self.refuse(problem_of(error), route.format, responder)
            elif route.topic in self.topics.known:
                self._publish(route, body, responder)
            else:
                missing = TopicNotFound(
                    f"Topic {route.topic!r} does not exist; create it, or check the name."
                )
                self.refuse(problem_of(missing), route.format, responder)

        self.topics.resolve(resolved)

    def _publish(self, route: Route, body: bytes, responder: Responder) -> None:
        format_, special = route.format, route.special
        try:
            if special is None and (format_ is JSON or format_ is RAW):
                PublishOne(self, route, body, responder)
            elif special is None and format_ is NDJSON:
                PublishLines(self, route, body, responder)
            else:
                self._publish_batch(route, body, responder)
        except Rejected as rejected:
            self.counters.rejected += 1
            self.refuse(rejected.problem, format_, responder)

    def _publish_batch(self, route: Route, body: bytes, responder: Responder) -> None:
        special = route.special
        if special is not None and special.encoding:
            body = inflate(body, special.encoding, self._max_body_bytes)
        batch = route.format.decode(route, body)
        self.access.charge(route.credential, len(batch.records) - 1)
        PublishBatch(self, route, batch, responder)
