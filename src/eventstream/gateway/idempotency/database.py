"""Statements to a PostgreSQL that may be away for a while."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from eventstream.errors import InvalidSetting
from eventstream.gateway.idempotency import statements
from eventstream.gateway.idempotency.contract import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

log = structlog.get_logger(__name__)

CONNECTIONS = 4
WAIT_S = 2.0
PROBE_S = 0.1
OPEN_TIMEOUT_S = 15.0
_ATTEMPTS = CONNECTIONS + 2


class Database:
    """A pool of connections that comes back when the server does.

    A statement that finds a connection broken goes to the next one, so it has to be one that may
    run twice. It is answered, or given up, within two seconds; while the server is known to be
    away, after a tenth of one.

    Args:
        dsn: How to reach the server.
    """

    def __init__(self, dsn: str) -> None:
        try:
            psycopg.conninfo.conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            # The client's own sentence may quote the password.
            raise InvalidSetting(
                "--idempotency-dsn is not a PostgreSQL DSN; write it as"
                " postgresql://user:password@host:port/database."
            ) from None
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            kwargs={"autocommit": True, "connect_timeout": 2, "application_name": "eventstream"},
            min_size=1,
            max_size=CONNECTIONS,
            open=False,
            configure=_configure,
            reconnect_timeout=float("inf"),
        )
        self._is_away = False

    async def open(self) -> None:
        """Connect, and make the table if it is not there.

        Raises:
            InvalidSetting: The server refuses, or another version made the table.
            StoreUnavailable: The server did not answer.
        """
        await self._pool.open()
        try:
            async with self._pool.connection(OPEN_TIMEOUT_S) as connection:
                await _prepare(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise InvalidSetting(
                "The database user of --idempotency-dsn may not make the table"
                f" eventstream_idempotency ({error.diag.message_primary}); grant it that, or make"
                " the table as docs/idempotency.md says."
            ) from None
        except (psycopg.OperationalError, PoolTimeout):
            raise StoreUnavailable(
                "The PostgreSQL of --idempotency-dsn cannot be reached; check the DSN and the"
                " server."
            ) from None

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close(timeout=WAIT_S)

    async def run(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own, and return its rows.

        Raises:
            StoreUnavailable: The server did not answer, and the statement may have run or not.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        for _ in range(_ATTEMPTS):
            left_s = deadline - loop.time()
            if left_s <= 0:
                break
            try:
                rows = await self._attempt(statement, values, left_s)
            except (PoolTimeout, psycopg.errors.QueryCanceled):
                break
            except psycopg.OperationalError:
                continue
            except psycopg.Error as error:
                # A table that is gone, a server that became a standby: whoever asked is answered.
                log.warning(
                    "the database of idempotency keys refuses", reason=error.diag.message_primary
                )
                break
            self._is_away = False
            return rows
        self._is_away = True
        raise StoreUnavailable("The database of idempotency keys does not answer now; try again.")

    async def _attempt(
        self, statement: str, values: Sequence[Any], left_s: float
    ) -> list[tuple[Any, ...]]:
        patience_s = min(left_s, PROBE_S) if self._is_away else left_s
        async with self._pool.connection(patience_s) as connection:
            # A server that stands still would not even answer a request to cancel.
            cut = asyncio.get_running_loop().call_later(left_s, _cut, connection)
            try:
                cursor = await connection.execute(statement.encode(), values, binary=True)
                return await cursor.fetchall()
            finally:
                cut.cancel()


def _cut(connection: Connection) -> None:
    """End a connection under whoever waits for it, who sees it closed."""
    with socket.socket(fileno=os.dup(connection.fileno())) as half:
        half.shutdown(socket.SHUT_RDWR)


async def _configure(connection: Connection) -> None:
    for setting in statements.SESSION:
        await connection.execute(setting.encode())


async def _prepare(connection: Connection) -> None:
    if await _version(connection) is None:
        async with connection.transaction():
            for statement in statements.CREATE:
                await connection.execute(statement.encode())
    found = await _version(connection)
    if found != statements.VERSION:
        raise InvalidSetting(
            "The table eventstream_idempotency in the database of --idempotency-dsn was made by"
            f" another version ({found!r}, and this one is {statements.VERSION!r}); give another"
            " database."
        )


async def _version(connection: Connection) -> str | None:
    row = await (await connection.execute(statements.FIND.encode())).fetchone()
    return None if row is None else row[0]
