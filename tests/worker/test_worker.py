import asyncio
import threading

import pytest
from confluent_kafka import Producer
from workers import SOON_S, committed, make_worker, new_group, publish, reach, until, working

from eventstream import App
from eventstream.errors import Permanent
from eventstream.settings import WorkerSettings

pytestmark = pytest.mark.kafka


def test_every_event_is_handled_once_and_in_the_order_of_its_key(kafka, make_topic):
    topic, group = make_topic(4), new_group()
    records = [(b"key-%d" % (n % 37), b"%d" % n) for n in range(3000)]
    publish(kafka, topic, records)
    handled, running = [], set()
    app = App()

    @app.on(topic, concurrency=32)
    async def handle(event):
        assert event.key not in running
        running.add(event.key)
        await asyncio.sleep(event.offset % 7 / 5000)
        running.remove(event.key)
        handled.append((event.key, event.value))

    async def main():
        async with working(app, kafka, group, max_in_flight=500):
            await until(lambda: len(handled) >= len(records), "all are handled")

    asyncio.run(main())
    assert sorted(handled) == sorted(records)
    for key in {key for key, _ in records}:
        assert [pair for pair in handled if pair[0] == key] == [
            pair for pair in records if pair[0] == key
        ]
    assert committed(kafka, group, topic, 4) == len(records)


def test_a_failing_key_does_not_block_the_others(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"bad", b"0")])
    publish(
        kafka, topic, [(b"bad" if n % 10 == 0 else b"key-%d" % n, b"%d" % n) for n in range(200)]
    )
    handled, attempts = [], []
    app = App()

    @app.on(topic)
    async def handle(event):
        if event.offset == 0:
            attempts.append(len(handled))
            if len(attempts) < 3:
                raise RuntimeError("not yet")
        handled.append((event.key, event.offset))

    async def main():
        async with working(app, kafka, group):
            await until(lambda: len(handled) == 201, "all are handled")

    asyncio.run(main())
    assert attempts == [0, 180, 180], "the other keys were done before the second attempt"
    bad = [offset for key, offset in handled if key == b"bad"]
    assert bad == sorted(bad)
    assert len(bad) == 21


def test_nothing_is_committed_past_an_unfinished_event(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(100)])
    handled = []
    app = App()

    @app.on(topic)
    async def handle(event):
        if event.offset == 40:
            raise RuntimeError("never")
        handled.append(event.offset)

    async def main():
        async with working(app, kafka, group, commit_interval_s=0.01):
            await until(lambda: len(handled) == 99, "the others are handled")
            await until(
                lambda: committed(kafka, group, topic) == 40, "what is before it is committed"
            )

    asyncio.run(main())
    assert committed(kafka, group, topic) == 40


def test_at_the_bound_partitions_pause_and_nothing_more_is_held(kafka, make_topic):
    topic, group = make_topic(3), new_group()
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(2000)])
    handled = []
    app = App()
    go = asyncio.Event()

    @app.on(topic, concurrency=8)
    async def handle(event):
        await go.wait()
        handled.append((event.partition, event.offset))

    async def main():
        async with working(app, kafka, group, max_in_flight=50) as worker:
            await until(lambda: worker._bound.events == 50, "the bound is reached")
            await until(lambda: worker._consumer._paused, "partitions are paused")
            assert worker._bound.events == 50
            go.set()
            await until(lambda: len(handled) >= 2000, "all are handled")
            assert worker._bound.events <= 50

    asyncio.run(main())
    assert len(handled) == len(set(handled)) == 2000


def test_the_bound_counts_bytes_too(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(None, b"x" * 10_000)] * 3000)
    handled = []
    app = App()
    go = asyncio.Event()

    @app.on(topic, concurrency=8)
    async def handle(event):
        await go.wait()
        handled.append(event.offset)

    async def main():
        async with working(app, kafka, group, max_in_flight_bytes=2_000_000) as worker:
            await until(lambda: worker._consumer._paused, "partitions are paused")
            read_ahead = 1_024 * 1_024
            assert 2_000_000 <= worker._bound.bytes <= 2_000_000 + 2 * read_ahead
            go.set()
            await until(lambda: len(handled) >= 3000, "all are handled")

    asyncio.run(main())
    assert len(set(handled)) == len(handled)


