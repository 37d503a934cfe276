"""Idempotency keys of one process, in memory; pure: its clock is passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.idempotency.contract import Reserved, Stale, StoreUnavailable
from eventstream.gateway.idempotency.decision import Held, decide

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from eventstream.gateway.answers import Fields
    from eventstream.gateway.idempotency.contract import Ask, Verdict

ENTRY_BYTES = 500
"""What an entry takes beside answer and start: 440 were measured, and dicts grow in jumps."""


class _Entry(msgspec.Struct, gc=False):
    fingerprint: bytes
    mark: bytes
    token: bytes
    start: bytes
    reserved_at: float
    lease_until: float
    answer: bytes | None = None

    def held(self, now: float) -> Held:
        return Held(
            *(self.fingerprint, self.mark, self.token, self.start, self.answer),
            age_s=now - self.reserved_at,
            lease_left_s=self.lease_until - now,
        )

    @property
    def size(self) -> int:
        return ENTRY_BYTES + len(self.start) + len(self.answer or b"")


class MemoryStore:
    """Keeps what fits; the oldest answers make room, and those under way never do.

    Args:
        ttl_s: How long a key is remembered, from its reservation on.
        max_entries: The most keys.
        max_bytes: The most memory, about.
        clock: Seconds that never go back.

    Attributes:
        forgotten: Answers that made room before their time was over.
    """

    fields: Fields = ((b"idempotency-scope", b"process"),)

    def __init__(
        self, ttl_s: float, max_entries: int, max_bytes: int, clock: Callable[[], float]
    ) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._answered: dict[bytes, None] = {}
        self.bytes = 0
        self.forgotten = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Keep everything: there is nothing to close."""

    def __len__(self) -> int:
        return len(self._entries)

    async def reserve(self, ask: Ask) -> Verdict:
        """Reserve a key, or say why not."""
        now = self._clock()
        self._expire(now)
        entry = self._entries.get(ask.id)
        if entry is None:
            return self._add(ask, now)
        verdict = decide(ask, entry.held(now))
        if verdict is not None:
            return verdict
        entry.token = ask.token
        entry.lease_until = now + ask.lease_s
        return Stale(entry.mark, entry.start)

    async def renew(self, key_id: bytes, token: bytes, lease_s: float) -> bool:
        """Begin the lease anew."""
        entry = self._held(key_id, token)
        if entry is not None:
            entry.lease_until = self._clock() + lease_s
        return entry is not None

    async def complete(self, key_id: bytes, token: bytes, answer: bytes) -> bool:
        """Give the key its answer."""
        entry = self._held(key_id, token)
        if entry is None:
            done = self._entries.get(key_id)
            return done is not None and (done.token, done.answer) == (token, answer)
        self.bytes -= entry.size
        entry.answer = answer
        entry.start = b""
        self.bytes += entry.size
        self._answered[key_id] = None
        while self.bytes > self._max_bytes and len(self._answered) > 1:
            self._forget_oldest()
        return True

    async def release(self, key_id: bytes, token: bytes) -> None:
        """Free the key."""
        if self._held(key_id, token) is not None:
            self._drop(key_id)

    async def give_back(self, key_id: bytes, token: bytes) -> None:
        """End the lease."""
        entry = self._held(key_id, token)
        if entry is not None:
            entry.lease_until = self._clock()
            entry.token = b""

    def _held(self, key_id: bytes, token: bytes) -> _Entry | None:
        entry = self._entries.get(key_id)
        is_held = entry is not None and entry.token == token and entry.answer is None
        return entry if is_held else None

    def _add(self, ask: Ask, now: float) -> Reserved:
        entry = _Entry(ask.fingerprint, ask.token, ask.token, ask.start, now, now + ask.lease_s)
        while not self._has_room(entry.size):
            if not self._answered:
                raise StoreUnavailable(
                    f"{len(self._entries)} requests with idempotency keys are under way, and there"
                    " is no room for more; try again."
                )
            self._forget_oldest()
        self._entries[ask.id] = entry
        self.bytes += entry.size
        return Reserved()

    def _has_room(self, size: int) -> bool:
        return len(self._entries) < self._max_entries and self.bytes + size <= self._max_bytes

    def _expire(self, now: float) -> None:
        """Drop what has had its time; the oldest stand first, and those with a lease wait."""
        while self._entries:
            key_id, oldest = next(iter(self._entries.items()))
            is_leased = oldest.answer is None and oldest.lease_until > now
            if is_leased or oldest.reserved_at + self._ttl_s > now:
                return
            self._drop(key_id)

    def _forget_oldest(self) -> None:
        self._drop(next(iter(self._answered)))
        self.forgotten += 1

    def _drop(self, key_id: bytes) -> None:
        self.bytes -= self._entries.pop(key_id).size
        self._answered.pop(key_id, None)
