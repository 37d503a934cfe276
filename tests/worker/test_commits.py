"""What a group commits, and what the next owner of a partition makes of it."""

import asyncio

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from workers import SOON_S, committed, make_anew, new_group, publish, reach, until, working

from eventstream import App
from eventstream.errors import GroupInUse
from eventstream.log.group_admin import GroupAdmin

pytestmark = pytest.mark.kafka


def app_for(topic, handle):
    app = App()
    app.on(topic)(handle)
    return app


def test_what_is_finished_beyond_a_waiting_event_does_not_come_again(kafka, make_topic):
    topic, group = make_topic(2), new_group()
    publish(kafka, topic, [(b"bad", b"0")], partition=0)
    publish(kafka, topic, [(b"key-%d" % (n % 9), b"") for n in range(50)], partition=0)
    publish(kafka, topic, [(b"bad" if n % 5 else b"good", b"") for n in range(50)], partition=1)
    first, second = [], []

    async def fail(event):
        if event.key == b"bad":
            raise RuntimeError("not now")
        first.append((event.partition, event.offset))

    async def succeed(event):
        second.append((event.partition, event.offset))

    async def main():
        async with working(app_for(topic, fail), kafka, group):
            await until(lambda: len(first) == 60, "the others are handled")
        async with working(app_for(topic, succeed), kafka, group):
            await until(lambda: len(second) >= 41, "the bad ones are handled")

    asyncio.run(main())
    assert sorted(first + second) == sorted((p, n) for p in range(2) for n in range(51 - p))
    assert committed(kafka, group, topic, 2) == 101


def test_a_failing_key_lets_the_others_go_on_far_beyond_the_bound(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"bad", b"")] + [(b"key-%d" % (n % 9), b"") for n in range(3000)])
    handled = []

    async def handle(event):
        if event.key == b"bad":
            raise RuntimeError("never")
        handled.append(event.offset)

    async def main():
        async with working(app_for(topic, handle), kafka, group, max_in_flight=100):
            await until(lambda: len(handled) == 3000, "all others are handled")

    asyncio.run(main())
    assert sorted(handled) == list(range(1, 3001))
    assert committed(kafka, group, topic) == 0


def test_metadata_that_somebody_damaged_is_left(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"a", b"")] * 5)
    client = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": group})
    client.commit(offsets=[TopicPartition(topic, 0, 2, "eventstream-1:?")], asynchronous=False)
    client.close()
    handled = []

    async def handle(event):
        handled.append(event.offset)

    async def main():
        async with working(app_for(topic, handle), kafka, group):
            await until(lambda: len(handled) == 3, "the rest is handled")

    asyncio.run(main())
    assert handled == [2, 3, 4]


def test_a_transactions_marker_and_an_aborted_event_are_gaps(kafka, topic):
    group = new_group()
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": f"{topic}-writer"}
    )
    producer.init_transactions(SOON_S)
    for number in range(4):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number, b"key")
        producer.flush(SOON_S)
        if number % 2:
            producer.abort_transaction(SOON_S)
        else:
            producer.commit_transaction(SOON_S)
    handled = []

    async def handle(event):
        handled.append(event.value)

    async def main():
        async with working(app_for(topic, handle), kafka, group):
            await until(lambda: handled == [b"0", b"2"], "the committed ones are handled")

    asyncio.run(main())
    assert committed(kafka, group, topic) == 5, "one after the last event that was read"


def test_retention_that_overtakes_the_position_is_a_gap(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"a", b"")] * 20)
    handled = []

    async def handle(event):
        handled.append(event.offset)

    async def stop_at_five(event):
        handled.append(event.offset)
        if event.offset == 4:
            await asyncio.Event().wait()

    async def main():
        async with working(app_for(topic, stop_at_five), kafka, group, drain_timeout_s=0.1):
            await until(lambda: len(handled) == 5, "five came")
        _delete_before(kafka, topic, 12)
        async with working(app_for(topic, handle), kafka, group):
            await until(lambda: len(handled) == 13, "the rest is handled")

    asyncio.run(main())
    assert handled == [0, 1, 2, 3, 4, *range(12, 20)]
    assert committed(kafka, group, topic) == 20


def _delete_before(kafka, topic, offset):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    place = TopicPartition(topic, 0, offset)
    admin.delete_records([place])[place].result(SOON_S)


def test_a_partition_that_is_added_is_read_from_its_beginning(kafka, topic):
    group = new_group()
    handled = []

    async def handle(event):
        handled.append(event.partition)

    async def main():
        async with working(app_for(topic, handle), kafka, group):
            admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
            admin.create_partitions([NewPartitions(topic, 2)])[topic].result(SOON_S)
            await asyncio.to_thread(publish, kafka, topic, [(None, b"")] * 3, 1)
            await until(lambda: handled == [1, 1, 1], "the new partition is read", 40)

    asyncio.run(main())
    assert committed(kafka, group, topic, 2) == 3


def test_a_topic_made_anew_is_read_from_its_beginning(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"old", b"")] * 10)
    handled = []

    async def handle(event):
        handled.append((event.key, event.offset))

    async def main():
        async with working(app_for(topic, handle), kafka, group):
            await until(lambda: len(handled) == 10, "the old ones are handled")
            await asyncio.to_thread(make_anew, kafka, topic)
            await asyncio.to_thread(publish, kafka, topic, [(b"new", b"")] * 3)
            await until(lambda: len(handled) >= 13, "the new ones are handled", 40)

    asyncio.run(main())
    assert handled[10:] == [(b"new", 0), (b"new", 1), (b"new", 2)]
    assert committed(kafka, group, topic) == 3


def test_an_operator_moves_a_group_between_runs_and_not_while_it_works(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"bad", b"0")] + [(b"key-%d" % (n % 3), b"") for n in range(9)])
    admin = GroupAdmin(reach(kafka))
    runs = [[], [], []]
    go_on = asyncio.Event()

    def app_of_run(number):
        async def handle(event):
            if event.key == b"bad" and number == 0:
                await go_on.wait()
            runs[number].append(event.offset)

        return app_for(topic, handle)

    def move_to(offset):
        admin.reset(group, admin.moves(group, topic, offset))

    async def main():
        async with working(app_of_run(0), kafka, group, commit_interval_s=0.01):
            await until(lambda: len(runs[0]) == 9, "all but the first are handled")
            with pytest.raises(GroupInUse, match="has members"):
                await asyncio.to_thread(move_to, 5)
            go_on.set()
            await until(lambda: len(runs[0]) == 10, "the first is handled too")
        await asyncio.to_thread(move_to, 4)
        async with working(app_of_run(1), kafka, group):
            await until(lambda: len(runs[1]) == 6, "what comes again is handled")
        await asyncio.to_thread(move_to, 10)
        async with working(app_of_run(2), kafka, group):
            publish(kafka, topic, [(b"new", b"")])
            await until(lambda: runs[2], "the new one is handled")

    asyncio.run(main())
    assert sorted(runs[0]) == list(range(10))
    assert sorted(runs[1]) == list(range(4, 10))
    assert runs[2] == [10]
