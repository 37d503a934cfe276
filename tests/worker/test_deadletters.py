"""Events that are given up, with a real Kafka."""

import asyncio

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from workers import SOON_S, committed, make_worker, new_group, publish, reach, until, working

from eventstream import App, Event, Permanent, Retry
from eventstream.backoff import Backoff
from eventstream.deadletters.letters import letter_of
from eventstream.observe import metrics
from eventstream.settings import WorkerSettings
from eventstream.worker.deadletters import DeadLetters
from records import read_records

pytestmark = pytest.mark.kafka

QUICK = Retry(attempts=3, backoff=Backoff(first_s=0.01))


def letters(kafka, topic, partitions=1):
    """The dead letters of a topic, by the place their events had."""
    found = {}
    for record in read_records(kafka, f"{topic}.deadletter", partitions):
        letter = letter_of(Event("", record.value(), record.key(), tuple(record.headers() or ())))
        assert letter.place not in found, "a letter is written once"
        assert letter.event.partition == record.partition(), "letters stand as their events did"
        found[letter.place] = letter
    return found


def test_the_last_attempt_makes_a_dead_letter_and_the_key_goes_on(kafka, make_topic):
    topic, group = make_topic(2), new_group()
    publish(kafka, topic, [(b"bad", b"%d" % n) for n in range(3)], partition=1)
    publish(kafka, topic, [(b"good", b"%d" % n) for n in range(3)], partition=0)
    attempts, handled = [], []
    app = App()

    @app.on(topic, retry=QUICK)
    async def handle(event):
        if event.value == b"1" and event.key == b"bad":
            attempts.append(event.offset)
            raise ValueError(f"attempt {len(attempts)}")
        handled.append((event.key, event.offset))

    async def main():
        async with working(app, kafka, group) as worker:
            await until(lambda: len(handled) == 5, "all others are handled")
            await until(lambda: not worker._bound.events, "all is on record")
            counts = {one.metric: one.value for one in worker.samples()}
            assert (counts[metrics.HANDLED.name], counts[metrics.GIVEN_UP.name]) == (5, 1)

    asyncio.run(main())
    assert attempts == [1, 1, 1]
    assert [offset for key, offset in handled if key == b"bad"] == [0, 2]
    assert committed(kafka, group, topic, 2) == 6
    (letter,) = letters(kafka, topic, 2).values()
    assert (letter.group, letter.place) == (group, (1, 1))
    assert (letter.event.topic, letter.event.key, letter.event.value) == (topic, b"bad", b"1")
    assert (letter.failure.error, letter.failure.attempts) == ("builtins.ValueError", 3)
    assert letter.failure.message == "attempt 3"
    assert "raise ValueError" in letter.failure.stack


def test_what_cannot_be_decoded_is_kept_as_it_is_without_another_attempt(kafka, topic):
    class Order(msgspec.Struct):
        id: int

    group = new_group()
    values = [b'{"id": 1}', b"\xff\x00 not JSON", None, b'{"id": "two"}', b'{"id": 5}']
    publish(kafka, topic, [(b"k", value) for value in values])
    handled = []
    app = App()

    @app.on(topic)
    async def handle(order: Order):
        handled.append(order.id)

    async def main():
        async with working(app, kafka, group):
            await until(lambda: handled == [1, 5], "the good ones are handled")

    asyncio.run(main())
    found = letters(kafka, topic)
    assert {place: letter.event.value for place, letter in found.items()} == {
        (0, 1): values[1],
        (0, 2): None,
        (0, 3): values[3],
    }
    assert {letter.failure.attempts for letter in found.values()} == {1}


def test_a_letter_that_kafka_refuses_holds_its_key_and_is_never_dropped(kafka, make_topic, topic):
    group = new_group()
    make_topic(name=f"{topic}.deadletter", config={"max.message.bytes": "500"})
    publish(kafka, topic, [(b"bad", b"x" * 600), (b"good", b""), (b"bad", b"small")])
    handled = []
    app = App()

    @app.on(topic)
    async def handle(event):
        if len(event.value) == 600:
            raise Permanent("never")
        handled.append(event.key)

    async def main():
        async with working(app, kafka, group) as worker:
            await until(lambda: handled == [b"good"], "the other key is handled")
            await until(lambda: worker._bound.events == 2, "that is on record")
            assert await asyncio.to_thread(committed, kafka, group, topic) == 0
            await asyncio.to_thread(_allow_larger_records, kafka, f"{topic}.deadletter")
            await until(lambda: handled == [b"good", b"bad"], "the key goes on")

    asyncio.run(main())
    assert list(letters(kafka, topic)) == [(0, 0)]
    assert committed(kafka, group, topic) == 3


def _allow_larger_records(kafka, topic):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    entry = ConfigEntry("max.message.bytes", "100000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(SOON_S)


def test_a_stop_waits_for_letters_that_are_on_their_way(kafka, topic, monkeypatch):
    group = new_group()
    publish(kafka, topic, [(b"bad", b"")])
    on_its_way, go = asyncio.Event(), asyncio.Event()
    write = DeadLetters.write

    async def write_later(self, event, failure):
        on_its_way.set()
        await go.wait()
        await write(self, event, failure)

    monkeypatch.setattr(DeadLetters, "write", write_later)
    app = App()

    @app.on(topic)
    async def handle(_event):
        raise Permanent("never")

    async def main():
        async with working(app, kafka, group) as worker:
            await until(on_its_way.is_set, "a letter is being written")
            worker.stop()
            asyncio.get_running_loop().call_soon(go.set)

    asyncio.run(main())
    assert list(letters(kafka, topic)) == [(0, 0)]
    assert committed(kafka, group, topic) == 1


def test_a_worker_may_be_told_to_stop_rather_than_go_on(kafka, topic):
    group = new_group()
    publish(kafka, topic, [(b"a", b""), (b"bad", b""), (b"a", b"")])
    handled = []
    app = App()

    @app.on(topic, retry=QUICK, on_failure="stop")
    async def handle(event):
        if event.key == b"bad":
            raise ValueError("a bug")
        handled.append(event.offset)

    worker = make_worker(app, reach(kafka), WorkerSettings(group=group))
    with pytest.raises(Permanent, match=r"failed 3 times on .*/0/1 .*ValueError: a bug.*'stop'"):
        asyncio.run(asyncio.wait_for(worker.run(), SOON_S))
    assert handled == [0, 2]
    assert committed(kafka, group, topic) == 1


def test_letters_find_room_for_partitions_that_were_added(kafka, make_topic):
    topic, group = make_topic(3), new_group()
    make_topic(1, name=f"{topic}.deadletter")
    publish(kafka, topic, [(b"k", b"")], partition=2)
    given_up = []
    app = App()

    @app.on(topic)
    async def handle(event):
        given_up.append(event.offset)
        raise Permanent("never")

    async def main():
        async with working(app, kafka, group) as worker:
            await until(lambda: given_up and not worker._bound.events, "the letter is written")

    asyncio.run(main())
    assert list(letters(kafka, topic, 3)) == [(2, 0)]
