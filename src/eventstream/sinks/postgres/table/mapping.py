"""Which column gets what, checked against the table; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from eventstream.sinks import sources
from eventstream.sinks.contract import SinkRefused
from eventstream.sinks.postgres.table import codecs
from eventstream.sinks.postgres.table.rows import Column
from eventstream.sinks.sources import Kind, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from eventstream.sinks.postgres.table.catalogue import ColumnShape, Shape
    from eventstream.sinks.postgres.table.codecs import Codec

    Mode = Literal["insert", "upsert", "append"]

_CODECS: Mapping[Kind, Mapping[str, Callable[[int], Codec]]] = {
    Kind.POINTER: codecs.FROM_JSON,
    Kind.KEY: codecs.FROM_BYTES,
    Kind.VALUE: codecs.FROM_BYTES,
    Kind.HEADER: codecs.FROM_BYTES,
    Kind.HEADERS: codecs.FROM_JSON_TEXT,
    Kind.TIMESTAMP: codecs.FROM_MILLISECONDS,
    Kind.TOPIC: codecs.FROM_TEXT,
    Kind.PARTITION: codecs.FROM_INTEGER,
    Kind.OFFSET: {"int8": codecs.FROM_INTEGER["int8"]},
}
_JSON = frozenset({"json", "jsonb"})


def match(shape: Shape, mapping: Mapping[str, Source], mode: Mode) -> list[Column]:
    """Say what goes into which column.

    Args:
        shape: The table.
        mapping: Where columns' values stand; if there are none, every column without a default gets
            the event's member of its name.
        mode: What is done with the rows.

    Raises:
        SinkRefused: They do not fit together, or the database user may not write so.
    """
    table = shape.name
    known = {column.name: column for column in shape.columns}
    if not mapping:
        mapping = {
            column.name: sources.member(column.name)
            for column in shape.columns
            if not column.has_default and not column.is_made
        }
    for name in mapping:
        if name not in known:
            _refuse(f"Table {table} has no column {name}; it has {_listed(list(known))}.")
    if not mapping:
        _refuse(f"Every column of table {table} has a default: say what goes into which.")
    for column in shape.columns:
        if column.is_needed and not column.has_default and column.name not in mapping:
            _refuse(
                f"Column {column.name} of table {table} is NOT NULL and has no default: say where"
                " its value stands."
            )
    columns = [_column(table, known[name], source) for name, source in mapping.items()]
    columns = _without_second_looks(columns)
    if mode == "insert" and not shape.is_unique:
        _refuse(
            f"Table {table} has neither a primary key nor a unique constraint by which mode insert"
            " could tell what is there already: add one, or take mode append."
        )
    if mode == "upsert":
        _check_key(shape, {column.name: column for column in columns}, known)
    _check_privileges(shape, [known[name] for name in mapping], mode)
    if mode == "upsert" and not shape.may_delete and takes_tombstones(shape, columns):
        _refuse(
            f"The database user may not delete rows of table {table}, as tombstones do: grant it"
            " DELETE on the table."
        )
    return columns


def takes_tombstones(shape: Shape, columns: Sequence[Column]) -> bool:
    """Whether a tombstone says which row it deletes: its key does, not its value."""
    key = [column.source for column in columns if column.name in shape.key]
    return any(source.kind is Kind.KEY for source in key) and not any(
        source.is_in_value for source in key
    )


def _column(table: str, shape: ColumnShape, source: Source) -> Column:
    if shape.is_made:
        _refuse(
            f"Column {shape.name} of table {table} is GENERATED: the server alone says what is in"
            " it; leave it out."
        )
    fitting = _CODECS[source.kind]
    if shape.type not in fitting:
        all_types = sorted(set().union(*_CODECS.values()))
        if shape.type in all_types:
            _refuse(
                f"Column {shape.name} of table {table} is {shape.written}, and {source.text} goes"
                f" into {_listed(sorted(fitting))} only."
            )
        _refuse(
            f"Column {shape.name} of table {table} is {shape.written}, a type that is not"
            f" supported; supported are {_listed(all_types)}."
        )
    codec = fitting[shape.type](shape.modifier)
    return Column(shape.name, shape.type, source, codec, shape.is_needed)


def _without_second_looks(columns: Sequence[Column]) -> list[Column]:
    """Take values for JSON without a look where pointers lead into them, which look."""
    if not any(column.source.kind is Kind.POINTER for column in columns):
        return list(columns)
    return [
        column._replace(codec=codecs.FROM_JSON[column.type](-1))
        if column.source.kind is Kind.VALUE and column.type in _JSON
        else column
        for column in columns
    ]


def _check_key(
    shape: Shape, columns: Mapping[str, Column], known: Mapping[str, ColumnShape]
) -> None:
    if not shape.key:
        _refuse(
            f"Table {shape.name} has no primary key (or a deferrable one), by which mode upsert"
            " finds the row to update: add one."
        )
    for name in shape.key:
        if name not in columns:
            _refuse(
                f"Column {name} is of table {shape.name}'s primary key: mode upsert has to know"
                " where its value stands."
            )
        if columns[name].type in _JSON or not known[name].is_exact:
            _refuse(
                f"Column {name} of table {shape.name}'s primary key has a type or a collation in"
                " which equal values may look different: mode upsert cannot order such events."
            )


def _check_privileges(shape: Shape, columns: Sequence[ColumnShape], mode: Mode) -> None:
    lacking = [("INSERT", column.name) for column in columns if not column.may_insert]
    if mode == "upsert":
        lacking += [("UPDATE", column.name) for column in columns if not column.may_update]
        lacking += [
            ("SELECT", column.name)
            for column in columns
            if column.name in shape.key and not column.may_select
        ]
    if lacking:
        privilege, name = lacking[0]
        _refuse(
            f"The database user may not {privilege} column {name} of table {shape.name}: grant it"
            f" {privilege} on the table."
        )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)


def _refuse(sentence: str) -> NoReturn:
    raise SinkRefused(sentence)
