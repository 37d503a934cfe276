"""One JSON event (RFC 8259): the body is the value, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.answers import problem_answer
from eventstream.gateway.formats.fields import record_of
from eventstream.gateway.formats.raw import One
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from eventstream.gateway.answers import Answer
    from eventstream.gateway.routes import Route

_validate = msgspec.json.Decoder(msgspec.Raw).decode


def check(text: bytes) -> str | None:
    """Say what keeps `text` from being one JSON value in UTF-8, or `None`."""
    try:
        _validate(text)
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    except RecursionError:
        return "it is nested too deeply"
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        return reason[:1].lower() + reason[1:]
    return None


def value_of(body: bytes) -> bytes:
    """Take the value out of the body.

    Raises:
        Rejected: The body is not JSON.
    """
    reason = check(body)
    if reason is not None:
        raise Rejected(Problem(400, "invalid-json", f"The body is not JSON: {reason}."))
    return body


class JsonEvent:
    """Takes a body of JSON as one event's value."""

    def decode(self, route: Route, body: bytes) -> One:
        """Take the body, and what the request says is to be read out of it.

        Raises:
            Rejected: The body is not JSON, or lacks what the key or the time is to be made of.
        """
        record = record_of(route, value_of(body))
        if isinstance(record, Problem):
            raise Rejected(record)
        return One(route.topic, record)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with problem details."""
        return problem_answer(problem)


JSON = JsonEvent()
