"""Which format a native request is in; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.formats.json_event import JSON
from eventstream.gateway.formats.ndjson import NDJSON
from eventstream.gateway.formats.raw import RAW

if TYPE_CHECKING:
    from eventstream.gateway.formats.contract import Format

_BY_TYPE: dict[bytes, Format] = {
    b"application/json": JSON,
    b"application/x-ndjson": NDJSON,
    b"application/ndjson": NDJSON,
    b"application/jsonl": NDJSON,
}


def format_of(content_type: bytes) -> Format:
    """Choose by a Content-Type header's value; parameters are ignored, unknown types are raw."""
    return _BY_TYPE.get(content_type.partition(b";")[0].strip().lower(), RAW)
