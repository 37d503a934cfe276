"""Books that tell of each event which was lost or had its effects twice."""

import asyncio
import contextlib
import threading
from random import Random

import psycopg
from transfers_app import ACCOUNTS

from sinks.cutting import Wire

TRANSFERS = {
    "transfers_app": "CREATE TABLE transfers (number bigint)",
    "table_app": "CREATE TABLE transfers (value jsonb,"
    " number bigint GENERATED ALWAYS AS ((value #>> '{}')::bigint) STORED)",
}
"""By the app that writes there."""


class Books:
    """The tables of an app."""

    def __init__(self, dsn, app):
        self.dsn = dsn
        self._has_balances = app == "transfers_app"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(TRANSFERS[app])
            connection.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint)")
            rows = "INSERT INTO accounts SELECT *, 0 FROM generate_series(0, %s)"
            connection.execute(rows, [ACCOUNTS - 1])

    def rows(self):
        """How many transfers there are, as far as the server answers now."""
        with contextlib.suppress(psycopg.OperationalError):
            return self._ask("SELECT count(*) FROM transfers")[0][0]
        return 0

    def missing_and_double(self, events):
        """Count events without a row, and rows that are too many."""
        count, distinct = self._ask("SELECT count(*), count(DISTINCT number) FROM transfers")[0]
        return events - distinct, count - distinct

    def wrong_balances(self):
        """Count accounts whose balance is not what their transfers say; a sink keeps none."""
        if not self._has_balances:
            return 0
        return self._ask(
            "SELECT count(*) FROM accounts LEFT JOIN (SELECT number %% %s AS id, count(*) AS moved"
            " FROM transfers GROUP BY 1) AS sums USING (id) WHERE balance <> coalesce(moved, 0)",
            ACCOUNTS,
        )[0][0]

    def _ask(self, statement, *values):
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(statement, values or None).fetchall()


class CutWire(threading.Thread):
    """A wire to the server that cuts commits: at random before or after they arrive, on demand."""

    def __init__(self, dsn, chance=None):
        super().__init__(daemon=True)
        self._dsn = dsn
        self._chance = chance or Random(1)
        self._wanted = 0
        self._serves = threading.Event()
        self.cuts = []

    def __enter__(self):
        self.start()
        self._serves.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._ending.set)
        self.join()

    def cut(self):
        """Cut the next commit's connection."""
        self._wanted += 1

    def run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with Wire(self._dsn, self._cut_at) as wire:
            self.dsn = wire.url
            self._serves.set()
            await self._ending.wait()

    def _cut_at(self, data):
        is_commit = b"ledger_finish" in data or data.endswith(b"COMMIT\0")
        if not is_commit or len(self.cuts) >= self._wanted:
            return None
        how = self._chance.choice(("before", "after"))
        self.cuts.append(how)
        return how
