"""Connections to one database, made when they are needed and kept for the next who needs one."""

from __future__ import annotations

import asyncio
from collections import deque
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
SHORT_PAUSE_S = 1.0
"""How soon a server that gave no more connections is asked for one again, while some are out."""
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
        self._out = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._connect_after = 0.0
        self._is_short = False
        self._closed = False

    async def take(self) -> Connection:
        """Take a connection that is in no transaction; give it back, whatever happened.

        Where the server gives no more of them, those there are go from one to the next.

        Raises:
            SinkUnavailable: There is none to be had now.
            SinkRefused: The server lets us not in.
        """
        connection = await self._find_idle() or await self._find_new()
        while connection is None:
            await self._wait_for_one()
            connection = await self._find_idle() or await self._find_new()
        self._out += 1
        return connection

    async def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next one, or close it if it is in the middle of anything."""
        self._out -= 1
        is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if is_idle and not self._closed:
            self._idle.append(connection)
        else:
            await connection.close()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                break

    async def close(self) -> None:
        """Close what nobody has; what is out is closed when it is given back."""
        self._closed = True
        await self._close_idle()

    async def _find_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
            await connection.close()
        return None

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _find_new(self) -> Connection | None:
        """Make a connection; `None` where others are out and the server gives no more."""
        if self._out and asyncio.get_running_loop().time() < self._connect_after:
            return None
        try:
            connection = await self._connect()
        except SinkUnavailable as error:
            if not self._out:
                raise
            self._note_shortage(error)
            return None
        self._is_short = False
        return connection

    async def _wait_for_one(self) -> None:
        """Wait until a connection is given back, or it is time to ask the server again."""
        given_back = asyncio.get_running_loop().create_future()
        self._waiting.append(given_back)
        await asyncio.wait([given_back], timeout=SHORT_PAUSE_S)
        given_back.cancel()

    def _note_shortage(self, error: SinkUnavailable) -> None:
        self._connect_after = asyncio.get_running_loop().time() + SHORT_PAUSE_S
        if not self._is_short:
            self._is_short = True
            log.warning(
                "postgresql gives no more connections; those there are shared",
                connections=self._out,
                problem=str(error),
            )

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
                await self._close_idle()
                # Those who hold connections of the old one hear of it as they lose them.
                asyncio.get_running_loop().call_soon(self._on_incarnation)
