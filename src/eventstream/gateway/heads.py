"""Request heads of the fast lane: read once, remembered while clients repeat them.

A client on a kept connection sends the same head over and over; only Content-Length and a key
change. Reading a head is a pure function of its bytes, so one that was read before is looked up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import httptools

from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.routes import PUBLISH, Route, route

_FIRST_BYTES = b"POST " + PUBLISH
_NOT_HERE = frozenset({b"transfer-encoding", b"expect", b"upgrade"})
_REMEMBERED = 1024


class Head(NamedTuple):
    """A publish request's head.

    Attributes:
        route: Where its events go, or why they can't.
        size: The head's own length, in bytes.
        content_length: The length of the body that follows, in bytes.
        keep_alive: Whether the client wants the connection kept.
    """

    route: Route | Problem
    size: int
    content_length: int
    keep_alive: bool


class Heads:
    """Reads request heads.

    Args:
        default_topic: The topic of `POST /publish`.
    """

    def __init__(self, default_topic: str) -> None:
        self._default_topic = default_topic
        self._known: dict[bytes, Head] = {}

    def read(self, text: bytes) -> Head | None:
        """Read a head, from the request line to the empty line, both included.

        Returns:
            The head, or `None` when the request is not one for the fast lane: not a publish, not
            HTTP/1.1, with a chunked body or an expectation, or malformed.
        """
        head = self._known.get(text)
        if head is not None:
            return head
        head = self._parse(text)
        if head is not None and isinstance(head.route, Route) and head.route.key is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = head
        return head

    def _parse(self, text: bytes) -> Head | None:
        if not text.startswith(_FIRST_BYTES):
            return None
        request = _Request()
        parser: Any = httptools.HttpRequestParser(request)
        try:
            parser.feed_data(text)
            target: Any = httptools.parse_url(request.target)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        path = target.path
        beyond = path[len(PUBLISH) :]
        if (
            not request.complete
            or parser.get_http_version() != "1.1"
            or target.host is not None
            or not (beyond == b"" or (beyond.startswith(b"/") and b"/" not in beyond[1:]))
        ):
            return None
        length = 0
        for name, value in request.headers:
            if name in _NOT_HERE:
                return None
            if name == b"content-length":
                length = int(value)
        try:
            where: Route | Problem = route(
                path, target.query or b"", request.headers, self._default_topic
            )
        except Rejected as rejected:
            where = rejected.problem
        return Head(where, len(text), length, parser.should_keep_alive())


class _Request:
    """What the parser reports of one head."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True
