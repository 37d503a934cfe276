"""How transactions end."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from eventstream.sinks.postgres import commands

_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


async def roll_back(connection: psycopg.AsyncConnection[Any]) -> None:
    """Undo a transaction that is still open; a connection that cannot is closed."""
    if connection.pgconn.transaction_status in _OPEN:
        try:
            await commands.run(connection, b"ROLLBACK")
        except psycopg.Error:
            await connection.close()
