"""Every problem there is, and which requests can meet it; pure."""

from __future__ import annotations

from typing import NamedTuple

from eventstream.gateway.formats.rest_proxy.error_codes import (
    V2_TYPE,
    V3_TYPE,
    code_in_v2,
    code_in_v3,
)
from eventstream.gateway.openapi.answers import ProblemDetails, RestProxyError
from eventstream.gateway.openapi.operations import EVERY_CALLER, Manner
from eventstream.gateway.problems import CONTENT_TYPE, Problem


class Meaning(NamedTuple):
    """What a problem says: with which statuses, and why."""

    statuses: tuple[int, ...]
    text: str


def _told(status: int, text: str) -> Meaning:
    return Meaning((status,), text)


PROBLEMS = {
    "body-too-large": _told(413, "The body, or what it inflates to, is larger than a request's."),
    "empty-body": _told(422, "The body is empty."),
    "head-too-large": _told(431, "The request line and headers are larger than a head may be."),
    "idempotency-key-in-progress": _told(
        409, "The first request with this Idempotency-Key is not answered yet."
    ),
    "idempotency-key-reused": _told(
        422, "The Idempotency-Key belongs to a request that was not the same."
    ),
    "idempotency-unavailable": _told(503, "The store of idempotency keys did not answer in time."),
    "incompatible-schema": _told(409, "The schema is not compatible with the one before."),
    "internal-error": _told(
        500, "The gateway failed, and the events are written or not: repeat with the same key."
    ),
    "internal-topic": _told(403, "The topic is Kafka's own."),
    "invalid-batch": _told(422, "The batch is empty, or its ids are not."),
    "invalid-cloudevent": _told(400, "What is sent as a CloudEvent is none."),
    "invalid-encoding": _told(400, "The body is not compressed as Content-Encoding says."),
    "invalid-event-id": _told(400, "Last-Event-ID is not an id of the stream."),
    "invalid-from": _told(400, "`from` is no place to start at."),
    "invalid-header": _told(400, "A header of the client's and its CloudEvent's have one name."),
    "invalid-idempotency-key": _told(400, "The Idempotency-Key is malformed."),
    "invalid-json": _told(400, "The body, or a part of it, is not JSON."),
    "invalid-key": _told(400, "The key is empty, malformed, or given more than once."),
    "invalid-key-from": _told(400, "`key-from` is no JSON pointer, or the events are not JSON."),
    "invalid-limit": _told(400, "`limit` is no number of events."),
    "invalid-query": _told(400, "A parameter of the query is not acceptable."),
    "invalid-record": _told(400, "A record is not what the media type says."),
    "invalid-request": Meaning(
        (400, 422), "The JSON is of another shape (400), or has unknown members (422)."
    ),
    "invalid-schema": _told(422, "The body is no JSON Schema that can be used."),
    "invalid-timestamp": _told(400, "Event-Timestamp is no time."),
    "invalid-timestamp-from": _told(
        400, "`timestamp-from` is no JSON pointer, or the events are not JSON."
    ),
    "invalid-topic": _told(400, "The name cannot be a topic's."),
    "kafka-failed": _told(502, "Kafka refused for a reason that has no name here."),
    "kafka-unavailable": _told(503, "Kafka does not answer."),
    "malformed-request": _told(400, "The request is not HTTP/1.1."),
    "method-not-allowed": _told(405, "The path has no such method; Allow lists those it has."),
    "no-events": _told(400, "The body has no event in it."),
    "no-key": _told(422, "An event has no key where `key-from` says."),
    "no-records": _told(422, "The body has no record in it."),
    "no-schema": _told(404, "The topic has no schema."),
    "no-schemas": _told(404, "The gateway was started without a folder of schemas."),
    "no-such-broker": _told(404, "The cluster has no such broker."),
    "no-such-cluster": _told(404, "There is no such cluster."),
    "no-such-partition": _told(404, "The topic has no such partition."),
    "no-such-route": _told(404, "There is nothing at the path."),
    "no-timestamp": _told(422, "An event has no time where `timestamp-from` says."),
    "not-authenticated": _told(401, "The request does not say who sends it, or not rightly."),
    "not-authorized-in-kafka": _told(403, "Kafka does not let the gateway do it."),
    "origin-not-allowed": _told(403, "Pages of the request's Origin may not call."),
    "outcome-unknown": _told(
        504, "Kafka did not acknowledge in time: the event may be in the log, or appear there yet."
    ),
    "overloaded": _told(503, "There is no room for more events now."),
    "precondition-required": _told(428, "The topic has a schema; If-Match is to say which."),
    "quota-exceeded": _told(429, "The caller sends more than is allowed."),
    "record-too-large": _told(413, "The event is larger than a record may be."),
    "refused-by-kafka": _told(422, "Kafka does not take the event as it is."),
    "request-timeout": _told(408, "The request did not arrive whole in time."),
    "schema-changed": _told(412, "If-Match or If-None-Match does not hold."),
    "schema-violation": _told(422, "The event does not match its topic's schema."),
    "schemas-not-supported": _told(422, "There is no schema registry here."),
    "schemas-not-writable": _told(503, "The folder of schemas cannot be changed."),
    "several-credentials": _told(400, "The request has more than one credential."),
    "signing-keys-unavailable": _told(503, "The token cannot be checked now."),
    "stopping": _told(503, "The process stops."),
    "stream-ended": _told(503, "The stream ended before it began."),
    "too-many-connections": _told(503, "The process has as many connections as it takes."),
    "too-many-partitions": _told(501, "The topic has more partitions than a stream's id can name."),
    "too-many-streams": _told(503, "The process has as many streams open as it takes."),
    "too-many-topics": _told(503, "The process streams as many topics as it takes."),
    "topic-not-allowed": _told(403, "The caller may not do this with the topic."),
    "topic-not-hosted": _told(404, "Kafka has no such topic."),
    "unknown-partition": _told(404, "The topic has no such partition."),
    "unknown-topic": _told(404, "Kafka has no such topic."),
    "unknown-transfer-coding": _told(501, "The Transfer-Encoding is not chunked."),
    "unmet-expectation": _told(417, "The only expectation met is 100-continue."),
    "unsupported-charset": _told(400, "The charset of the Content-Type is not read."),
    "unsupported-encoding": _told(415, "The Content-Encoding is not read."),
    "unsupported-media-type": _told(415, "The Content-Type is not taken."),
}

