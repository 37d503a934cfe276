"""How the gateway is, described; pure."""

from __future__ import annotations

from eventstream.gateway.openapi.answers import HealthAnswer, ReadyAnswer
from eventstream.gateway.openapi.operations import Content, Operation, Reply
from eventstream.gateway.openapi.refusals import DETAILS

_TAG = "condition"
_JSON = "application/json"

OPERATIONS = (
    Operation(
        "get",
        "/healthz",
        "alive",
        _TAG,
        "See whether the process lives",
        "Its event loop answers.",
        (Reply(200, "It lives.", {_JSON: Content(HealthAnswer)}),),
        DETAILS,
        (),
        callers=(),
    ),
    Operation(
        "get",
        "/readyz",
        "ready",
        _TAG,
        "See whether events can be published now",
        "Kafka answers, and every partition of the default topic has a leader.",
        (Reply(200, "They can.", {_JSON: Content(ReadyAnswer)}),),
        DETAILS,
        ("kafka-unavailable", "unknown-topic"),
        callers=(),
    ),
    Operation(
        "get",
        "/metrics",
        "metrics",
        _TAG,
        "Read the metrics of this machine's processes",
        "Prometheus' text format.",
        (Reply(200, "The metrics.", {"text/plain": Content({"type": "string"})}),),
        DETAILS,
        (),
        callers=(),
    ),
    Operation(
        "get",
        "/openapi.json",
        "openapi",
        _TAG,
        "Read this description",
        "OpenAPI 3.1.",
        (Reply(200, "The description.", {_JSON: Content({"type": "object"})}),),
        DETAILS,
        (),
        callers=(),
    ),
)
