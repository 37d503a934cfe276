"""Keys that are parked, replayed and let go, with a real Kafka."""

import asyncio
import random
from collections import defaultdict

import pytest
from workers import SOON_S, committed, new_group, publish, reach, until, working

from eventstream import App, Permanent, Retry
from eventstream.backoff import Backoff
from eventstream.deadletters.inbox import read_inbox
from eventstream.deadletters.marks import PARKED_SUFFIX
from eventstream.deadletters.selection import Filter, records_of, select
from eventstream.log.companions import make_companion
from eventstream.log.write import write

pytestmark = pytest.mark.kafka

QUICK = Retry(attempts=2, backoff=Backoff(first_s=0.01))


class Shop:
    """An app whose handler refuses some events, and what it handled, by key."""

    def __init__(self, topic, on_failure="park", concurrency=64):
        self.topic = topic
        self.bad = set()
        self.handled = defaultdict(list)
        self.running = set()
        self.app = App()
        self.app.on(topic, retry=QUICK, on_failure=on_failure, concurrency=concurrency)(self.handle)

    async def handle(self, event):
        assert event.key not in self.running, "events of a key run one after the other"
        self.running.add(event.key)
        await asyncio.sleep(0)
        self.running.remove(event.key)
        if (event.key, int(event.value)) in self.bad:
            raise ValueError("out of stock")
        self.handled[event.key].append(int(event.value))

    def count(self):
        return sum(map(len, self.handled.values()))


def inbox(kafka, topic):
    return read_inbox(reach(kafka), topic)


def states(kafka, topic):
    return sorted(
        (entry.letter.event.key, int(entry.letter.event.value), entry.state)
        for entry in inbox(kafka, topic).outstanding
    )


async def until_states(kafka, topic, expected):
    """Wait until Kafka tells of these letters; one whose replay is asked for is `replaying`."""
    async with asyncio.timeout(SOON_S):
        while await asyncio.to_thread(states, kafka, topic) != expected:
            pass


async def ask(kind, kafka, topic, **wanted):
    """Ask for a replay, or discard, as the command does."""

    def post():
        make_companion(reach(kafka), topic + PARKED_SUFFIX, topic, 1000)
        entries = select(inbox(kafka, topic), Filter(**wanted), whole_keys=kind == "replay")
        write(reach(kafka), records_of(kind, topic, entries))
        return len(entries)

    return await asyncio.to_thread(post)


async def recorded(worker, topic, events):
    """Wait until a worker has received so many events, and each is handled or has a letter."""
    counters = worker._parts[topic].counters
    await until(lambda: counters.received >= events, "all are received")
    await until(lambda: not worker._bound.events, "all is on record")


def numbered(*keys, start=0, count=1):
    return [(key, b"%d" % number) for number in range(start, start + count) for key in keys]


def test_a_key_is_parked_behind_its_dead_letter_and_replayed_in_order_after_restarts(
    kafka, make_topic
):
    topic, group = make_topic(2), new_group()
    shop = Shop(topic)
    shop.bad.add((b"b", 3))

    async def main():
        publish(kafka, topic, numbered(b"a", b"b", b"c", count=6))
        async with working(shop.app, kafka, group) as worker:
            await until(lambda: shop.count() == 15, "what is not parked is handled")
            await recorded(worker, topic, 18)
        assert shop.handled[b"b"] == [0, 1, 2]
        publish(kafka, topic, numbered(b"a", b"b", b"c", start=6, count=4))
        async with working(shop.app, kafka, group) as worker:
            await until(lambda: shop.count() == 15 + 8, "others go on after a restart")
            await recorded(worker, topic, 12)
        assert states(kafka, topic) == [
            (b"b", 3, "dead"),
            *((b"b", number, "parked") for number in range(4, 10)),
        ]
        shop.bad.clear()
        assert await ask("replay", kafka, topic, key=b"b") == 7
        publish(kafka, topic, numbered(b"a", b"b", b"c", start=10, count=4))
        async with working(shop.app, kafka, group):
            await until(lambda: shop.count() == 42, "all is handled")
            publish(kafka, topic, numbered(b"b", start=14, count=2))
            await until(lambda: shop.count() == 44, "the key is parked no more")

    asyncio.run(main())
    assert shop.handled[b"b"] == list(range(16))
    assert shop.handled[b"a"] == shop.handled[b"c"] == list(range(14))
    assert states(kafka, topic) == []
    assert committed(kafka, group, topic, 2) == 44


