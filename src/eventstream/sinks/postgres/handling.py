"""PostgreSQL as the ledger of transactional handlers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventstream.sinks.contract import Begun, Fenced
from eventstream.sinks.postgres.given_up import GivenUp
from eventstream.sinks.postgres.ledger import Ledger
from eventstream.sinks.postgres.sessions import Sessions
from eventstream.sinks.postgres.transaction import Transaction
from eventstream.sinks.postgres.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eventstream.events import Event
    from eventstream.sinks.postgres.ledger import Place


@dataclass(slots=True)
class _Owned:
    """A partition that is ours.

    Attributes:
        place: Where it stands in the ledger.
        position: All before it is done, as far as the ledger was told.
        given_up: Where its events stand that were given up.
    """

    place: Place
    position: int
    given_up: GivenUp


class HandlerLedger:
    """See `contract.Ledger`.

    Args:
        dsn: How to reach the server.
        group: The consumer group.
        idle_timeout_s: How long a transaction may keep the server waiting before it is ended.
        connections: How many connections transactions may have; `None` bounds nothing.
        on_void: Called when partitions have to be taken over again.
        chance: Draws a number from 0 to 1.

    Raises:
        InvalidSetting: The DSN is none.
    """

    def __init__(
        self,
        dsn: str,
        group: str,
        idle_timeout_s: float,
        connections: int | None,
        on_void: Callable[[], None],
        chance: Callable[[], float],
    ) -> None:
        self._ledger = Ledger(dsn, group, on_void)
        # The server ends the transaction of a process that has stopped: others wait for its locks.
        settings = {"idle_in_transaction_session_timeout": f"{idle_timeout_s}s"}
        self._sessions = Sessions(
            dsn, self._ledger.tag, Transaction, settings, on_void, connections
        )
        self._transactions = Transactions(self._ledger, self._sessions, chance)
        self._owned: dict[tuple[str, int], _Owned] = {}

    async def open(self) -> None:
        """Connect, and make the ledger's tables if they are not there."""
        await self._ledger.open()

    async def take_over(self, topic: str, partition: int, start: int, topic_tag: str = "") -> Begun:
        """Become a partition's owner."""
        taken = await self._ledger.take_over(topic, partition, start, topic_tag)
        given_up = GivenUp(self._ledger, (topic, partition, topic_tag))
        self._owned[topic, partition] = _Owned(taken.place, taken.next_offset, given_up)
        return Begun(taken.next_offset, taken.done)

    async def run(
        self,
        event: Event,
        work: Callable[[Transaction], Awaitable[None]],
        *,
        again: bool = False,
        more: Callable[[], bool] = lambda: False,
    ) -> None:
        """Do an event's work, and note that it is done, in one transaction."""
        owned = self._find(event.topic, event.partition)
        place = await owned.given_up.place() if again else owned.place
        await self._transactions.run(event, place, work, more)

    async def advance(self, topic: str, partition: int, to_offset: int) -> None:
        """Note that all before an offset is done."""
        owned = self._find(topic, partition)
        if owned.position < to_offset:
            await self._ledger.advance(owned.place, owned.position, to_offset)
            owned.position = to_offset

    def release(self, topic: str, partition: int) -> None:
        """Own a partition no more."""
        self._owned.pop((topic, partition), None)

    def _find(self, topic: str, partition: int) -> _Owned:
        owned = self._owned.get((topic, partition))
        if owned is None:
            raise Fenced("The partition is not ours any more.")
        return owned

    async def close(self) -> None:
        """Let go of the server."""
        await self._transactions.close()
        await self._sessions.close()
        await self._ledger.close()
