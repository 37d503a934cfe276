"""Stores of both drivers, each empty."""

import contextlib
import time

import pytest

from eventstream.gateway.idempotency.memory import MemoryStore
from eventstream.gateway.idempotency.postgres import PostgresStore


@pytest.fixture(params=["memory", "postgres"])
def open_store(request):
    """Give what opens a store in the running loop: `async with open_store() as store`."""
    if request.param == "postgres":
        dsn = request.getfixturevalue("postgres_database")

    @contextlib.asynccontextmanager
    async def opening(ttl_s=3600.0):
        store = (
            MemoryStore(ttl_s, 1000, 10_000_000, time.monotonic)
            if request.param == "memory"
            else PostgresStore(dsn, ttl_s)
        )
        async with store:
            yield store

    return opening