def test_a_stop_finishes_what_runs_and_leaves_the_rest_to_the_next(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(50)])
    begun, finished, go = [], [], asyncio.Event()
    app = App()

    @app.on(topic, concurrency=5)
    async def handle(event):
        begun.append(event.offset)
        await go.wait()
        finished.append(event.offset)

    async def first():
        async with working(app, kafka, group) as worker:
            await until(lambda: len(begun) == 5, "five run")
            worker.stop()
            slots = worker._parts[topic]._slots._slots
            await until(lambda: all(slot.leaving for slot in slots), "the stop waits for them")
            assert finished == []
            go.set()
        assert sorted(finished) == [0, 1, 2, 3, 4]
        assert len(begun) == 5

    async def second():
        async with working(app, kafka, group):
            await until(lambda: len(finished) >= 50, "the rest is handled")

    asyncio.run(first())
    assert committed(kafka, group, topic) == 5
    asyncio.run(second())
    assert sorted(finished) == list(range(50))


def test_a_stop_leaves_waiting_retries_uncommitted(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"good", b""), (b"bad", b""), (b"good", b"")])
    calls = []
    app = App()

    @app.on(topic)
    async def handle(event):
        calls.append(event.key)
        if event.key == b"bad":
            raise RuntimeError("never")

    async def main():
        async with working(app, kafka, group):
            await until(lambda: len(calls) >= 3, "each was called")

    asyncio.run(main())
    assert committed(kafka, group, topic) == 1


def test_handlers_that_do_not_end_are_given_up_at_the_drain_timeout(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"quick", b""), (b"stuck", b"")])
    handled, cancelled = [], []
    app = App()

    @app.on(topic)
    async def handle(event):
        if event.key == b"stuck":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(event.offset)
                raise
        handled.append(event.offset)

    async def main():
        async with working(app, kafka, group, drain_timeout_s=0.2):
            await until(lambda: handled, "the quick one is handled")

    asyncio.run(main())
    assert (handled, cancelled) == ([0], [1])
    assert committed(kafka, group, topic) == 1


def test_a_handler_that_ends_the_process_stops_the_worker_with_a_sentence(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"a", b""), (b"b", b"")])
    app = App()

    @app.on(topic)
    async def handle(event):
        if event.key == b"b":
            raise SystemExit(3)

    async def main():
        async with asyncio.timeout(SOON_S):
            await make_worker(app, reach(kafka), WorkerSettings(group=group)).run()

    with pytest.raises(Permanent, match="SystemExit in a handler"):
        asyncio.run(main())
    assert committed(kafka, group, topic) == 1


def test_an_event_comes_with_all_that_its_record_has(kafka, topic):
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(
        topic, b"value", b"key", headers=[("a", b"1"), ("a", None)], timestamp=1234567890123
    )
    producer.produce(topic, None, b"tombstone")
    producer.produce(topic, b"", None)
    producer.flush(10)
    events = []
    app = App()

    @app.on(topic, order="partition")
    async def handle(event):
        events.append(event)

    async def main():
        async with working(app, kafka, new_group()):
            await until(lambda: len(events) == 3, "all are handled")

    asyncio.run(main())
    full, tombstone, empty = events
    assert (full.topic, full.partition, full.offset) == (topic, 0, 0)
    assert (full.key, full.value) == (b"key", b"value")
    assert full.headers == (("a", b"1"), ("a", None))
    assert full.timestamp_ms == 1234567890123
    assert (tombstone.key, tombstone.value, tombstone.headers) == (b"tombstone", None, ())
    assert (empty.key, empty.value) == (None, b"")


def test_plain_functions_handle_events_in_threads(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"key-%d" % (n % 7), b"%d" % n) for n in range(100)])
    handled, threads = [], set()
    app = App()

    @app.on(topic, concurrency=4)
    def handle(event):
        threads.add(threading.current_thread())
        handled.append((event.key, event.offset))

    async def main():
        async with working(app, kafka, group):
            await until(lambda: len(handled) == 100, "all are handled")

    asyncio.run(main())
    assert threading.main_thread() not in threads
    for key in {key for key, _ in handled}:
        offsets = [offset for one, offset in handled if one == key]
        assert offsets == sorted(offsets)
    assert committed(kafka, group, topic) == 100


