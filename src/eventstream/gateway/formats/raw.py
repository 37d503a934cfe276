"""Any bytes: the body is the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.answers import outcome_answer, problem_answer
from eventstream.gateway.formats.contract import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.answers import Answer
    from eventstream.gateway.formats.contract import Outcome
    from eventstream.gateway.problems import Problem
    from eventstream.gateway.routes import Route


class One:
    """A request with one event, answered by its receipt."""

    __slots__ = ("_topic", "records")

    def __init__(self, topic: str, record: Record) -> None:
        self._topic = topic
        self.records = (record,)

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Say where the event stands, or why it does not."""
        return outcome_answer(self._topic, outcomes[0])


class Raw:
    """Takes any body as one event's value."""

    def decode(self, route: Route, body: bytes) -> One:
        """Take the body as it is."""
        record = Record(body, route.key, route.headers, route.partition, route.timestamp_ms)
        return One(route.topic, record)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with problem details."""
        return problem_answer(problem)


RAW = Raw()
