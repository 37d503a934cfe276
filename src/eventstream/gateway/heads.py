"""Request heads of the fast lane: read once, remembered while clients repeat them.

A client on a kept connection sends the same head over and over; only Content-Length and a key
change. Reading a head is a pure function of its bytes, so one that was read before is looked up;
one with a key is looked up by what stands around the key.
"""

from __future__ import annotations

import re
from typing import Any, cast

import httptools
import msgspec

from eventstream.gateway.framing import refusal
from eventstream.gateway.routes import Refused, Route
from eventstream.gateway.targets.reading import FIRST_BYTES, Targets

_NOT_HERE = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"origin"})
_ONCE = frozenset({b"idempotency-key", b"traceparent"})
_OF_EVENT = b"ce-"
_REMEMBERED = 1024
_KEY_FIELDS = (b"\r\nEvent-Key: ", b"\r\nevent-key: ")
_PLAIN_KEY = re.compile(rb"[!-~]+").fullmatch


class Head(msgspec.Struct, frozen=True, gc=False):
    """A publish request's head.

    Attributes:
        route: Where its events go, or why they can't.
        size: The head's own length, in bytes.
        content_length: The length of the body that follows, in bytes.
        keep_alive: Whether the client wants the connection kept.
    """

    route: Route | Refused
    size: int
    content_length: int
    keep_alive: bool


class Heads:
    """Reads request heads.

    Args:
        targets: Reads what a head says of its events.
    """

    def __init__(self, targets: Targets) -> None:
        self._read_target = targets.read
        self._known: dict[bytes, Head] = {}
        self._around_key: dict[bytes, Head] = {}

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
                return _with_key(head, key, len(text))
        head, repeats = self._parse(text)
        if head is not None and repeats:
            if (
                cut is not None
                and cast("Route", head.route).key == cut[1]
                and _names_one_key(cut[0])
            ):
                _remember(self._around_key, cut[0], head)
            elif cut is None:
                _remember(self._known, text, head)
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


def _remember(heads: dict[bytes, Head], text: bytes, head: Head) -> None:
    if len(heads) >= _REMEMBERED:
        heads.clear()
    heads[text] = head


def _with_key(head: Head, key: bytes, size: int) -> Head:
    route = msgspec.structs.replace(cast("Route", head.route), key=key)
    return Head(route, size, head.content_length, head.keep_alive)


def _cut_key(text: bytes) -> tuple[bytes, bytes] | None:
    """Cut a key's value out of a head: what is around it, and the key."""
    for field in _KEY_FIELDS:
        start = text.find(field)
        if start >= 0:
            start += len(field)
            end = text.index(b"\r\n", start)
            key = text[start:end]
            return (text[:start] + text[end:], key) if _PLAIN_KEY(key) else None
    return None


def _names_one_key(around: bytes) -> bool:
    """Whether a head has its key in that one header alone, so that any key may stand there."""
    return around.lower().count(b"\r\nevent-key:") == 1 and b"?" not in around.split(b"\r\n", 1)[0]


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
