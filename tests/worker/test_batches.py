"""Handlers of batches, with a real Kafka."""

import asyncio
import contextlib
import threading

import msgspec
import pytest
from workers import committed, new_group, publish, reach, until, working

from eventstream import App, Event, Permanent, Retry
from eventstream.backoff import Backoff
from eventstream.deadletters.inbox import read_inbox
from records import read_log

pytestmark = pytest.mark.kafka

QUICK = Retry(attempts=3, backoff=Backoff(first_s=0.01))


class Order(msgspec.Struct):
    id: int


def orders(keys, count):
    return [(b"key-%d" % (n % keys), b'{"id": %d}' % n) for n in range(count)]


def failures(kafka, topic):
    entries = read_inbox(reach(kafka), topic).entries.values()
    return {entry.letter.event.value: entry.letter.failure for entry in entries}


@contextlib.asynccontextmanager
async def handled(app, kafka, topic, group, count):
    """Run a worker until it has handled so many events, or given them up."""
    async with working(app, kafka, group) as worker:
        counters = worker._parts[topic].counters
        yield worker
        await until(lambda: counters.received == count, "all came")
        await until(lambda: not worker._bound.events, "all is on record")


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_batches_are_full_when_there_is_enough_and_each_key_is_in_order(kafka, topic, kind):
    group, batches, threads = new_group(), [], set()
    publish(kafka, topic, orders(keys=50, count=500))

    def keep(orders: list[Order], events: list[Event]):
        threads.add(threading.current_thread())
        assert [order.id for order in orders] == [event.offset for event in events]
        assert len({event.key for event in events}) == len(events)
        batches.append([order.id for order in orders])

    async def keep_async(orders: list[Order], events: list[Event]):
        await asyncio.sleep(0)
        keep(orders, events)

    app = App()
    app.batch(topic, size=25, within_s=5)(keep_async if kind == "async" else keep)

    async def main():
        async with handled(app, kafka, topic, group, 500):
            pass

    asyncio.run(main())
    assert {len(batch) for batch in batches} == {25}
    flat = [number for batch in batches for number in batch]
    assert sorted(flat) == list(range(500))
    for key in range(50):
        of_key = [number for number in flat if number % 50 == key]
        assert of_key == sorted(of_key)
    assert (threading.main_thread() in threads) == (kind == "async")
    assert committed(kafka, group, topic) == 500


def test_a_batch_waits_no_longer_than_it_should(kafka, topic):
    group, sizes = new_group(), []
    publish(kafka, topic, orders(keys=3, count=3))
    app = App()

    @app.batch(topic, size=1000, within_s=0.05)
    async def keep(events):
        sizes.append(len(events))

    async def main():
        async with handled(app, kafka, topic, group, 3):
            pass

    asyncio.run(main())
    assert sum(sizes) == 3


def test_one_bad_event_costs_the_others_a_call(kafka, topic):
    group, done, calls = new_group(), [], []
    values = [b'{"id": %d}' % n for n in range(10)]
    values[3] = b"no order"
    publish(kafka, topic, [(b"key-%d" % n, value) for n, value in enumerate(values)])
    app = App()

    @app.batch(topic, size=9, within_s=0.5, retry=QUICK)
    async def keep(orders: list[Order]):
        numbers = [order.id for order in orders]
        calls.append(numbers)
        if 7 in numbers:
            raise ValueError("seven")
        done.extend(numbers)

    async def main():
        async with handled(app, kafka, topic, group, 10):
            pass

    asyncio.run(main())
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 8, 9]
    assert calls[0] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert calls[1:10] == [[number] for number in calls[0]]
    assert calls.count([7]) == 3
    found = failures(kafka, topic)
    assert found[b"no order"].error == "eventstream.errors.InvalidEvent"
    assert found[values[7]].message == "seven"
    assert committed(kafka, group, topic) == 10


def test_a_batch_that_takes_too_long_is_cancelled(kafka, topic):
    group, cancelled = new_group(), []
    publish(kafka, topic, orders(keys=2, count=2))
    app = App()

    @app.batch(topic, size=2, timeout_s=0.05, retry=Retry(attempts=1))
    async def keep(events):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(len(events))
            raise

    async def main():
        async with handled(app, kafka, topic, group, 2):
            pass

    asyncio.run(main())
    assert cancelled == [2, 1, 1]
    assert {failure.error for failure in failures(kafka, topic).values()} == {
        "eventstream.errors.HandlerTimedOut"
    }


def test_a_batch_returns_events(kafka, topic, make_topic):
    group, out = new_group(), make_topic()
    publish(kafka, topic, orders(keys=4, count=4))
    app = App()

    @app.batch(topic, size=4, within_s=5)
    async def total(orders: list[Order]):
        return Event(out, b"%d" % sum(order.id for order in orders))

    async def main():
        async with handled(app, kafka, topic, group, 4):
            pass

    asyncio.run(main())
    assert read_log(kafka, out) == [(None, b"6")]


def test_a_stop_finishes_the_batches_that_began(kafka, topic):
    group, began, done, go = new_group(), [], [], asyncio.Event()
    publish(kafka, topic, orders(keys=8, count=8))
    app = App()

    @app.batch(topic, size=4, within_s=0.05, concurrency=2)
    async def keep(events):
        began.append(len(events))
        await go.wait()
        done.extend(events)

    async def main():
        async with working(app, kafka, group) as worker:
            await until(lambda: began, "a batch runs")
            worker.stop()
            asyncio.get_running_loop().call_soon(go.set)

    asyncio.run(main())
    assert len(done) == sum(began)
    assert committed(kafka, group, topic) == len(done)


def test_a_key_of_a_batch_is_parked(kafka, topic):
    group, done = new_group(), []
    publish(kafka, topic, orders(keys=2, count=6))
    app = App()

    @app.batch(topic, size=2, within_s=0.05, on_failure="park")
    async def keep(orders: list[Order]):
        if any(order.id == 1 for order in orders):
            raise Permanent("one")
        done.extend(order.id for order in orders)

    async def main():
        async with handled(app, kafka, topic, group, 6):
            pass

    asyncio.run(main())
    assert sorted(done) == [0, 2, 4]
    states = {entry.state for entry in read_inbox(reach(kafka), topic).outstanding}
    assert states == {"dead", "parked"}
