"""Handlers in transactions that also say their event is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog
from psycopg.pq import TransactionStatus

from eventstream.backoff import Backoff
from eventstream.errors import Permanent
from eventstream.observe.logs import where
from eventstream.sinks.contract import SinkUnavailable
from eventstream.sinks.postgres import commands, faults, statements
from eventstream.sinks.postgres.begun import Begun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from eventstream.events import Event
    from eventstream.sinks.postgres.ledger import Ledger, Place
    from eventstream.sinks.postgres.sessions import Sessions
    from eventstream.sinks.postgres.transaction import Transaction

    Work = Callable[[Transaction], Awaitable[None]]

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(first_s=0.02, cap_s=2.0)


class Transactions:
    """Runs the transactions of one process; owned by an event loop.

    Args:
        ledger: Keeps what is done.
        sessions: The transactions' connections.
        chance: Draws a number from 0 to 1.
    """

    def __init__(
        self, ledger: Ledger, sessions: Sessions[Transaction], chance: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._begun = Begun(sessions)
        self._chance = chance

    async def run(
        self,
        event: Event,
        place: Place,
        work: Work,
        more: Callable[[], bool] = lambda: False,
    ) -> None:
        """Do an event's work, and say that it is done, in one transaction.

        What passes by itself is waited for, and the work done again: a server that is away or was
        made a standby, a deadlock, a serialization failure. So is a COMMIT whose answer is lost,
        after a look whether it was done.

        Args:
            event: The event.
            place: Its partition, in the ledger.
            work: Called with the transaction, once for each attempt.
            more: Whether another event is to be run at once.

        Raises:
            Fenced: Another owner has the partition; nothing was done.
            Exception: What `work` raised; nothing was done.
        """
        attempt = 0
        while True:
            try:
                if await self._attempt(event, place, work, more):
                    return
            except SinkUnavailable as error:
                problem = str(error)
            else:
                problem = "its COMMIT was cut off and did not happen"
            attempt += 1
            delay_s = _BACKOFF.delay_s(attempt, self._chance())
            log.warning(
                "a transaction is run again",
                **where(event),
                attempt=attempt,
                next_in_s=round(delay_s, 3),
                problem=problem,
            )
            await asyncio.sleep(delay_s)

    async def close(self) -> None:
        """Let go of connections that wait for events."""
        await self._begun.close()

    async def _attempt(
        self, event: Event, place: Place, work: Work, more: Callable[[], bool]
    ) -> bool:
        """Run the transaction once; return whether it was committed."""
        transaction = await self._begun.take()
        try:
            await self._work(transaction, work)
            goes_on = not self._begun.is_wanted and more()
            is_committed = await self._commit(transaction, place, event.offset, goes_on)
        except BaseException:
            await self._begun.give_back(transaction)
            raise
        if transaction.pgconn.transaction_status == TransactionStatus.INTRANS:
            self._begun.keep(transaction)
        else:
            await self._begun.give_back(transaction)
        return is_committed

    async def _work(self, transaction: Transaction, work: Work) -> None:
        try:
            await work(transaction)
        except psycopg.Error as error:
            is_ours = transaction.pgconn.transaction_status != TransactionStatus.INTRANS
            if is_ours and faults.is_passing(error):
                raise faults.translate(error) from error
            raise
        status = transaction.pgconn.transaction_status
        if status == TransactionStatus.INERROR:
            raise Permanent(
                "A statement of the handler failed, and the handler went on: its transaction cannot"
                " be committed. Let the exception out, or make a savepoint with tx.transaction()."
            )
        if status == TransactionStatus.IDLE:
            raise Permanent(
                "The handler ended its transaction by a statement of its own: what it did is not"
                " tied to its event. Leave COMMIT and ROLLBACK out."
            )
        if status != TransactionStatus.INTRANS:
            raise SinkUnavailable("The connection was lost in the middle of the transaction.")

    async def _commit(
        self, transaction: Transaction, place: Place, offset: int, goes_on: bool
    ) -> bool:
        """End the transaction; whoever cancels meanwhile waits, since it may have happened.

        If it `goes_on`, the connection's next transaction begins.
        """
        session = transaction.pgconn.backend_pid
        ending = statements.finish(*place, offset)
        if goes_on:
            ending += b"; BEGIN"
        try:
            await commands.run_undisturbed(transaction, ending)
        except psycopg.Error as error:
            if error.sqlstate == statements.DONE_BEFORE or _is_done_key(error):
                return True
            if error.sqlstate is not None and not transaction.closed:
                raise faults.translate(error) from None
            return await self._look_up(place, offset, session)
        return True

    async def _look_up(self, place: Place, offset: int, session: int) -> bool:
        """Find out whether a transaction was committed; it takes as long as the server is away."""
        attempt = 0
        while True:
            try:
                return await self._ledger.is_done(place, offset, session)
            except SinkUnavailable:
                attempt += 1
                await asyncio.sleep(_BACKOFF.delay_s(attempt, self._chance()))


def _is_done_key(error: psycopg.Error) -> bool:
    return error.diag.constraint_name == statements.DONE_KEY
