"""Connections to one database, made when they are needed and kept for the next who needs one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
import structlog
from psycopg.pq import TransactionStatus

from eventstream.errors import InvalidSetting
from eventstream.sinks.contract import SinkUnavailable
from eventstream.sinks.postgres import faults, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5
Connection = TypeVar("Connection", bound=psycopg.AsyncConnection[Any])


def check_dsn(dsn: str) -> None:
    """Look whether a text is a DSN.

    Raises:
        InvalidSetting: It is none.
    """
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # The client's own sentence may quote the password.
        raise InvalidSetting(
            "The sink's DSN is not one of PostgreSQL's; write it as"
            " postgresql://user:password@host:port/database."
        ) from None


class Sessions(Generic[Connection]):
    """A process's connections to one database; owned by an event loop.

    Args:
        dsn: How to reach the server.
        tag: What the server knows the sessions by.
        kind: What a connection is.
        settings: What each is told at first.
        on_incarnation: Called when the server is not the one it was: it was started again, or
            another one took its place, and may have lost what it had said to be written.

    Raises:
        InvalidSetting: The DSN is none.
    """

    def __init__(
        self,
        dsn: str,
        tag: str,
        kind: type[Connection],
        settings: Mapping[str, str],
        on_incarnation: Callable[[], None],
    ) -> None:
        check_dsn(dsn)
        self._dsn = dsn
        self._tag = tag
        self._settings = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())
        self._kind = kind
        self._on_incarnation = on_incarnation
        self._incarnation = ""
        self._idle: list[Connection] = []
        self._closed = False

    async def take(self) -> Connection:
        """Take a connection that is in no transaction; give it back, whatever happened.

        Raises:
            SinkUnavailable: There is none to be had now.
            SinkRefused: The server lets us not in.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
            await connection.close()
        return await self._connect()

    async def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next one, or close it if it is in the middle of anything."""
        is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if is_idle and not self._closed:
            self._idle.append(connection)
        else:
            await connection.close()

    async def close(self) -> None:
        """Close what nobody has; what is out is closed when it is given back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _connect(self) -> Connection:
        try:
            connection = await self._kind.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name=self._tag,
            )
        except psycopg.Error as error:
            raise faults.translate(error) from None
        try:
            await self._greet(connection)
        except psycopg.Error as error:
            await connection.close()
            raise faults.translate(error) from None
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _greet(self, connection: Connection) -> None:
        await connection.execute(self._settings.encode())
        row = await (await connection.execute(statements.INCARNATION)).fetchone()
        incarnation, is_standby = row or ("", True)
        if is_standby:
            raise SinkUnavailable("PostgreSQL is a standby, which takes no writes.")
        if incarnation != self._incarnation:
            known, self._incarnation = self._incarnation, incarnation
            if known:
                log.warning("postgresql was started again, or another server took its place")
                # Those who hold connections of the old one hear of it as they lose them.
                asyncio.get_running_loop().call_soon(self._on_incarnation)
