"""What the table sink says to PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.sinks.postgres.table.catalogue import quoted_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.sinks.postgres.ledger import Place
    from eventstream.sinks.postgres.table.rows import Column

COMMIT = b"COMMIT"
ROLLBACK = b"ROLLBACK"
CHECK_AT_ONCE = b"SET CONSTRAINTS ALL IMMEDIATE"
SAVEPOINT = b"SAVEPOINT careful"
RELEASE = b"RELEASE careful"
ROLLBACK_TO = b"ROLLBACK TO careful; RELEASE careful"


def begin(place: Place, next_offset: int, new_next_offset: int) -> bytes:
    """Begin a transaction with the move of the position, which is of one row if it is ours."""
    return (
        b"BEGIN ISOLATION LEVEL READ COMMITTED; UPDATE eventstream_ledger_partition"
        b" SET next_offset = %d WHERE id = %d AND epoch = %d AND next_offset = %d"
        % (new_next_offset, *place, next_offset)
    )


def look(table: str, columns: Sequence[Column]) -> bytes:
    """Keep a table as it is until the transaction's end, and read its columns' names and types."""
    names = ", ".join(_literal(column.name) for column in columns)
    return (
        f"LOCK TABLE ONLY {table} IN ROW EXCLUSIVE MODE; SELECT attname, atttypid FROM pg_attribute"  # noqa: S608 - quoted
        f" WHERE attrelid = {_literal(table)}::regclass AND attname IN ({names})"
    ).encode()


def create(statement: str) -> bytes:
    """Make a table unless it is there; one process at a time, as the ledger's."""
    return b"BEGIN; SELECT pg_advisory_xact_lock(4611905812305119377); %b; COMMIT" % (
        statement.encode()
    )


def copy(table: str, columns: Sequence[Column]) -> bytes:
    """Copy rows into a table."""
    return f"COPY {table} ({_names(columns)}) FROM STDIN (FORMAT BINARY)".encode()


def insert(table: str, columns: Sequence[Column]) -> bytes:
    """Insert rows that no unique constraint knows; an array is bound for each column."""
    return f"{_insert(table, columns)} ON CONFLICT DO NOTHING".encode()


def upsert(table: str, columns: Sequence[Column], key: Sequence[str]) -> bytes:
    """Insert rows, or update those of the same primary key; an array is bound for each column."""
    names = [quoted_name(column.name) for column in columns if column.name not in key]
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
    action = f"UPDATE SET {changes}" if changes else "NOTHING"
    conflict = ", ".join(map(quoted_name, key))
    return f"{_insert(table, columns)} ON CONFLICT ({conflict}) DO {action}".encode()


def delete(table: str, columns: Sequence[Column]) -> bytes:
    """Delete the rows of primary keys; an array is bound for each column of it."""
    same = " AND ".join(
        f"present.{name} = gone.{name}" for name in (quoted_name(column.name) for column in columns)
    )
    gone = f"{_arrays(columns)} AS gone ({_names(columns)})"
    return f"DELETE FROM {table} AS present USING {gone} WHERE {same}".encode()  # noqa: S608 - quoted


def _insert(table: str, columns: Sequence[Column]) -> str:
    return f"INSERT INTO {table} ({_names(columns)}) SELECT * FROM {_arrays(columns)}"  # noqa: S608 - quoted


def _arrays(columns: Sequence[Column]) -> str:
    arrays = (f"${number}::{column.type}[]" for number, column in enumerate(columns, 1))
    return f"unnest({', '.join(arrays)})"


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(quoted_name(column.name) for column in columns)
