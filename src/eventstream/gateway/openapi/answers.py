"""The shapes of answers, for their components in the description; pure.

The formats write answers as bytes of their own; these Structs say what they write, and the checks
of a running gateway against its description hold the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Number = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Accepted = Literal["accepted"]
REF = "#/components/schemas/{name}"
"""Where a component stands in the description."""


class ProblemDetails(msgspec.Struct):
    """Why a request, or one event of it, was not carried out (RFC 9457)."""

    type: Annotated[str, Meta(pattern="^urn:eventstream:problem:[a-z-]+$")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str


class Receipt(msgspec.Struct, forbid_unknown_fields=True):
    """The event is acknowledged by all in-sync replicas, and stands here."""

    topic: str
    partition: Number
    offset: Number


class Placed(msgspec.Struct, forbid_unknown_fields=True):
    """Where one event of a batch stands."""

    partition: Number
    offset: Number


class Queued(msgspec.Struct, forbid_unknown_fields=True):
    """An event of which no more will be said."""

    durability: Accepted


class EventQueued(msgspec.Struct, forbid_unknown_fields=True):
    """The event is in the producer's queue; no more will be said of it."""

    topic: str
    durability: Accepted


class LinesOfPartition(msgspec.Struct, forbid_unknown_fields=True):
    """What of a body's lines stands in one partition."""

    partition: Number
    published: Positive
    first_offset: Number
    last_offset: Number


class LineProblem(ProblemDetails):
    """What is wrong with one line."""

    line: Positive


class LinesPublished(msgspec.Struct, forbid_unknown_fields=True):
    """What became of a body's lines; without `failures` all of them are acknowledged."""

    topic: str
    published: Number
    partitions: list[LinesOfPartition]
    failed: Positive | UnsetType = UNSET
    failures: list[LineProblem] | UnsetType = UNSET


class LinesQueued(msgspec.Struct, forbid_unknown_fields=True):
    """So many lines are in the producer's queue; no more will be said of them."""

    topic: str
    accepted: Positive
    durability: Accepted
    failed: Positive | UnsetType = UNSET
    failures: list[LineProblem] | UnsetType = UNSET


def _each(*structs: type) -> Meta:
    """Say that each item is one of these: Structs without tags cannot be told so otherwise."""
    refs = [{"$ref": REF.format(name=struct.__name__)} for struct in structs]
    return Meta(extra_json_schema={"items": {"anyOf": refs}})


class BatchPublished(msgspec.Struct, forbid_unknown_fields=True):
    """What became of each CloudEvent of a batch, in its order."""

    topic: str
    published: Number
    events: Annotated[list[Any], _each(Placed, ProblemDetails)]
    failed: Positive | UnsetType = UNSET


class BatchQueued(msgspec.Struct, forbid_unknown_fields=True):
    """So many CloudEvents are in the producer's queue; no more will be said of them."""

    topic: str
    accepted: Positive
    durability: Accepted
    events: Annotated[list[Any], _each(Queued, ProblemDetails)]
    failed: Positive | UnsetType = UNSET


INDIRECT = (Placed, Queued)
"""Components that only other components name."""


class RestProxyError(msgspec.Struct, forbid_unknown_fields=True):
    """Why a request was not carried out, as Confluent's REST Proxy says it."""

    error_code: int
    message: str


class HealthAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The process lives."""

    status: Literal["alive"]


class ReadyAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Kafka answers, and every partition of the topic has a leader."""

    status: Literal["ready"]
    topic: str


class SchemaPut(msgspec.Struct, forbid_unknown_fields=True):
    """A topic's schema, by its ETag."""

    topic: str
    etag: str


class SchemaList(msgspec.Struct, forbid_unknown_fields=True):
    """The topics that have a schema, and how one may change."""

    compatibility: str
    schemas: list[SchemaPut]
