"""Requests to events and receipts to answers; pure.

A format turns a request's body into the values of events. `format_of` chooses it by media type.
"""

from __future__ import annotations

from enum import Enum


class Format(Enum):
    """How a request's body carries events."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    RAW = "*/*"


_BY_TYPE = {
    b"application/json": Format.JSON,
    b"application/x-ndjson": Format.NDJSON,
    b"application/ndjson": Format.NDJSON,
    b"application/jsonl": Format.NDJSON,
}


def format_of(content_type: bytes) -> Format:
    """Choose by a Content-Type header's value; parameters are ignored, unknown types are raw."""
    return _BY_TYPE.get(content_type.partition(b";")[0].strip().lower(), Format.RAW)