def test_each_topic_has_its_own_handler(kafka, make_topic):
    topics = [make_topic(), make_topic(2)]
    for topic in topics:
        publish(kafka, topic, [(b"key-%d" % n, topic.encode()) for n in range(30)])
    handled = {topic: [] for topic in topics}
    app = App()
    for topic in topics:

        @app.on(topic)
        async def handle(event, topic=topic):
            handled[topic].append(event.value)

    group = new_group()

    async def main():
        async with working(app, kafka, group):
            await until(
                lambda: all(len(values) == 30 for values in handled.values()), "both are handled"
            )

    asyncio.run(main())
    for topic in topics:
        assert set(handled[topic]) == {topic.encode()}


def test_a_group_without_a_position_may_start_at_the_newest(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(None, b"old")])
    handled = []
    app = App()

    @app.on(topic)
    async def handle(event):
        handled.append(event.value)

    async def main():
        async with working(app, kafka, group, from_beginning=False) as worker:
            await until(lambda: worker._consumer.end_offset(topic, 0) == 1, "it looks at the end")
            publish(kafka, topic, [(None, b"new")])
            await until(lambda: handled, "the new one is handled")

    asyncio.run(main())
    assert handled == [b"new"]


def test_lag_is_what_the_group_has_not_committed(kafka, topic):
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(20)])
    handled = []
    app = App()

    @app.on(topic)
    async def handle(event):
        if event.offset == 5:
            raise RuntimeError("never")
        handled.append(event.offset)

    def lag(worker):
        return [one.value for one in worker.samples() if one.metric.endswith("lag_events")]

    async def main():
        async with working(app, kafka, new_group()) as worker:
            await until(lambda: lag(worker) == [15], "the failing one and all after it")
            assert len(handled) == 19

    asyncio.run(main())


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_partition_moves_without_loss_or_repeats(kafka, make_topic, protocol):
    topic, group = make_topic(2), new_group()
    reached = reach(kafka, group_protocol=protocol)
    handled = []
    partitions_of = {"first": set(), "second": set()}

    def make(name):
        app = App()

        @app.on(topic)
        async def handle(event):
            await asyncio.sleep(0.001)
            handled.append((event.partition, event.offset))
            partitions_of[name].add(event.partition)

        return app

    async def publish_on(stop):
        published = 0
        while not stop.is_set():
            records = [(b"key-%d" % n, b"") for n in range(published, published + 20)]
            await asyncio.to_thread(publish, kafka, topic, records)
            published += 20
        return published

    async def main():
        stop = asyncio.Event()
        publishing = asyncio.create_task(publish_on(stop))
        async with working(make("first"), kafka, group, reached=reached):
            await until(lambda: partitions_of["first"] == {0, 1}, "the first has both")
            async with working(make("second"), kafka, group, reached=reached):
                await until(lambda: partitions_of["second"], "the second has one")
                partitions_of["first"].clear()
                await until(lambda: partitions_of["first"], "the first has the other")
                assert len(partitions_of["first"]) == len(partitions_of["second"]) == 1
            await until(lambda: partitions_of["first"] == {0, 1}, "the first has both again")
            stop.set()
            published = await publishing
            await until(lambda: len(handled) >= published, "all are handled")
        return published

    assert asyncio.run(main()) == len(handled) == len(set(handled))


def test_a_rebalance_is_served_at_the_bound(kafka, make_topic):
    topic, group = make_topic(2), new_group()
    publish(kafka, topic, [(b"key-%d" % n, b"") for n in range(200)])
    handled = []
    stuck, free = App(), App()

    @stuck.on(topic)
    async def wait(_event):
        await asyncio.sleep(60)

    @free.on(topic)
    async def handle(event):
        handled.append(event.partition)

    async def main():
        async with working(stuck, kafka, group, max_in_flight=10, drain_timeout_s=0.2) as worker:
            await until(lambda: worker._consumer._paused, "the first is at its bound")
            async with working(free, kafka, group):
                await until(lambda: handled, "the second has a partition")
                assert len(worker._parts[topic].progress) == 1
                assert worker._bound.events <= 10

    asyncio.run(main())
