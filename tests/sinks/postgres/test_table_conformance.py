"""The table sink does what every sink does, in each mode."""

import contextlib

import psycopg
import pytest

from eventstream.events import Event
from eventstream.sinks.postgres import Table
from sinks.conformance import SinkConformance
from sinks.cutting import Wire

CREATE = """
CREATE TABLE orders (
    partition int NOT NULL, "offset" bigint NOT NULL, amount int CHECK (amount >= 0){}
)
"""
COLUMNS = {"partition": "partition", "offset": "offset", "amount": "/amount"}


class TableTarget:
    def __init__(self, dsn, mode, reach=None):
        self.dsn = dsn
        self._mode = mode
        self._reach = reach or dsn
        self.poisons = [unlike_its_column, no_json, tombstone, refused_by_the_server]

    def sink(self):
        table = Table("orders", COLUMNS, mode=self._mode, dsn=self._reach)
        return table.connect(lambda: None)

    def event(self, partition, offset):
        return event(partition, offset, b'{"amount": %d}' % offset)

    def written(self, partition):
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                'SELECT "offset" FROM orders WHERE partition = %s ORDER BY "offset"', [partition]
            )
            return [offset for (offset,) in rows]

    @contextlib.asynccontextmanager
    async def wire(self, how):
        hows = iter([how])
        wire = Wire(
            self.dsn, lambda data: next(hows, None) if data.endswith(b"\x0bCOMMIT\0") else None
        )
        async with wire:
            target = TableTarget(self.dsn, self._mode, wire.url)
            target.let_go = wire.let_go
            target.held = wire.held
            yield target
        assert wire.cuts == 1


def event(partition, offset, value):
    return Event("orders", value, b"key", partition=partition, offset=offset, timestamp_ms=1)


def unlike_its_column(partition, offset):
    return event(partition, offset, b'{"amount": "much"}')


def no_json(partition, offset):
    return event(partition, offset, b'{"amount": 1')


def refused_by_the_server(partition, offset):
    return event(partition, offset, b'{"amount": -1}')


def tombstone(partition, offset):
    return event(partition, offset, None)


@pytest.fixture(params=["append", "insert", "upsert"])
def target(request, postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        # Without a constraint, what is written twice is there twice.
        key = "" if request.param == "append" else ', PRIMARY KEY (partition, "offset")'
        connection.execute(CREATE.format(key))
    return TableTarget(postgres_database, request.param)


class TestTable(SinkConformance):
    """See `SinkConformance`."""
