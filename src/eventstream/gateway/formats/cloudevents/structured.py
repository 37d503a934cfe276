"""Structured content mode: one event in the JSON event format (HTTP binding, section 3.2).

Implements `gateway/formats/contract.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.answers import Answer, problem_answer, receipt_answer
from eventstream.gateway.formats.cloudevents import event
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.routes import Route


def decode(route: Route, body: bytes) -> list[Record]:
    """Take the one event out of a request's body.

    An event without data is a record without a value, which is a tombstone where the topic is
    compacted (Kafka binding 1.0.3, section 3.2.2).

    Raises:
        Rejected: The body is not one CloudEvent.
    """
    return [event.decode(body, route.key)]


def answer(route: Route, outcomes: Sequence[Outcome]) -> Answer:
    """Say what became of the event."""
    (outcome,) = outcomes
    if isinstance(outcome, Problem):
        return problem_answer(outcome)
    return receipt_answer(route.topic, outcome.partition, outcome.offset)


def refuse(_route: Route | None, problem: Problem) -> Answer:
    """Say why the request carried no event to Kafka."""
    return problem_answer(problem)
