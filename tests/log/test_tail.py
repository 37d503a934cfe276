"""Reading a topic to its end."""

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from eventstream.log.start import parse_start
from eventstream.log.tail import Tail
from eventstream.settings import KafkaSettings


@pytest.fixture
def numbers(kafka, make_topic):
    topic = make_topic(2)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    for number in range(10):
        producer.produce(topic, b"%d" % number, partition=number % 2)
    assert producer.flush(10) == 0
    return topic


@pytest.fixture
def hear_of_both_ends(kafka, numbers):
    """Read the topic until Kafka says of both partitions that there is no more."""

    def hear():
        consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "group.id": "not-joined",
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(numbers, partition, 0) for partition in range(2)])
        ends = set()
        while len(ends) < 2:
            message = consumer.poll(10)
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF
                ends.add(message.partition())
        consumer.close()

    return hear


def test_news_of_the_end_with_the_last_events_does_not_hide_them(kafka, numbers, hear_of_both_ends):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    with Tail(settings, numbers, parse_start("earliest", 0)) as tail:
        hear_of_both_ends()  # and the tail's client, opened before, has heard of them too
        read = [event.value for events in tail.batches(until_end=True) for event in events]
    assert sorted(read) == [b"%d" % number for number in range(10)]
