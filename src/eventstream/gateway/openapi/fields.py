"""Header fields of answers; pure."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 1}

FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "Accept-Encoding": (_TEXT, "The codings a body can have (RFC 9110, section 12.5.3)."),
    "Cache-Control": (_TEXT, "The answer is not to be stored."),
    "ETag": (
        {"type": "string", "pattern": '^"[!-~]+"$'},
        "Names the schema as it is now (RFC 9110, section 8.8.3).",
    ),
    "Idempotency-Scope": (
        {"type": "string", "const": "process"},
        "Keys are remembered by this process only.",
    ),
    "Idempotent-Replayed": (
        {"type": "string", "const": "true"},
        "The answer is the one that the first request with this key got.",
    ),
    "Preference-Applied": (
        {"type": "string", "const": "respond-async"},
        "The acknowledgement was not waited for (RFC 7240, section 3).",
    ),
    "RateLimit": (_TEXT, "What is left of the caller's rate."),
    "RateLimit-Policy": (_TEXT, "The caller's rate."),
    "Retry-After": (_SECONDS, "When to come back, in seconds."),
    "WWW-Authenticate": (_TEXT, "How to say who is calling (RFC 6750, section 3)."),
}

OF_REFUSALS: dict[int, dict[str, bool]] = {
    400: {"WWW-Authenticate": False},
    401: {"WWW-Authenticate": True},
    403: {"WWW-Authenticate": False},
    409: {"Retry-After": False},
    415: {"Accept-Encoding": False},
    429: {"Retry-After": True, "RateLimit": True, "RateLimit-Policy": True},
    503: {"Retry-After": False},
}
"""Which fields the refusals of a status have, each with whether it is always there."""
