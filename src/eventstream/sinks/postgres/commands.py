"""Statements that have no values and whose rows nobody reads, sent without a cursor.

A cursor looks for parameters, decides on preparing and keeps results: for a BEGIN that costs more
than to send it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from psycopg import errors, generators, waiting
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import PQGen

    Connection = psycopg.AsyncConnection[Any]

_LOOK_INTERVAL_S = 1.0


async def run(connection: Connection, statements: bytes) -> None:
    """Run statements, in one message.

    Raises:
        psycopg.Error: One failed; those behind it were not run.
    """
    async with connection.lock:
        await connection.wait(_exchange(connection, statements))


async def run_undisturbed(connection: Connection, statements: bytes) -> None:
    """Run statements that may have been done by the time somebody cancels: through every cancel.

    Raises:
        psycopg.Error: One failed; those behind it were not run.
    """
    async with connection.lock:
        exchange = _exchange(connection, statements)
        while True:
            try:
                await waiting.wait_async(exchange, connection.pgconn.socket, _LOOK_INTERVAL_S)
            except asyncio.CancelledError:
                continue
            return


def _exchange(connection: Connection, statements: bytes) -> PQGen[None]:
    pgconn = connection.pgconn
    pgconn.send_query(statements)
    for result in (yield from generators.execute(pgconn)):
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result, encoding=connection.info.encoding)
