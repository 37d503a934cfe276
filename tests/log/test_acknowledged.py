"""What counts as acknowledged is in the log.

The client says of an event that Kafka took for a duplicate that it was delivered, without an
offset. On topics made a moment ago that happens to events that are in no log.
"""

import asyncio
import uuid
from functools import partial

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient, NewTopic

from eventstream.errors import OutcomeUnknown
from eventstream.events import Receipt
from eventstream.gateway.access.access import Access
from eventstream.gateway.admission import Admission
from eventstream.gateway.counters import GatewayCounters
from eventstream.gateway.formats.json_event import JSON
from eventstream.gateway.formats.ndjson import NDJSON
from eventstream.gateway.publishing.core import Publishing
from eventstream.gateway.routes import Route
from eventstream.gateway.schemas import Schemas
from eventstream.log.bulk import BulkProducer
from eventstream.log.producer import make_producer
from eventstream.log.producing import NO_OFFSET
from eventstream.log.rdkafka import RdkafkaProducer, said
from eventstream.settings import AccessSettings, KafkaSettings, ProducerSettings, SchemaSettings
from eventstream.worker.outbox import Outbox
from records import read_records

TOPICS = 20
EVENTS = 12


@pytest.mark.kafka
def test_every_event_with_a_receipt_is_where_it_says_even_on_topics_just_made(kafka):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})

    async def publish(topic):
        outbox = Outbox(settings, ProducerSettings(linger_ms=0))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, admin.create_topics([NewTopic(topic, 4, 1)])[topic].result)
        sent = [outbox.send(topic, b"%d" % n, b"key", (), n % 4) for n in range(EVENTS)]
        return await asyncio.gather(*sent, return_exceptions=True)

    for _ in range(TOPICS):
        topic = f"just-made-{uuid.uuid4().hex[:8]}"
        outcomes = asyncio.run(publish(topic))
        there = {
            (record.partition(), record.offset()): record.value()
            for record in read_records(kafka, topic, 4)
        }
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, Receipt):
                assert there[outcome.partition, outcome.offset] == b"%d" % number
            else:
                assert isinstance(outcome, OutcomeUnknown)


class Deaf:
    """Stands for a producer whose every event is taken for a duplicate."""

    max_record_bytes = 1000

    def __init__(self, *_arguments):
        self.waiting = []

    def send(self, _topic, _value, _key, on_delivery, *_more):
        self.waiting.append(partial(on_delivery, NO_OFFSET, 0, -1, 0))

    def send_all(self, _topic, values, _key, on_run, *_more):
        self.waiting.append(partial(on_run, NO_OFFSET, 0, -1, 0, len(values)))
        return len(values), None

    def answer(self):
        for told in self.waiting:
            told()


def test_a_worker_does_not_take_it_for_written():
    async def main():
        outbox = Outbox(None, None)
        outbox._producer = Deaf()
        sending = asyncio.create_task(outbox.send("orders", b"1", None))
        await asyncio.sleep(0)
        outbox._producer.answer()
        with pytest.raises(OutcomeUnknown, match="may be in the log"):
            await sending

    asyncio.run(main())


@pytest.mark.parametrize("form", [JSON, NDJSON])
def test_the_gateway_answers_that_it_does_not_know(form):
    answers = []

    class Responder:
        def answer(self, answer):
            answers.append(answer)

    class Topics:
        def __init__(self):
            self.known = {"orders": 1}

    counters, deaf = GatewayCounters(), Deaf()
    publishing = Publishing(
        deaf,
        Topics(),
        Access(AccessSettings()),
        Schemas(SchemaSettings()),
        Admission(10, 1000),
        counters,
        None,
        1000,
    )
    publishing.publish(Route("orders", form), b'{"id": 1}', Responder())
    deaf.answer()
    (answer,) = answers
    assert b"outcome-unknown" in answer.body
    assert (counters.acknowledged, counters.unknown) == (0, 1)


def test_the_bulk_publisher_counts_it_as_unknown():
    producer = BulkProducer(KafkaSettings(), ProducerSettings())
    producer._delivered(None, Message(topic="orders", value=b"1"))
    assert (producer.acknowledged, producer.unknown) == (0, 1)


def test_librdkafkas_report_without_an_offset_is_no_acknowledgement():
    message = Message(topic="orders", value=b"1", partition=2)
    assert said(None, message) == (NO_OFFSET, 2, -1)


def rdkafka(settings, loop):
    return RdkafkaProducer(settings, ProducerSettings(), loop)


def native(settings, loop):
    return make_producer(settings, ProducerSettings(), loop, queue_events=100, queue_bytes=10**6)


@pytest.mark.parametrize("make", [rdkafka, native])
def test_both_producers_report_in_the_same_way(kafka, topic, make):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)

    async def main():
        loop = asyncio.get_running_loop()
        one, runs = loop.create_future(), []
        producer = make(settings, loop)
        producer.send(topic, b"1", b"k", lambda *report: one.set_result(report), (), 0, 1234567)
        producer.send(topic, None, b"k", lambda *_: None, (("h", b"1"), ("h", None)))
        first = await one
        taken = producer.send_all(topic, [b"2", b"3"], b"k", lambda *report: runs.append(report))
        assert await producer.drain(20) == 0
        producer.close()
        return first, taken, runs

    first, taken, runs = asyncio.run(main())
    assert first == (None, 0, 0, 1234567)
    assert taken == (2, None)
    places = [
        (error, partition, offset + step, number + step)
        for error, partition, offset, number, count in runs
        for step in range(count)
    ]
    assert places == [(None, 0, 2, 0), (None, 0, 3, 1)]
    records = read_records(kafka, topic)
    assert [record.value() for record in records] == [b"1", None, b"2", b"3"]
    assert records[1].headers() == [("h", b"1"), ("h", None)]
    assert all(record.key() == b"k" for record in records)
    assert records[0].timestamp()[1] == 1234567
