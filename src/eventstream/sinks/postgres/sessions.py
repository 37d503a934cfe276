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
from eventstream.sinks.postgres.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = structlog.get_logger(__name__)

ASK_AGAIN_S = 1.0
"""How soon a server that gave no more connections is asked for one again, while some are out."""
Connection = TypeVar("Connection", bound=psycopg.AsyncConnection[Any])


_PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""A server that is gone without a word is noticed in half a minute, where the DSN says nothing."""


def check_dsn(dsn: str) -> dict[str, Any]:
    """Read what a DSN says.

    Raises:
        InvalidSetting: It is none.
    """
    try:
        return psycopg.conninfo.conninfo_to_dict(dsn)
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
        most: How many there may be; `None` bounds nothing.

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
        most: int | None = None,
    ) -> None:
        self._parameters = {**_PATIENCE, **check_dsn(dsn)}
        self._tag = tag
        self._settings = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())
        self._kind = kind
        self._on_incarnation = on_incarnation
        self._incarnation = ""
        self._idle: list[Connection] = []
        self._out = 0
        self._room = Room(most)
        self._let_in = 0.0
        self._refusal = ""
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a connection that others have."""
        return bool(self._waiting)

    async def take(self) -> Connection:
        """Take a connection that is in no transaction; give it back, whatever happened.

        Where the server gives no more of them, those there are go from one to the next.

        Raises:
            SinkUnavailable: There is none to be had now.
            SinkRefused: The server lets us not in.
        """
        connection = await self._find_idle() or await self._find_new()
        while connection is None:
            connection = await self._wait_for_one() or await self._find_new()
        self._out += 1
        return connection

    async def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next one, or close it if it is in the middle of anything."""
        is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if is_idle and self._refusal:
            self._shrink()
        self._out -= 1
        if not is_idle or self._closed or self._room.is_overfull:
            await self._close(connection)
            self._hand_on(None)
        else:
            self._put_by(connection)

    async def close(self) -> None:
        """Close what nobody has; what is out is closed when it is given back."""
        self._closed = True
        await self._close_idle()

    async def _find_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
            await self._close(connection)
        return None

    async def _find_new(self) -> Connection | None:
        """Make a connection; `None` where others are out and there may be no more."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        is_refused = bool(self._out and self._refusal)
        if is_refused or not self._room.enter(began):
            return None
        try:
            connection = await self._connect()
        except BaseException as error:
            self._room.leave()
            if not isinstance(error, SinkUnavailable) or not self._out:
                raise
            # What was asked before another was let in may have met a server that was starting.
            if began > self._let_in:
                self._refusal = str(error)
            return None
        self._let_in = loop.time()
        self._refusal = ""
        return connection

    async def _wait_for_one(self) -> Connection | None:
        """Wait for one that is given back; `None` when it is time to ask the server again."""
        given: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        try:
            await asyncio.wait([given], timeout=ASK_AGAIN_S)
        except asyncio.CancelledError:
            if given.done() and (connection := given.result()) is not None:
                self._put_by(connection)
            raise
        finally:
            given.cancel()
        if not given.cancelled():
            return given.result()
        self._refusal = ""
        return None

    def _put_by(self, connection: Connection) -> None:
        if not self._hand_on(connection):
            self._idle.append(connection)

    def _hand_on(self, connection: Connection | None) -> bool:
        """Give the first who waits a connection, or room for one; return whether anyone waits."""
        while self._waiting:
            given = self._waiting.popleft()
            if not given.done():
                given.set_result(connection)
                return True
        return False

    def _shrink(self) -> None:
        """Let some go: the server has no more, though those there are work."""
        self._room.shrink(self._out + len(self._idle), asyncio.get_running_loop().time())
        log.warning(
            "postgresql gives no more connections; some are let go, the others shared",
            connections=self._room.most,
            problem=self._refusal,
        )
        self._refusal = ""

    async def _close(self, connection: Connection) -> None:
        self._room.leave()
        await connection.close()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._close(self._idle.pop())

    async def _connect(self) -> Connection:
        try:
            connection = await self._kind.connect(
                autocommit=True, **{**self._parameters, "application_name": self._tag}
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
