"""Pages of other web origins: which may call the gateway; pure.

Rules of the Fetch standard (https://fetch.spec.whatwg.org/#http-cors-protocol). Callers show who
they are in a header that a page sets itself, so `Access-Control-Allow-Credentials` is never sent,
and cookies mean nothing here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eventstream.errors import InvalidSetting
from eventstream.gateway.answers import Answer, Fields, problem_answer
from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
_METHODS = b"GET, POST, DELETE, PUT"
_REQUEST_HEADERS = (
    b"Authorization, Content-Encoding, Content-Type, Event-Key, Idempotency-Key, Last-Event-ID,"
    b" Prefer, Traceparent, Tracestate, X-Api-Key"
)
_ANSWER_HEADERS = (
    b"Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"
)
_CACHED_S = 600
_VARY = (b"vary", b"origin")
_ASKED_HEADER = re.compile(rb"[a-z0-9-]+")
_CLOUDEVENT_HEADER = b"ce-"


class Cors:
    """Knows which origins may call.

    Args:
        origins: Scheme, host and port as browsers write them (`https://app.example.com`); no
            wildcard: each origin is named.

    Raises:
        InvalidSetting: One of them is no origin.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise InvalidSetting(
                    f"--cors-origins {origin!r} is no origin: write scheme, host and port as"
                    " browsers do, in lower case and with nothing behind, https://app.example.com."
                )
        self._origins = frozenset(origin.encode() for origin in origins)

    def fields(self, origin: bytes) -> Fields:
        """Give the header fields that every answer to a request carries beside its own.

        Args:
            origin: The request's `Origin`; empty when it has none.
        """
        if origin in self._origins:
            return (
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _ANSWER_HEADERS),
                _VARY,
            )
        return (_VARY,) if self._origins else ()

    def refusal(self, origin: bytes, host: bytes) -> Problem | None:
        """Refuse a request that a page of another origin makes in its visitor's name.

        A browser sends some requests without asking first (a form's POST, `text/plain`), and hides
        only the answer from the page. A gateway on a developer's own machine would take them.

        Args:
            origin: The request's `Origin`; only browsers send one.
            host: The request's `Host`: pages of the gateway's own may always call it.
        """
        if not origin or origin in self._origins:
            return None
        scheme, _, own = origin.partition(b"://")
        if own and own == host.lower() and scheme in {b"http", b"https"}:
            return None
        return self._not_allowed()

    def _not_allowed(self) -> Problem:
        return Problem(
            403,
            "origin-not-allowed",
            "Pages of this origin may not call the gateway; name it with --cors-origins.",
            fields=self.fields(b""),
        )

    def preflight(self, origin: bytes, method: bytes, headers: bytes) -> Answer | None:
        """Answer the question that a browser asks before a page's request.

        Args:
            origin: The `Origin` of an OPTIONS request.
            method: Its `Access-Control-Request-Method`; empty when it has none.
            headers: Its `Access-Control-Request-Headers`.

        Returns:
            The answer; `None` when the request is not such a question.
        """
        if not (origin and method):
            return None
        if origin not in self._origins:
            return problem_answer(self._not_allowed())
        asked = [name.strip().lower() for name in headers.split(b",")]
        events = [
            name
            for name in asked
            if name.startswith(_CLOUDEVENT_HEADER) and _ASKED_HEADER.fullmatch(name)
        ]
        return Answer(
            204,
            (
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", b", ".join([_REQUEST_HEADERS, *events])),
                (b"access-control-max-age", b"%d" % _CACHED_S),
                (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
            ),
            b"",
        )
