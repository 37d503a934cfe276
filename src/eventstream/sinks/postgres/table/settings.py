"""Which table events go into, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.errors import InvalidSetting
from eventstream.sinks import sources
from eventstream.sinks.postgres.settings import dsn_of
from eventstream.sinks.postgres.table.sink import TableSettings, TableSink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eventstream.sinks.postgres.table.mapping import Mode

MODES = ("insert", "upsert", "append")
_MOST_PARTS = 2


class Table:
    """A table in PostgreSQL that events go into as rows, each exactly once.

    ```python
    Table("orders", {"id": "/id", "customer": "/customer/name", "event": "value"}, mode="upsert")
    ```

    Args:
        name: The table, as `orders` or `schema.orders`; capital letters count.
        columns: Where the value of each column stands: a JSON pointer into the event (`/amount`,
            RFC 6901), or `key`, `value`, `headers`, `headers.NAME`, `timestamp`, `topic`,
            `partition` or `offset`. If left out, every column without a default gets the member of
            its name.
        mode: `insert` leaves a row alone that a unique constraint knows already; `upsert` updates
            the row of the same primary key, and a tombstone deletes it; `append` writes every
            event.
        create: Whether to make the table if it is not there.
        dsn: How to reach the server; `EVENTSTREAM_POSTGRES_DSN` if left out.

    Raises:
        InvalidSetting: A name, a source or the mode is none.
    """

    def __init__(
        self,
        name: str,
        columns: Mapping[str, str] | None = None,
        *,
        mode: Mode = "insert",
        create: bool = False,
        dsn: str | None = None,
    ) -> None:
        parts = name.split(".")
        if not all(parts) or len(parts) > _MOST_PARTS:
            raise InvalidSetting(f"{name!r} is no table; write orders or schema.orders.")
        if mode not in MODES:
            raise InvalidSetting(f"{mode!r} is no mode; it is one of {', '.join(MODES)}.")
        mapping = {column: sources.parse(source) for column, source in (columns or {}).items()}
        self._table = TableSettings(name, mapping, mode, create)
        self._dsn = dsn

    def __repr__(self) -> str:
        return f"Table({self._table.name!r}, ...)"

    def connect(self, on_void: Callable[[], None]) -> TableSink:
        """Make the sink of one process; see `contract.SinkSettings`."""
        return TableSink(dsn_of(repr(self), self._dsn), self._table, on_void)
