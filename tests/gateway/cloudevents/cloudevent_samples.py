"""Events as HTTP clients send them."""

import json

from eventstream.gateway.formats.cloudevents.batch import BATCHED
from eventstream.gateway.formats.cloudevents.structured import STRUCTURED
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.routes import Route

REQUIRED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
"""The least that is an event."""


def route(key=None):
    return Route(topic="orders", key=key, format=STRUCTURED)


def event(**members):
    """Make the text of an event; a member that is `...` is left out."""
    return json.dumps(
        {name: value for name, value in {**REQUIRED, **members}.items() if value is not ...}
    ).encode()


def structured(text, key=None):
    """Take the record of one event."""
    (record,) = STRUCTURED.decode(route(key), text).records
    return record


def batched(text, key=None):
    return BATCHED.decode(route(key), text).records


def headers(**attributes):
    """Make the request headers of an event in binary mode; one that is `...` is left out."""
    return [
        (b"ce-" + name.encode(), value.encode("latin-1"))
        for name, value in {**REQUIRED, **attributes}.items()
        if value is not ...
    ]


def attempt(call, *arguments):
    """Return what a call does, or the problem that it is rejected with."""
    try:
        return call(*arguments)
    except Rejected as rejected:
        return rejected.problem


def problem_of(call, *arguments):
    """Return the problem that a call is rejected with."""
    result = attempt(call, *arguments)
    assert isinstance(result, Problem), f"nothing was rejected, but returned: {result!r}"
    return result
