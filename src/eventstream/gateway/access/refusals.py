"""What a caller is told who may not do what he asked for; pure.

`WWW-Authenticate` and its error codes are those of RFC 6750, section 3. A challenge never holds
what the request said: there are few of them, and no text of a caller's gets into a header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eventstream.gateway.problems import Problem

if TYPE_CHECKING:
    from eventstream.gateway.access.rates import Bucket

_REALM = b'Bearer realm="eventstream"'


def _challenge(error: bytes = b"", description: str = "") -> tuple[tuple[bytes, bytes], ...]:
    if not error:
        return ((b"www-authenticate", _REALM),)
    text = b'%b, error="%b", error_description="%b"' % (_REALM, error, description.encode())
    return ((b"www-authenticate", text),)


NO_CREDENTIAL: Final = Problem(
    401,
    "not-authenticated",
    "The request does not say who sends it; give an API key or a token as Authorization: Bearer.",
    fields=_challenge(),
)
SEVERAL_CREDENTIALS: Final = Problem(
    400,
    "several-credentials",
    "The request has more than one credential; give one, as Authorization or as X-Api-Key.",
    fields=_challenge(b"invalid_request", "more than one credential"),
)
RESOLVE: Final = Problem(
    503,
    "signing-keys-unavailable",
    "The token cannot be checked yet: the keys that tokens are signed with are being fetched; try"
    " again.",
    retry_after_s=1,
)
"""Stands for "ask again when `Access.resolve` has called back"; told apart by identity."""
CANNOT_CHECK: Final = Problem(
    503,
    "signing-keys-unavailable",
    "The token cannot be checked now: the keys that tokens are signed with cannot be fetched; try"
    " again.",
    retry_after_s=10,
)


def invalid(reason: str) -> Problem:
    """Refuse a credential; the reason is one of few."""
    return Problem(
        401,
        "not-authenticated",
        f"The credential is refused: {reason}; give a valid API key or token.",
        fields=_challenge(b"invalid_token", reason),
    )


def not_allowed(name: str, what: str, topic: str) -> Problem:
    """Refuse a topic to a caller who is known."""
    return Problem(
        403,
        "topic-not-allowed",
        f"{name} may not {what} topic {topic!r}; ask whoever gives out keys for it.",
        fields=_challenge(b"insufficient_scope", "the topic is not among those allowed"),
    )


def over_rate(name: str, bucket: Bucket) -> Problem:
    """Refuse events beyond a caller's rate, after the bucket did."""
    rate = bucket.rate
    return Problem(
        429,
        "quota-exceeded",
        f"{name} sends more than {rate.events_per_s:g} events per second, or {rate.burst:g} at"
        " once, to this process of the gateway; come back later.",
        retry_after_s=bucket.retry_after_s,
        fields=bucket.fields(),
    )
