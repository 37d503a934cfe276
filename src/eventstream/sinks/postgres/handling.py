"""PostgreSQL as the ledger of transactional handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.sinks.contract import Begun, Fenced
from eventstream.sinks.postgres.ledger import Ledger
from eventstream.sinks.postgres.sessions import Sessions
from eventstream.sinks.postgres.transaction import Transaction
from eventstream.sinks.postgres.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eventstream.events import Event
    from eventstream.sinks.postgres.ledger import Place


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
        self._places: dict[tuple[str, int], Place] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._letters: dict[tuple[str, int], Place] = {}
        self._tags: dict[tuple[str, int], str] = {}

    async def open(self) -> None:
        """Connect, and make the ledger's tables if they are not there."""
        await self._ledger.open()

    async def take_over(self, topic: str, partition: int, start: int, topic_tag: str = "") -> Begun:
        """Become a partition's owner."""
        taken = await self._ledger.take_over(topic, partition, start, topic_tag)
        self._letters.pop((topic, partition), None)
        self._tags[topic, partition] = topic_tag
        self._places[topic, partition] = taken.place
        self._positions[topic, partition] = taken.next_offset
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
        place = self._places.get((event.topic, event.partition))
        if place is None:
            raise Fenced("The partition is not ours any more.")
        if again:
            place = await self._place_of_letters(event.topic, event.partition)
        await self._transactions.run(event, place, work, more)

    async def advance(self, topic: str, partition: int, to_offset: int) -> None:
        """Note that all before an offset is done."""
        where = topic, partition
        place = self._places.get(where)
        if place is None:
            raise Fenced("The partition is not ours any more.")
        from_offset = self._positions[where]
        if from_offset < to_offset:
            await self._ledger.advance(place, from_offset, to_offset)
            if self._places.get(where) == place:
                self._positions[where] = to_offset

    def release(self, topic: str, partition: int) -> None:
        """Own a partition no more."""
        for places in (self._places, self._positions, self._letters, self._tags):
            places.pop((topic, partition), None)

    async def _place_of_letters(self, topic: str, partition: int) -> Place:
        """Find where it is noted that events are done which were given up before."""
        where = topic, partition
        if where not in self._letters:
            tag = self._tags[where]
            self._letters[where] = await self._ledger.take_over_letters(topic, partition, tag)
        return self._letters[where]

    async def close(self) -> None:
        """Let go of the server."""
        await self._transactions.close()
        await self._sessions.close()
        await self._ledger.close()
