"""Request heads of the fast lane: read once, remembered while clients repeat them.

A client on a kept connection sends the same head over and over; only Content-Length and a key
change. Reading a head is a pure function of its bytes, so one that was read before is looked up;
one with a key is looked up by what stands around the key. Before that a connection compares what
comes with the head it had last (`Head.again`), which costs no hash.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import httptools
import msgspec
from msgspec.structs import replace

from eventstream.gateway.framing import refusal
from eventstream.gateway.routes import Refused, Route
from eventstream.gateway.targets.reading import FIRST_BYTES, Targets

_NOT_HERE = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"origin"})
_ONCE = frozenset({b"idempotency-key", b"traceparent"})
_OF_EVENT = b"ce-"
_REMEMBERED = 1024
_KEY_FIELDS = (b"\r\nEvent-Key: ", b"\r\nevent-key: ")
_PLAIN = bytes(range(ord("!"), ord("~") + 1))

_Around = tuple[bytes, bytes]
"""A head's bytes before its key and after it."""
_Known = TypeVar("_Known", bytes, _Around)


class Head(msgspec.Struct, frozen=True, gc=False):
    """A publish request's head.

    Attributes:
        route: Where its events go, or why they can't.
        size: The head's own length, in bytes.
        content_length: The length of the body that follows, in bytes.
        keep_alive: Whether the client wants the connection kept.
        before: Of a head that may come again, the bytes before its key; all if it has none.
        after: The bytes after its key.
    """

    route: Route | Refused
    size: int
    content_length: int
    keep_alive: bool
    before: bytes = b""
    after: bytes = b""

    def again(self, data: bytes, start: int) -> Head | None:
        """Read what begins at `start` if it is this head, with this key or another."""
        before, after = self.before, self.after
        if not before or not data.startswith(before, start):
            return None
        if not after:
            return self
        key_at = start + len(before)
        key_end = data.find(b"\r\n", key_at)
        if not data.startswith(after, key_end):
            return None
        key = data[key_at:key_end]
        if not key or key.strip(_PLAIN):
            return None
        return self.with_key(key, key_end + len(after) - start)

    def with_key(self, key: bytes, size: int) -> Head:
        """Make the head that has this key instead, and so this size."""
        route = replace(self.route, key=key)
        return Head(route, size, self.content_length, self.keep_alive, self.before, self.after)


class Heads:
    """Reads request heads.

    Args:
        targets: Reads what a head says of its events.
    """

    def __init__(self, targets: Targets) -> None:
        self._read_target = targets.read
        self._known: dict[bytes, Head] = {}
        self._around_key: dict[_Around, Head] = {}

    def read(self, text: bytes) -> Head | None:
        """Read a head, from the request line to the empty line, both included.

        Returns:
            The head, or `None` when the request is not one for the fast lane: not a publish, not
            HTTP/1.1, with a chunked body or an expectation, or malformed.
        """
        head = self._known.get(text)
        if head is not None:
            return head
        cut = _cut_key(text)
        if cut is not None:
            around, key = cut
            head = self._around_key.get(around)
            if head is not None:
                return head.with_key(key, len(text))
        head, repeats = self._parse(text)
        if head is None or not repeats:
            return head
        if cut is None:
            head = replace(head, before=text)
            _remember(self._known, text, head)
        elif cast("Route", head.route).key == key and _names_one_key(around):
            head = replace(head, before=around[0], after=around[1])
            _remember(self._around_key, around, head)
        return head

    def _parse(self, text: bytes) -> tuple[Head | None, bool]:
        """Read a head for the first time, and say whether its like may come again."""
        if not text.startswith(FIRST_BYTES):
            return None, False
        request = _Request()
        parser: Any = httptools.HttpRequestParser(request)
        request.parser = parser
        try:
            parser.feed_data(text)
            target: Any = httptools.parse_url(request.target)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None, False
        if (
            not request.complete
            or parser.get_http_version() != "1.1"
            or target.host is not None
            or not _NOT_HERE.isdisjoint(name for name, _ in request.headers)
            or refusal("1.1", request.target, request.headers) is not None
        ):
            return None, False
        route = self._read_target(target.path, target.query or b"", request.headers)
        if route is None:
            return None, False
        length = int(dict(request.headers).get(b"content-length", 0))
        repeats = isinstance(route, Route) and not any(
            name in _ONCE or name.startswith(_OF_EVENT) for name, _ in request.headers
        )
        return Head(route, len(text), length, request.keep_alive), repeats


def _remember(heads: dict[_Known, Head], text: _Known, head: Head) -> None:
    if len(heads) >= _REMEMBERED:
        heads.clear()
    heads[text] = head


def _cut_key(text: bytes) -> tuple[_Around, bytes] | None:
    """Cut a key's value out of a head: what is around it, and the key."""
    for field in _KEY_FIELDS:
        start = text.find(field)
        if start >= 0:
            start += len(field)
            end = text.index(b"\r\n", start)
            key = text[start:end]
            plain = key and not key.strip(_PLAIN)
            return ((text[:start], text[end:]), key) if plain else None
    return None


def _names_one_key(around: _Around) -> bool:
    """Whether a head has its key in that one header alone, so that any key may stand there."""
    text = b"".join(around)
    return text.lower().count(b"\r\nevent-key:") == 1 and b"?" not in text.split(b"\r\n", 1)[0]


class _Request:
    """What the parser reports of one head."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.keep_alive = False
        self.parser: Any = None

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True
        # Asked now: a request without a body is over a moment later, and the parser forgets it.
        self.keep_alive = self.parser.should_keep_alive()
