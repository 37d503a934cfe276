"""Which PostgreSQL a handler's transactions go to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg

from eventstream.errors import InvalidSetting
from eventstream.sinks.postgres.handling import HandlerLedger

if TYPE_CHECKING:
    from collections.abc import Callable

DSN_VARIABLE = "EVENTSTREAM_POSTGRES_DSN"


class Postgres:
    """A PostgreSQL database that keeps handlers' effects together with what is done.

    ```python
    @app.on("orders", ledger=Postgres())
    async def ship(order: Order, tx: AsyncConnection) -> None:
        await tx.execute("INSERT INTO shipments (order_id) VALUES (%s)", [order.id])
    ```

    The handler's statements and the note that its event is done commit together: each event has its
    effects once, whatever is killed, stopped or cut off meanwhile.

    Args:
        dsn: How to reach it; `EVENTSTREAM_POSTGRES_DSN` if left out.
        idle_timeout_s: How long a transaction may keep the server waiting between its statements,
            in seconds, before the server ends it: as long as the longest call elsewhere that a
            handler makes in the middle of its transaction.
        connections: The most connections of a process for these transactions, which wait for each
            other then; as many as run at once if left out, or as the server has.

    Raises:
        InvalidSetting: Something is out of its bounds.
    """

    transaction = psycopg.AsyncConnection

    def __init__(
        self,
        dsn: str | None = None,
        *,
        idle_timeout_s: float = 60.0,
        connections: int | None = None,
    ) -> None:
        if idle_timeout_s <= 0:
            raise InvalidSetting(f"idle_timeout_s is {idle_timeout_s}; it must be above 0.")
        if connections is not None and connections < 1:
            raise InvalidSetting(f"connections is {connections}; it must be 1 or more.")
        self._dsn = dsn
        self._connections = connections
        self._idle_timeout_s = idle_timeout_s

    def __repr__(self) -> str:
        return "Postgres()" if self._dsn is None else "Postgres(...)"

    def connect(
        self, group: str, on_void: Callable[[], None], chance: Callable[[], float]
    ) -> HandlerLedger:
        """Make the ledger of one process; see `contract.LedgerSettings`."""
        dsn = dsn_of("Postgres()", self._dsn)
        return HandlerLedger(dsn, group, self._idle_timeout_s, self._connections, on_void, chance)


def dsn_of(owner: str, dsn: str | None) -> str:
    """Return a DSN that was given, or the environment's.

    Raises:
        InvalidSetting: There is neither; `owner` is what lacks it.
    """
    found = dsn if dsn is not None else os.environ.get(DSN_VARIABLE, "")
    if not found:
        raise InvalidSetting(
            f"{owner} has no DSN: give it one, or set {DSN_VARIABLE}; `eventstream up --with"
            " postgres` sets it."
        )
    return found
