"""Structured content mode: one event in the JSON event format (HTTP binding, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.answers import problem_answer
from eventstream.gateway.formats.cloudevents import event
from eventstream.gateway.formats.raw import One

if TYPE_CHECKING:
    from eventstream.gateway.answers import Answer
    from eventstream.gateway.problems import Problem
    from eventstream.gateway.routes import Route


class Structured:
    """Takes a body of one event."""

    def decode(self, route: Route, body: bytes) -> One:
        """Take the event out of the body.

        Raises:
            Rejected: The body is not one CloudEvent.
        """
        record = event.decode(body, route.key, route.headers, route.timestamp_ms)
        return One(route.topic, record)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with problem details."""
        return problem_answer(problem)


STRUCTURED = Structured()