def test_new_events_of_a_key_wait_while_it_is_replayed(kafka, topic):
    group = new_group()
    shop = Shop(topic)
    shop.bad.add((b"k", 0))
    go = asyncio.Event()
    handle = shop.handle

    async def slowly(event):
        if not shop.bad and int(event.value) < 3:
            await go.wait()
        await handle(event)

    app = App()
    app.on(topic, retry=QUICK, on_failure="park")(slowly)

    async def main():
        publish(kafka, topic, numbered(b"k", count=5))
        async with working(app, kafka, group) as worker:
            await recorded(worker, topic, 5)
            shop.bad.clear()
            await ask("replay", kafka, topic)
            await until(lambda: worker._parts[topic]._replays._running, "the replay runs")
            await asyncio.to_thread(publish, kafka, topic, numbered(b"k", start=5, count=5))
            await asyncio.to_thread(publish, kafka, topic, numbered(b"other", start=9))
            await until(lambda: shop.handled[b"other"] == [9], "other keys go on")
            assert shop.handled[b"k"] == []
            go.set()
            await until(lambda: shop.count() == 11, "all is handled")

    asyncio.run(main())
    assert shop.handled[b"k"] == list(range(10))


def test_what_fails_again_stays_parked_in_order(kafka, topic):
    group = new_group()
    shop = Shop(topic)
    shop.bad |= {(b"k", 1), (b"k", 4)}

    async def main():
        publish(kafka, topic, numbered(b"k", count=7))
        async with working(shop.app, kafka, group) as worker:
            await recorded(worker, topic, 7)
            await ask("replay", kafka, topic)
            behind = [(b"k", number, "parked") for number in range(2, 7)]
            await until_states(kafka, topic, [(b"k", 1, "dead"), *behind])
            assert shop.handled[b"k"] == [0]
            shop.bad.remove((b"k", 1))
            await ask("replay", kafka, topic)
            await until(lambda: shop.count() == 4, "it goes on to the next that fails")
            expected = [(b"k", 4, "dead"), (b"k", 5, "parked"), (b"k", 6, "parked")]
            await until_states(kafka, topic, expected)
            await ask("discarded", kafka, topic, place=(0, 4))
            await ask("replay", kafka, topic)
            await until(lambda: shop.count() == 6, "without it the others are handled")
            publish(kafka, topic, numbered(b"k", start=7))
            await until(lambda: shop.count() == 7, "the key is free")

    asyncio.run(main())
    assert shop.handled[b"k"] == [0, 1, 2, 3, 5, 6, 7]
    assert states(kafka, topic) == []


def test_discarding_all_letters_of_a_key_lets_it_go_on(kafka, topic):
    group = new_group()
    shop = Shop(topic)
    shop.bad.add((b"k", 0))

    async def main():
        publish(kafka, topic, numbered(b"k", count=3))
        async with working(shop.app, kafka, group) as worker:
            await recorded(worker, topic, 3)
            assert await ask("discarded", kafka, topic) == 3
            lot = worker._parts[topic]._parking.lots[0]
            await until(lambda: not lot.parked, "the key is free")
            publish(kafka, topic, numbered(b"k", start=3))
            await until(lambda: shop.count() == 1, "it goes on")

    asyncio.run(main())
    assert shop.handled[b"k"] == [3]


