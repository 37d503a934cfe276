"""Rows of events that were given up before, each once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg

from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.postgres import faults
from eventstream.sinks.postgres.given_up import GivenUp
from eventstream.sinks.postgres.transactions import Transactions

if TYPE_CHECKING:
    from eventstream.events import Event
    from eventstream.sinks.postgres.ledger import Ledger
    from eventstream.sinks.postgres.sessions import Sessions
    from eventstream.sinks.postgres.table.writing import Way, Writer
    from eventstream.sinks.postgres.transaction import Transaction


class Letters:
    """One partition's; the ledger notes by their own offsets which are done.

    Args:
        where: The topic, the partition, and which topic of that name it is.
        ledger: The ledger.
        sessions: The transactions' connections.
    """

    def __init__(
        self, where: tuple[str, int, str], ledger: Ledger, sessions: Sessions[Transaction]
    ) -> None:
        self._given_up = GivenUp(ledger, where)
        self._transactions = Transactions(ledger, sessions, random.random)

    async def add(self, event: Event, writer: Writer) -> None:
        """Write an event's row, unless it was written.

        Raises:
            Fenced: Another owner has the partition.
            Poisoned: It can never be written.
            SinkRefused: The server takes it for no event.
        """
        place = await self._given_up.place()
        said = ""
        for way in writer.ways:

            async def work(transaction: Transaction, way: Way = way) -> None:
                cursor = await transaction.execute(writer.look)
                cursor.nextset()
                writer.check(await cursor.fetchall())
                await way(transaction, [event])

            try:
                return await self._transactions.run(event, place, work)
            except psycopg.Error as error:
                said = faults.sentence(error)
                if not faults.may_be_one_row(error):
                    raise faults.translate(error) from None
        raise SinkRefused(f"PostgreSQL refuses the event: {said}.")
