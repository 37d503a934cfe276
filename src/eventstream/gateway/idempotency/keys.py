"""The Idempotency-Key field, and what makes two requests the same; pure.

Source: draft-ietf-httpapi-idempotency-key-header-07, sections 2.1 (syntax) and 2.4 (fingerprint).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELD = b"idempotency-key"
MAX_LENGTH = 255

_STRING = rb'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
_BARE_ITEM = (
    rb"(?:"
    + _STRING
    + rb"|-?[0-9]{1,15}(?:\.[0-9]{1,3})?|[A-Za-z*][\w!#$%&'*+.^`|~:/-]*"
    + rb"|:[A-Za-z0-9+/=]*:|\?[01])"
)
_ITEM = re.compile(rb" *(" + _STRING + rb")(?:; *[a-z*][a-z0-9_.*-]*(?:=" + _BARE_ITEM + rb")?)* *")
_RAW = re.compile(rb" *([!#-+\--:<-\[\]-~]+) *")
_ESCAPED = re.compile(rb"\\(.)")


def parse_key(values: Sequence[bytes]) -> bytes:
    r"""Read the Idempotency-Key field.

    It is a Structured Field Item whose value is a String (RFC 8941, section 3.3.3), such as
    `"8e03978e-40d5-43e8-bc93-6894a57f9324"`; parameters are read over, as that section's parser
    does. Many clients send the key without quotes: visible characters but `"`, `,`, `;` and `\` are
    taken as they are, and mean the same as quoted.

    Args:
        values: The values of all field lines of that name; at least one.

    Returns:
        The key, 1 to 255 ASCII characters.

    Raises:
        Rejected: The field is malformed: 400.
    """
    if len(values) > 1:
        raise _malformed("the request has it more than once")
    (value,) = values
    if quoted := _ITEM.fullmatch(value):
        key = _ESCAPED.sub(rb"\1", quoted[1][1:-1])
    elif raw := _RAW.fullmatch(value):
        key = raw[1]
    else:
        raise _malformed("it is neither a quoted string nor a word of visible ASCII characters")
    if not key:
        raise _malformed("it is empty")
    if len(key) > MAX_LENGTH:
        raise _malformed(f"it has {len(key)} characters, and {MAX_LENGTH} is the most")
    return key


def quote(key: bytes) -> bytes:
    """Write a key as a Structured Field String (RFC 8941, section 4.1.6)."""
    return b'"' + key.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def scoped_id(caller: str, topic: str, route: str, key: bytes) -> bytes:
    """Return the 32 bytes a key is stored under: another caller's or topic's key is another.

    Args:
        caller: The access id, or empty where nobody is asked who he is.
        topic: Where the events go.
        route: Which of the gateway's routes was called.
        key: What `parse_key` gave.
    """
    return _digest((caller.encode(), topic.encode(), route.encode(), key))


def fingerprint(*parts: bytes) -> bytes:
    """Return 32 bytes that tell requests apart: SHA-256 of all that decides what is written.

    Args:
        *parts: Method and target, content type, headers that decide keys, the body. Their borders
            count: `(b"ab", b"c")` is not `(b"a", b"bc")`.
    """
    return _digest(parts)


def _digest(parts: Sequence[bytes]) -> bytes:
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _malformed(reason: str) -> Rejected:
    return Rejected(
        Problem(
            400,
            "invalid-idempotency-key",
            f"The Idempotency-Key field is malformed: {reason}. Send one string in double quotes,"
            ' such as "8e03978e-40d5-43e8-bc93-6894a57f9324".',
        )
    )
