"""SQLAlchemy's sessions within a handler's transaction."""

import random

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from eventstream.events import Event
from eventstream.sinks.postgres import Postgres
from eventstream.sinks.postgres.sqlalchemy import session

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    pass


class Shipment(Base):
    __tablename__ = "shipments"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]


@pytest.fixture
async def ledger(postgres_database):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE shipments (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id int)"
        )
    ledger = Postgres(postgres_database).connect("group", lambda: None, random.random)
    await ledger.open()
    await ledger.take_over("orders", 0, 0)
    yield ledger
    await ledger.close()


def shipped(dsn):
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT order_id FROM shipments ORDER BY order_id")
        return [order for (order,) in rows]


def event(offset):
    return Event("orders", b"", partition=0, offset=offset)


async def test_what_a_session_does_commits_with_the_event(ledger, postgres_database):
    async def work(tx):
        async with session(tx) as orm:
            orm.add(Shipment(order_id=1))
            await orm.commit()
            orm.add(Shipment(order_id=2))
            assert await orm.scalar(select(Shipment.order_id).where(Shipment.order_id == 2)) == 2
        assert shipped(postgres_database) == []

    await ledger.run(event(0), work)
    assert shipped(postgres_database) == [1, 2]


async def test_an_exception_undoes_what_the_session_committed(ledger, postgres_database):
    async def work(tx):
        async with session(tx) as orm:
            orm.add(Shipment(order_id=1))
            await orm.commit()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await ledger.run(event(0), work)
    assert shipped(postgres_database) == []


async def test_a_savepoint_of_the_session_is_undone_alone(ledger, postgres_database):
    async def work(tx):
        async with session(tx) as orm:
            orm.add(Shipment(order_id=1))
            async with orm.begin_nested() as nested:
                orm.add(Shipment(order_id=2))
                await orm.flush()
                await nested.rollback()
            orm.add(Shipment(order_id=3))

    await ledger.run(event(0), work)
    assert shipped(postgres_database) == [1, 3]
