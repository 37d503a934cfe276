"""The connection that a handler gets: in a transaction that is not its own to end."""

from __future__ import annotations

from typing import Any, NoReturn

import psycopg

from eventstream.errors import Permanent


class Transaction(psycopg.AsyncConnection[Any]):
    """A connection in a transaction that is committed, with its event, when the handler returns.

    All of psycopg's connection works but what would end the transaction; `async with
    tx.transaction()` makes a savepoint.
    """

    async def commit(self) -> NoReturn:
        """Refuse.

        Raises:
            Permanent: Always.
        """
        _refuse("commit")

    async def rollback(self) -> NoReturn:
        """Refuse; raise an exception to roll back.

        Raises:
            Permanent: Always.
        """
        _refuse("roll back")


def _refuse(what: str) -> NoReturn:
    raise Permanent(
        f"A handler must not {what} its transaction: it is committed with the event when the"
        " handler returns, and rolled back when it raises."
    )
