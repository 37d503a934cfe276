"""`GET /events/{topic}`, described; pure."""

from __future__ import annotations

from typing import Any

from eventstream.gateway.openapi.operations import Content, Operation, Parameter, Reply
from eventstream.gateway.openapi.parameters import topic
from eventstream.gateway.openapi.refusals import DETAILS, EVERY_USER
from eventstream.gateway.tailing.wishes import MAX_LIMIT

_ID = "[A-Za-z0-9_-]{8}:[0-9]{1,18}(,[0-9]{1,18})*"
_FROM = (
    f"^(latest|earliest|[0-9]{{1,15}}|[0-9]{{1,9}}[smhd]|{_ID}"
    "|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    "(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-]0[0-9]:[0-5][0-9])?)?)$"
)
_PARAMETERS = (
    Parameter(
        "from",
        "query",
        {"type": "string", "pattern": _FROM, "default": "latest"},
        "Where to start: `latest`, `earliest`, a time (`2026-01-31T12:00:00Z`, or in milliseconds"
        " since 1970), how long ago (`90s`, `15m`, `2h`, `7d`), or the id of the last event.",
        "earliest",
    ),
    Parameter("key", "query", {"type": "string"}, "Only events with this key."),
    Parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
        "The stream ends after so many events.",
        1,
    ),
    Parameter(
        "Last-Event-ID",
        "header",
        {"type": "string", "pattern": f"^({_ID})?$"},
        "The id of the last event that the client has; it goes before `from`.",
    ),
)
_EVENT: dict[str, Any] = {
    "description": "One event of the stream, in the terms of the HTML standard.",
    "type": "object",
    "required": ["data"],
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["message", "gap", "dropped", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}
_PROBLEMS = (
    "internal-topic",
    "invalid-event-id",
    "invalid-from",
    "invalid-key",
    "invalid-limit",
    "invalid-topic",
    "kafka-failed",
    "kafka-unavailable",
    "not-authorized-in-kafka",
    "outcome-unknown",
    "stopping",
    "stream-ended",
    "too-many-partitions",
    "too-many-streams",
    "too-many-topics",
    "unknown-topic",
)
_FIELDS = {"Cache-Control": True}


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    stream = Operation(
        "get",
        "/events/{topic}",
        "events",
        "events",
        "Read a topic's events as they come",
        "Server-Sent Events (HTML standard, section 9.2). Each event's data is a JSON object with"
        " `topic`, `partition`, `offset`, `timestamp_ms`, `key`, `headers` and `value`; what cannot"
        " stand there as it is stands in base64 as `key_base64` or `value_base64`. Its id says"
        " where to go on. Events named `gap`, `dropped` and `end` speak of the stream itself.",
        (
            Reply(
                200,
                "The events, until the client leaves or an event says why the stream ends.",
                {"text/event-stream": Content(_EVENT)},
                _FIELDS,
            ),
        ),
        DETAILS,
        _PROBLEMS,
        (topic(default_topic), *_PARAMETERS),
        callers=EVERY_USER,
    )
    head = stream._replace(
        method="head",
        id="eventsHead",
        summary="See whether a topic's events can be read",
        description="The head of the answer to GET, without a stream.",
        replies=(Reply(200, "They can.", fields=_FIELDS),),
    )
    return stream, head
