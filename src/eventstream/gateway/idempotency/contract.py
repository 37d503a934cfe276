"""What every store of idempotency keys does.

A store holds one row a key: who works on it until when, or its answer. It decides who may publish,
never publishes, and knows neither Kafka nor HTTP. Each call is one step that happens or not, also
when many processes call at once; a call made twice says the same twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from eventstream.errors import Transient
from eventstream.gateway.answers import Answer, Fields

if TYPE_CHECKING:
    from typing import Self


class StoreUnavailable(Transient):
    """The store of idempotency keys did not answer, or has no room."""


class Ask(NamedTuple):
    """One wish to publish for a key.

    Attributes:
        id: What the key is stored under; 32 bytes, see `keys.scoped_id`.
        fingerprint: What the request is; 32 bytes, see `keys.fingerprint`.
        token: Names this attempt; 16 bytes, drawn at random.
        start: Where a search for its records would begin; the store only keeps it.
        lease_s: How long the reservation is this attempt's.
    """

    id: bytes
    fingerprint: bytes
    token: bytes
    start: bytes
    lease_s: float


class Reserved(NamedTuple):
    """The key was free and is now this attempt's; its records carry the attempt's token as mark."""


class Stale(NamedTuple):
    """The key was left behind and is now this attempt's, which looks first for what was written.

    Attributes:
        mark: The token of the attempt that reserved the key first; every record has it as mark.
        start: What that attempt gave as `start`.
    """

    mark: bytes
    start: bytes


class Underway(NamedTuple):
    """Another attempt works on the key.

    Attributes:
        age_s: How long ago the key was reserved.
        lease_left_s: When the reservation ends if it is not answered.
    """

    age_s: float
    lease_left_s: float


class Answered(NamedTuple):
    """The key has its answer."""

    answer: bytes


class Different(NamedTuple):
    """The key belongs to a request with another fingerprint."""


Verdict = Reserved | Stale | Underway | Answered | Different


class Store(Protocol):
    """Keeps keys, reservations and answers.

    Every method may raise `StoreUnavailable`; what was asked may then have happened or not.
    """

    fields: Fields
    """Header fields that tell a client how far the promise reaches; empty where it has no limit."""
    forgotten: int
    """Answers that made room before their time was over."""

    async def __aenter__(self) -> Self:
        """Open it, and make what it needs."""

    async def __aexit__(self, *_: object) -> None:
        """Close it."""

    async def reserve(self, ask: Ask) -> Verdict:
        """Reserve a key, or say why not."""

    async def renew(self, key_id: bytes, token: bytes, lease_s: float) -> bool:
        """Begin the lease anew; false where the key is no longer this attempt's."""

    async def complete(self, key_id: bytes, token: bytes, answer: bytes) -> bool:
        """Give the key its answer; false where the key is no longer this attempt's."""

    async def release(self, key_id: bytes, token: bytes) -> None:
        """Free the key, if it is still this attempt's: nothing was written for it."""

    async def give_back(self, key_id: bytes, token: bytes) -> None:
        """End the lease, if the key is still this attempt's: the next retry resolves it."""


def pack(answer: Answer) -> bytes:
    """Write an answer as it is stored."""
    return msgspec.msgpack.encode(answer)


def unpack(stored: bytes) -> Answer:
    """Read a stored answer, byte for byte the one that was packed."""
    return msgspec.msgpack.decode(stored, type=Answer)
