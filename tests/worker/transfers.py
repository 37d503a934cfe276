"""Books that tell of each event which was lost or had its effects twice."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import psycopg
import redis
from transfers_app import ACCOUNTS

from eventstream.local.postgres import start_postgres
from eventstream.local.valkey import start_valkey
from sinks.cutting import Wire

PAGE = 10_000


class Tables:
    """The transfers and balances in PostgreSQL; a sink keeps no balances.

    Args:
        dsn: The server's.
        columns: Those of the transfers' table.
    """

    def __init__(self, dsn, columns):
        self.dsn = dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE transfers ({columns})")
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
        """Count accounts whose balance is not what their transfers say."""
        return self._ask(
            "SELECT count(*) FROM accounts LEFT JOIN (SELECT number %% %s AS id, count(*) AS moved"
            " FROM transfers GROUP BY 1) AS sums USING (id) WHERE balance <> coalesce(moved, 0)",
            ACCOUNTS,
        )[0][0]

    def _ask(self, statement, *values):
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(statement, values or None).fetchall()


class SunkTables(Tables):
    """The transfers alone, as a table sink writes them."""

    def wrong_balances(self):
        return 0


class Streams:
    """The transfers and balances in Redis: a stream and a hash."""

    def __init__(self, url):
        self._client = redis.Redis.from_url(url, protocol=2)

    def rows(self):
        """How many transfers there are, as far as the server answers now."""
        with contextlib.suppress(redis.RedisError):
            return self._client.xlen("transfers")
        return 0

    def missing_and_double(self, events):
        """Count events without an entry, and entries that are too many."""
        numbers = self._numbers()
        return events - len(numbers), numbers.total() - len(numbers)

    def wrong_balances(self):
        """Count accounts whose balance is not what their transfers say."""
        moved = Counter()
        for number, times in self._numbers().items():
            moved[number % ACCOUNTS] += times
        found = {int(one): int(sum_) for one, sum_ in self._client.hgetall("balances").items()}
        return sum(moved[account] != found.get(account, 0) for account in range(ACCOUNTS))

    def _numbers(self):
        numbers, start = Counter(), "-"
        while page := self._client.xrange("transfers", start, count=PAGE):
            numbers.update(int(fields[b"number"]) for _, fields in page)
            start = b"(" + page[-1][0]
        return numbers


class Keeper(NamedTuple):
    """What keeps the effects of an app.

    Attributes:
        start: Starts its server.
        variable: Tells the app where that is.
        books: Opens the books there.
        is_commit: Whether what is sent there would make effects last.
    """

    start: Callable[..., Any]
    variable: str
    books: Callable[[str], Any]
    is_commit: Callable[[bytes], bool]


def _commits(data):
    return b"ledger_finish" in data or data.endswith(b"COMMIT\0")


def _writes(data):
    return b"FCALL" in data and b"_write\r\n" in data


KEEPERS = {
    "transfers_app": Keeper(
        start_postgres,
        "EVENTSTREAM_POSTGRES_DSN",
        lambda dsn: Tables(dsn, "number bigint"),
        _commits,
    ),
    "table_app": Keeper(
        start_postgres,
        "EVENTSTREAM_POSTGRES_DSN",
        lambda dsn: SunkTables(
            dsn,
            "value jsonb, number bigint GENERATED ALWAYS AS ((value #>> '{}')::bigint) STORED",
        ),
        _commits,
    ),
    "redis_transfers_app": Keeper(start_valkey, "EVENTSTREAM_REDIS_URL", Streams, _writes),
}
"""By the app that writes there."""


class CutWire(threading.Thread):
    """A wire to the server that cuts commits: at random before or after they arrive, on demand.

    Args:
        url: The server's.
        is_commit: Whether what is sent is one.
    """

    def __init__(self, url, is_commit):
        super().__init__(daemon=True)
        self._url = url
        self._is_commit = is_commit
        self._chance = Random(1)
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
        async with Wire(self._url, self._cut_at) as wire:
            self.url = wire.url
            self._serves.set()
            await self._ending.wait()

    def _cut_at(self, data):
        if not self._is_commit(data) or len(self.cuts) >= self._wanted:
            return None
        how = self._chance.choice(("before", "after"))
        self.cuts.append(how)
        return how