@pytest.mark.parametrize("key", [b"k", None])
def test_a_dead_letter_is_replayed_between_the_events_of_its_key(kafka, topic, key):
    group = new_group()
    shop = Shop(topic, "deadletter")
    shop.bad |= {(key, 1), (key, 2)}
    shop.running = set() if key else frozenset()

    async def main():
        publish(kafka, topic, numbered(key, count=4))
        async with working(shop.app, kafka, group, max_in_flight=100) as worker:
            await until(lambda: shop.count() == 2, "the key goes on")
            await recorded(worker, topic, 4)
            shop.bad.clear()
            assert await ask("replay", kafka, topic, place=(0, 2)) == 1
            await until(lambda: shop.count() == 3, "one letter is replayed")

    if key is None:
        shop.app = App()

        @shop.app.on(topic, retry=QUICK)
        async def handle(event):
            if (event.key, int(event.value)) in shop.bad:
                raise ValueError("no")
            shop.handled[event.key].append(int(event.value))

    asyncio.run(main())
    assert sorted(shop.handled[key]) == [0, 2, 3]
    assert states(kafka, topic) == [(key, 1, "dead")]


def test_letters_of_another_group_are_left_alone(kafka, topic):
    ours, theirs = new_group(), new_group()
    shop, other = Shop(topic), Shop(topic)
    shop.bad.add((b"k", 0))

    async def main():
        publish(kafka, topic, numbered(b"k", count=3))
        async with working(shop.app, kafka, ours) as worker:
            await recorded(worker, topic, 3)
        async with working(other.app, kafka, theirs):
            await until(lambda: other.count() == 3, "the other group handles all")
            shop.bad.clear()
            await ask("replay", kafka, topic, group=ours)
            publish(kafka, topic, numbered(b"k", start=3))
            await until(lambda: other.count() == 4, "and no replay of ours")
        async with working(shop.app, kafka, ours):
            await until(lambda: shop.count() == 4, "which comes to us")

    asyncio.run(main())
    assert shop.handled[b"k"] == other.handled[b"k"] == [0, 1, 2, 3]


def test_an_event_that_has_a_letter_is_not_handled_again(kafka, topic):
    group = new_group()
    shop = Shop(topic, "deadletter")
    shop.bad.add((b"k", 0))
    commits = []

    async def main():
        publish(kafka, topic, numbered(b"k", count=2))
        async with working(shop.app, kafka, group) as worker:
            worker._committing._commit = _never
            worker._committing._commits = lambda _: {}
            await until(lambda: shop.count() == 1, "one is handled, one is a letter")
        shop.bad.clear()
        async with working(shop.app, kafka, group) as worker:
            await until(lambda: shop.count() == 2, "the one handled comes again")
            await recorded(worker, topic, 2)

    async def _never():
        return not commits

    asyncio.run(main())
    assert shop.handled[b"k"] == [1, 1]
    assert states(kafka, topic) == [(b"k", 0, "dead")]


def test_parking_through_rebalances_keeps_every_key_in_order(kafka, make_topic):
    topic, group = make_topic(4), new_group()
    shop = Shop(topic)
    keys = [b"key-%d" % number for number in range(20)]
    chance = random.Random(11)
    shop.bad = {(chance.choice(keys), chance.randrange(30)) for _ in range(12)}

    async def main():
        publish(kafka, topic, numbered(*keys, count=30))
        async with working(shop.app, kafka, group, commit_interval_s=0.01):
            await until(lambda: shop.count() > 50, "work has begun")
            async with working(shop.app, kafka, group, commit_interval_s=0.01) as second:
                publish(kafka, topic, numbered(*keys, start=30, count=10))
                await until(lambda: second._parts[topic].counters.received, "both work")
            shop.bad.clear()
        async with working(shop.app, kafka, group) as worker:
            await ask("replay", kafka, topic)
            await until(lambda: shop.count() >= 800, "all is handled", 40)
            await until(lambda: not worker._bound.events, "all is on record")

    asyncio.run(main())
    assert {key: shop.handled[key] for key in keys} == {key: list(range(40)) for key in keys}
    assert states(kafka, topic) == []


def test_parking_is_for_keys_only(topic):
    with pytest.raises(Permanent, match="order must be 'key'"):
        App().on(topic, order="none", on_failure="park")(Shop(topic).handle)
