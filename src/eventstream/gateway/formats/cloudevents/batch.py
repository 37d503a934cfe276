"""Batched content mode: a JSON array of events (HTTP binding, section 3.3; JSON format, 4).

One invalid event refuses the whole batch, so that a sender never has to find out which part of it
was published. What Kafka then does with each record is told event by event.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from eventstream.gateway.answers import JSON_FIELDS, QUEUED_FIELDS, Answer, problem_answer
from eventstream.gateway.formats.cloudevents import event
from eventstream.gateway.formats.contract import QUEUED
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.routes import Route

_texts = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Events:
    """The events of one body."""

    __slots__ = ("_topic", "records")

    def __init__(self, topic: str, records: list[Record]) -> None:
        self._topic = topic
        self.records = records

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Say what became of each event, in the body's order.

        Returns:
            200 when all stand in the log, 207 when some do, 202 when their acknowledgement is not
            waited for, else the worst problem's status. The member `events` has one object for
            each: its partition and offset, or its problem.
        """
        problems = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
        content: dict[str, Any] = {"topic": self._topic}
        content["published"] = len(outcomes) - len(problems)
        if problems:
            content["failed"] = len(problems)
        content["events"] = [_members(outcome) for outcome in outcomes]
        if QUEUED in outcomes:
            content["accepted"] = content.pop("published")
            content["durability"] = "accepted"
            return Answer(HTTPStatus.ACCEPTED, QUEUED_FIELDS, msgspec.json.encode(content))
        if not problems:
            return Answer(HTTPStatus.OK, JSON_FIELDS, msgspec.json.encode(content))
        if len(problems) < len(outcomes):
            return Answer(HTTPStatus.MULTI_STATUS, JSON_FIELDS, msgspec.json.encode(content))
        worst = max(problems, key=lambda problem: problem.status)
        worst = worst._replace(detail=f"No event of the batch was published. {worst.detail}")
        return msgspec.structs.replace(problem_answer(worst), body=worst.body(**content))


def _members(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Problem):
        return outcome.members()
    if outcome == QUEUED:
        return {"durability": "accepted"}
    return {"partition": outcome.partition, "offset": outcome.offset}


class Batched:
    """Takes a body of an array of events."""

    def decode(self, route: Route, body: bytes) -> Events:
        """Take the events out of the body; there may be none (HTTP binding, section 3.3.2).

        Raises:
            Rejected: The body is not an array, or one of its events is invalid: the detail says at
                which index of the array, counted from 0.
        """
        try:
            texts = _texts(body)
            if not body.isascii():
                body.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise event.not_an_event(body, "array") from None
        records = [_event_at(index, text, route) for index, text in enumerate(texts)]
        return Events(route.topic, records)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with problem details."""
        return problem_answer(problem)


def _event_at(index: int, text: msgspec.Raw, route: Route) -> Record:
    try:
        return event.decode(bytes(text), route.key, route.headers, route.timestamp_ms)
    except Rejected as rejected:
        problem = rejected.problem
        detail = f"Nothing was published. The event at index {index}: {problem.detail}"
        raise Rejected(problem._replace(detail=detail)) from None


BATCHED = Batched()
