"""Idempotency keys of all replicas, in PostgreSQL; they survive restarts."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from eventstream.gateway.idempotency import statements
from eventstream.gateway.idempotency.batches import Batches
from eventstream.gateway.idempotency.contract import (
    Reserved,
    Stale,
    StoreUnavailable,
    Underway,
)
from eventstream.gateway.idempotency.database import Database
from eventstream.gateway.idempotency.decision import Held, decide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from eventstream.gateway.answers import Fields
    from eventstream.gateway.idempotency.contract import Ask, Verdict

log = structlog.get_logger(__name__)

BATCH = 500
EXPIRE_STEP = 1000
EXPIRE_INTERVAL_S = 30.0
_NOT_SEEN = Underway(0.0, 0.0)
"""Another process's row appeared or changed while the statement ran."""


class _Found(NamedTuple):
    """What stood under a key that an ask did not win; no row where it came a moment ago."""

    has_expired: bool
    held: Held | None


def _found(has_expired: bool | None, fingerprint: bytes | None, *rest: Any) -> _Found:
    held = None if fingerprint is None else Held(fingerprint, *rest)
    return _Found(bool(has_expired), held)


class PostgresStore:
    """Keeps keys in one table, which it makes.

    Concurrent reservations of a process share a statement, and so do its completions.

    Args:
        dsn: How to reach the server.
        ttl_s: How long a key is remembered, from its reservation on.
    """

    fields: Fields = ()
    forgotten = 0

    def __init__(self, dsn: str, ttl_s: float) -> None:
        self._database = Database(dsn)
        self._ttl_s = ttl_s
        self._reservations: Batches[Ask, _Found | None] = Batches(self._reserve, BATCH)
        self._completions: Batches[tuple[bytes, bytes, bytes], bool] = Batches(
            self._complete, BATCH
        )
        self._expiring: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect, and make the table if it is not there.

        Raises:
            InvalidSetting: The DSN is none, the server refuses, or the table is another version's.
            StoreUnavailable: The server did not answer.
        """
        try:
            await self._database.open()
        except BaseException:
            await self._database.close()
            raise
        self._expiring = asyncio.get_running_loop().create_task(self._expire_always())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reservations.drain()
        await self._completions.drain()
        if self._expiring is not None:
            self._expiring.cancel()
            await asyncio.gather(self._expiring, return_exceptions=True)
        await self._database.close()

    async def reserve(self, ask: Ask) -> Verdict:
        """Reserve a key, or say why not."""
        found = await self._reservations.ask(ask)
        if found is None:
            return Reserved()
        if found.has_expired:
            return await self._replace(ask)
        if found.held is None:
            return _NOT_SEEN
        verdict = decide(ask, found.held)
        return await self._take_over(ask) if verdict is None else verdict

    async def complete(self, key_id: bytes, token: bytes, answer: bytes) -> bool:
        """Give the key its answer."""
        return await self._completions.ask((key_id, token, answer))

    async def renew(self, key_id: bytes, token: bytes, lease_s: float) -> bool:
        """Begin the lease anew."""
        return bool(await self._database.run(statements.RENEW, (lease_s, key_id, token)))

    async def release(self, key_id: bytes, token: bytes) -> None:
        """Free the key."""
        await self._database.run(statements.RELEASE, (key_id, token))

    async def give_back(self, key_id: bytes, token: bytes) -> None:
        """End the lease."""
        await self._database.run(statements.GIVE_BACK, (key_id, token))

    async def expire(self) -> int:
        """Delete keys that have had their time, a few at once; return how many there were."""
        deleted = step = EXPIRE_STEP
        total = 0
        while deleted == step:
            deleted = len(await self._database.run(statements.EXPIRE, (step,)))
            total += deleted
        return total

    async def _reserve(self, asks: Sequence[Ask]) -> list[_Found | None]:
        columns = [list(column) for column in zip(*sorted(asks), strict=True)]
        rows = await self._database.run(statements.RESERVE, (*columns, self._ttl_s))
        found = {token: None if won else _found(*row) for token, won, *row in rows}
        return [found[ask.token] for ask in asks]

    async def _take_over(self, ask: Ask) -> Verdict:
        values = (ask.token, ask.lease_s, ask.id, ask.fingerprint)
        rows: list[Any] = await self._database.run(statements.TAKE_OVER, values)
        return Stale(*rows[0]) if rows else _NOT_SEEN

    async def _replace(self, ask: Ask) -> Verdict:
        values = (
            *(ask.token, ask.lease_s, ask.token, ask.fingerprint, ask.start),
            *(self._ttl_s, ask.id),
        )
        return Reserved() if await self._database.run(statements.REPLACE, values) else _NOT_SEEN

    async def _complete(self, done: Sequence[tuple[bytes, bytes, bytes]]) -> list[bool]:
        columns = [list(column) for column in zip(*done, strict=True)]
        completed = {row[0] for row in await self._database.run(statements.COMPLETE, columns)}
        return [token in completed for _, token, _ in done]

    async def _expire_always(self) -> None:
        while True:
            # Replicas that were started together need not delete together.
            await asyncio.sleep(EXPIRE_INTERVAL_S * random.uniform(0.5, 1.5))  # noqa: S311
            with contextlib.suppress(StoreUnavailable):
                await self.expire()