EVERY_REQUEST = (
    "malformed-request",
    "origin-not-allowed",
    "no-such-route",
    "request-timeout",
    "unmet-expectation",
    "head-too-large",
    "unknown-transfer-coding",
    "too-many-connections",
)
"""What ends a request before its operation is known, or whatever it is."""

EVERY_BODY = ("body-too-large",)
"""What ends one that has a body before its format is looked at."""

EVERY_USER = (*EVERY_CALLER, "topic-not-allowed")
"""What ends one that asks for a topic, where callers have to be known."""

EVERY_WRITER = (*EVERY_USER, "quota-exceeded")
"""What ends one that publishes, where callers have to be known."""

PUBLISHING = (
    "invalid-topic",
    "internal-topic",
    "unknown-topic",
    "unknown-partition",
    "record-too-large",
    "schema-violation",
    "refused-by-kafka",
    "not-authorized-in-kafka",
    "overloaded",
    "kafka-unavailable",
    "kafka-failed",
    "outcome-unknown",
)
"""What keeps an event from the log, or its outcome from being known."""

ASKING_KAFKA = (
    "topic-not-hosted",
    "not-authorized-in-kafka",
    "kafka-unavailable",
    "kafka-failed",
    "outcome-unknown",
)
"""What keeps Kafka from answering what it is asked."""


def _type_of(status: int, name: str) -> str:  # noqa: ARG001 - the shape of `Manner.calls`
    return f"urn:eventstream:problem:{name}"


def _in_v2(status: int, name: str) -> int:
    return code_in_v2(Problem(status, name, ""))


def _in_v3(status: int, name: str) -> int:
    return code_in_v3(Problem(status, name, ""))


DETAILS = Manner(CONTENT_TYPE.decode(), ProblemDetails, "type", _type_of)
V2 = Manner(V2_TYPE.decode(), RestProxyError, "error_code", _in_v2)
V3 = Manner(V3_TYPE.decode(), RestProxyError, "error_code", _in_v3)
