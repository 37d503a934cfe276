"""Our producer on three real brokers that are killed, paused and restarted under load."""

import asyncio
import os
import random
from collections import Counter

import pytest

from eventstream.errors import OutcomeUnknown, QueueFull
from eventstream.log.admin import Admin
from eventstream.log.faults import translate
from eventstream.log.producer import make_producer
from eventstream.settings import KafkaSettings, ProducerSettings
from records import read_records

FAULTS = int(os.environ.get("FAULTS", "20"))
PARTITIONS = 6
KEYS = 50
PER_SECOND = 2000
TICK_S = 0.005
DELIVERY_TIMEOUT_S = 20
pytestmark = pytest.mark.kafka


class Load:
    """Sends numbered events by key, and keeps what is told of each."""

    def __init__(self, kafka, topic, chance):
        self.topic = topic
        self.chance = chance
        self.told = {}
        self.sent = 0
        self.stopped = False
        self.producer = make_producer(
            KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
            ProducerSettings(delivery_timeout_s=DELIVERY_TIMEOUT_S),
            asyncio.get_running_loop(),
            queue_events=200_000,
            queue_bytes=100_000_000,
        )

    async def run(self):
        while not self.stopped:
            for _ in range(int(PER_SECOND * TICK_S)):
                key = b"%d" % self.chance.randrange(KEYS)
                if self.chance.random() < 0.1:
                    self.send_run(key)
                else:
                    self.send_one(key)
            await asyncio.sleep(TICK_S)
        assert await self.producer.drain(DELIVERY_TIMEOUT_S + 20) == 0
        self.producer.close()

    def send_one(self, key):
        number = self.sent

        def on_delivery(error, partition, offset, _timestamp_ms):
            assert number not in self.told
            self.told[number] = error, partition, offset

        try:
            self.producer.send(self.topic, b"%d" % number, key, on_delivery)
        except QueueFull:
            return
        self.sent += 1

    def send_run(self, key):
        begin = self.sent
        values = [b"%d" % (begin + step) for step in range(20)]

        def on_run(error, partition, offset, first, count):
            for step in range(count):
                assert begin + first + step not in self.told
                self.told[begin + first + step] = error, partition, offset + step

        taken, _ = self.producer.send_all(self.topic, values, key, on_run)
        self.sent += taken


async def harm(kafka, chance, how):
    """Do harm to one broker, and undo it."""
    node = chance.randrange(1, 4)
    pause_s = chance.uniform(0.5, 4)
    await asyncio.to_thread(getattr(kafka, how), node)
    await asyncio.sleep(pause_s)
    undo = kafka.restart if how == "kill" else kafka.resume
    await asyncio.to_thread(undo, node)
    await asyncio.sleep(chance.uniform(0.5, 3))


def check(kafka, load):
    records = {}
    for record in read_records(kafka, load.topic, PARTITIONS):
        number = int(record.value())
        assert number not in records, f"event {number} was written twice"
        records[number] = record
    assert sorted(load.told) == list(range(load.sent)), "an event nobody was told of"
    seen, last = Counter(), {}
    for number in range(load.sent):
        error, *place = load.told[number]
        record = records.get(number)
        if error is None:
            seen["acknowledged"] += 1
            assert record is not None, f"event {number} was acknowledged, and is lost"
            assert [record.partition(), record.offset()] == place
            assert last.get(record.key(), -1) < record.offset(), "out of order"
            last[record.key()] = record.offset()
        elif isinstance(translate(error, load.topic, was_sent=True), OutcomeUnknown):
            seen["unknown"] += 1
        else:
            seen["failed"] += 1
            assert record is None, f"event {number} was said not to be written, and is"
    return seen


def run(local_kafka, seed, harms):
    chance = random.Random(seed)
    with local_kafka(brokers=3) as kafka:
        admin = Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))
        admin.create_topic("t", PARTITIONS)

        async def story():
            load = Load(kafka, "t", chance)
            running = asyncio.create_task(load.run())
            await asyncio.sleep(0.5)
            for how in harms:
                await harm(kafka, chance, how)
            load.stopped = True
            await running
            return load

        return check(kafka, asyncio.run(story()))


def test_a_broker_killed_and_one_paused_cost_no_event_and_double_none(local_kafka):
    seen = run(local_kafka, 1, ["kill", "pause"])
    assert seen["acknowledged"] > 1000


@pytest.mark.slow
def test_brokers_killed_and_paused_at_any_moment_cost_no_event_and_double_none(local_kafka):
    chance = random.Random(2)
    seen = run(local_kafka, 3, [chance.choice(["kill", "pause"]) for _ in range(FAULTS)])
    print(f"{FAULTS} harms: {dict(seen)}")
