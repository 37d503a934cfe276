"""The store that the settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.errors import InvalidSetting
from eventstream.gateway.idempotency.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventstream.gateway.idempotency.contract import Store
    from eventstream.settings import IdempotencySettings


def make_store(settings: IdempotencySettings, clock: Callable[[], float]) -> Store:
    """Make the store; entering it opens it.

    Args:
        settings: Which one, and its bounds.
        clock: Seconds that never go back.

    Raises:
        InvalidSetting: The settings contradict each other, or PostgreSQL's client is missing.
    """
    if settings.idempotency_store == "memory":
        if settings.idempotency_dsn is not None:
            raise InvalidSetting(
                "--idempotency-dsn is given, and --idempotency-store is memory; give"
                " --idempotency-store postgres, or no DSN."
            )
        return MemoryStore(
            settings.idempotency_ttl_s,
            settings.idempotency_max_keys,
            settings.idempotency_max_bytes,
            clock,
        )
    if settings.idempotency_dsn is None:
        raise InvalidSetting("--idempotency-store postgres needs an --idempotency-dsn.")
    try:
        from eventstream.gateway.idempotency.postgres import PostgresStore  # noqa: PLC0415 - extra
    except ImportError:
        raise InvalidSetting(
            "--idempotency-store postgres needs a client of PostgreSQL; install"
            " eventstream[postgres]."
        ) from None
    return PostgresStore(settings.idempotency_dsn, settings.idempotency_ttl_s)
