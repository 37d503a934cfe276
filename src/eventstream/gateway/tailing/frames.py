"""Events and notices to the bytes of an event stream; pure.

The format is that of the HTML standard, section 9.2.6 ("Interpreting an event stream"): lines end
with a line feed, and a blank line ends an event. A block without `data` dispatches nothing, but
its `id` counts: so a client's position moves on even when it receives no event.

Every frame begins with its `id` line, which can be exchanged without a look at the rest.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from eventstream.gateway.formats import json_event

if TYPE_CHECKING:
    from eventstream.events import Event, Headers

CONTENT_TYPE = b"text/event-stream; charset=utf-8"

_encode = msgspec.json.Encoder().encode
_compact = msgspec.json.format


def hello(retry_ms: int) -> bytes:
    """Tell the client how long to wait before it connects again."""
    return b"retry: %d\n\n" % retry_ms


def heartbeat(event_id: bytes) -> bytes:
    """Say that the stream lives, and where its reader stands by now."""
    return b"id: %b\n: alive\n\n" % event_id


def notice(name: str, event_id: bytes | None, data: dict[str, Any]) -> bytes:
    """Tell the client something about its stream, as an event of another name."""
    id_line = b"" if event_id is None else b"id: %b\n" % event_id
    return b"%bevent: %b\ndata: %b\n\n" % (id_line, name.encode(), _encode(data))


def with_id(frame: bytes, event_id: bytes) -> bytes:
    """Exchange the id of a frame that begins with one."""
    return b"id: %b%b" % (event_id, frame[frame.index(b"\n") :])


def first(chunk: bytes, events: int) -> tuple[bytes, bytes]:
    """Take so many events off the front of whole frames, and the id of the last one.

    Notices among them do not count.

    Args:
        chunk: The frames; there are as many events in them, at least.
        events: How many; at least one.
    """
    start = end = 0
    while events:
        start = end
        end = chunk.index(b"\n\n", start) + 2
        events -= chunk.startswith(b"data: ", chunk.index(b"\n", start) + 1)
    return chunk[:end], chunk[start + len(b"id: ") : chunk.index(b"\n", start)]


def data_of(event: Event) -> bytes:
    """Write the JSON object that stands for an event, on one line.

    A key, a value or a header's value that cannot stand in it as it is goes in base64 under
    `key_base64`, `value_base64`. A value stands as the JSON it is: a text that is not JSON is not
    to be mistaken for a JSON string.
    """
    return b'{"topic":"%b","partition":%d,"offset":%d,"timestamp_ms":%d,%b,"headers":%b,%b}' % (
        event.topic.encode(),
        event.partition,
        event.offset,
        event.timestamp_ms,
        _text(b"key", event.key),
        _headers(event.headers),
        _value(event.value),
    )


def _headers(headers: Headers) -> bytes:
    if not headers:
        return b"[]"
    return b"[%b]" % b",".join(
        b'{"name":%b,%b}' % (_encode(name), _text(b"value", value)) for name, value in headers
    )


def _text(name: bytes, data: bytes | None) -> bytes:
    if data is None:
        return b'"%b":null' % name
    try:
        return b'"%b":%b' % (name, _encode(data.decode()))
    except UnicodeDecodeError:
        return _in_base64(name, data)


def _value(data: bytes | None) -> bytes:
    if data is None:
        return b'"value":null'
    if json_event.check(data) is not None:
        return _in_base64(b"value", data)
    if b"\n" in data or b"\r" in data:
        # JSON has line ends between its tokens only, and an event stream none in its data.
        data = _compact(data, indent=-1)
    return b'"value":%b' % data


def _in_base64(name: bytes, data: bytes) -> bytes:
    return b'"%b_base64":"%b"' % (name, base64.b64encode(data))
