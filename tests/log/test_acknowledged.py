"""What counts as acknowledged is in the log.

The client says of an event that Kafka took for a duplicate that it was delivered, without an
offset. On topics made a moment ago that happens to events that are in no log.
"""

import asyncio
import uuid

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
from eventstream.log.producer import Producer
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
    """Stands for a client whose every event is taken for a duplicate."""

    max_record_bytes = 1000

    def __init__(self, *_arguments):
        self.waiting = []

    def send(self, topic, value, key, on_delivery, *_more):
        self.waiting.append((on_delivery, Message(topic=topic, value=value, key=key, partition=0)))

    def send_all(self, topic, values, key, on_delivery, *_more):
        for value in values:
            self.send(topic, value, key, on_delivery)
        return len(values), None

    def answer(self):
        for on_delivery, report in self.waiting:
            on_delivery(None, report)


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


def test_a_report_with_an_offset_is_an_acknowledgement(kafka, topic):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)

    async def main():
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        producer = Producer(settings, ProducerSettings(), loop)
        producer.send(topic, b"1", None, lambda *report: answered.set_result(report))
        return await answered

    error, report = asyncio.run(main())
    assert (error, report.offset()) == (None, 0)
