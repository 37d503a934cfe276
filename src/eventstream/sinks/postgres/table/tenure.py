"""One owner's time with a partition, whose events become rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from eventstream.sinks.contract import Fenced, SinkRefused, SinkUnavailable
from eventstream.sinks.postgres import commands, faults
from eventstream.sinks.postgres.endings import roll_back
from eventstream.sinks.postgres.table import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.events import Event
    from eventstream.sinks.postgres.ledger import Ledger, Taken
    from eventstream.sinks.postgres.sessions import Sessions
    from eventstream.sinks.postgres.table.letters import Letters
    from eventstream.sinks.postgres.table.writing import Way, Writer

    Connection = psycopg.AsyncConnection[Any]

_FENCED = "The partition was taken over by another owner, or the server lost what it had."


class _Doubt(NamedTuple):
    """A transaction whose end was not heard.

    Attributes:
        session: The process id of its server process.
        next_offset: The position if it was committed.
    """

    session: int
    next_offset: int


class TableTenure:
    """See `contract.Tenure`; writes go one after the other.

    Args:
        taken: The partition that was taken over.
        ledger: Knows where it stands.
        sessions: The transactions' connections.
        writer: Writes the rows.
        letters: Runs the transactions of events that were given up before.
    """

    def __init__(
        self,
        taken: Taken,
        ledger: Ledger,
        sessions: Sessions[Connection],
        writer: Writer,
        letters: Letters,
    ) -> None:
        self.next_offset = taken.next_offset
        self._place = taken.place
        self._ledger = ledger
        self._sessions = sessions
        self._writer = writer
        self._letters = letters
        self._doubt: _Doubt | None = None
        self._writing = asyncio.Lock()

    async def write(self, events: Sequence[Event], next_offset: int) -> None:
        """Write events' rows and the position in one transaction."""
        async with self._writing:
            await self._write(events, next_offset)

    async def add(self, event: Event) -> None:
        """Write the row of an event that was given up before."""
        await self._letters.add(event, self._writer)

    async def rest(self) -> None:
        """Wait until nothing is being written."""
        async with self._writing:
            pass

    async def _write(self, events: Sequence[Event], next_offset: int) -> None:
        await self._settle()
        if next_offset <= self.next_offset:
            return None
        if events and events[0].offset < self.next_offset:
            events = [event for event in events if event.offset >= self.next_offset]
        said = ""
        for way in self._writer.ways:
            try:
                return await self._attempt(way, events, next_offset)
            except psycopg.Error as error:
                said = faults.sentence(error)
                if self._doubt is not None:
                    return await self._settle_for(next_offset, said)
                if not faults.may_be_one_row(error):
                    raise faults.translate(error) from None
        raise SinkRefused(f"PostgreSQL refuses the events, though none of them alone: {said}.")

    async def _attempt(self, way: Way, events: Sequence[Event], next_offset: int) -> None:
        """Run the transaction once; in doubt it is as long as the server has not said its end."""
        connection = await self._sessions.take()
        self._doubt = _Doubt(connection.info.backend_pid, next_offset)
        try:
            await self._begin(connection, next_offset)
            await way(connection, events)
            await commands.run_undisturbed(connection, statements.COMMIT)
            self.next_offset = next_offset
        finally:
            try:
                await roll_back(connection)
            finally:
                if connection.pgconn.transaction_status == TransactionStatus.IDLE:
                    self._doubt = None
                await self._sessions.give_back(connection)

    async def _begin(self, connection: Connection, next_offset: int) -> None:
        begin = statements.begin(self._place, self.next_offset, next_offset)
        cursor = await connection.execute(b"%b; %b" % (begin, self._writer.look))
        cursor.nextset()
        if cursor.rowcount != 1:
            raise Fenced(_FENCED)
        while cursor.nextset():  # what the last statement answers is looked at
            pass
        self._writer.check(await cursor.fetchall())

    async def _settle_for(self, next_offset: int, said: str) -> None:
        await self._settle()
        if self.next_offset < next_offset:
            raise SinkUnavailable(f"The connection was lost, and nothing was written: {said}.")

    async def _settle(self) -> None:
        """Find out whether the last transaction was committed, if that is not known."""
        if self._doubt is None:
            return
        session, next_offset = self._doubt
        position = await self._ledger.position(self._place, session)
        if position not in {self.next_offset, next_offset}:
            raise Fenced(_FENCED)
        self._doubt = None
        self.next_offset = position
