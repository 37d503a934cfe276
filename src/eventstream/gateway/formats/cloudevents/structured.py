"""Structured content mode: one event in the JSON event format (HTTP binding, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.answers import JSON_FIELDS, Answer, problem_answer, receipt_answer
from eventstream.gateway.formats.cloudevents import event
from eventstream.gateway.formats.contract import QUEUED
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.routes import Route

QUEUED_FIELDS = (*JSON_FIELDS, (b"preference-applied", b"respond-async"))


class OneEvent:
    """A request with one event, answered by its receipt."""

    __slots__ = ("_topic", "records")

    def __init__(self, topic: str, record: Record) -> None:
        self._topic = topic
        self.records = (record,)

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Say where the event stands, or why it does not."""
        (outcome,) = outcomes
        if isinstance(outcome, Problem):
            return problem_answer(outcome)
        if outcome == QUEUED:
            content = {"topic": self._topic, "durability": "accepted"}
            return Answer(202, QUEUED_FIELDS, msgspec.json.encode(content))
        return receipt_answer(self._topic, outcome.partition, outcome.offset)


class Structured:
    """Takes a body of one event."""

    def decode(self, route: Route, body: bytes) -> OneEvent:
        """Take the event out of the body.

        Raises:
            Rejected: The body is not one CloudEvent.
        """
        return OneEvent(route.topic, event.decode(body, route.key))

    def refuse(self, problem: Problem) -> Answer:
        """Answer with problem details."""
        return problem_answer(problem)


STRUCTURED = Structured()
