"""The whole description, made once when the gateway starts; pure.

Source: OpenAPI specification 3.1.1 (https://spec.openapis.org/oas/v3.1.1).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from eventstream.gateway.openapi import (
    condition,
    event_streams,
    metadata_v2,
    metadata_v3,
    publishing,
    records_v2,
    records_v3,
    topic_schemas,
)
from eventstream.gateway.openapi.answers import INDIRECT, REF
from eventstream.gateway.openapi.cloudevents import CLOUDEVENT
from eventstream.gateway.openapi.fields import FIELDS, OF_REFUSALS
from eventstream.gateway.openapi.refusals import DETAILS, EVERY_BODY, EVERY_REQUEST, PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from eventstream.gateway.openapi.operations import (
        Content,
        Manner,
        Operation,
        Parameter,
        Reply,
        Schema,
    )

_SECURITY: dict[str, dict[str, str]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a JSON Web Token (RFC 6750).",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "An API key.",
    },
    "login": {
        "type": "http",
        "scheme": "basic",
        "description": "An API key: its name as the user, itself as the password (RFC 7617).",
    },
}
_ABOUT = (
    "Events in, over HTTP, to topics of Apache Kafka. A 200 to a publish request says that the"
    " event is acknowledged by all in-sync replicas, and where it stands. Problems of a request"
    " are told as problem details (RFC 9457), by the REST Proxy's routes as its `error_code` and"
    " `message`."
)


def operations(default_topic: str, *, known_callers: bool) -> tuple[Operation, ...]:
    """List every operation.

    Args:
        default_topic: The topic of `POST /publish`; examples name it where a topic is needed.
        known_callers: Whether requests need a credential.
    """
    found = (
        *publishing.operations(default_topic),
        *records_v2.operations(default_topic),
        *records_v3.operations(default_topic),
        *metadata_v2.operations(default_topic),
        *metadata_v3.operations(default_topic),
        *event_streams.operations(default_topic),
        *topic_schemas.operations(default_topic),
        *condition.OPERATIONS,
    )
    return found if known_callers else tuple(each._replace(callers=()) for each in found)


def describe(version: str, default_topic: str, *, known_callers: bool) -> bytes:
    """Write the description.

    Args:
        version: The gateway's.
        default_topic: The topic of `POST /publish`.
        known_callers: Whether requests need a credential.
    """
    found = operations(default_topic, known_callers=known_callers)
    shared = SharedResponses()
    paths = _paths(found, shared, known_callers=known_callers)
    components: dict[str, Any] = {"schemas": _components(found), "responses": shared.responses}
    if known_callers:
        components["securitySchemes"] = _SECURITY
    described: dict[str, Any] = {
        "openapi": "3.1.1",
        "info": {"title": "eventstream", "version": version, "description": _ABOUT},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }
    return msgspec.json.encode(described)


def _components(found: Iterable[Operation]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(dict.fromkeys(_structs(found)), ref_template=REF)
    return {**components, "CloudEvent": CLOUDEVENT}


def _structs(found: Iterable[Operation]) -> Iterator[type]:
    yield from (DETAILS.schema, *INDIRECT)
    for operation in found:
        yield operation.manner.schema
        for content in (operation.body, *(reply.content for reply in operation.replies)):
            for one in content.values():
                if isinstance(one.schema, tuple):
                    yield from one.schema
                elif isinstance(one.schema, type):
                    yield one.schema


class SharedResponses:
    """Keeps answers that several operations have under a name.

    Attributes:
        responses: Each of them once, by its name.
    """

    def __init__(self) -> None:
        self.responses: dict[str, Any] = {}
        self._names: dict[bytes, str] = {}

    def reference(self, status: str, response: dict[str, Any]) -> dict[str, Any]:
        """Stand for a response by its name."""
        text = msgspec.json.encode(response)
        name = self._names.get(text)
        if name is None:
            name = f"Refusal{status}_{len(self._names) + 1}"
            self._names[text] = name
            self.responses[name] = response
        return {"$ref": f"#/components/responses/{name}"}


def _paths(
    found: Iterable[Operation], shared: SharedResponses, *, known_callers: bool
) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in found:
        described = _operation(operation, shared)
        if known_callers:
            described["security"] = [{name: []} for name in _SECURITY] if operation.callers else []
        paths.setdefault(operation.path, {})[operation.method] = described
    return paths


def _operation(operation: Operation, shared: SharedResponses) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
    }
    if operation.parameters:
        described["parameters"] = [_parameter(each) for each in operation.parameters]
    if operation.body:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    described["responses"] = _responses(operation, shared)
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.within,
        "description": parameter.description,
        "schema": parameter.schema,
    }
    if parameter.within == "path":
        described["required"] = True
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _responses(operation: Operation, shared: SharedResponses) -> dict[str, Any]:
    responses = {str(reply.status): _reply(reply) for reply in operation.replies}
    for status, refused in _refusals(operation).items():
        at_once = responses.get(str(status))
        if at_once is not None:  # the REST Proxy has answers whose status is that of a refusal
            refused["content"] = _either(at_once["content"], refused["content"])
        responses[str(status)] = shared.reference(str(status), refused)
    return dict(sorted(responses.items()))


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = dict(other)
    for media_type, content in one.items():
        schemas = [each["schema"] for each in (content, other.get(media_type)) if each]
        merged[media_type] = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    return merged


def _reply(reply: Reply) -> dict[str, Any]:
    described: dict[str, Any] = {"description": reply.description}
    if reply.fields:
        described["headers"] = _fields(reply.fields)
    if reply.content:
        described["content"] = _content(reply.content)
    if reply.links:
        described["links"] = {
            name: {"operationId": target, "parameters": dict(parameters)}
            for name, (target, parameters) in reply.links.items()
        }
    return described


def _fields(fields: Mapping[str, bool]) -> dict[str, Any]:
    described = {}
    for name, always in fields.items():
        schema, description = FIELDS[name]
        described[name] = {"description": description, "schema": schema, "required": always}
    return described


def _content(content: Mapping[str, Content]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for media_type, one in content.items():
        described[media_type] = {"schema": _schema(one.schema)}
        if one.examples:
            described[media_type]["examples"] = {
                name: {"value": value} for name, value in one.examples.items()
            }
    return described


def _schema(schema: Schema) -> dict[str, Any]:
    if isinstance(schema, tuple):
        return {"anyOf": [_schema(each) for each in schema]}
    if isinstance(schema, type):
        return {"$ref": REF.format(name=schema.__name__)}
    return schema


def _refusals(operation: Operation) -> dict[int, dict[str, Any]]:
    """Describe by status what the request can be refused for, in the family's manner and ours."""
    of_gateway = (*EVERY_REQUEST, *(EVERY_BODY if operation.body else ()))
    told: dict[int, dict[str, list[str]]] = {}
    for manner, names in (
        (DETAILS, of_gateway),
        (operation.manner, (*operation.callers, *operation.problems)),
    ):
        for name in names:
            for status in PROBLEMS[name].statuses:
                told.setdefault(status, {}).setdefault(manner.media_type, []).append(name)
    manners = {each.media_type: each for each in (DETAILS, operation.manner)}
    return {status: _refusal(status, by_type, manners) for status, by_type in told.items()}


def _refusal(
    status: int, by_type: dict[str, list[str]], manners: dict[str, Manner]
) -> dict[str, Any]:
    names = sorted({name for each in by_type.values() for name in each})
    described: dict[str, Any] = {
        "description": "\n".join(
            [f"{HTTPStatus(status).phrase}:", "", *(f"- `{n}`: {PROBLEMS[n].text}" for n in names)]
        )
    }
    if status in OF_REFUSALS:
        described["headers"] = _fields(OF_REFUSALS[status])
    described["content"] = {
        media_type: {"schema": _problem(manners[media_type], status, found)}
        for media_type, found in by_type.items()
    }
    return described


def _problem(manner: Manner, status: int, names: Iterable[str]) -> dict[str, Any]:
    told = sorted({manner.calls(status, name) for name in names}, key=str)
    return {
        "allOf": [
            {"$ref": REF.format(name=manner.schema.__name__)},
            {"properties": {manner.member: {"enum": told}}},
        ]
    }
