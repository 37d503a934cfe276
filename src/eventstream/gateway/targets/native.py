"""`/publish` and `/publish/{topic}`: what the query and the headers ask for; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from eventstream import pointer
from eventstream.gateway.formats import cloudevents
from eventstream.gateway.formats.json_event import JSON
from eventstream.gateway.formats.media_types import format_of
from eventstream.gateway.formats.ndjson import NDJSON
from eventstream.gateway.formats.raw import RAW
from eventstream.gateway.formats.times import milliseconds
from eventstream.gateway.idempotency.keys import fingerprint, parse_key
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.routes import Route, Special
from eventstream.gateway.targets.names import query_value, topic_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eventstream.gateway.formats.contract import Format
    from eventstream.pointer import Pointer

    Found = Mapping[bytes, Sequence[bytes]]

PUBLISH = b"/publish"
_RECORD_HEADER = b"event-header-"
_READ = frozenset(
    {
        b"content-encoding",
        b"content-type",
        b"event-key",
        b"event-timestamp",
        b"idempotency-key",
        b"prefer",
        b"traceparent",
        b"tracestate",
    }
)
_IN_QUERY = frozenset({b"key", b"key-from", b"timestamp-from"})
_ENCODINGS = frozenset({b"gzip", b"zstd"})
_traceparent = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
).fullmatch


def native_route(
    path: bytes,
    query: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    default_topic: str,
    credential: bytes = b"",
) -> Route:
    """Read a native publish request's head.

    Args:
        path: The target's path, still percent-encoded; `/publish` or `/publish/{topic}`.
        query: The query without its question mark, still percent-encoded.
        headers: Names in lower case, and values.
        default_topic: The topic of `/publish`.
        credential: Who is calling.

    Raises:
        Rejected: Something in it is not acceptable.
    """
    fields: dict[bytes, list[bytes]] = {}
    record_headers: list[tuple[str, bytes | None]] = []
    for name, value in headers:
        if name in _READ:
            fields.setdefault(name, []).append(value)
        elif name.startswith(_RECORD_HEADER) and len(name) > len(_RECORD_HEADER):
            record_headers.append((name[len(_RECORD_HEADER) :].decode("latin-1"), value))
    asked = _asked(query) if query else {}
    key = _key(fields, asked)
    content_type = fields.get(b"content-type", (b"",))[0]
    format_ = cloudevents.format_of(content_type)
    if format_ is None:
        format_ = format_of(content_type)
        if cloudevents.is_binary(headers):
            format_ = JSON if format_ is JSON else RAW
            of_event, attributes = cloudevents.binary(headers)
            key = key or of_event
            record_headers = [*attributes, *record_headers]
    _names_once(record_headers)
    segment = path[len(PUBLISH) + 1 :]
    said = (path, query, content_type, *(value or b"" for _, value in record_headers))
    return Route(
        topic_of(segment) if segment else default_topic,
        format_,
        key,
        (*record_headers, *_trace(fields)),
        timestamp_ms=_timestamp(fields),
        credential=credential,
        special=_special(fields, asked, format_, said),
    )


def _names_once(headers: list[tuple[str, bytes | None]]) -> None:
    """Let no header of the client's own stand for an attribute of its CloudEvent."""
    for name, _ in headers[1:]:
        if (name.startswith("ce_") or name == "content-type") and _count(headers, name) > 1:
            _refuse(
                "invalid-header",
                f"Event-Header-{name} and the CloudEvent both give the record the header {name!r};"
                " leave one out.",
            )


def _count(headers: list[tuple[str, bytes | None]], name: str) -> int:
    return sum(other == name for other, _ in headers)


def _asked(query: bytes) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for pair in query.split(b"&"):
        name, _, text = pair.partition(b"=")
        if name in _IN_QUERY:
            value = query_value(text)
            if value is None:
                _refuse(
                    "invalid-key" if name == b"key" else f"invalid-{name.decode()}",
                    f"The {name.decode()} in the query has a % without two hexadecimal digits"
                    " after it; percent-encode it.",
                )
            found.setdefault(name, []).append(value)
    return found


def _key(fields: Found, asked: Found) -> bytes | None:
    keys = {*fields.get(b"event-key", ()), *asked.get(b"key", ())}
    if not keys:
        return None
    if len(keys) > 1 or b"key-from" in asked:
        _refuse(
            "invalid-key",
            "The request names more than one key; give one, in the Event-Key header or as ?key=,"
            " or a place in each event as ?key-from=.",
        )
    key = keys.pop()
    if not key:
        _refuse("invalid-key", "The key is empty; leave it out to publish without one.")
    return key


def _timestamp(fields: Found) -> int:
    times = fields.get(b"event-timestamp")
    if times is None:
        return 0
    time = milliseconds(times[0]) if len(times) == 1 else None
    if time is None:
        _refuse(
            "invalid-timestamp",
            "The Event-Timestamp header is no time; write one, as milliseconds since the epoch or"
            " as 2026-01-31T12:00:00Z.",
        )
    return time


def _trace(fields: Found) -> list[tuple[str, bytes]]:
    """Pass a trace on (W3C Trace Context, section 3.2); one that is malformed is left out."""
    parents = fields.get(b"traceparent", ())
    if len(parents) != 1 or not _traceparent(parents[0]):
        return []
    states = fields.get(b"tracestate")
    trace = [("traceparent", parents[0])]
    return [*trace, ("tracestate", b",".join(states))] if states else trace


def _special(
    fields: Found, asked: Found, format_: Format, said: tuple[bytes, ...]
) -> Special | None:
    keys = fields.get(b"idempotency-key")
    special = Special(
        _encoding(fields),
        _responds_async(fields),
        _place("key-from", asked, format_),
        _place("timestamp-from", asked, format_),
        parse_key(keys) if keys else b"",
        fingerprint(*said, *fields.get(b"event-key", ()), *fields.get(b"event-timestamp", ()))
        if keys
        else b"",
    )
    return None if special == _NOTHING else special


_NOTHING = Special()


def _encoding(fields: Found) -> bytes:
    """Read Content-Encoding (RFC 9110, section 8.4); `identity` says nothing."""
    named = b",".join(fields.get(b"content-encoding", ())).strip().lower()
    if named in {b"", b"identity"}:
        return b""
    encoding = b"gzip" if named == b"x-gzip" else named
    if encoding not in _ENCODINGS:
        raise Rejected(
            Problem(
                415,
                "unsupported-encoding",
                f"Content-Encoding {named[:100].decode('latin-1')!r} is not read here; send gzip,"
                " zstd or no encoding.",
                fields=((b"accept-encoding", b"gzip, zstd"),),
            )
        )
    return encoding


def _responds_async(fields: Found) -> bool:
    preferences = b",".join(fields.get(b"prefer", ())).lower().split(b",")
    return any(preference.split(b";")[0].strip() == b"respond-async" for preference in preferences)


def _place(name: str, asked: Found, format_: Format) -> Pointer | None:
    texts = asked.get(name.encode())
    if texts is None:
        return None
    place = pointer.parse(texts[0].decode("utf-8", "replace")) if len(texts) == 1 else None
    if place is None:
        _refuse(
            f"invalid-{name}",
            f"?{name}= has to be given once, as a JSON pointer such as /customer/id.",
        )
    if format_ is not JSON and format_ is not NDJSON:
        _refuse(
            f"invalid-{name}",
            f"?{name}= reads from JSON events; send application/json or application/x-ndjson.",
        )
    return place


def _refuse(name: str, detail: str) -> NoReturn:
    raise Rejected(Problem(400, name, detail))
