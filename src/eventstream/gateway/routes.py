"""What the head of a publish request says; pure."""

from __future__ import annotations

import msgspec

from eventstream.events import Headers
from eventstream.gateway.formats.contract import Format
from eventstream.gateway.problems import Problem
from eventstream.pointer import Pointer


class Special(msgspec.Struct, frozen=True, gc=False):
    """What few requests ask for.

    Attributes:
        encoding: How the body is compressed (RFC 9110, section 8.4); empty: it is not.
        respond_async: The client does not wait for the acknowledgement (RFC 7240, section 4.1).
        key_from: Where in each event its key stands.
        timestamp_from: Where in each event its time stands.
        idempotency_key: Names the request, so that its events are written once; empty: nothing.
        said: With such a key, what tells this request's head from another's.
    """

    encoding: bytes = b""
    respond_async: bool = False
    key_from: Pointer | None = None
    timestamp_from: Pointer | None = None
    idempotency_key: bytes = b""
    said: bytes = b""


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where a request's events go, and how.

    Attributes:
        topic: The topic of all of them.
        format: How the body carries them.
        key: The key of all of them, or `None`.
        headers: Record headers of all of them.
        partition: The partition of all of them; -1 lets the key decide.
        timestamp_ms: The time of all of them, milliseconds since the epoch; 0 is now.
        credential: What says who is calling, as `access` is asked with it; empty: nothing does.
        special: What few requests ask for, or `None`.
    """

    topic: str
    format: Format
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    timestamp_ms: int = 0
    credential: bytes = b""
    special: Special | None = None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A request whose head is enough to refuse it, and the format its client expects."""

    problem: Problem
    format: Format
