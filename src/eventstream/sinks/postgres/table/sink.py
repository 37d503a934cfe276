"""A table as a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.postgres import faults
from eventstream.sinks.postgres.ledger import Ledger
from eventstream.sinks.postgres.sessions import Sessions, check_dsn
from eventstream.sinks.postgres.table import catalogue, mapping, statements
from eventstream.sinks.postgres.table.letters import Letters
from eventstream.sinks.postgres.table.offer import create_statement
from eventstream.sinks.postgres.table.tenure import TableTenure
from eventstream.sinks.postgres.table.writing import Writer
from eventstream.sinks.postgres.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eventstream.sinks.postgres.table.catalogue import Shape
    from eventstream.sinks.postgres.table.mapping import Mode
    from eventstream.sinks.sources import Source

    Connection = psycopg.AsyncConnection[Any]

_SESSION = {
    "client_encoding": "UTF8",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    # The server ends the transaction of a process that has stopped: others wait for its locks.
    "idle_in_transaction_session_timeout": "10s",
}


class TableSettings(NamedTuple):
    """Which table, and what goes into it.

    Attributes:
        name: The table, as `orders` or `schema.orders`.
        mapping: Where its columns' values stand.
        mode: What is done with the rows.
        may_create: Whether to make it if it is not there.
    """

    name: str
    mapping: Mapping[str, Source]
    mode: Mode
    may_create: bool


class _Opened(NamedTuple):
    topic: str
    ledger: Ledger
    sessions: Sessions[Connection]
    transactions: Sessions[Transaction]
    writer: Writer


class TableSink:
    """See `contract.Sink`.

    Args:
        dsn: How to reach the server.
        table: Which table, and what goes into it.
        on_void: Called when partitions have to be taken over again.

    Raises:
        InvalidSetting: The DSN is none.
    """

    def __init__(self, dsn: str, table: TableSettings, on_void: Callable[[], None]) -> None:
        check_dsn(dsn)
        self._dsn = dsn
        self._table = table
        self._on_void = on_void
        self._opened: _Opened | None = None
        self._tenures: dict[int, TableTenure] = {}

    async def open(self, group: str, topic: str) -> None:
        """Connect, and check the mapping against the table."""
        ledger = Ledger(self._dsn, group, self._on_void)
        kind = psycopg.AsyncConnection[Any]
        sessions = Sessions(self._dsn, ledger.tag, kind, _SESSION, self._on_void)
        transactions = Sessions(self._dsn, ledger.tag, Transaction, _SESSION, self._on_void)
        try:
            await ledger.open()
            writer = await self._writer(sessions)
        except BaseException:
            await sessions.close()
            await ledger.close()
            raise
        self._opened = _Opened(topic, ledger, sessions, transactions, writer)

    async def take_over(self, partition: int, start: int, topic_tag: str = "") -> TableTenure:
        """Begin a tenure, and end every other one of the partition."""
        opened = self._opened
        if opened is None:
            raise SinkRefused("The sink is not open.")
        taken = await opened.ledger.take_over(opened.topic, partition, start, topic_tag)
        letters = Letters((opened.topic, partition, topic_tag), opened.ledger, opened.transactions)
        tenure = TableTenure(taken, opened.ledger, opened.sessions, opened.writer, letters)
        self._tenures[partition] = tenure
        return tenure

    async def close(self) -> None:
        """Let go of the server; what runs is waited for."""
        for tenure in self._tenures.values():
            await tenure.rest()
        if self._opened is not None:
            await self._opened.sessions.close()
            await self._opened.transactions.close()
            await self._opened.ledger.close()

    async def _writer(self, sessions: Sessions[Connection]) -> Writer:
        table = self._table
        connection = await sessions.take()
        try:
            shape = await self._shape(connection)
        except psycopg.Error as error:
            raise faults.translate(error) from None
        finally:
            await sessions.give_back(connection)
        columns = mapping.match(shape, table.mapping, table.mode)
        return Writer(table.name, shape, columns, table.mode)

    async def _shape(self, connection: Connection) -> Shape:
        table = self._table
        found = await catalogue.read(connection, table.name)
        if found is not None:
            return found
        statement = create_statement(table.name, table.mapping, table.mode)
        if statement is None:
            raise SinkRefused(
                f"There is no table {table.name}, and what it is to look like is not known: make"
                " it, or name its columns, among them for mode insert the partition and the offset,"
                " for upsert the key; append needs neither."
            )
        if not table.may_create:
            raise SinkRefused(
                f"There is no table {table.name}: make it, or have it made (--create, create=True)"
                f" by `{statement}`."
            )
        await connection.execute(statements.create(statement))
        made = await catalogue.read(connection, table.name)
        if made is None:
            raise SinkRefused(f"Table {table.name} is gone as soon as it is made.")
        return made
