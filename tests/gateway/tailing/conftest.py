"""One server for the tests that change nothing in it."""

from functools import partial

import pytest
from confluent_kafka import Producer
from event_source import EventSource
from stream_servers import serving


@pytest.fixture(scope="session")
def server(kafka):
    with serving(kafka.bootstrap_servers) as running:
        yield running


@pytest.fixture
def listen(server):
    """Open streams that end with the test."""
    opened = []

    def listen(target, last_event_id=None, of=server, **options):
        source = EventSource(of.port, f"/events/{target}", last_event_id, **options)
        opened.append(source)
        return source.start()

    yield listen
    for source in opened:
        source.leave()


@pytest.fixture(scope="session")
def publish_to():
    """Write records to a Kafka, and wait until they are there."""
    producers = {}

    def publish(servers, topic, *values, partition=0, **more):
        if servers not in producers:
            producers[servers] = Producer({"bootstrap.servers": servers, "linger.ms": 1})
        for value in values:
            producers[servers].produce(topic, value, partition=partition, **more)
        assert producers[servers].flush(20) == 0

    return publish


@pytest.fixture
def publish(kafka, publish_to):
    """Write records to the tests' Kafka, and wait until they are there."""
    return partial(publish_to, kafka.bootstrap_servers)
