"""Transactions that begin as the one before on their connection ends, in the same message.

Each message to the server and back costs both sides as much as a small statement, so a BEGIN of its
own would be a quarter of a transaction of two statements.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from eventstream.sinks.postgres import commands, faults
from eventstream.sinks.postgres.endings import roll_back

if TYPE_CHECKING:
    from eventstream.sinks.postgres.sessions import Sessions
    from eventstream.sinks.postgres.transaction import Transaction

KEPT_S = 0.02
"""How long a transaction that has begun waits for its event: `now()` says when it began."""


class Begun:
    """Gives and takes back transactions; owned by an event loop.

    Args:
        sessions: Their connections.
    """

    def __init__(self, sessions: Sessions[Transaction]) -> None:
        self._sessions = sessions
        self._kept: list[Transaction] = []
        self._timer: asyncio.TimerHandle | None = None
        self._letting_go: set[asyncio.Task[None]] = set()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a connection: then none is kept."""
        return self._sessions.is_wanted

    async def take(self) -> Transaction:
        """Give a transaction in which nothing was done.

        Raises:
            SinkUnavailable: There is none to be had now.
            SinkRefused: The server lets us not in.
        """
        if self._kept:
            return self._kept.pop()
        transaction = await self._sessions.take()
        try:
            await commands.run(transaction, b"BEGIN")
        except BaseException as error:
            await self.give_back(transaction)
            if isinstance(error, psycopg.Error):
                raise faults.translate(error) from None
            raise
        return transaction

    def keep(self, transaction: Transaction) -> None:
        """Keep one that has begun, for an event that is to come at once."""
        self._kept.append(transaction)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._let_go)

    async def give_back(self, transaction: Transaction) -> None:
        """Undo what is not committed, and let the connection go."""
        try:
            await roll_back(transaction)
        finally:
            await self._sessions.give_back(transaction)

    async def close(self) -> None:
        """Let go of all."""
        if self._timer is not None:
            self._timer.cancel()
            self._let_go()
        await asyncio.gather(*self._letting_go)

    def _let_go(self) -> None:
        self._timer = None
        kept, self._kept = self._kept, []
        for transaction in kept:
            task = asyncio.get_running_loop().create_task(self.give_back(transaction))
            self._letting_go.add(task)
            task.add_done_callback(self._letting_go.discard)
