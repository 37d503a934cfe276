"""`/schemas`, described; pure."""

from __future__ import annotations

from eventstream.gateway.openapi.answers import SchemaList, SchemaPut
from eventstream.gateway.openapi.operations import Content, Operation, Parameter, Reply
from eventstream.gateway.openapi.parameters import topic
from eventstream.gateway.openapi.refusals import DETAILS, EVERY_USER

_TAG = "schemas"
_JSON = "application/json"
_SCHEMA_TYPE = "application/schema+json"
_PATH = "/schemas/{topic}"
_SCHEMA = Content(
    {"type": ["object", "boolean"], "description": "A JSON Schema, of draft 2020-12."},
    {"message": {"type": "object", "properties": {"message": {"type": "string"}}}},
)
_TAGS = {"type": "string"}
_IF_MATCH = Parameter(
    "If-Match", "header", _TAGS, "The ETag of the schema that is changed (RFC 9110, 13.1.1)."
)
_IF_NONE_MATCH = Parameter(
    "If-None-Match", "header", _TAGS, "`*` for a first schema only (RFC 9110, section 13.1.2)."
)
_FORCE = Parameter(
    "force",
    "query",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
    "Change it even where it is not compatible, and whichever is there.",
)
_CHANGING = (
    "incompatible-schema",
    "invalid-query",
    "invalid-topic",
    "no-schemas",
    "precondition-required",
    "schema-changed",
    "schemas-not-writable",
)
_TAGGED = {"ETag": True}


def operations(default_topic: str) -> tuple[Operation, ...]:
    """Describe the operations."""
    of_topic = topic(default_topic)
    put = {_JSON: Content(SchemaPut)}
    listing = Operation(
        "get",
        "/schemas",
        "schemas",
        _TAG,
        "List the topics that have a schema",
        "And how a schema may change.",
        (Reply(200, "The topics.", {_JSON: Content(SchemaList)}),),
        DETAILS,
        ("no-schemas",),
    )
    reading = Operation(
        "get",
        _PATH,
        "schema",
        _TAG,
        "Read a topic's schema",
        "As it was put.",
        (
            Reply(200, "The schema.", {_SCHEMA_TYPE: _SCHEMA}, _TAGGED),
            Reply(304, "It is the one that If-None-Match names.", fields=_TAGGED),
        ),
        DETAILS,
        ("invalid-topic", "no-schema", "no-schemas"),
        (of_topic, _IF_NONE_MATCH._replace(description="The ETag of a schema that is known.")),
        callers=EVERY_USER,
    )
    putting = Operation(
        "put",
        _PATH,
        "putSchema",
        _TAG,
        "Put a topic's schema",
        "From now on every event of the topic has to match. Those there already are not looked at.",
        (
            Reply(200, "It stands in place of another.", put, _TAGGED),
            Reply(201, "It is the topic's first.", put, _TAGGED),
        ),
        DETAILS,
        (*_CHANGING, "invalid-schema"),
        (of_topic, _IF_MATCH, _IF_NONE_MATCH, _FORCE),
        {_SCHEMA_TYPE: _SCHEMA},
        EVERY_USER,
    )
    deleting = Operation(
        "delete",
        _PATH,
        "deleteSchema",
        _TAG,
        "Remove a topic's schema",
        "From now on its events are not checked.",
        (Reply(204, "The topic has none any more."),),
        DETAILS,
        (*_CHANGING, "no-schema"),
        (of_topic, _IF_MATCH, _IF_NONE_MATCH, _FORCE),
        callers=EVERY_USER,
    )
    return listing, reading, putting, deleting
