"""How a request says who its caller is; pure."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from eventstream.gateway.access.keys import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

SEVERAL = b"\0several"
"""The credential of a request that has more than one."""
_KEY_SCHEME = b"X-Api-Key "
_LONGEST = 8192


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Find a request's credential: `Authorization`, or a key alone in `X-Api-Key`.

    Two of them are refused, lest a proxy in front believes one and the gateway the other (RFC 6750,
    section 2: a client must not use more than one method).

    Args:
        headers: Names in lower case, and values.

    Returns:
        What `Access` is asked with; empty when the request has none.
    """
    found = b""
    for name, value in headers:
        if name == b"authorization":
            given = value.strip()
        elif name == b"x-api-key":
            given = _KEY_SCHEME + value.strip()
        else:
            continue
        if found:
            return SEVERAL
        found = given or _KEY_SCHEME
    return found


def secret_in(credential: bytes) -> str | None:
    """Take the key's secret, or the token, out of a credential.

    `Bearer` (RFC 6750) carries either. `Basic` (RFC 7617), which REST Proxy clients send, carries a
    key: its name as the user, its secret as the password.

    Returns:
        The secret; `None` when the credential carries none that could be one.
    """
    scheme, _, rest = credential.partition(b" ")
    scheme = scheme.lower()
    if len(rest) > _LONGEST or not rest.isascii():
        return None
    if scheme in {b"bearer", b"x-api-key"}:
        return rest.decode("ascii") or None
    if scheme == b"basic":
        return _password(rest)
    return None


def _password(text: bytes) -> str | None:
    try:
        user, separator, password = base64.b64decode(text, validate=True).partition(b":")
        secret = password.decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return secret if separator and secret.startswith(f"{PREFIX}{user.decode('latin-1')}_") else None
