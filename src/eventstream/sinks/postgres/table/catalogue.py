"""What the server says of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from eventstream.sinks.contract import SinkRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    Connection = psycopg.AsyncConnection[Any]

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence"}

_FIND = """
SELECT class.oid, class.relkind::text, namespace.nspname, class.relname,
    row_security_active(class.oid),
    has_table_privilege(class.oid, 'DELETE')
FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.oid = to_regclass(%s)
"""
_COLUMNS = """
SELECT attribute.attname, attribute.atttypid, format_type(attribute.atttypid, attribute.atttypmod),
    COALESCE(base.typname, type.typname),
    CASE WHEN base.oid IS NULL THEN attribute.atttypmod ELSE type.typtypmod END,
    attribute.attnotnull OR type.typnotnull,
    attribute.atthasdef OR attribute.attidentity <> '' OR type.typdefault IS NOT NULL,
    attribute.attgenerated <> '' OR attribute.attidentity = 'a',
    COALESCE(collation_.collisdeterministic, true),
    has_table_privilege(attribute.attrelid, 'INSERT'),
    has_column_privilege(attribute.attrelid, attribute.attnum, 'UPDATE'),
    has_column_privilege(attribute.attrelid, attribute.attnum, 'SELECT')
FROM pg_attribute AS attribute
JOIN pg_type AS type ON type.oid = attribute.atttypid
LEFT JOIN pg_type AS base ON type.typtype = 'd' AND base.oid = type.typbasetype
LEFT JOIN pg_collation AS collation_ ON collation_.oid = attribute.attcollation
WHERE attribute.attrelid = %s AND attribute.attnum > 0 AND NOT attribute.attisdropped
ORDER BY attribute.attnum
"""
_UNIQUE = """
SELECT index.indisprimary, index.indimmediate, ARRAY (
    SELECT attribute.attname FROM unnest(index.indkey) WITH ORDINALITY AS part(number, place)
    JOIN pg_attribute AS attribute
        ON attribute.attrelid = index.indrelid AND attribute.attnum = part.number
    WHERE part.place <= index.indnkeyatts ORDER BY part.place
)::text[]
FROM pg_index AS index
WHERE index.indrelid = %s AND index.indisunique AND index.indisvalid
"""


class ColumnShape(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its name.
        type_id: Its type's number on this server.
        written: Its type, as the server writes it.
        type: Its type's name in the catalogue; of a domain, that of the type under it.
        modifier: The type's modifier, -1 for none.
        is_needed: Whether it may not be NULL.
        has_default: Whether it has a value when none is given.
        is_made: Whether the server alone says what is in it.
        is_exact: Whether texts in it are equal only if their characters are.
        may_insert: Whether we may.
        may_update: Whether we may.
        may_select: Whether we may.
    """

    name: str
    type_id: int
    written: str
    type: str
    modifier: int
    is_needed: bool
    has_default: bool
    is_made: bool
    is_exact: bool
    may_insert: bool
    may_update: bool
    may_select: bool


class Shape(NamedTuple):
    """A table.

    Attributes:
        name: Its name, quoted and with its schema.
        columns: Its columns, in their order.
        key: The primary key's columns; none if it has none that is checked at once.
        is_unique: Whether any unique constraint is checked at once.
        may_delete: Whether we may delete rows.
    """

    name: str
    columns: Sequence[ColumnShape]
    key: Sequence[str]
    is_unique: bool
    may_delete: bool


async def read(connection: Connection, name: str) -> Shape | None:
    """Read what a table is like; `None` if there is no such table.

    Args:
        connection: To the server.
        name: The table, as `orders` or `schema.orders`; capital letters count.

    Raises:
        psycopg.Error: The server's error.
        SinkRefused: It is no table that rows can be copied into.
    """
    row = await (await connection.execute(_FIND, [quoted(name)])).fetchone()
    if row is None:
        return None
    oid, kind, schema, bare, is_secured, may_delete = row
    if kind in _KINDS:
        raise SinkRefused(f"{name} is {_KINDS[kind]}; rows go into tables only.")
    if is_secured:
        raise SinkRefused(
            f"Row-level security of table {name} applies to this database user, and COPY does not"
            " work with it; give the user BYPASSRLS, or another table."
        )
    columns = await (await connection.execute(_COLUMNS, [oid])).fetchall()
    unique = await (await connection.execute(_UNIQUE, [oid])).fetchall()
    return Shape(
        f"{quoted_name(schema)}.{quoted_name(bare)}",
        [ColumnShape(*column) for column in columns],
        next((key for is_primary, at_once, key in unique if is_primary and at_once), []),
        any(at_once for _, at_once, _ in unique),
        may_delete,
    )


def quoted(name: str) -> str:
    """Quote the name of a table, which may have a schema's before it."""
    return ".".join(map(quoted_name, name.split(".")))


def quoted_name(name: str) -> str:
    """Quote one name."""
    return '"{}"'.format(name.replace('"', '""'))
