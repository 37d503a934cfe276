"""SQLAlchemy within a handler's transaction."""

from __future__ import annotations

import contextlib
import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg import AsyncConnection


@contextlib.asynccontextmanager
async def session(tx: AsyncConnection[Any]) -> AsyncIterator[AsyncSession]:
    """Give a session over a handler's own transaction.

    ```python
    @app.on("orders", ledger=Postgres())
    async def ship(order: Order, tx: AsyncConnection) -> None:
        async with session(tx) as orm:
            orm.add(Shipment(order_id=order.id))
    ```

    What the session did is flushed at the end of the block, and committed with the event. The
    session's own `commit()` and `rollback()` end a savepoint, and nothing more.

    Args:
        tx: The transaction.
    """
    token = _lent_now.set(_Lent(tx))
    try:
        async with (
            _engine().connect() as connection,
            connection.begin(),
            AsyncSession(connection, join_transaction_mode="create_savepoint") as orm,
        ):
            yield orm
            await orm.commit()
    finally:
        _lent_now.reset(token)


class _Lent:
    """A connection that SQLAlchemy uses and does not own."""

    def __init__(self, tx: AsyncConnection[Any]) -> None:
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def commit(self) -> None:
        """Leave it to the ledger."""

    async def rollback(self) -> None:
        """Leave it to the exception that is on its way."""

    async def close(self) -> None:
        """Leave it to whoever opened it."""


_lent_now: ContextVar[_Lent] = ContextVar("lent")


async def _take_lent(*_arguments: Any, **_options: Any) -> Any:
    return _lent_now.get()


@functools.cache
def _engine() -> AsyncEngine:
    """Make the engine: it has a dialect, and each time the connection of the moment."""
    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=_take_lent,
        poolclass=NullPool,
        # Else each connection, so each event, would ask the server for this type.
        use_native_hstore=False,
    )
