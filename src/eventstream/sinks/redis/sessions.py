"""Connections to one server, made when they are needed and kept for the next who needs one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import structlog
from hiredis import pack_command
from redis.asyncio.connection import Connection, parse_url
from redis.exceptions import MovedError, RedisError

from eventstream.errors import InvalidSetting
from eventstream.sinks.contract import SinkUnavailable
from eventstream.sinks.redis import faults, server
from eventstream.sinks.undisturbed import undisturbed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from eventstream.sinks.redis.server import Server

    Asked = Callable[[AbstractConnection, Sequence[bytes | int]], Awaitable[Any]]

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0
_MOST_MOVES = 4
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


class _Session(NamedTuple):
    """A connection, and the incarnation of the server it leads to."""

    connection: AbstractConnection
    run_id: str


class Sessions:
    """A process's connections to one server, or to a node of a cluster; owned by an event loop.

    Args:
        url: How to reach it.
        on_incarnation: Called when the server is not the one it was: it was started again, or
            another one took its place, and may have lost what it had said to be written.

    Raises:
        InvalidSetting: The URL is none.
    """

    def __init__(self, url: str, on_incarnation: Callable[[], None]) -> None:
        self._where = _where(url)
        self._node: dict[str, Any] = {}
        self._on_incarnation = on_incarnation
        self._server: Server | None = None
        self._answered = ""
        self._idle: list[_Session] = []
        self._closed = False
        self._new()

    @property
    def server(self) -> Server:
        """The server that was last connected to."""
        if self._server is None:
            raise SinkUnavailable("There was no connection yet.")
        return self._server

    async def call(self, *words: bytes | int) -> Any:
        """Have the server do something, and return its answer.

        Once the server may have heard of it, whoever cancels waits for the answer.

        Raises:
            SinkUnavailable: It does not answer, or cannot do this now.
            SinkRefused: It does not do this for us.
        """
        return await self._exchange(_asked_undisturbed, words)

    async def ask(self, *words: bytes | int) -> Any:
        """Have the server do something of which it does not matter whether it was done.

        Raises:
            As `call` does.
        """
        return await self._exchange(_asked, words)

    async def close(self) -> None:
        """Close what nobody has; what is out is closed when it is given back."""
        self._closed = True
        await self._close_idle()

    async def _exchange(self, asked: Asked, words: Sequence[bytes | int]) -> Any:
        for _ in range(_MOST_MOVES):
            session = await self._take()
            try:
                answer = await asked(session.connection, words)
            except MovedError as error:
                await session.connection.disconnect(nowait=True)
                await self._move(error)
            except RedisError as error:
                raise faults.translate(error) from None
            else:
                self._answered = session.run_id
                return answer
            finally:
                await self._give_back(session)
        raise SinkUnavailable("The cluster's nodes send us from one to the other.")

    async def _take(self) -> _Session:
        while self._idle:
            session = self._idle.pop()
            if session.connection.is_connected:
                return session
        return await self._connect()

    async def _give_back(self, session: _Session) -> None:
        is_of_today = not self._closed and session.run_id == self.server.run_id
        if is_of_today and session.connection.is_connected:
            self._idle.append(session)
        else:
            await session.connection.disconnect(nowait=True)

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().connection.disconnect(nowait=True)

    async def _move(self, error: MovedError) -> None:
        """Go to the node of the cluster that has our keys, from now on."""
        # A node that does not know its own address leaves it out.
        host = {} if error.host in {"", "?"} else {"host": error.host}
        self._node = {**self._node, **host, "port": error.port}
        await self._close_idle()

    def _new(self) -> AbstractConnection:
        where = {**self._where, **self._node}
        kind = where.pop("connection_class", Connection)
        try:
            made: AbstractConnection = kind(**where)
        except (TypeError, ValueError, RedisError):
            raise _invalid() from None
        return made

    async def _connect(self) -> _Session:
        connection = self._new()
        try:
            await connection.connect()
            found = server.read(await _asked(connection, [b"INFO"]))
        except RedisError as error:
            await connection.disconnect(nowait=True)
            self._node = {}
            raise faults.translate(error) from None
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._server = found
        if self._answered not in {"", found.run_id}:
            self._answered = found.run_id
            log.warning("redis was started again, or another server took its place")
            await self._close_idle()
            # Those who hold connections of the old one hear of it as they lose them.
            asyncio.get_running_loop().call_soon(self._on_incarnation)
        return _Session(connection, found.run_id)


async def _asked(connection: AbstractConnection, words: Sequence[bytes | int]) -> Any:
    # The asynchronous client's own way to write a request takes five times as long.
    request = pack_command(tuple(words))  # type: ignore[arg-type] # it takes any number
    await connection.send_packed_command(request, check_health=False)
    return await connection.read_response(disable_decoding=True)


async def _asked_undisturbed(connection: AbstractConnection, words: Sequence[bytes | int]) -> Any:
    return await undisturbed(_asked(connection, words))


def _where(url: str) -> dict[str, Any]:
    """Read a URL as the client's own settings."""
    try:
        scheme, colon, rest = url.partition(":")
        url = f"{_SCHEMES.get(scheme, scheme)}{colon}{rest}"
        parts = urlsplit(url)
        where: dict[str, Any] = {**parse_url(url)}
    except ValueError:
        # The client's own sentence may quote the password.
        raise _invalid() from None
    path = parts.path.strip("/")
    if parts.scheme != "unix" and path and not path.isdecimal():
        raise _invalid()
    where.setdefault("socket_connect_timeout", CONNECT_TIMEOUT_S)
    where.setdefault("socket_timeout", ANSWER_TIMEOUT_S)
    return {**where, "protocol": 2}


def _invalid() -> InvalidSetting:
    return InvalidSetting(
        "The sink's URL is not one of Redis's; write it as redis://user:password@host:port/0, or"
        " with rediss:// for TLS."
    )
