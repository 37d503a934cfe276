"""How transactions end."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


async def roll_back(connection: psycopg.AsyncConnection[Any]) -> None:
    """Undo a transaction that is still open; a connection that cannot is closed."""
    if connection.pgconn.transaction_status in _OPEN:
        try:
            await connection.execute(b"ROLLBACK")
        except psycopg.Error:
            await connection.close()


async def undisturbed(task: asyncio.Future[Any]) -> None:
    """Wait for a task to its end, through every cancel; then the last one counts for nothing."""
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
