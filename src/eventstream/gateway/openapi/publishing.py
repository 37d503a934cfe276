"""`/publish` and `/publish/{topic}`, described; pure."""

from __future__ import annotations

from typing import Any

from eventstream.gateway.openapi.answers import (
    BatchPublished,
    BatchQueued,
    EventQueued,
    LinesPublished,
    LinesQueued,
    Receipt,
)
from eventstream.gateway.openapi.cloudevents import BATCH, EVENT, EXAMPLE
from eventstream.gateway.openapi.operations import Content, Operation, Parameter, Reply
from eventstream.gateway.openapi.parameters import topic
from eventstream.gateway.openapi.refusals import DETAILS, EVERY_WRITER, PUBLISHING

_TAG = "publish"
_JSON = "application/json"
_ABOUT = (
    "The media type says what the body is: one JSON event, one event a line"
    " (`application/x-ndjson`; `application/ndjson` and `application/jsonl` mean the same), a"
    " CloudEvent or a batch of them, or with any other type the event's bytes as they are. With"
    " `ce-` headers the body is the data of a CloudEvent in binary mode: `ce-specversion`, `ce-id`,"
    " `ce-source` and `ce-type` are needed, and any other `ce-` header is an attribute.\n\n"
    "A header `Event-Header-<name>` becomes the record header `<name>`.\n\n"
    "The body may be chunked, and compressed as Content-Encoding says."
)
_TIME = {
    "anyOf": [
        {"type": "string", "pattern": "^(?!0+$)[0-9]{1,15}$"},
        {"type": "string", "format": "date-time", "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-"},
    ]
}
_POINTER = {"type": "string", "pattern": "^(/([^/~]|~[01])*)+$"}
_PARAMETERS = (
    Parameter(
        "key",
        "query",
        {"type": "string", "minLength": 1},
        "The key of all events; or give it as Event-Key.",
        "customer-7",
    ),
    Parameter(
        "key-from",
        "query",
        _POINTER,
        "Where in each JSON event its key stands, as a JSON pointer (RFC 6901); instead of `key`.",
    ),
    Parameter(
        "timestamp-from",
        "query",
        _POINTER,
        "Where in each JSON event its time stands, as a JSON pointer.",
    ),
    Parameter("Event-Key", "header", {"type": "string", "minLength": 1}, "The key of all events."),
    Parameter(
        "Event-Timestamp",
        "header",
        _TIME,
        "The time of all events: milliseconds since the epoch, or as RFC 3339 writes it.",
    ),
    Parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "pattern": '^("[ !#-Z^-~]{1,255}"|[!#-+.-:<-Z^-~-]{1,255})$'},
        "Names the request: sent again with the same body it gets the first answer, and its events"
        " are not written again.",
    ),
    Parameter(
        "Prefer",
        "header",
        {"type": "string"},
        "`respond-async` does not wait for the acknowledgement (RFC 7240, section 4.1); others are"
        " passed over.",
    ),
    Parameter(
        "Content-Encoding",
        "header",
        {"type": "string", "enum": ["", "identity", "gzip", "x-gzip", "zstd"]},
        "How the body is compressed (RFC 9110, section 8.4).",
    ),
    Parameter(
        "traceparent",
        "header",
        {"type": "string"},
        "The trace that the events go on with (W3C Trace Context); a malformed one is left out.",
    ),
    Parameter("tracestate", "header", {"type": "string"}, "The trace's state, after traceparent."),
)
_SENT: dict[str, Any] = {
    "hello": {"message": "Hello, Kafka!"},
    "order": {"id": 17, "customer": "c-7", "total": 12.5},
}
_BODY = {
    _JSON: Content({}, _SENT),
    "application/x-ndjson": Content(
        {"type": "string", "minLength": 1},
        {"lines": '{"message": "one"}\n{"message": "two"}\n'},
    ),
    "application/cloudevents+json": Content(EVENT, {"event": EXAMPLE}),
    "application/cloudevents-batch+json": Content(BATCH, {"batch": [EXAMPLE]}),
    "application/octet-stream": Content({}),
}
_KEYED = {"Idempotent-Replayed": False, "Idempotency-Scope": False}
_REPLIES = (
    Reply(
        200,
        "Every event is acknowledged by all in-sync replicas.",
        {_JSON: Content((Receipt, LinesPublished, BatchPublished))},
        _KEYED,
    ),
    Reply(
        202,
        "The events are in the producer's queue, and no more will be said of them"
        " (`Prefer: respond-async`).",
        {_JSON: Content((EventQueued, LinesQueued, BatchQueued))},
        {**_KEYED, "Preference-Applied": True},
    ),
    Reply(
        207,
        "Some events are acknowledged, and the others have their problems.",
        {_JSON: Content((LinesPublished, BatchPublished))},
        _KEYED,
    ),
)
_PROBLEMS = (
    *PUBLISHING,
    "body-too-large",
    "idempotency-key-in-progress",
    "idempotency-key-reused",
    "idempotency-unavailable",
    "internal-error",
    "invalid-cloudevent",
    "invalid-encoding",
    "invalid-header",
    "invalid-idempotency-key",
    "invalid-json",
    "invalid-key",
    "invalid-key-from",
    "invalid-timestamp",
    "invalid-timestamp-from",
    "no-events",
    "no-key",
    "no-timestamp",
    "unsupported-encoding",
    "unsupported-media-type",
)


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    to_default = Operation(
        "post",
        "/publish",
        "publish",
        _TAG,
        f"Publish events to topic {default_topic}",
        _ABOUT,
        _REPLIES,
        DETAILS,
        _PROBLEMS,
        _PARAMETERS,
        _BODY,
        EVERY_WRITER,
    )
    to_topic = to_default._replace(
        path="/publish/{topic}",
        id="publishToTopic",
        summary="Publish events to a topic",
        parameters=(topic(default_topic), *_PARAMETERS),
    )
    return to_default, to_topic
