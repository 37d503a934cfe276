"""Batches into a table, in a transaction that somebody else begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format

from eventstream.sinks.contract import Poisoned, SinkRefused
from eventstream.sinks.postgres import faults
from eventstream.sinks.postgres.table import catalogue, mapping, statements
from eventstream.sinks.postgres.table.batches import COPY_END, COPY_HEAD, Batches, Part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from eventstream.events import Event
    from eventstream.sinks.postgres.table.catalogue import Shape
    from eventstream.sinks.postgres.table.mapping import Mode
    from eventstream.sinks.postgres.table.rows import Column

    Connection = psycopg.AsyncConnection[Any]
    Put = Callable[[Connection, Part], Awaitable[None]]
    Way = Callable[[Connection, Sequence[Event]], Awaitable[None]]

_SLICE = 250
"""So many rows are made while the server takes in those before."""


class Writer:
    """Writes batches into one table.

    Args:
        name: The table, as in the settings.
        shape: What it is like.
        columns: What goes into its columns.
        mode: What is done with the rows.

    Attributes:
        ways: How events are written; each, in a transaction of its own, where the one before failed
            for something in them. The last one finds out for what. All raise `Poisoned`.
        look: What is asked before, in the same transaction, for `check`.
    """

    def __init__(self, name: str, shape: Shape, columns: Sequence[Column], mode: Mode) -> None:
        self._name = name
        self._shape = shape
        self._mode = mode
        table = shape.name
        self.look = statements.look(table, columns)
        self._copy_statement = statements.copy(table, columns)
        self._insert_statement = statements.insert(table, columns)
        self._types = _types(columns)
        names = {column.name for column in columns}
        self._type_ids = {one.name: one.type_id for one in shape.columns if one.name in names}
        key: Sequence[str] = ()
        if mode == "upsert":
            key = shape.key
            self._insert_statement = statements.upsert(table, columns, key)
        by_name = {column.name: column for column in columns}
        key_columns = [by_name[each] for each in key]
        self._delete_statement = statements.delete(table, key_columns)
        self._key_types = _types(key_columns)
        self._batches = Batches(columns, key, self._why_no_tombstones(columns))
        self.ways = self._ways()

    def check(self, types: Sequence[tuple[str, int]]) -> None:
        """Check that columns have the types they had: COPY takes any field of the right length.

        Args:
            types: The answer to `look`.

        Raises:
            SinkRefused: They have not.
        """
        if dict(types) != self._type_ids:
            raise self._changed()

    def _ways(self) -> Sequence[Way]:
        if self._mode == "append":
            return [self._stream, self._carefully(self._copy)]
        ways = [self._at_once, self._carefully(self._insert)]
        # What is there already fails a COPY, and only a COPY.
        return [self._stream, *ways] if self._mode == "insert" else ways

    def _why_no_tombstones(self, columns: Sequence[Column]) -> str | None:
        if self._mode != "upsert":
            return f"It is a tombstone, which stands for no row in mode {self._mode}."
        if mapping.takes_tombstones(self._shape, columns):
            return None
        return (
            "It is a tombstone, and the table's primary key is not the event's key: which row it"
            " deletes is not known."
        )

    async def _stream(self, connection: Connection, events: Sequence[Event]) -> None:
        """Copy rows as they are made."""
        if not events:
            return
        try:
            async with connection.cursor().copy(self._copy_statement) as copy:
                await copy.write(COPY_HEAD)
                for start in range(0, len(events), _SLICE):
                    rows = self._batches.of(events[start : start + _SLICE]).rows
                    await copy.write(rows.copied())
                await copy.write(COPY_END)
        except Poisoned:
            self._batches.of(events)  # which says it of all of them
            raise

    async def _at_once(self, connection: Connection, events: Sequence[Event]) -> None:
        rows, gone = self._batches.of(events)
        if rows.events:
            await self._insert(connection, rows)
        if gone.events:
            await self._delete(connection, gone)

    def _carefully(self, put: Put) -> Way:
        async def write(connection: Connection, events: Sequence[Event]) -> None:
            batch = self._batches.of(events)
            await connection.execute(statements.CHECK_AT_ONCE)
            reasons: dict[int, str] = {}
            await _narrow(connection, put, batch.rows, reasons)
            await _narrow(connection, self._delete, batch.gone, reasons)
            if not reasons:
                return
            if await catalogue.read(connection, self._name) != self._shape:
                raise self._changed()
            raise Poisoned(reasons)

        return write

    async def _copy(self, connection: Connection, part: Part) -> None:
        async with connection.cursor().copy(self._copy_statement) as copy:
            await copy.write(COPY_HEAD + part.copied() + COPY_END)

    def _changed(self) -> SinkRefused:
        return SinkRefused(f"Table {self._name} is not what it was: start again.")

    async def _insert(self, connection: Connection, part: Part) -> None:
        await _bind(connection, self._insert_statement, part, self._types)

    async def _delete(self, connection: Connection, part: Part) -> None:
        await _bind(connection, self._delete_statement, part, self._key_types)


class _Array(bytes):
    """An array in binary form."""

    __slots__ = ()


class _ArrayDumper(Dumper):
    """Binds an array as it is: as text it would take four times as long."""

    format = Format.BINARY

    def dump(self, obj: _Array) -> _Array:
        return obj


def _types(columns: Sequence[Column]) -> Sequence[int]:
    return [types[column.type].oid for column in columns]


async def _bind(
    connection: Connection, statement: bytes, part: Part, elements: Sequence[int]
) -> None:
    cursor = psycopg.AsyncRawCursor(connection)
    cursor.adapters.register_dumper(_Array, _ArrayDumper)
    arrays = [_Array(part.array(at, element)) for at, element in enumerate(elements)]
    await cursor.execute(statement, arrays, prepare=False)


async def _narrow(connection: Connection, put: Put, part: Part, reasons: dict[int, str]) -> None:
    """Put rows in, and those that cannot be put into `reasons`: each is tried after all before."""
    count = len(part.events)
    if not count:
        return
    await connection.execute(statements.SAVEPOINT)
    try:
        await put(connection, part)
    except psycopg.Error as error:
        if not faults.may_be_one_row(error) or connection.closed:
            raise
        await connection.execute(statements.ROLLBACK_TO)
        if count == 1:
            reasons[part.events[0].offset] = (
                f"PostgreSQL does not take it: {faults.sentence(error)}."
            )
            return
        await _narrow(connection, put, part.cut(0, count // 2), reasons)
        await _narrow(connection, put, part.cut(count // 2, count), reasons)
    else:
        await connection.execute(statements.RELEASE)
