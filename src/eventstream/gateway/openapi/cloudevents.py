"""CloudEvents in the JSON event format, described; pure.

Source: CloudEvents 1.0.2, its JSON event format, sections 2 to 4.
"""

from __future__ import annotations

from typing import Any

from eventstream.gateway.openapi.answers import REF

# Control characters and noncharacters are not for strings (CloudEvents, Type System).
_TEXT = "[^\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]"
_STRING: dict[str, Any] = {"type": "string", "pattern": f"^{_TEXT}+$"}
_OPTIONAL = {**_STRING, "type": ["string", "null"]}
_WORD = "[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"
_PARAMETER = f'{_WORD}=({_WORD}|"([ !#-\\[\\]-~]|\\\\[ -~])*")'
_MEDIA_TYPE = f"^{_WORD}/{_WORD}( *;( *{_PARAMETER})?)* *$"
_IS_JSON = r"^[^/;]+/([^;]*\+)?[jJ][sS][oO][nN] *(;.*)?$"
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

CLOUDEVENT: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvent. Members of other names are extension attributes; one"
    " that is null is not there.",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": _STRING,
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "type": _STRING,
        "subject": _OPTIONAL,
        "time": {"type": ["string", "null"], "format": "date-time"},
        "datacontenttype": {"type": ["string", "null"], "pattern": _MEDIA_TYPE},
        "dataschema": {"type": ["string", "null"], "format": "uri", "pattern": "^[^#]*$"},
        "partitionkey": _OPTIONAL,
        "data": {},
        "data_base64": {"type": ["string", "null"], "pattern": _BASE64},
    },
    "not": {
        "required": ["data", "data_base64"],
        "properties": {"data_base64": {"type": "string"}},
    },
    "if": {
        "required": ["datacontenttype"],
        "properties": {"datacontenttype": {"type": "string", "not": {"pattern": _IS_JSON}}},
    },
    "then": {
        "description": "Data that is not JSON is a string, or in data_base64.",
        "properties": {"data": {"type": "string"}},
    },
    "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "string", "pattern": f"^{_TEXT}*$"},
            {"type": "boolean"},
            {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
            {"type": "null"},
        ]
    },
}
EVENT: dict[str, Any] = {"$ref": REF.format(name="CloudEvent")}
"""One event."""

BATCH: dict[str, Any] = {"type": "array", "items": EVENT}
"""Any number of them."""

EXAMPLE = {
    "specversion": "1.0",
    "id": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    "source": "/orders",
    "type": "com.example.order.created",
    "time": "2026-01-31T12:00:00Z",
    "partitionkey": "c-7",
    "data": {"id": 17, "total": 12.5},
}
