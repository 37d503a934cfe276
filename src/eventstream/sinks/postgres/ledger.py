"""Who owns which partition, and what of it is done, in PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import psycopg
import structlog

from eventstream.backoff import Backoff
from eventstream.sinks.contract import Fenced, SinkRefused, SinkUnavailable
from eventstream.sinks.postgres import faults, statements
from eventstream.sinks.postgres.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Connection = psycopg.AsyncConnection[Any]

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

OPEN_TIMEOUT_S = 15.0
LOCK_TIMEOUT_S = 0.5
STATEMENT_TIMEOUT_S = 10.0
STOPPED_S = 3.0
"""How long an old owner may have kept the server waiting before its transaction is ended."""
_TAKING_ATTEMPTS = 3
_LETTERS = ".deadletter"
_GONE_PAUSE_S = 0.02
_BACKOFF = Backoff(first_s=0.05, cap_s=1.0, jitter=0.0)


class Place(NamedTuple):
    """A partition in the ledger, and whose turn it is there.

    Attributes:
        id: The partition's row.
        epoch: The owner's number; the next owner's is higher.
    """

    id: int
    epoch: int


class Taken(NamedTuple):
    """A partition that was taken over.

    Attributes:
        place: Where it stands in the ledger.
        next_offset: All before it is done.
        done: The offsets from there on that are done, rising.
    """

    place: Place
    next_offset: int
    done: Sequence[int]


class Ledger:
    """Keeps positions of one consumer group in two tables, which it makes; owned by an event loop.

    Args:
        dsn: How to reach the server.
        group: The consumer group.
        on_void: Called when the server was started again or is another one: it may have lost what
            it had said to be written, so every partition has to be taken over again.

    Attributes:
        tag: What the ledger knows this owner by, and the server its sessions.

    Raises:
        InvalidSetting: The DSN is none.
    """

    def __init__(self, dsn: str, group: str, on_void: Callable[[], None]) -> None:
        self.tag = f"eventstream {secrets.token_hex(12)}"
        self._group = group
        self._sessions = Sessions(
            dsn,
            self.tag,
            psycopg.AsyncConnection[Any],
            {"lock_timeout": f"{LOCK_TIMEOUT_S}s", "statement_timeout": f"{STATEMENT_TIMEOUT_S}s"},
            on_void,
        )

    async def open(self) -> None:
        """Connect, and make the tables if they are not there.

        Raises:
            SinkRefused: The server refuses, or another version made the tables.
            SinkUnavailable: It does not answer, for fifteen seconds.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + OPEN_TIMEOUT_S
        attempt = 0
        while True:
            try:
                await self._run(_prepare)
            except SinkUnavailable:
                attempt += 1
                delay_s = _BACKOFF.delay_s(attempt, 0)
                if loop.time() + delay_s > deadline_s:
                    raise
                await asyncio.sleep(delay_s)
            else:
                return

    async def take_over(self, topic: str, partition: int, start: int, topic_tag: str = "") -> Taken:
        """Become a partition's owner; whoever was it writes nothing more.

        Args:
            topic: The topic.
            partition: The partition.
            start: Where to begin if the ledger does not know the partition.
            topic_tag: Which topic of that name; another one than before begins at `start`.

        Raises:
            SinkUnavailable: The server does not answer.
            SinkRefused: It refuses.
        """
        where = (self._group, topic, partition)
        taking = (self._group, topic, topic_tag, partition, start, self.tag)

        async def take(connection: Connection) -> Taken:
            before = await _row(connection, statements.OWNER, where)
            try:
                row = await _row(connection, statements.TAKE_OVER, taking)
            except psycopg.errors.LockNotAvailable:
                await self._end_sessions(connection, before, LOCK_TIMEOUT_S / 2)
                raise
            await self._end_sessions(connection, before, STOPPED_S)
            partition_id, epoch, next_offset, done = row
            return Taken(Place(partition_id, epoch), next_offset, done)

        attempt = 1
        while True:
            try:
                return await self._run(take)
            except SinkUnavailable:
                if attempt == _TAKING_ATTEMPTS:
                    raise
                attempt += 1

    async def take_over_letters(self, topic: str, partition: int, topic_tag: str = "") -> Place:
        """Become the owner of what is noted of a partition's events that were given up before.

        There it stands, by their own offsets, which of them are done after all.
        """
        return (await self.take_over(topic + _LETTERS, partition, 0, topic_tag)).place

    async def advance(self, place: Place, from_offset: int, to_offset: int) -> None:
        """Say that all before an offset is done; whether it was said already is looked up.

        Raises:
            Fenced: Another owner took the partition over.
            SinkUnavailable: The server does not answer, and it may have been said.
        """
        statement = b"SELECT eventstream_ledger_advance(%d, %d, %d, %d)" % (
            *place,
            from_offset,
            to_offset,
        )

        async def advance(connection: Connection) -> None:
            try:
                await connection.execute(statement)
            except psycopg.errors.Error as error:
                if error.sqlstate != statements.FENCED:
                    raise
                if await self._position(connection, place) != to_offset:
                    raise

        await self._run(advance)

    async def position(self, place: Place, session: int) -> int:
        """Look up where a partition stands after a transaction whose end was not heard.

        Its session is ended first: what has not happened by then does not happen.

        Args:
            place: The partition.
            session: The process id of the transaction's server process.

        Raises:
            Fenced: Another owner took it over.
            SinkUnavailable: The server does not answer.
        """

        async def look(connection: Connection) -> int:
            await self.end_session(connection, session)
            return await self._position(connection, place)

        return await self._run(look)

    async def is_done(self, place: Place, offset: int, session: int) -> bool:
        """Say whether an event's transaction was committed whose end was not heard.

        Its session is ended first: what has not happened by then does not happen.

        Args:
            place: The partition.
            offset: The event's.
            session: The process id of the transaction's server process.

        Raises:
            Fenced: Another owner took the partition over; it knows.
            SinkUnavailable: The server does not answer.
        """

        async def look(connection: Connection) -> bool:
            await self.end_session(connection, session)
            values = {"id": place.id, "epoch": place.epoch, "offset": offset}
            row = await _row(connection, statements.FINISHED, values)
            if row is None:
                raise Fenced("The partition was taken over by another owner.")
            return bool(row[0])

        return await self._run(look)

    async def end_session(self, connection: Connection, session: int) -> None:
        """End one of our sessions, and wait until it is gone."""
        while True:
            row = await _row(connection, statements.END_SESSION, (session, self.tag))
            if row is None or not row[0]:
                return
            await asyncio.sleep(_GONE_PAUSE_S)

    async def close(self) -> None:
        """Let go of the server."""
        await self._sessions.close()

    async def _position(self, connection: Connection, place: Place) -> int:
        row = await _row(connection, statements.POSITION, place)
        if row is None:
            raise Fenced("The partition was taken over by another owner.")
        return int(row[0])

    async def _end_sessions(self, connection: Connection, before: Any, waited_s: float) -> None:
        """End the sessions of a partition's owner before us that keep the server waiting."""
        if before is not None and before[0] != self.tag:
            row = await _row(connection, statements.END_SESSIONS, (before[0], waited_s))
            if row and row[0]:
                log.warning("sessions of an owner that has stopped were ended", sessions=row[0])

    async def _run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do something in a session; the server's errors become ours."""
        connection = await self._sessions.take()
        try:
            return await work(connection)
        except psycopg.Error as error:
            raise faults.translate(error) from None
        finally:
            await self._sessions.give_back(connection)


async def _prepare(connection: Connection) -> None:
    """Make the tables if they are not there, and look whose they are."""
    if (await _version(connection)) is None:
        try:
            await connection.execute(statements.CREATE)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SinkRefused(
                "The database user may not make the ledger's tables"
                f" ({faults.sentence(error)}); grant it CREATE on the schema, or make them as"
                " docs/sinks.md says."
            ) from None
    found = await _version(connection)
    if found != statements.VERSION:
        raise SinkRefused(
            "The table eventstream_ledger_partition was made by another version"
            f" ({found!r}, and this one is {statements.VERSION!r}); give another database."
        )


async def _version(connection: Connection) -> str | None:
    row = await _row(connection, statements.FIND, ())
    return None if row is None else row[0]


async def _row(connection: Connection, statement: str, values: Any) -> Any:
    return await (await connection.execute(statement.encode(), values)).fetchone()
